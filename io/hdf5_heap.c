/* Strings of variable length stand in global heaps: blocks of numbered objects that the elements
 * point to. HDF5 1.10 trusts those lengths and can be made to write past its own buffers, so the
 * heaps are read here, with every number checked, straight from the file.
 * A heap: "GCOL", version 1, its size; then objects: number, references, size, bytes padded to 8.
 * (The HDF5 file format specification, level 1E.) */
#include "io/hdf5_internal.h"

#include "core/base/memory.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum {
    MOST_HEAP_BYTES = 64 << 20,
    MOST_TEXT_BYTES = 64 << 20, /* of one attribute: elements may all point to one object */
    HEAP_OBJECTS = 1 << 16,     /* their numbers have two bytes                          */
    ADDRESS_AND_SIZE = 8,       /* bytes of an address and of a size; others are not read */
    HEADER = 8 + ADDRESS_AND_SIZE,
    ELEMENT = 4 + ADDRESS_AND_SIZE + 4,
};

typedef struct heap {
    kfi_hdf5 *file;
    int64_t base;    /* where addresses are counted from                           */
    int64_t address; /* of the heap that is loaded; -1: none                       */
    unsigned char *bytes;
    int64_t n_bytes;
    uint32_t *objects; /* where each object's header is in `bytes`; 0: there is none */
    int64_t text_bytes;
} heap;

static uint64_t number(const unsigned char *at, int bytes) {
    uint64_t value = 0;
    for (int i = bytes; i--;) value = value << 8 | at[i];
    return value;
}

static kf_status damaged(const heap *from, const char *what) {
    return kfi_fail(KF_INVALID, "%s: damaged text: %s", from->file->path, what);
}

