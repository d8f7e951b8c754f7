/* idx files, as MNIST comes in them: two zero bytes, a type code, the number of axes, the
 * dimensions as big-endian 32-bit integers, then big-endian elements. zlib reads them plain or
 * gzipped alike. */
#include "kf/data.h"

#include "core/base/memory.h"
#include "core/base/shape.h"
#include "io/hdf5_file.h"

#include <errno.h>
#include <string.h>
#include <zlib.h>

enum {
    PIECE_BYTES = 1 << 20,
    MOST_ROW_BYTES = 1 << 30, /* a sample above a gigabyte is a damaged header */
};

typedef struct idx_file {
    const char *path;
    gzFile stream;
    kf_dtype dtype;
    kf_shape shape;
} idx_file;

/* Exactly `bytes` bytes, or KF_INVALID: the file is shorter than its header says. */
static kf_status take(idx_file *file, void *out, size_t bytes) {
    const int got = gzread(file->stream, out, (unsigned)bytes);
    if (got == (int)bytes) return KF_OK;
    int code;
    const char *text = gzerror(file->stream, &code);
    if (code == Z_ERRNO) return kfi_fail(KF_IO, "%s: cannot read: %s", file->path, strerror(errno));
    if (code == Z_MEM_ERROR) return kfi_fail(KF_MEMORY, "%s: out of memory", file->path);
    if (code != Z_OK && code != Z_BUF_ERROR)
        return kfi_fail(KF_INVALID, "%s: damaged gzip data: %s", file->path, text);
    return kfi_fail(KF_INVALID, "%s: the file ends before the data that its header announces",
                    file->path);
}

static kf_dtype dtype_of(unsigned char code) {
    switch (code) {
    case 0x08:
        return KF_UINT8;
    case 0x09:
        return KF_INT8;
    case 0x0b:
        return KF_INT16;
    case 0x0c:
        return KF_INT32;
    case 0x0d:
        return KF_FLOAT32;
    case 0x0e:
        return KF_FLOAT64;
    default:
        return KF_N_DTYPES;
    }
}

static kf_status read_header(idx_file *file) {
    unsigned char head[4], dim[4];
    kf_status status = take(file, head, sizeof head);
    if (status != KF_OK) return status;
    file->dtype = dtype_of(head[2]);
    if (head[0] || head[1] || file->dtype == KF_N_DTYPES)
        return kfi_fail(KF_INVALID, "%s: not an idx file (it begins %02x %02x %02x %02x)",
                        file->path, head[0], head[1], head[2], head[3]);
    if (head[3] < 1 || head[3] >= KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "%s: %d axes; 1 to %d are read", file->path, head[3],
                        KF_MAX_RANK - 1);
    file->shape.rank = head[3];
    for (int i = 0; i < file->shape.rank && status == KF_OK; i++) {
        status = take(file, dim, sizeof dim);
        file->shape.dims[i] = (int64_t)dim[0] << 24 | dim[1] << 16 | dim[2] << 8 | dim[3];
    }
    if (status == KF_OK && kfi_shape_count(&file->shape) < 0)
        status = kfi_fail(KF_INVALID, "%s: absurd dimensions %s", file->path,
                          kfi_shape_string(&file->shape));
    return status;
}

static void swap(unsigned char *data, size_t bytes, size_t size) {
    for (size_t i = 0; i < bytes; i += size)
        for (size_t j = 0; j < size / 2; j++) {
            const unsigned char first = data[i + j];
            data[i + j] = data[i + size - 1 - j];
            data[i + size - 1 - j] = first;
        }
}

static void to_machine_order(void *data, size_t bytes, size_t size) {
    const uint16_t one = 1;
    unsigned char low;
    memcpy(&low, &one, 1);
    if (low && size > 1) swap(data, bytes, size);
}

/* Reading on also makes zlib compare the checksum behind gzipped data. */
static kf_status check_end(idx_file *file) {
    char byte;
    if (gzread(file->stream, &byte, 1) == 1)
        return kfi_fail(KF_INVALID, "%s: the file goes on after the data that its header announces",
                        file->path);
    int code;
    const char *text = gzerror(file->stream, &code);
    return code == Z_OK ? KF_OK
                        : kfi_fail(KF_INVALID, "%s: damaged gzip data: %s", file->path, text);
}

static kf_status copy_rows(idx_file *file, kfi_hdf5 *output, const char *path, size_t row_bytes) {
    const int64_t rows = file->shape.dims[0];
    int64_t piece = row_bytes ? (int64_t)(PIECE_BYTES / row_bytes) : rows;
    if (piece < 1) piece = 1;
    unsigned char *buffer = kfi_alloc_buffer((size_t)piece * row_bytes);
    if (!buffer) return KF_MEMORY;
    kf_status status = KF_OK;
    for (int64_t done = 0; done < rows && status == KF_OK; done += piece) {
        const int64_t n = rows - done < piece ? rows - done : piece;
        const size_t bytes = (size_t)n * row_bytes;
        status = take(file, buffer, bytes);
        to_machine_order(buffer, bytes, kf_dtype_size(file->dtype));
        if (status == KF_OK)
            status = kfi_hdf5_write_rows(output, path, done, n, file->dtype, buffer);
    }
    kfi_free_buffer(buffer, (size_t)piece * row_bytes);
    return status == KF_OK ? check_end(file) : status;
}

static kf_status copy_field(idx_file *file, kfi_hdf5 *output, const kf_idx_field *field) {
    kf_status status = read_header(file);
    if (status != KF_OK) return status;
    kf_shape shape = file->shape;
    if (field->add_channel && shape.rank == 3) shape.dims[shape.rank++] = 1;
    const int64_t row_bytes =
        kfi_shape_product(&shape, 1, shape.rank) * (int64_t)kf_dtype_size(file->dtype);
    if (row_bytes > MOST_ROW_BYTES)
        return kfi_fail(KF_INVALID, "%s: absurd dimensions %s", file->path,
                        kfi_shape_string(&file->shape));
    char *path = kfi_format("/%s", field->name);
    if (!path) return KF_MEMORY;
    status = kfi_hdf5_make_dataset(output, path, file->dtype, &shape, 0);
    if (status == KF_OK) status = copy_rows(file, output, path, (size_t)row_bytes);
    kfi_free(path);
    return status;
}

static kf_status import_field(kfi_hdf5 *output, const kf_idx_field *field) {
    if (!field->name || !field->name[0] || !field->path)
        return kfi_fail(KF_USAGE, "an idx field needs a name and a path");
    errno = 0; /* gzopen leaves it alone when memory is what failed */
    idx_file file = {.path = field->path, .stream = gzopen(field->path, "rbe")};
    if (!file.stream && !errno) return kfi_fail(KF_MEMORY, "%s: out of memory", field->path);
    if (!file.stream) return kfi_fail(KF_IO, "cannot open '%s': %s", field->path, strerror(errno));
    gzbuffer(file.stream, 128 << 10);
    const kf_status status = copy_field(&file, output, field);
    gzclose_r(file.stream);
    return status;
}

kf_status kf_import_idx(const char *output, const kf_idx_field *fields, int32_t n_fields) {
    if (n_fields < 1) return kfi_fail(KF_USAGE, "no idx files to import");
    kfi_hdf5 *file;
    kf_status status = kfi_hdf5_create(output, &file);
    if (status != KF_OK) return status;
    for (int32_t i = 0; i < n_fields && status == KF_OK; i++)
        status = import_field(file, &fields[i]);
    if (status == KF_OK) status = kfi_hdf5_commit(file);
    kfi_hdf5_close(file);
    return status;
}
