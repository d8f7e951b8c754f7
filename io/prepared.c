/* A dataset with one field of another prepared for a network, as float32; the ways are in
 * preparation.c. */
#include "io/preparation.h"

#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/base/status.h"
#include "io/dataset.h"

#include <string.h>

typedef struct prepared {
    kf_dataset base; /* first: a kf_dataset is one of these */
    kf_dataset *inner;
    int32_t field;
    kf_preparation how;
    const kfi_preparation_class *class;
} prepared;

static const kf_shape *shape_before(const prepared *data) {
    return &data->inner->fields[data->field].shape;
}

/* --- reading ---------------------------------------------------------------------------------- */

static kf_status prepare_rows(const prepared *data, const kfi_request *what, const float *from,
                              float *to) {
    const int64_t before = kfi_shape_count(shape_before(data));
    const int64_t after = kfi_shape_count(&data->base.fields[data->field].shape);
    kfi_prepared_row row = {&data->how, shape_before(data), what->start, what->epoch};
    for (; row.row < what->start + what->rows; row.row++, from += before, to += after) {
        const kf_status status = data->class->check ? data->class->check(&row, from) : KF_OK;
        if (status != KF_OK) return kfi_within(status, "%s: ", data->base.fields[data->field].name);
        data->class->prepare(&row, from, to);
    }
    return KF_OK;
}

static kf_status read_floats(const prepared *data, const kfi_request *what, float *out) {
    kfi_request floats = *what;
    floats.as = KF_FLOAT32;
    const size_t count = (size_t)(what->rows * kfi_shape_count(shape_before(data)));
    float *values = data->class->in_place ? out : kfi_alloc(count, sizeof *values);
    if (!values) return KF_MEMORY;
    kf_status status = kfi_dataset_read(data->inner, &floats, values);
    if (status == KF_OK) status = prepare_rows(data, what, values, out);
    if (values != out) kfi_free(values);
    return status;
}

static kf_status read_field(kf_dataset *dataset, const kfi_request *what, void *out) {
    const prepared *data = (const prepared *)dataset;
    if (what->field != data->field) return kfi_dataset_read(data->inner, what, out);
    if (what->as == KF_FLOAT32) return read_floats(data, what, out);
    const int64_t each = kfi_shape_count(&dataset->fields[what->field].shape);
    float *values = kfi_alloc((size_t)(what->rows * each), sizeof *values);
    if (!values) return KF_MEMORY;
    kf_status status = read_floats(data, what, values);
    if (status == KF_OK)
        status = kfi_convert(values, KF_FLOAT32, out, what->as, what->rows * each, each,
                             what->start, dataset->fields[what->field].name);
    kfi_free(values);
    return status;
}

static void free_prepared(kf_dataset *dataset) {
    prepared *data = (prepared *)dataset;
    kf_dataset_free(data->inner);
    kfi_free(data->base.fields);
    kfi_free(data);
}

/* --- making ----------------------------------------------------------------------------------- */

static kf_status fill_in(prepared *data, kf_dataset *inner, int32_t field, kfi_field_info *fields) {
    memcpy(fields, inner->fields, (size_t)inner->n_fields * sizeof *fields);
    fields[field].dtype = KF_FLOAT32;
    data->inner = inner;
    data->field = field;
    data->base = (kf_dataset){.samples = inner->samples,
                              .n_fields = inner->n_fields,
                              .fields = fields,
                              .read = read_field,
                              .free = free_prepared,
                              .chunk_rows = inner->chunk_rows};
    const kf_status status = data->class->shape(&data->how, &fields[field].shape);
    if (status != KF_OK || kfi_shape_count(&fields[field].shape) >= 0) return status;
    return kfi_fail(KF_USAGE, "the rows would be too large");
}

/* Of one class, over `inner`, which stays the caller's if it fails. */
static kf_dataset *make(kf_dataset *inner, const char *field, const kfi_preparation_class *class,
                        const kf_preparation *how) {
    const int32_t index = kfi_dataset_find(inner, field);
    if (index < 0) {
        kfi_fail(KF_USAGE, "there is no field '%s' to prepare", field);
        return NULL;
    }
    prepared *data = kfi_alloc(1, sizeof *data);
    kfi_field_info *fields = kfi_alloc((size_t)inner->n_fields, sizeof *fields);
    kf_status status = data && fields ? KF_OK : KF_MEMORY;
    if (status == KF_OK) {
        data->how = *how;
        data->class = class;
        status = kfi_within(fill_in(data, inner, index, fields), "%s: ", field);
    }
    if (status == KF_OK) return &data->base;
    kfi_free(data);
    kfi_free(fields);
    return NULL;
}

kf_dataset *kf_dataset_prepare_with(kf_dataset *inner, const char *field,
                                    const kf_preparation *how) {
    kf_preparation given = {.size = sizeof given}, whole;
    const kfi_preparation_class *class;
    memcpy(&given, how, how->size < sizeof given ? how->size : sizeof given);
    if (kfi_preparation_choose(&given, &whole, &class) == KF_OK)
        return make(inner, field, class, &whole);
    kfi_within(kf_last_status(), "%s: ", field);
    return NULL;
}

kf_dataset *kf_dataset_prepare_named(kf_dataset *inner, const char *field, const char *text) {
    kf_preparation how;
    const kfi_preparation_class *class;
    if (kfi_preparation_parse(text, &how, &class) == KF_OK) return make(inner, field, class, &how);
    kfi_within(kf_last_status(), "%s: ", field);
    return NULL;
}

kf_dataset *kf_dataset_scaled(kf_dataset *inner, const char *field, float factor) {
    return kf_dataset_prepare(inner, field, .factor = factor != 0 ? (double)factor : -0.0);
}
