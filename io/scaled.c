/* A dataset with one field of another times a factor: pixels of 0 … 255 as 0 … 1. */
#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/base/status.h"
#include "io/dataset.h"

#include <string.h>

typedef struct scaled {
    kf_dataset base; /* first: a kf_dataset is a scaled */
    kf_dataset *inner;
    int32_t field;
    float factor;
} scaled;

static kf_status read_scaled(const scaled *data, int64_t start, int64_t rows, float *out) {
    const kf_status status =
        kf_dataset_read(data->inner, data->field, start, rows, KF_FLOAT32, out);
    if (status != KF_OK) return status;
    const int64_t count = rows * kfi_shape_count(&data->base.fields[data->field].shape);
    for (int64_t i = 0; i < count; i++) out[i] *= data->factor;
    return KF_OK;
}

/* Any other type is what the scaled floats convert to. */
static kf_status read_converted(const scaled *data, int64_t start, int64_t rows, kf_dtype as,
                                void *out) {
    const int64_t per_row = kfi_shape_count(&data->base.fields[data->field].shape);
    float *values = kfi_alloc((size_t)(rows * per_row), sizeof *values);
    if (!values) return KF_MEMORY;
    kf_status status = read_scaled(data, start, rows, values);
    if (status == KF_OK)
        status = kfi_convert(values, KF_FLOAT32, out, as, rows * per_row, per_row, start,
                             data->base.fields[data->field].name);
    kfi_free(values);
    return status;
}

static kf_status read_field(kf_dataset *dataset, int32_t field, int64_t start, int64_t rows,
                            kf_dtype as, void *out) {
    const scaled *data = (const scaled *)dataset;
    if (field != data->field) return kf_dataset_read(data->inner, field, start, rows, as, out);
    if (as == KF_FLOAT32) return read_scaled(data, start, rows, out);
    return read_converted(data, start, rows, as, out);
}

static void free_scaled(kf_dataset *dataset) {
    scaled *data = (scaled *)dataset;
    kf_dataset_free(data->inner);
    kfi_free(data->base.fields);
    kfi_free(data);
}

kf_dataset *kf_dataset_scaled(kf_dataset *inner, const char *field, float factor) {
    const int32_t index = kfi_dataset_find(inner, field);
    if (index < 0) {
        kfi_fail(KF_USAGE, "there is no field '%s' to scale", field);
        return NULL;
    }
    scaled *data = kfi_alloc(1, sizeof *data);
    kfi_field_info *fields = kfi_alloc((size_t)inner->n_fields, sizeof *fields);
    if (!data || !fields) {
        kfi_free(data);
        kfi_free(fields);
        return NULL;
    }
    memcpy(fields, inner->fields, (size_t)inner->n_fields * sizeof *fields);
    fields[index].dtype = KF_FLOAT32;
    *data = (scaled){.base = {.samples = inner->samples,
                              .chunk_rows = inner->chunk_rows,
                              .n_fields = inner->n_fields,
                              .fields = fields,
                              .read = read_field,
                              .free = free_scaled},
                     .inner = inner,
                     .field = index,
                     .factor = factor};
    return &data->base;
}
