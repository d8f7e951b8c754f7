/* L1L2: sum(l1 |x|) + sum(l2 x^2), its short names l1, l2 and l1_l2 with their defaults, and the
 * classes L1 and L2 of tf.keras. */
#include "core/layers/regularizers.h"

#include "core/layers/named_formula.h"
#include "core/layers/options.h"

typedef struct l1_l2_options {
    double l1, l2;
} l1_l2_options;

#define ROW(member, name, default_)                                                                \
    KFI_FIELD(l1_l2_options, member, name, kfi_field_float32, .otherwise = default_)

static const kfi_field class_fields[] = {ROW(l1, "l1", "0.0"), ROW(l2, "l2", "0.0"),
                                         KFI_FIELDS_END};
static const kfi_field both_fields[] = {ROW(l1, "l1", "0.01"), ROW(l2, "l2", "0.01"),
                                        KFI_FIELDS_END};
static const kfi_field l1_fields[] = {ROW(l1, "l", "0.01"), KFI_FIELDS_END};
static const kfi_field l2_fields[] = {ROW(l2, "l", "0.01"), KFI_FIELDS_END};
static const kfi_field l1_class_fields[] = {ROW(l1, "l1", "0.01"), KFI_FIELDS_END};
static const kfi_field l2_class_fields[] = {ROW(l2, "l2", "0.01"), KFI_FIELDS_END};

static kfi_value write(kfi_formula *formula, const void *options, kfi_value x) {
    const l1_l2_options *by = options;
    const kfi_penalty penalty = {.l1 = (float)by->l1, .l2 = (float)by->l2};
    return kfi_emit(formula, "penalty", &penalty, x);
}

static const kfi_named_formula rows[] = {
    {"L1L2", NULL, class_fields, NULL, sizeof(l1_l2_options), write},
    {"l1", "L1L2", l1_fields, class_fields, sizeof(l1_l2_options), write},
    {"l2", "L1L2", l2_fields, class_fields, sizeof(l1_l2_options), write},
    {"l1_l2", "L1L2", both_fields, class_fields, sizeof(l1_l2_options), write},
    {"L1", "L1L2", l1_class_fields, class_fields, sizeof(l1_l2_options), write},
    {"L2", "L1L2", l2_class_fields, class_fields, sizeof(l1_l2_options), write},
};

static const kfi_named_formulas regularizers = {rows, sizeof rows / sizeof *rows};

static kf_status config(const char *name, const kfi_variant *arguments, kfi_variant **json) {
    return kfi_named_config(&regularizers, name, arguments, json);
}

const kfi_object_kind kfi_regularizers = {.name = "regularizer", .config = config};

kfi_value kfi_regularize(kfi_formula *formula, const char *regularizer, kfi_value x) {
    return kfi_named_write(&regularizers, formula, regularizer, x);
}
