/* The ways of preparing a field. What is random is a function of the seed, the epoch and the number
 * of the row, so it does not depend on who reads it when. */
#include "io/preparation.h"

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/base/shape.h"

#include <math.h>
#include <string.h>

/* --- values ----------------------------------------------------------------------------------- */

static kf_status keep_shape(const kf_preparation *how, kf_shape *shape) {
    (void)how, (void)shape;
    return KF_OK;
}

static void scale(const kfi_prepared_row *row, const float *from, float *to) {
    const int64_t count = kfi_shape_count(row->before);
    const float factor = (float)row->how->factor;
    for (int64_t i = 0; i < count; i++) to[i] = from[i] * factor;
}

static const kfi_field scale_fields[] = {
    KFI_FIELD(kf_preparation, factor, "factor", kfi_field_real,
              .help = "what each value is multiplied by, say 1/255"),
    KFI_FIELDS_END,
};

static bool by_channel(const kf_preparation *how) {
    for (int i = 0; i < KF_MAX_CHANNELS; i++)
        if (how->means[i] != 0 || how->deviations[i] != 0) return true;
    return false;
}

/* As many deviations as channels, or none, and no mean too many. */
static kf_status standardise_shape(const kf_preparation *how, kf_shape *shape) {
    if (!by_channel(how)) return KF_OK;
    if (how->mean != 0 || how->deviation != 1)
        return kfi_fail(KF_USAGE, "give mean and deviation, or means and deviations by channel");
    const int64_t channels = shape->rank ? shape->dims[shape->rank - 1] : 1;
    int64_t n_means = 0, n_deviations = 0;
    for (int i = 0; i < KF_MAX_CHANNELS; i++) {
        if (how->means[i] != 0) n_means = i + 1;
        if (how->deviations[i] != 0) n_deviations = i + 1;
    }
    for (int64_t i = 0; i < n_deviations; i++)
        if (!(how->deviations[i] > 0))
            return kfi_fail(KF_USAGE, "deviations must be positive; got %g", how->deviations[i]);
    if (channels <= KF_MAX_CHANNELS && n_means <= channels &&
        (n_deviations == channels || n_deviations == 0))
        return KF_OK;
    return kfi_fail(KF_USAGE,
                    "there are %lld channels; means are given for %lld, deviations for %lld",
                    (long long)channels, (long long)n_means, (long long)n_deviations);
}

static void standardise_channels(const kfi_prepared_row *row, const float *from, float *to) {
    const kf_preparation *how = row->how;
    const int64_t count = kfi_shape_count(row->before);
    const int64_t channels = row->before->rank ? row->before->dims[row->before->rank - 1] : 1;
    for (int64_t i = 0; i < count; i++) {
        const int64_t c = i % channels;
        const float deviation = how->deviations[c] != 0 ? (float)how->deviations[c] : 1;
        to[i] = (from[i] - (float)how->means[c]) / deviation;
    }
}

static void standardise(const kfi_prepared_row *row, const float *from, float *to) {
    const float mean = (float)row->how->mean, deviation = (float)row->how->deviation;
    const int64_t count = kfi_shape_count(row->before);
    if (by_channel(row->how))
        standardise_channels(row, from, to);
    else
        for (int64_t i = 0; i < count; i++) to[i] = (from[i] - mean) / deviation;
}

static const kfi_field standardise_fields[] = {
    KFI_FIELD(kf_preparation, mean, "mean", kfi_field_real, .otherwise = "0",
              .help = "what is taken from each value …"),
    KFI_FIELD(kf_preparation, deviation, "deviation", kfi_field_real, .otherwise = "1",
              .low = 1.2e-38, .high = -1, .help = "… before it is divided by this"),
    KFI_FIELD(kf_preparation, means, "means", kfi_field_reals, .otherwise = "None",
              .count = KF_MAX_CHANNELS, .help = "the same by channel, the last axis …"),
    KFI_FIELD(kf_preparation, deviations, "deviations", kfi_field_reals, .otherwise = "None",
              .count = KF_MAX_CHANNELS, .help = "… one for each"),
    KFI_FIELDS_END,
};

/* --- classes ---------------------------------------------------------------------------------- */

static kf_status one_hot_shape(const kf_preparation *how, kf_shape *shape) {
    if (shape->rank > 0 && shape->dims[shape->rank - 1] == 1) shape->rank--;
    if (shape->rank == KF_MAX_RANK) return kfi_fail(KF_USAGE, "too many axes for one-hot rows");
    shape->dims[shape->rank++] = how->classes;
    return KF_OK;
}

static kf_status check_classes(const kfi_prepared_row *row, const float *from) {
    const int64_t count = kfi_shape_count(row->before), classes = row->how->classes;
    for (int64_t i = 0; i < count; i++)
        if (!(from[i] >= 0 && from[i] < (float)classes) || from[i] != floorf(from[i]))
            return kfi_fail(KF_INVALID, "%g in row %lld is no class below %lld", (double)from[i],
                            (long long)row->row, (long long)classes);
    return KF_OK;
}

