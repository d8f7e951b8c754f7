/* Activations are ops; one line here names each. */
#include "core/layers/activations.h"

#include <stdio.h>
#include <string.h>

typedef struct activation {
    const char *name, *op; /* op NULL: the identity */
    bool along_last;       /* the op takes the axis as a kfi_along */
} activation;

static const activation activations[] = {
    {"linear", NULL, false},      {"relu", "relu", false}, {"sigmoid", "sigmoid", false},
    {"softmax", "softmax", true}, {"tanh", "tanh", false},
};

enum { N_ACTIVATIONS = sizeof activations / sizeof *activations };

static const activation *find(const char *name) {
    for (int i = 0; i < N_ACTIVATIONS; i++)
        if (strcmp(activations[i].name, name) == 0) return &activations[i];
    return NULL;
}

static kf_status refuse(const char *name) {
    char known[512];
    size_t length = 0;
    for (int i = 0; i < N_ACTIVATIONS && length < sizeof known; i++)
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "",
                                   activations[i].name);
    return kfi_fail(KF_INVALID, "must be one of %s; got '%.80s'", known, name);
}

static kf_status config(const char *name, const kfi_variant *arguments, kfi_variant **json) {
    *json = NULL;
    if (!find(name)) return refuse(name);
    if (kfi_variant_count(arguments) > 0)
        return kfi_fail(KF_INVALID, "must be a plain name: %s takes no arguments", name);
    *json = kfi_variant_string(name);
    return *json ? KF_OK : KF_MEMORY;
}

const kfi_object_kind kfi_activations = {.name = "activation", .config = config};

kfi_value kfi_activate(kfi_formula *formula, const char *name, kfi_value x) {
    const activation *known = name ? find(name) : &activations[0];
    if (!known) {
        kfi_formula_fail(formula, refuse(name));
        return KFI_NONE;
    }
    if (!known->op) return x;
    const int rank = kfi_type(formula, x)->shape.rank;
    return kfi_emit(formula, known->op, known->along_last ? &(kfi_along){rank - 1} : NULL, x);
}
