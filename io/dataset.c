/* What all datasets share, and the kind over arrays in memory. */
#include "io/dataset.h"

#include "core/base/memory.h"
#include "core/base/shape.h"

#include <stdio.h>
#include <string.h>

static bool is_field(const kf_dataset *dataset, int32_t field) {
    return field >= 0 && field < dataset->n_fields;
}

void kf_dataset_free(kf_dataset *dataset) {
    if (dataset) dataset->free(dataset);
}

int64_t kf_dataset_samples(const kf_dataset *dataset) { return dataset->samples; }

int32_t kf_dataset_fields(const kf_dataset *dataset) { return dataset->n_fields; }

const char *kf_dataset_field_name(const kf_dataset *dataset, int32_t field) {
    return is_field(dataset, field) ? dataset->fields[field].name : NULL;
}

kf_dtype kf_dataset_field_dtype(const kf_dataset *dataset, int32_t field) {
    return is_field(dataset, field) ? dataset->fields[field].dtype : KF_N_DTYPES;
}

kf_shape kf_dataset_field_shape(const kf_dataset *dataset, int32_t field) {
    return is_field(dataset, field) ? dataset->fields[field].shape : KFI_SCALAR;
}

int32_t kfi_dataset_find(const kf_dataset *dataset, const char *name) {
    for (int32_t i = 0; i < dataset->n_fields; i++)
        if (dataset->fields[i].name && strcmp(dataset->fields[i].name, name) == 0) return i;
    return -1;
}

kf_status kfi_dataset_read(kf_dataset *dataset, const kfi_request *what, void *out) {
    const int64_t start = what->start, rows = what->rows;
    if (!is_field(dataset, what->field))
        return kfi_fail(KF_USAGE, "the dataset has %d fields, so no field %d", dataset->n_fields,
                        what->field);
    if (!kf_dtype_size(what->as))
        return kfi_fail(KF_USAGE, "unknown element type %d", (int)what->as);
    if (start < 0 || rows < 0 || rows > dataset->samples || start > dataset->samples - rows)
        return kfi_fail(KF_USAGE, "the dataset has %lld samples; %lld were asked for from %lld on",
                        (long long)dataset->samples, (long long)rows, (long long)start);
    return rows ? dataset->read(dataset, what, out) : KF_OK;
}

kf_status kf_dataset_read(kf_dataset *dataset, int32_t field, int64_t start, int64_t rows,
                          kf_dtype dtype, void *out) {
    return kfi_dataset_read(dataset, &(kfi_request){field, start, rows, dtype, KF_ANY}, out);
}

kf_status kf_dataset_read_epoch(kf_dataset *dataset, int32_t field, int64_t start, int64_t rows,
                                kf_dtype dtype, int64_t epoch, void *out) {
    if (epoch < 0) return kfi_fail(KF_USAGE, "epochs count from 0; got %lld", (long long)epoch);
    return kfi_dataset_read(dataset, &(kfi_request){field, start, rows, dtype, epoch}, out);
}

kf_status kfi_dataset_gather(kf_dataset *dataset, const kfi_request *what, const int64_t *rows,
                             void *out) {
    const kf_shape shape = kf_dataset_field_shape(dataset, what->field);
    const size_t row_bytes = (size_t)kfi_shape_count(&shape) * kf_dtype_size(what->as);
    kf_status status = KF_OK;
    kfi_request run = *what;
    for (int64_t first = 0, next; first < what->rows && status == KF_OK; first = next) {
        for (next = first + 1; next < what->rows && rows[next] == rows[next - 1] + 1;) next++;
        run.start = rows[first];
        run.rows = next - first;
        status = kfi_dataset_read(dataset, &run, (char *)out + (size_t)first * row_bytes);
    }
    return status;
}

typedef struct arrays {
    kf_dataset base;
    const void **data;
} arrays;

static kf_status read_arrays(kf_dataset *base, const kfi_request *what, void *out) {
    const arrays *dataset = (const arrays *)base;
    const kfi_field_info *info = &base->fields[what->field];
    const int64_t per_row = kfi_shape_count(&info->shape);
    const char *from = dataset->data[what->field];
    return kfi_convert(from + (size_t)(what->start * per_row) * kf_dtype_size(info->dtype),
                       info->dtype, out, what->as, what->rows * per_row, per_row, what->start,
                       info->name ? info->name : "array");
}

static void free_arrays(kf_dataset *base) {
    arrays *dataset = (arrays *)base;
    for (int32_t i = 0; base->fields && i < base->n_fields; i++)
        kfi_free((char *)base->fields[i].name);
    kfi_free(base->fields);
    kfi_free(dataset->data);
    kfi_free(dataset);
}

static kf_status check_array(const kf_array *array, int32_t index, int64_t samples) {
    char number[32];
    snprintf(number, sizeof number, "array %d", index);
    const char *name = array->name ? array->name : number;
    if (!kf_dtype_size(array->dtype)) return kfi_fail(KF_USAGE, "%s: unknown element type", name);
    if (array->shape.rank < 1 || array->shape.rank > KF_MAX_RANK ||
        kfi_shape_count(&array->shape) < 0)
        return kfi_fail(
            KF_USAGE, "%s: needs a samples axis and fixed dimensions, not the shape %s", name,
            array->shape.rank > KF_MAX_RANK ? "of too many axes" : kfi_shape_string(&array->shape));
    if (!array->data && kfi_shape_count(&array->shape) > 0)
        return kfi_fail(KF_USAGE, "%s: data is NULL", name);
    if (array->shape.dims[0] != samples)
        return kfi_fail(KF_USAGE, "%s: has %lld samples, but the first array has %lld", name,
                        (long long)array->shape.dims[0], (long long)samples);
    return KF_OK;
}

static kf_status take_array(arrays *dataset, int32_t i, const kf_array *array) {
    const kf_status status = check_array(array, i, dataset->base.samples);
    if (status != KF_OK) return status;
    if (array->name && kfi_dataset_find(&dataset->base, array->name) >= 0)
        return kfi_fail(KF_USAGE, "two arrays are called '%s'", array->name);
    kfi_field_info *info = &dataset->base.fields[i];
    dataset->data[i] = array->data;
    info->dtype = array->dtype;
    info->shape.rank = array->shape.rank - 1;
    memcpy(info->shape.dims, array->shape.dims + 1, (size_t)info->shape.rank * sizeof(int64_t));
    if (array->name) info->name = kfi_strdup(array->name);
    return array->name && !info->name ? KF_MEMORY : KF_OK;
}

kf_dataset *kf_dataset_arrays(const kf_array *list, int32_t n_arrays) {
    if (n_arrays < 1) {
        kfi_fail(KF_USAGE, "a dataset needs at least one array");
        return NULL;
    }
    arrays *dataset = kfi_alloc(1, sizeof *dataset);
    if (!dataset) return NULL;
    kf_dataset *base = &dataset->base;
    *base = (kf_dataset){.samples = list[0].shape.rank > 0 ? list[0].shape.dims[0] : 0,
                         .n_fields = n_arrays,
                         .fields = kfi_alloc((size_t)n_arrays, sizeof *base->fields),
                         .read = read_arrays,
                         .free = free_arrays};
    dataset->data = kfi_alloc((size_t)n_arrays, sizeof *dataset->data);
    kf_status status = base->fields && dataset->data ? KF_OK : KF_MEMORY;
    for (int32_t i = 0; i < n_arrays && status == KF_OK; i++)
        status = take_array(dataset, i, &list[i]);
    if (status == KF_OK) return base;
    kf_dataset_free(base);
    return NULL;
}