static void one_hot(const kfi_prepared_row *row, const float *from, float *to) {
    const int64_t count = kfi_shape_count(row->before), classes = row->how->classes;
    memset(to, 0, (size_t)(count * classes) * sizeof *to);
    for (int64_t i = 0; i < count; i++) to[i * classes + (int64_t)from[i]] = 1;
}

static const kfi_field one_hot_fields[] = {
    KFI_FIELD(kf_preparation, classes, "classes", kfi_field_integer, .low = 1, .high = 1 << 24,
              .help = "how long the row is that a number becomes, 1 at its place"),
    KFI_FIELDS_END,
};

/* --- sequences -------------------------------------------------------------------------------- */

static kf_status pad_shape(const kf_preparation *how, kf_shape *shape) {
    if (shape->rank < 1) return kfi_fail(KF_USAGE, "a sequence needs an axis of time");
    shape->dims[0] = how->length;
    return KF_OK;
}

/* Keras's pad_sequences cuts and fills at the front by default. */
static void pad(const kfi_prepared_row *row, const float *from, float *to) {
    const kf_shape *before = row->before;
    const int64_t had = before->dims[0], has = row->how->length;
    const int64_t step = kfi_shape_product(before, 1, before->rank);
    const int64_t kept = had < has ? had : has;
    const bool at_end = row->how->at_end;
    const float fill = (float)row->how->fill;
    const float *first = from + (at_end ? 0 : had - kept) * step;
    for (int64_t i = 0; i < has * step; i++) to[i] = fill;
    memcpy(to + (at_end ? 0 : has - kept) * step, first, (size_t)(kept * step) * sizeof *to);
}

static const kfi_field pad_fields[] = {
    KFI_FIELD(kf_preparation, length, "length", kfi_field_integer, .low = 1, .high = -1,
              .help = "of every sequence: cut, or filled, in front …"),
    KFI_FIELD(kf_preparation, at_end, "at_end", kfi_field_bool, .otherwise = "False",
              .help = "… or at the end"),
    KFI_FIELD(kf_preparation, fill, "fill", kfi_field_real, .otherwise = "0",
              .help = "what comes in"),
    KFI_FIELDS_END,
};

/* --- images (rows, columns, channels) --------------------------------------------------------- */

static kf_status augment_shape(const kf_preparation *how, kf_shape *shape) {
    if (shape->rank != 2 && shape->rank != 3)
        return kfi_fail(KF_USAGE, "an image needs rows, columns and at most channels");
    if (how->crop[0] == 0) return KF_OK;
    const int64_t columns = how->crop[1] ? how->crop[1] : how->crop[0];
    if (how->crop[0] > shape->dims[0] || columns > shape->dims[1])
        return kfi_fail(KF_USAGE, "crop must fit into (%lld, %lld); got (%lld, %lld)",
                        (long long)shape->dims[0], (long long)shape->dims[1],
                        (long long)how->crop[0], (long long)columns);
    shape->dims[0] = how->crop[0];
    shape->dims[1] = columns;
    return KF_OK;
}

/* Where in the image a pixel of the result comes from. */
typedef struct placement {
    int64_t rows, columns; /* of the result */
    int64_t top, left;
    bool flip;
} placement;

/* A number from 0 up to and with `most`. */
static int64_t pick(uint32_t word, int64_t most) { return (int64_t)(word % (uint64_t)(most + 1)); }

/* Outside of training: as it is, and the part in the middle. */
static placement place(const kfi_prepared_row *row) {
    const kf_preparation *how = row->how;
    kf_shape after = *row->before;
    augment_shape(how, &after);
    placement at = {.rows = after.dims[0], .columns = after.dims[1]};
    const int64_t more_rows = row->before->dims[0] - at.rows;
    const int64_t more_columns = row->before->dims[1] - at.columns;
    if (row->epoch < 0) {
        at.top = more_rows / 2;
        at.left = more_columns / 2;
        return at;
    }
    const kfi_random stream = kfi_random_fold((kfi_random){how->seed, 0}, (uint64_t)row->epoch);
    const kfi_random4 moved = kfi_random_block(stream, 2 * (uint64_t)row->row);
    const kfi_random4 cropped = kfi_random_block(stream, 2 * (uint64_t)row->row + 1);
    at.flip = how->flip && (moved.word[0] & 1);
    at.top = pick(cropped.word[0], more_rows) + how->shift - pick(moved.word[1], 2 * how->shift);
    at.left =
        pick(cropped.word[1], more_columns) + how->shift - pick(moved.word[2], 2 * how->shift);
    return at;
}

