/* Fields that are numbers, truth values and lists of integers: how a member of an options struct
 * becomes a variant and back. */
#include "core/base/field_internal.h"
#include "kf/tensor.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what is expected ------------------------------------------------------------------------- */

static bool has_range(const kfi_field *field) { return field->low != 0 || field->high != 0; }
static bool has_end(const kfi_field *field) { return field->high >= field->low; }

static bool in_range(const kfi_field *field, double value) {
    if (!has_range(field)) return true;
    return value >= field->low && (!has_end(field) || value <= field->high);
}

/* "an integer", "an integer of at least 1", "a number from 0 to 1" */
static const char *describe(const kfi_field *field, const char *what, char text[static 128]) {
    if (!has_range(field))
        snprintf(text, 128, "%s", what);
    else if (has_end(field))
        snprintf(text, 128, "%s from %.9g to %.9g", what, field->low, field->high);
    else
        snprintf(text, 128, "%s of at least %.9g", what, field->low);
    return text;
}

/* Python's numbers: 3.0 is an integer too, True is not. */
static bool to_integer(const kfi_variant *value, int64_t *integer) {
    if (kfi_variant_is(value, KFI_REAL)) {
        const double real = kfi_variant_to_real(value, 0);
        if (!(fabs(real) < 0x1p53) || real != floor(real)) return false;
        *integer = (int64_t)real;
        return true;
    }
    *integer = kfi_variant_to_integer(value, 0);
    return kfi_variant_is(value, KFI_INTEGER);
}

/* --- numbers ---------------------------------------------------------------------------------- */

static kf_status store_integer(const kfi_field *field, void *member, const kfi_variant *value) {
    int64_t integer = KFI_NO_INTEGER;
    char text[128];
    const bool none = kfi_variant_is(value, KFI_NULL) && kfi_default_is_none(field);
    if (!none && (!to_integer(value, &integer) || !in_range(field, (double)integer)))
        return kfi_expected(describe(field, "an integer", text), value);
    *(int64_t *)member = integer;
    return KF_OK;
}

static kfi_variant *load_integer(const kfi_field *field, const void *member) {
    (void)field;
    const int64_t integer = *(const int64_t *)member;
    return integer == KFI_NO_INTEGER ? kfi_variant_null() : kfi_variant_integer(integer);
}

static bool integer_is_unset(const kfi_field *field, const void *member) {
    (void)field;
    return *(const int64_t *)member == 0;
}

static size_t integer_size(const kfi_field *field) {
    (void)field;
    return sizeof(int64_t);
}

const kfi_field_type kfi_field_integer = {
    .name = "an integer",
    .holds = "int64_t",
    .store = store_integer,
    .load = load_integer,
    .is_unset = integer_is_unset,
    .size = integer_size,
};

static kf_status store_int32(const kfi_field *field, void *member, const kfi_variant *value) {
    int64_t integer;
    char text[128];
    if (!to_integer(value, &integer) || !in_range(field, (double)integer) ||
        integer != (int32_t)integer)
        return kfi_expected(describe(field, "an integer", text), value);
    *(int32_t *)member = (int32_t)integer;
    return KF_OK;
}

static kfi_variant *load_int32(const kfi_field *field, const void *member) {
    (void)field;
    return kfi_variant_integer(*(const int32_t *)member);
}

static bool int32_is_unset(const kfi_field *field, const void *member) {
    (void)field;
    return *(const int32_t *)member == 0;
}

static size_t int32_size(const kfi_field *field) {
    (void)field;
    return sizeof(int32_t);
}

const kfi_field_type kfi_field_int32 = {
    .name = "an integer",
    .holds = "int32_t",
    .store = store_int32,
    .load = load_int32,
    .is_unset = int32_is_unset,
    .size = int32_size,
};

/* A variant's integers are signed: seeds of the upper half come and go as negative ones. */
static kf_status store_seed(const kfi_field *field, void *member, const kfi_variant *value) {
    int64_t integer;
    (void)field;
    if (!to_integer(value, &integer)) return kfi_expected("an integer", value);
    *(uint64_t *)member = (uint64_t)integer;
    return KF_OK;
}

static kfi_variant *load_seed(const kfi_field *field, const void *member) {
    (void)field;
    const uint64_t seed = *(const uint64_t *)member;
    return kfi_variant_integer((int64_t)seed);
}

static bool seed_is_unset(const kfi_field *field, const void *member) {
    (void)field;
    return *(const uint64_t *)member == 0;
}

static size_t seed_size(const kfi_field *field) {
    (void)field;
    return sizeof(uint64_t);
}

