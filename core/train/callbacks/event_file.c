#include "core/train/callbacks/event_file.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Castagnoli's polynomial, reflected. */
static uint32_t crc32c(const unsigned char *bytes, uint64_t count) {
    uint32_t crc = 0xFFFFFFFFu;
    for (uint64_t i = 0; i < count; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

uint32_t kfi_masked_crc(const void *bytes, uint64_t count) {
    const uint32_t crc = crc32c(bytes, count);
    return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

/* A protocol buffer while it is put together. */
typedef struct message {
    unsigned char bytes[1024];
    size_t length;
} message;

static void put_bytes(message *to, const void *bytes, size_t count) {
    if (count > sizeof to->bytes - to->length) count = sizeof to->bytes - to->length;
    memcpy(to->bytes + to->length, bytes, count);
    to->length += count;
}

static void put_little(message *to, uint64_t bits, int bytes) {
    unsigned char little[8];
    for (int i = 0; i < bytes; i++) little[i] = (unsigned char)(bits >> 8 * i);
    put_bytes(to, little, (size_t)bytes);
}

static void put_varint(message *to, uint64_t value) {
    for (; value >= 0x80; value >>= 7) put_little(to, (value & 0x7F) | 0x80, 1);
    put_little(to, value, 1);
}

/* Wire types: 0 a varint, 1 eight bytes, 2 a length and that many bytes, 5 four bytes. */
static void put_key(message *to, int field, int wire_type) {
    put_varint(to, (uint64_t)(field << 3 | wire_type));
}

static void put_block(message *to, int field, const void *bytes, size_t count) {
    put_key(to, field, 2);
    put_varint(to, count);
    put_bytes(to, bytes, count);
}

static void put_wall_time(message *event) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const double seconds = (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    put_key(event, 1, 1); /* Event.wall_time */
    put_little(event, bits, 8);
}

static kf_status write_record(FILE *file, const message *event) {
    message frame = {.length = 0}, tail = {.length = 0};
    put_little(&frame, event->length, 8);
    put_little(&frame, kfi_masked_crc(frame.bytes, 8), 4);
    put_little(&tail, kfi_masked_crc(event->bytes, event->length), 4);
    fwrite(frame.bytes, 1, frame.length, file);
    fwrite(event->bytes, 1, event->length, file);
    fwrite(tail.bytes, 1, tail.length, file);
    if (fflush(file) == 0 && !ferror(file)) return KF_OK;
    return kfi_fail(KF_IO, "TensorBoard: cannot write the event file: %s", strerror(errno));
}

kf_status kfi_event_file_scalar(FILE *file, const char *tag, int64_t step, double value) {
    message event = {.length = 0}, summary = {.length = 0}, item = {.length = 0};
    const float single = (float)value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    const size_t tag_bytes = strlen(tag);
    put_block(&item, 1, tag, tag_bytes < 512 ? tag_bytes : 512); /* Summary.Value.tag */
    put_key(&item, 2, 5);                                        /* Summary.Value.simple_value */
    put_little(&item, bits, 4);
    put_block(&summary, 1, item.bytes, item.length); /* Summary.value */
    put_wall_time(&event);
    put_key(&event, 2, 0); /* Event.step */
    put_varint(&event, (uint64_t)step);
    put_block(&event, 5, summary.bytes, summary.length); /* Event.summary */
    return write_record(file, &event);
}

static kf_status make_folders(const char *folder) {
    char *path = kfi_strdup(folder);
    if (!path) return KF_MEMORY;
    int error = 0;
    for (char *at = path + 1; !error; at++) {
        const char here = *at;
        if (here && here != '/') continue;
        *at = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) error = errno;
        *at = here;
        if (!here) break;
    }
    kfi_free(path);
    return error ? kfi_fail(KF_IO, "TensorBoard: %s: %s", folder, strerror(error)) : KF_OK;
}

/* Files of the same second and process are told apart by a number. */
static FILE *make_file(const char *folder) {
    char host[256] = "localhost";
    gethostname(host, sizeof host - 1);
    FILE *file = NULL;
    for (int number = 0; number < 1000 && !file; number++) {
        char *path = kfi_format("%s/events.out.tfevents.%010lld.%s.%ld.%d", folder,
                                (long long)time(NULL), host, (long)getpid(), number);
        if (!path) return NULL;
        file = fopen(path, "wbx");
        const bool taken = !file && errno == EEXIST;
        if (!file && !taken) kfi_fail(KF_IO, "TensorBoard: %s: %s", path, strerror(errno));
        kfi_free(path);
        if (!taken) break;
    }
    return file;
}

kf_status kfi_event_file_open(const char *folder, FILE **file) {
    kf_status status = make_folders(folder);
    if (status != KF_OK) return status;
    *file = make_file(folder);
    if (!*file) return kf_last_status();
    message event = {.length = 0};
    put_wall_time(&event);
    put_block(&event, 3, "brain.Event:2", 13); /* Event.file_version */
    return write_record(*file, &event);
}
