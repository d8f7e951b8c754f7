/* A dataset with one field of another prepared for a network: numbers of classes as one-hot rows,
 * sequences cut or filled to one length, values standardised, images turned and shifted at random.
 * What is random depends on the seed and the row alone. */
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/shape.h"
#include "core/base/status.h"
#include "io/dataset.h"

#include <math.h>
#include <string.h>

typedef struct prepared prepared;
struct prepared {
    kf_dataset base; /* first: a kf_dataset is one of these */
    kf_dataset *inner;
    int32_t field;
    kf_preparation how;
    /* Rows of the inner field as floats into rows of this one. */
    void (*prepare)(const prepared *data, const float *from, int64_t row, float *to);
};

static const kf_shape *shape_before(const prepared *data) {
    return &data->inner->fields[data->field].shape;
}

/* --- the ways --------------------------------------------------------------------------------- */

static void standardise(const prepared *data, const float *from, int64_t row, float *to) {
    (void)row;
    const int64_t count = kfi_shape_count(shape_before(data));
    for (int64_t i = 0; i < count; i++) to[i] = (from[i] - data->how.mean) / data->how.deviation;
}

static void one_hot(const prepared *data, const float *from, int64_t row, float *to) {
    (void)row;
    const int64_t count = kfi_shape_count(shape_before(data)), classes = data->how.classes;
    memset(to, 0, (size_t)(count * classes) * sizeof *to);
    for (int64_t i = 0; i < count; i++) to[i * classes + (int64_t)from[i]] = 1;
}

/* Keras's pad_sequences cuts and fills at the front by default. */
static void fit_length(const prepared *data, const float *from, int64_t row, float *to) {
    (void)row;
    const kf_shape *before = shape_before(data);
    const int64_t had = before->dims[0], has = data->how.length;
    const int64_t step = kfi_shape_product(before, 1, before->rank);
    const int64_t kept = had < has ? had : has;
    const bool at_end = data->how.at_end;
    const float *first = from + (at_end ? 0 : had - kept) * step;
    for (int64_t i = 0; i < has * step; i++) to[i] = data->how.fill;
    memcpy(to + (at_end ? 0 : has - kept) * step, first, (size_t)(kept * step) * sizeof *to);
}

/* A number in [-most, most]. */
static int64_t shift_of(uint32_t word, int64_t most) {
    return most > 0 ? (int64_t)(word % (uint32_t)(2 * most + 1)) - most : 0;
}