const kfi_field_type kfi_field_seed = {
    .name = "an integer",
    .holds = "uint64_t",
    .store = store_seed,
    .load = load_seed,
    .is_unset = seed_is_unset,
    .size = seed_size,
};

static kf_status store_real(const kfi_field *field, void *member, const kfi_variant *value) {
    const double real = kfi_variant_to_real(value, NAN);
    char text[128];
    if (!isfinite(real) || !in_range(field, real))
        return kfi_expected(describe(field, "a number", text), value);
    *(double *)member = real + 0.0; /* -0 means 0 */
    return KF_OK;
}

static kfi_variant *load_real(const kfi_field *field, const void *member) {
    (void)field;
    return kfi_variant_real(*(const double *)member);
}

/* The caller's locale both prints and reads here, so its decimal point does not matter. */
double kfi_as_typed(double value) {
    const float single = fabs(value) <= (double)FLT_MAX ? (float)value : 0;
    if ((double)single != value) return value;
    char text[40];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtof(text, NULL) == single) break;
    }
    return strtod(text, NULL);
}

static kfi_variant *typed_real(const kfi_field *field, const void *member) {
    (void)field;
    return kfi_variant_real(kfi_as_typed(*(const double *)member));
}

static bool real_is_unset(const kfi_field *field, const void *member) {
    (void)field;
    const double real = *(const double *)member;
    return real == 0 && !signbit(real); /* KF_ZERO says 0 itself */
}

static size_t real_size(const kfi_field *field) {
    (void)field;
    return sizeof(double);
}

const kfi_field_type kfi_field_real = {
    .name = "a number",
    .holds = "double",
    .store = store_real,
    .load = load_real,
    .is_unset = real_is_unset,
    .size = real_size,
    .typed = typed_real,
};

static kf_status store_float32(const kfi_field *field, void *member, const kfi_variant *value) {
    char text[128];
    if (fabs(kfi_variant_to_real(value, 0)) > (double)FLT_MAX)
        return kfi_expected(describe(field, "a number", text), value);
    const kf_status status = store_real(field, member, value);
    if (status == KF_OK) *(double *)member = (double)(float)*(double *)member;
    return status;
}

const kfi_field_type kfi_field_float32 = {
    .name = "a number",
    .holds = "double",
    .store = store_float32,
    .load = load_real,
    .is_unset = real_is_unset,
    .size = real_size,
};

/* --- truth values ----------------------------------------------------------------------------- */

static kf_status store_bool(const kfi_field *field, void *member, const kfi_variant *value) {
    (void)field;
    const int64_t integer = kfi_variant_to_integer(value, -1); /* 0 and 1 are taken, too */
    if (!kfi_variant_is(value, KFI_BOOL) && integer != 0 && integer != 1)
        return kfi_expected("True or False", value);
    *(bool *)member = kfi_variant_truth(value, integer == 1);
    return KF_OK;
}

static kfi_variant *load_bool(const kfi_field *field, const void *member) {
    (void)field;
    return kfi_variant_bool(*(const bool *)member);
}

static bool bool_is_unset(const kfi_field *field, const void *member) {
    (void)field;
    return !*(const bool *)member;
}

static size_t bool_size(const kfi_field *field) {
    (void)field;
    return sizeof(bool);
}

const kfi_field_type kfi_field_bool = {
    .name = "True or False",
    .holds = "bool",
    .store = store_bool,
    .load = load_bool,
    .is_unset = bool_is_unset,
    .size = bool_size,
};

static kf_status store_not(const kfi_field *field, void *member, const kfi_variant *value) {
    const kf_status status = store_bool(field, member, value);
    if (status == KF_OK) *(bool *)member = !*(bool *)member;
    return status;
}

static kfi_variant *load_not(const kfi_field *field, const void *member) {
    (void)field;
    return kfi_variant_bool(!*(const bool *)member);
}

const kfi_field_type kfi_field_not = {
    .name = "True or False",
    .store = store_not,
    .load = load_not,
    .is_unset = bool_is_unset,
    .size = bool_size,
};

/* --- lists of integers ------------------------------------------------------------------------ */

static bool store_item(const kfi_field *field, const kfi_variant *item, int64_t *to) {
    return to_integer(item, to) && in_range(field, (double)*to);
}

static kf_status refuse_list(const kfi_field *field, const char *what, const kfi_variant *value) {
    char range[128], text[192];
    snprintf(text, sizeof text, "%s", describe(field, what, range));
    return kfi_expected(text, value);
}

