/* Writing a dataset's file row by row. Rows go into chunks of about 256 KiB: a batch touches few of
 * them, and HDF5's default chunk cache (1 MiB) holds one while it fills. */
#include "kf/data.h"

#include "core/base/memory.h"
#include "core/base/shape.h"
#include "io/hdf5_file.h"

#include <string.h>

enum { CHUNK_BYTES = 256 << 10 };

typedef struct field {
    char *path;
    kf_dtype dtype;
    int64_t row_bytes, rows;
} field;

struct kf_writer {
    kfi_hdf5 *file;
    field *fields;
    int64_t n_fields, capacity;
    kf_status failed; /* the first failure; the file can then no longer be closed well */
};

kf_writer *kf_writer_new(const char *path) {
    kf_writer *writer = kfi_alloc(1, sizeof *writer);
    if (!writer) return NULL;
    if (kfi_hdf5_create(path, &writer->file) == KF_OK) return writer;
    kfi_free(writer);
    return NULL;
}

void kf_writer_free(kf_writer *writer) {
    if (!writer) return;
    kfi_hdf5_close(writer->file);
    for (int64_t i = 0; i < writer->n_fields; i++) kfi_free(writer->fields[i].path);
    kfi_free(writer->fields);
    kfi_free(writer);
}

static kf_status check_field(const char *name, kf_dtype dtype, const kf_shape *shape) {
    if (!name || !name[0]) return kfi_fail(KF_USAGE, "a field needs a name");
    if (!kf_dtype_size(dtype)) return kfi_fail(KF_USAGE, "%s: unknown element type", name);
    if (shape->rank < 0 || shape->rank >= KF_MAX_RANK || kfi_shape_count(shape) < 0)
        return kfi_fail(KF_USAGE, "%s: a sample needs fixed dimensions and fewer than %d axes",
                        name, KF_MAX_RANK);
    return KF_OK;
}

static kf_status make_field(kf_writer *writer, field *made, const kf_shape *sample) {
    kf_shape shape = {.rank = sample->rank + 1};
    memcpy(shape.dims + 1, sample->dims, (size_t)sample->rank * sizeof(int64_t));
    int64_t chunk_rows = made->row_bytes ? CHUNK_BYTES / made->row_bytes : CHUNK_BYTES;
    if (chunk_rows < 1) chunk_rows = 1;
    return kfi_hdf5_make_dataset(writer->file, made->path, made->dtype, &shape, chunk_rows);
}

kf_status kf_writer_add_field(kf_writer *writer, const char *name, kf_dtype dtype,
                              const kf_shape *sample_shape) {
    kf_status status = check_field(name, dtype, sample_shape);
    if (status != KF_OK) return status;
    void *fields = writer->fields;
    status = kfi_reserve(&fields, &writer->capacity, writer->n_fields, sizeof *writer->fields);
    writer->fields = fields;
    if (status != KF_OK) return status;
    field *made = &writer->fields[writer->n_fields];
    *made = (field){.path = kfi_format("/%s", name),
                    .dtype = dtype,
                    .row_bytes = kfi_shape_count(sample_shape) * (int64_t)kf_dtype_size(dtype)};
    status = made->path ? make_field(writer, made, sample_shape) : KF_MEMORY;
    if (status == KF_OK)
        writer->n_fields++;
    else
        kfi_free(made->path);
    return status;
}

kf_status kf_writer_append(kf_writer *writer, int32_t index, int64_t rows, const void *data) {
    if (index < 0 || index >= writer->n_fields)
        return kfi_fail(KF_USAGE, "the file has %lld fields, so no field %d",
                        (long long)writer->n_fields, index);
    field *to = &writer->fields[index];
    if (rows < 0) return kfi_fail(KF_USAGE, "%s: %lld rows", to->path + 1, (long long)rows);
    const kf_status status =
        kfi_hdf5_write_rows(writer->file, to->path, to->rows, rows, to->dtype, data);
    if (status == KF_OK)
        to->rows += rows;
    else
        writer->failed = status;
    return status;
}

kf_status kf_writer_close(kf_writer *writer) {
    if (writer->failed != KF_OK)
        return kfi_fail(writer->failed, "%s is not written, since an append to it failed",
                        kfi_hdf5_path(writer->file));
    return kfi_hdf5_commit(writer->file);
}