/* (rows, columns, channels): what is shifted in from outside is `fill`. */
static void augment(const prepared *data, const float *from, int64_t row, float *to) {
    const kf_shape *shape = shape_before(data);
    const int64_t rows = shape->dims[0], columns = shape->dims[1];
    const int64_t channels = shape->rank > 2 ? shape->dims[2] : 1;
    const kfi_random4 random = kfi_random_block((kfi_random){data->how.seed, 0}, (uint64_t)row);
    const bool flip = data->how.flip && (random.word[0] & 1);
    const int64_t down = shift_of(random.word[1], data->how.shift);
    const int64_t right = shift_of(random.word[2], data->how.shift);
    for (int64_t y = 0; y < rows; y++)
        for (int64_t x = 0; x < columns; x++) {
            const int64_t from_y = y - down, turned = flip ? columns - 1 - x : x;
            const int64_t from_x = turned - right;
            const bool inside = from_y >= 0 && from_y < rows && from_x >= 0 && from_x < columns;
            for (int64_t c = 0; c < channels; c++)
                to[(y * columns + x) * channels + c] =
                    inside ? from[(from_y * columns + from_x) * channels + c] : data->how.fill;
        }
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Checked here, since preparing cannot fail. */
static kf_status check_classes(const prepared *data, const float *values, int64_t count,
                               int64_t start) {
    const int64_t each = kfi_shape_count(shape_before(data));
    for (int64_t i = 0; i < count; i++)
        if (!(values[i] >= 0 && values[i] < (float)data->how.classes) ||
            values[i] != floorf(values[i]))
            return kfi_fail(KF_INVALID, "%s: %g in row %lld is no class below %lld",
                            data->base.fields[data->field].name, (double)values[i],
                            (long long)(start + i / each), (long long)data->how.classes);
    return KF_OK;
}

static kf_status read_floats(const prepared *data, int64_t start, int64_t rows, float *out) {
    const int64_t before = kfi_shape_count(shape_before(data));
    const int64_t after = kfi_shape_count(&data->base.fields[data->field].shape);
    float *values = kfi_alloc((size_t)(rows * before), sizeof *values);
    if (!values) return KF_MEMORY;
    kf_status status = kf_dataset_read(data->inner, data->field, start, rows, KF_FLOAT32, values);
    if (status == KF_OK && data->prepare == one_hot)
        status = check_classes(data, values, rows * before, start);
    for (int64_t i = 0; i < rows && status == KF_OK; i++)
        data->prepare(data, values + i * before, start + i, out + i * after);
    kfi_free(values);
    return status;
}

static kf_status read_field(kf_dataset *dataset, int32_t field, int64_t start, int64_t rows,
                            kf_dtype as, void *out) {
    const prepared *data = (const prepared *)dataset;
    if (field != data->field) return kf_dataset_read(data->inner, field, start, rows, as, out);
    if (as == KF_FLOAT32) return read_floats(data, start, rows, out);
    const int64_t each = kfi_shape_count(&dataset->fields[field].shape);
    float *values = kfi_alloc((size_t)(rows * each), sizeof *values);
    if (!values) return KF_MEMORY;
    kf_status status = read_floats(data, start, rows, values);
    if (status == KF_OK)
        status = kfi_convert(values, KF_FLOAT32, out, as, rows * each, each, start,
                             dataset->fields[field].name);
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

/* The way that the options say, and the shape it gives; exactly one of them is to be used. */
static kf_status choose(prepared *data, kf_shape *shape) {
    const kf_preparation *how = &data->how;
    const int ways = (how->deviation != 0) + (how->classes != 0) + (how->length != 0) +
                     (how->flip || how->shift != 0);
    if (ways != 1 || how->classes < 0 || how->length < 0 || how->shift < 0 ||
        how->shift > 1 << 20 || how->deviation < 0)
        return kfi_fail(KF_USAGE, "a field is prepared in one way: deviation, classes, length, or "
                                  "flip and shift, none of them negative");
    if (how->deviation != 0) {
        data->prepare = standardise;
    } else if (how->classes != 0) {
        data->prepare = one_hot;
        if (shape->rank > 0 && shape->dims[shape->rank - 1] == 1) shape->rank--;
        if (shape->rank == KF_MAX_RANK) return kfi_fail(KF_USAGE, "too many axes for one-hot rows");
        shape->dims[shape->rank++] = how->classes;
    } else if (how->length != 0) {
        data->prepare = fit_length;
        if (shape->rank < 1) return kfi_fail(KF_USAGE, "a sequence needs an axis of time");
        shape->dims[0] = how->length;
    } else {
        data->prepare = augment;
        if (shape->rank != 2 && shape->rank != 3)
            return kfi_fail(KF_USAGE, "an image needs rows, columns and at most channels");
    }
    return kfi_shape_count(shape) < 0 ? kfi_fail(KF_USAGE, "the rows would be too large") : KF_OK;
}

kf_dataset *kf_dataset_prepare_with(kf_dataset *inner, const char *field,
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
        memcpy(fields, inner->fields, (size_t)inner->n_fields * sizeof *fields);
        memcpy(&data->how, how, how->size < sizeof *how ? how->size : sizeof *how);
        data->inner = inner;
        data->field = index;
        fields[index].dtype = KF_FLOAT32;
        status = kfi_within(choose(data, &fields[index].shape), "%s: ", field);
    }
    if (status != KF_OK) {
        kfi_free(data);
        kfi_free(fields);
        return NULL;
    }
    data->base = (kf_dataset){.samples = inner->samples,
                              .n_fields = inner->n_fields,
                              .fields = fields,
                              .read = read_field,
                              .free = free_prepared,
                              .chunk_rows = inner->chunk_rows};
    return &data->base;
}