static void augment(const kfi_prepared_row *row, const float *from, float *to) {
    const kf_shape *shape = row->before;
    const int64_t rows = shape->dims[0], columns = shape->dims[1];
    const int64_t channels = shape->rank > 2 ? shape->dims[2] : 1;
    const placement at = place(row);
    const float fill = (float)row->how->fill;
    for (int64_t y = 0; y < at.rows; y++)
        for (int64_t x = 0; x < at.columns; x++) {
            const int64_t from_y = at.top + y;
            const int64_t from_x = at.left + (at.flip ? at.columns - 1 - x : x);
            const bool inside = from_y >= 0 && from_y < rows && from_x >= 0 && from_x < columns;
            for (int64_t c = 0; c < channels; c++)
                *to++ = inside ? from[(from_y * columns + from_x) * channels + c] : fill;
        }
}

static const kfi_field augment_fields[] = {
    KFI_FIELD(kf_preparation, flip, "flip", kfi_field_bool, .otherwise = "False",
              .help = "left and right change places, half of the time"),
    KFI_FIELD(kf_preparation, shift, "shift", kfi_field_integer, .otherwise = "0", .low = 0,
              .high = 1 << 20, .help = "images move by up to so many pixels"),
    KFI_FIELD(kf_preparation, crop, "crop", kfi_field_sizes, .otherwise = "None", .count = 2,
              .low = 1, .high = -1, .help = "a part of so many rows and columns is taken"),
    KFI_FIELD(kf_preparation, fill, "fill", kfi_field_real, .otherwise = "0",
              .help = "what comes in from outside"),
    KFI_FIELD(kf_preparation, seed, "seed", kfi_field_seed, .otherwise = "0",
              .help = "of what is random"),
    KFI_FIELDS_END,
};

/* --- the classes ------------------------------------------------------------------------------ */

static const kfi_preparation_class classes[] = {
    {"scale", "values times a factor", scale_fields, true, keep_shape, NULL, scale},
    {"standardise", "(value - mean) / deviation", standardise_fields, true, standardise_shape, NULL,
     standardise},
    {"one_hot", "class numbers as rows of 0 and 1", one_hot_fields, false, one_hot_shape,
     check_classes, one_hot},
    {"pad", "sequences of one length", pad_fields, false, pad_shape, NULL, pad},
    {"augment", "images turned, moved, cropped at random while training", augment_fields, false,
     augment_shape, NULL, augment},
};
enum { N_CLASSES = sizeof classes / sizeof *classes };

const kfi_preparation_class *kfi_preparation_at(int32_t index) {
    return index >= 0 && index < N_CLASSES ? &classes[index] : NULL;
}

static bool has_field(const kfi_preparation_class *class, size_t offset) {
    for (const kfi_field *field = class->fields; field->name; field++)
        if (field->offset == offset) return true;
    return false;
}

/* Whether all that is given belongs to the class. */
static bool covers(const kfi_preparation_class *class, const kf_preparation *given) {
    for (int32_t i = 0; i < N_CLASSES; i++)
        for (const kfi_field *field = classes[i].fields; field->name; field++)
            if (!field->type->is_unset(field, (const char *)given + field->offset) &&
                !has_field(class, field->offset))
                return false;
    return true;
}

/* Without fill and seed, which say nothing by themselves. */
static bool says_something(const kf_preparation *given) {
    return given->factor != 0 || signbit(given->factor) || given->deviation != 0 ||
           given->mean != 0 || given->classes != 0 || given->length != 0 || given->flip ||
           given->shift != 0 || given->crop[0] != 0 || by_channel(given);
}

kf_status kfi_preparation_choose(const kf_preparation *given, kf_preparation *how,
                                 const kfi_preparation_class **class) {
    *class = NULL;
    for (int32_t i = 0; says_something(given) && i < N_CLASSES && !*class; i++)
        if (covers(&classes[i], given)) *class = &classes[i];
    if (!*class)
        return kfi_fail(KF_USAGE,
                        "a field is prepared in one way: by factor, by mean and deviation, to "
                        "classes, to a length, or by flip, shift and crop");
    *how = (kf_preparation){.size = sizeof *how};
    return kfi_fields_copy((*class)->fields, given, sizeof *given, how);
}

static kf_status find_class(const char *name, const kfi_preparation_class **class) {
    for (int32_t i = 0; i < N_CLASSES; i++)
        if (strcmp(classes[i].name, name) == 0) return *class = &classes[i], KF_OK;
    return kfi_fail(KF_USAGE,
                    "unknown preparation '%.40s' (known: scale, standardise, one_hot, pad, "
                    "augment)",
                    name);
}

kf_status kfi_preparation_parse(const char *text, kf_preparation *how,
                                const kfi_preparation_class **class) {
    char *name = NULL;
    kfi_variant *arguments = NULL;
    *how = (kf_preparation){.size = sizeof *how};
    kf_status status = kfi_object_parse(text, &name, &arguments);
    if (status == KF_OK) status = find_class(name, class);
    if (status == KF_OK)
        status = kfi_within(kfi_fields_parse((*class)->fields, arguments, how, NULL, NULL),
                            "%s: ", name);
    kfi_free(name);
    kfi_variant_free(arguments);
    return status;
}
