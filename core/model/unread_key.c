#include "core/model/unread_key.h"

#include <string.h>

/* An option that is off, or nothing at all. */
static bool says_nothing(const kfi_variant *value) {
    switch (kfi_variant_kind_of(value)) {
    case KFI_NULL:
        return true;
    case KFI_BOOL:
        return !kfi_variant_truth(value, false);
    case KFI_INTEGER:
    case KFI_REAL:
        return kfi_variant_to_real(value, 1) == 0;
    case KFI_LIST:
    case KFI_DICT:
        return kfi_variant_count(value) == 0;
    default:
        return false;
    }
}

bool kfi_unread_key_matters(const char *key, const kfi_variant *value) {
    static const char *const harmless[] = {
        "input_dim",      /* Keras 1 says the input's shape once more */
        "input_length",   /* likewise */
        "input_dtype",    /* and its type, which an input has taken */
        "autocast",       /* tf.keras: one float type is all there is */
        "use_cudnn",      /* Keras 3: which kernels compute */
        "backward_layer", /* Keras 3: Bidirectional's copy, turned around */
    };
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(key, harmless[i]) == 0) return false;
    if (strcmp(key, "groups") == 0 && kfi_variant_to_integer(value, 0) == 1) return false;
    return !says_nothing(value);
}