static kf_status read_bytes(heap *from, int64_t at, int64_t bytes) {
    for (int64_t done = 0; done < bytes;) {
        const ssize_t got = pread(from->file->disk.fd, from->bytes + done, (size_t)(bytes - done),
                                  (off_t)(at + done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return kfi_fail(KF_IO, "cannot read '%s': %s", from->file->path, strerror(errno));
        if (got == 0) return damaged(from, "the file ends inside it");
        done += got;
    }
    return KF_OK;
}

/* Objects stand one behind the other; number 0 is the free rest. */
static void find_objects(heap *from) {
    memset(from->objects, 0, HEAP_OBJECTS * sizeof *from->objects);
    for (int64_t at = HEADER; at + HEADER <= from->n_bytes;) {
        const uint64_t index = number(from->bytes + at, 2), size = number(from->bytes + at + 8, 8);
        if (index == 0 || size > (uint64_t)(from->n_bytes - at - HEADER)) return;
        from->objects[index] = (uint32_t)at;
        at += HEADER + ((int64_t)size + 7) / 8 * 8;
    }
}

static kf_status load(heap *from, uint64_t address) {
    if (from->address >= 0 && address == (uint64_t)from->address) return KF_OK;
    const int64_t file_bytes = from->file->disk.bytes;
    if (address > (uint64_t)(file_bytes - from->base) ||
        file_bytes - from->base - (int64_t)address < HEADER)
        return damaged(from, "it lies outside the file");
    const int64_t at = from->base + (int64_t)address;
    unsigned char *header = kfi_realloc(from->bytes, HEADER, 1);
    if (!header) return KF_MEMORY;
    from->bytes = header;
    from->address = -1;
    kf_status status = read_bytes(from, at, HEADER);
    if (status != KF_OK) return status;
    const uint64_t size = number(header + 8, 8);
    if (memcmp(header, "GCOL\1", 5) != 0 || size < HEADER || size > MOST_HEAP_BYTES ||
        size > (uint64_t)(file_bytes - at))
        return damaged(from, "its heap is none, or of an absurd size");
    unsigned char *whole = kfi_realloc(from->bytes, (size_t)size, 1);
    if (!whole) return KF_MEMORY;
    from->bytes = whole;
    from->n_bytes = (int64_t)size;
    status = read_bytes(from, at, from->n_bytes);
    if (status != KF_OK) return status;
    find_objects(from);
    from->address = (int64_t)address;
    return KF_OK;
}

/* An element: length, address of the heap, number of the object. */
static kf_status read_text(heap *from, const unsigned char *element, char **text) {
    const uint64_t length = number(element, 4), address = number(element + 4, ADDRESS_AND_SIZE);
    const uint64_t index = number(element + 4 + ADDRESS_AND_SIZE, 4);
    from->text_bytes += (int64_t)length;
    if (from->text_bytes > MOST_TEXT_BYTES) return damaged(from, "absurdly long");
    const unsigned char *bytes = NULL;
    if (length) {
        const kf_status status = load(from, address);
        if (status != KF_OK) return status;
        const uint32_t at = index < HEAP_OBJECTS ? from->objects[index] : 0;
        if (!at || length > number(from->bytes + at + 8, 8))
            return damaged(from, "its heap does not hold it");
        bytes = from->bytes + at + HEADER;
    }
    *text = kfi_alloc(length + 1, 1);
    if (!*text) return KF_MEMORY;
    if (length) memcpy(*text, bytes, length);
    return KF_OK;
}

/* The conversion that HDF5 runs for us, to let the elements out as they are. */
static herr_t keep_as_is(hid_t from, hid_t to, H5T_cdata_t *conversion, size_t count, size_t stride,
                         size_t background_stride, void *data, void *background, hid_t transfer) {
    (void)count, (void)stride, (void)background_stride, (void)data, (void)background;
    (void)transfer;
    if (conversion->command != H5T_CONV_INIT) return 0;
    conversion->need_bkg = H5T_BKG_NO;
    return kfi_h5.Tget_size(to) == ELEMENT && kfi_h5.Tis_variable_str(from) > 0 ? 0 : -1;
}

static kf_status read_elements(kfi_hdf5 *file, hid_t attribute, hid_t type, const char *name,
                               void *elements) {
    const hid_t raw = kfi_h5.Tcreate(H5T_OPAQUE, ELEMENT);
    const bool known =
        raw >= 0 && kfi_h5.Tregister(H5T_PERS_SOFT, "kf_raw", type, raw, keep_as_is) >= 0;
    const bool read = known && kfi_h5.Aread(attribute, raw, elements) >= 0;
    const kf_status status = read ? KF_OK : kfi_hdf5_refused(file, name, "read this attribute");
    if (known) kfi_h5.Tunregister(H5T_PERS_SOFT, "kf_raw", type, raw, keep_as_is);
    if (raw >= 0) kfi_h5.Tclose(raw);
    return status;
}

static kf_status find_base(heap *from) {
    size_t address_bytes = 0, size_bytes = 0;
    hsize_t base = 0;
    const hid_t creation = kfi_h5.Fget_create_plist(from->file->id);
    const bool known = creation >= 0 &&
                       kfi_h5.Pget_sizes(creation, &address_bytes, &size_bytes) >= 0 &&
                       kfi_h5.Pget_userblock(creation, &base) >= 0;
    if (creation >= 0) kfi_h5.Pclose(creation);
    if (!known || address_bytes != ADDRESS_AND_SIZE || size_bytes != ADDRESS_AND_SIZE ||
        base > (hsize_t)from->file->disk.bytes)
        return damaged(from, "addresses of an unusual size");
    from->base = (int64_t)base;
    return KF_OK;
}

kf_status kfi_hdf5_read_varying(kfi_hdf5 *file, hid_t attribute, hid_t type, const char *name,
                                int64_t count, char **texts) {
    if (file->writing)
        return kfi_fail(KF_USAGE, "%s: '%s' can be read once the file is written", file->path,
                        name);
    heap from = {.file = file, .address = -1};
    kf_status status = find_base(&from);
    if (status != KF_OK) return status;
    unsigned char *elements = kfi_alloc((size_t)count, ELEMENT);
    from.objects = elements ? kfi_alloc(HEAP_OBJECTS, sizeof *from.objects) : NULL;
    status = from.objects ? read_elements(file, attribute, type, name, elements) : KF_MEMORY;
    for (int64_t i = 0; i < count && status == KF_OK; i++)
        status = read_text(&from, elements + i * ELEMENT, &texts[i]);
    kfi_free(elements);
    kfi_free(from.objects);
    kfi_free(from.bytes);
    return status;
}
