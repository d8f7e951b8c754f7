#include "core/layers/borders.h"

#include "core/base/field_internal.h"
#include "kf/layers_convolution.h"

#include <stdio.h>

static bool store_size(const kfi_variant *value, int64_t *size) {
    *size = kfi_variant_to_integer(value, -1);
    return kfi_variant_is(value, KFI_INTEGER) && *size >= 0 && *size <= INT32_MAX;
}

static bool all_zero(const int64_t *numbers, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (numbers[i]) return false;
    return true;
}

/* One number of a user's struct. */
static int64_t typed_number(int64_t number) { return number == KF_NO_PADDING ? 0 : number; }

static kfi_variant *list_of(const int64_t *numbers, int64_t count) {
    kfi_variant *list = kfi_variant_list();
    for (int64_t i = 0; i < count; i++)
        if (kfi_variant_append(list, kfi_variant_integer(numbers[i])) != KF_OK) {
            kfi_variant_free(list);
            return NULL;
        }
    return list;
}

/* --- before and after ------------------------------------------------------------------------- */

/* One axis: both ends at once, or a pair. */
static bool store_ends(const kfi_variant *value, int64_t ends[2]) {
    if (!kfi_variant_is(value, KFI_LIST)) {
        const bool good = store_size(value, &ends[0]);
        ends[1] = ends[0];
        return good;
    }
    return kfi_variant_count(value) == 2 && store_size(kfi_variant_at(value, 0), &ends[0]) &&
           store_size(kfi_variant_at(value, 1), &ends[1]);
}

static bool store_axes(const kfi_field *field, int64_t (*borders)[2], const kfi_variant *value) {
    const bool is_list = field->count > 1 && kfi_variant_is(value, KFI_LIST);
    if (is_list && kfi_variant_count(value) != field->count) return false;
    for (int32_t i = 0; i < field->count; i++)
        if (!store_ends(is_list ? kfi_variant_at(value, i) : value, borders[i])) return false;
    return true;
}

static kf_status store_borders(const kfi_field *field, void *member, const kfi_variant *value) {
    char what[96];
    if (store_axes(field, member, value)) return KF_OK;
    if (field->count == 1) return kfi_expected("an integer or 2 integers, none negative", value);
    snprintf(what, sizeof what, "an integer, %d integers or %d pairs of integers, none negative",
             (int)field->count, (int)field->count);
    return kfi_expected(what, value);
}

/* A pair for one axis, else a list of pairs. */
static kfi_variant *load_borders(const kfi_field *field, const void *member) {
    const int64_t *borders = member;
    if (field->count == 1) return list_of(borders, 2);
    kfi_variant *list = kfi_variant_list();
    for (int32_t i = 0; i < field->count; i++)
        if (kfi_variant_append(list, list_of(borders + 2 * i, 2)) != KF_OK) {
            kfi_variant_free(list);
            return NULL;
        }
    return list;
}

static kfi_variant *typed_borders(const kfi_field *field, const void *member) {
    int64_t borders[6];
    const int64_t *typed = member;
    for (int32_t i = 0; i < 2 * field->count; i++) borders[i] = typed_number(typed[i]);
    return load_borders(field, borders);
}

static bool borders_are_unset(const kfi_field *field, const void *member) {
    return all_zero(member, 2 * (int64_t)field->count);
}

static size_t borders_size(const kfi_field *field) {
    return 2 * (size_t)field->count * sizeof(int64_t);
}

const kfi_field_type kfi_field_borders = {
    .name = "integers for the ends of axes",
    .store = store_borders,
    .load = load_borders,
    .is_unset = borders_are_unset,
    .size = borders_size,
    .typed = typed_borders,
};

/* --- output padding --------------------------------------------------------------------------- */

static kf_status store_output_padding(const kfi_field *field, void *member,
                                      const kfi_variant *value) {
    int64_t *const padding = member;
    const bool none = kfi_variant_is(value, KFI_NULL), is_list = kfi_variant_is(value, KFI_LIST);
    bool good = !is_list || kfi_variant_count(value) == field->count;
    for (int32_t i = 0; good && i < field->count; i++) {
        padding[i] = KFI_NO_INTEGER;
        if (!none) good = store_size(is_list ? kfi_variant_at(value, i) : value, &padding[i]);
    }
    char what[96];
    snprintf(what, sizeof what, "None, an integer or %d integers, none negative",
             (int)field->count);
    return good ? KF_OK : kfi_expected(what, value);
}

static kfi_variant *load_output_padding(const kfi_field *field, const void *member) {
    const int64_t *padding = member;
    return padding[0] == KFI_NO_INTEGER ? kfi_variant_null() : list_of(padding, field->count);
}

static kfi_variant *typed_output_padding(const kfi_field *field, const void *member) {
    const int64_t *typed = member;
    int64_t padding[3];
    for (int32_t i = 0; i < field->count; i++) padding[i] = typed_number(typed[i]);
    return list_of(padding, field->count);
}

static bool output_padding_is_unset(const kfi_field *field, const void *member) {
    return all_zero(member, field->count);
}

static size_t output_padding_size(const kfi_field *field) {
    return (size_t)field->count * sizeof(int64_t);
}

const kfi_field_type kfi_field_output_padding = {
    .name = "a list of integers",
    .store = store_output_padding,
    .load = load_output_padding,
    .is_unset = output_padding_is_unset,
    .size = output_padding_size,
    .typed = typed_output_padding,
};