static kf_status store_sizes(const kfi_field *field, void *member, const kfi_variant *value) {
    int64_t *const sizes = member;
    char what[64];
    snprintf(what, sizeof what, "an integer or a list of %d integers, each", (int)field->count);
    if (!has_range(field)) what[strlen(what) - strlen(", each")] = '\0';
    const bool is_list = kfi_variant_is(value, KFI_LIST);
    if (kfi_variant_is(value, KFI_NULL) && kfi_default_is_none(field)) {
        memset(sizes, 0, (size_t)field->count * sizeof *sizes);
        return KF_OK;
    }
    if (is_list && kfi_variant_count(value) != field->count) return refuse_list(field, what, value);
    for (int32_t i = 0; i < field->count; i++)
        if (!store_item(field, is_list ? kfi_variant_at(value, i) : value, &sizes[i]))
            return refuse_list(field, what, value);
    return KF_OK;
}

static bool sizes_are_unset(const kfi_field *field, const void *member) {
    const int64_t *sizes = member;
    for (int32_t i = 0; i < field->count; i++)
        if (sizes[i]) return false;
    return true;
}

/* In C {3} says 3 for every axis. */
static bool one_for_all(const kfi_field *field, const int64_t *sizes) {
    for (int32_t i = 1; i < field->count; i++)
        if (sizes[i]) return false;
    return true;
}

static kfi_variant *load_sizes(const kfi_field *field, const void *member) {
    const int64_t *sizes = member;
    if (sizes_are_unset(field, member) && kfi_default_is_none(field)) return kfi_variant_null();
    kfi_variant *list = kfi_variant_list();
    const bool one = one_for_all(field, sizes);
    for (int32_t i = 0; i < field->count; i++)
        if (kfi_variant_append(list, kfi_variant_integer(sizes[one ? 0 : i])) != KF_OK) {
            kfi_variant_free(list);
            return NULL;
        }
    return list;
}

static size_t sizes_size(const kfi_field *field) { return (size_t)field->count * sizeof(int64_t); }

const kfi_field_type kfi_field_sizes = {
    .name = "a list of integers",
    .store = store_sizes,
    .load = load_sizes,
    .is_unset = sizes_are_unset,
    .size = sizes_size,
};

static int32_t room_of_dims(const kfi_field *field) {
    return field->count ? field->count : KF_MAX_RANK;
}

static bool store_dim(const kfi_field *field, const kfi_variant *item, int64_t *to) {
    if (field->type == &kfi_field_shape && kfi_variant_is(item, KFI_NULL)) {
        *to = KF_ANY;
        return true;
    }
    return store_item(field, item, to) && *to != 0; /* a 0 would end the list */
}

static kf_status store_dims(const kfi_field *field, void *member, const kfi_variant *value) {
    int64_t *const dims = member;
    const int32_t room = room_of_dims(field);
    const bool is_list = kfi_variant_is(value, KFI_LIST);
    char what[64];
    snprintf(what, sizeof what, "a list of at most %d integers (none of them 0)", (int)room);
    int64_t count = is_list ? kfi_variant_count(value) : 1;
    if (kfi_variant_is(value, KFI_NULL) && kfi_default_is_none(field)) count = 0;
    if (count > room) return refuse_list(field, what, value);
    memset(dims, 0, (size_t)room * sizeof *dims);
    for (int64_t i = 0; i < count; i++)
        if (!store_dim(field, is_list ? kfi_variant_at(value, i) : value, &dims[i]))
            return refuse_list(field, what, value);
    return KF_OK;
}

static kfi_variant *load_dims(const kfi_field *field, const void *member) {
    const int64_t *dims = member;
    if (!dims[0] && kfi_default_is_none(field)) return kfi_variant_null();
    kfi_variant *list = kfi_variant_list();
    for (int32_t i = 0; i < room_of_dims(field) && dims[i]; i++) {
        const bool none = field->type == &kfi_field_shape && dims[i] == KF_ANY;
        if (kfi_variant_append(list, none ? kfi_variant_null() : kfi_variant_integer(dims[i]))) {
            kfi_variant_free(list);
            return NULL;
        }
    }
    return list;
}

static bool dims_are_unset(const kfi_field *field, const void *member) {
    (void)field;
    return !*(const int64_t *)member;
}

static size_t dims_size(const kfi_field *field) {
    return (size_t)room_of_dims(field) * sizeof(int64_t);
}

const kfi_field_type kfi_field_dims = {
    .name = "a list of integers",
    .store = store_dims,
    .load = load_dims,
    .is_unset = dims_are_unset,
    .size = dims_size,
};

const kfi_field_type kfi_field_shape = {
    .name = "a list of integers and None",
    .store = store_dims,
    .load = load_dims,
    .is_unset = dims_are_unset,
    .size = dims_size,
};
