/* A variant is a value as JSON has it: null, a truth value, a number, a string, a list or a dict.
 * Options of layers and optimizers pass through it between C structs, Keras's JSON, and text typed
 * by a user. io/json.h turns it into JSON text and back. */
#ifndef KFI_BASE_VARIANT_H
#define KFI_BASE_VARIANT_H

#include "core/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct kfi_variant kfi_variant;

typedef enum kfi_variant_kind {
    KFI_NULL,
    KFI_BOOL,
    KFI_INTEGER,
    KFI_REAL,
    KFI_STRING,
    KFI_LIST,
    KFI_DICT
} kfi_variant_kind;

/* Makers return NULL when memory is gone (message set). A list or dict owns what is put into it,
 * also when putting fails; putting NULL fails with KF_MEMORY, so makers nest without checks. */
kfi_variant *kfi_variant_null(void);
kfi_variant *kfi_variant_bool(bool value);
kfi_variant *kfi_variant_integer(int64_t value);
kfi_variant *kfi_variant_real(double value);
kfi_variant *kfi_variant_string(const char *value);
kfi_variant *kfi_variant_string_n(const char *value, size_t bytes);
kfi_variant *kfi_variant_list(void);
kfi_variant *kfi_variant_dict(void);
void kfi_variant_free(kfi_variant *variant); /* accepts NULL */
kfi_variant *kfi_variant_copy(const kfi_variant *variant);

kf_status kfi_variant_append(kfi_variant *list, kfi_variant *item);
kf_status kfi_variant_put(kfi_variant *dict, const char *key, kfi_variant *item); /* replaces */

/* Readers accept NULL and the wrong kind: they give KFI_NULL, 0, "", NULL or `otherwise`. */
kfi_variant_kind kfi_variant_kind_of(const kfi_variant *variant);
const char *kfi_variant_kind_name(const kfi_variant *variant); /* "a list", "a string" … */
bool kfi_variant_is(const kfi_variant *variant, kfi_variant_kind kind);
bool kfi_variant_truth(const kfi_variant *variant, bool otherwise);
int64_t kfi_variant_to_integer(const kfi_variant *variant, int64_t otherwise);
double kfi_variant_to_real(const kfi_variant *variant, double otherwise); /* integers too */
const char *kfi_variant_text(const kfi_variant *variant, const char *otherwise);
int64_t kfi_variant_count(const kfi_variant *variant); /* of a list or dict, else 0 */
const kfi_variant *kfi_variant_at(const kfi_variant *list, int64_t index);
const kfi_variant *kfi_variant_get(const kfi_variant *dict, const char *key);
const char *kfi_variant_key_at(const kfi_variant *dict, int64_t index); /* insertion order */
const kfi_variant *kfi_variant_value_at(const kfi_variant *dict, int64_t index);

#endif
