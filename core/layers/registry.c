/* All layer classes, found by Keras's name. */
#include "core/base/memory.h"
#include "core/layers/layer.h"

#include <stdio.h>
#include <string.h>

#define KFI_LAYER_LINE(symbol) extern const kfi_layer_class kfi_layer_##symbol;
#include "core/layers/layer_list.h"
#undef KFI_LAYER_LINE

static const kfi_layer_class *const classes[] = {
#define KFI_LAYER_LINE(symbol) &kfi_layer_##symbol,
#include "core/layers/layer_list.h"
#undef KFI_LAYER_LINE
};

enum { N_CLASSES = sizeof classes / sizeof *classes };

const kfi_layer_class *kfi_layer_class_at(int32_t index) {
    return index >= 0 && index < N_CLASSES ? classes[index] : NULL;
}

const kfi_layer_class *kfi_layer_class_find(const char *name) {
    for (int32_t i = 0; i < N_CLASSES; i++)
        if (strcmp(classes[i]->name, name) == 0) return classes[i];
    return NULL;
}

static kf_status refuse_class(const char *name) {
    char known[900];
    size_t length = 0;
    for (int32_t i = 0; i < N_CLASSES && length < sizeof known; i++)
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "",
                                   classes[i]->name);
    return kfi_fail(KF_INVALID, "unknown layer class '%.80s' (known: %s)", name, known);
}

kf_layer *kf_layer_named(const char *class_name, const char *arguments) {
    if (!class_name) return kfi_layer_poisoned(kfi_fail(KF_USAGE, "the layer's class is NULL"));
    const kfi_layer_class *class = kfi_layer_class_find(class_name);
    if (!class) return kfi_layer_poisoned(refuse_class(class_name));
    kfi_variant *parsed = NULL;
    const kf_status status = arguments ? kfi_arguments_parse(arguments, &parsed) : KF_OK;
    if (status != KF_OK) return kfi_layer_poisoned(kfi_within(status, "%s: ", class_name));
    kf_layer *layer = kfi_layer_from_arguments(class, parsed, NULL, NULL);
    kfi_variant_free(parsed);
    return layer;
}
