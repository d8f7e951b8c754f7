/* All layer classes, found by Keras's name. */
#include "core/base/memory.h"
#include "core/layers/wrapper.h"

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

/* Older names of classes, as Keras still reads them. */
static const struct {
    const char *name, *class;
} aliases[] = {
    {"Convolution1D", "Conv1D"},
    {"Convolution2D", "Conv2D"},
    {"Convolution3D", "Conv3D"},
    {"AtrousConvolution1D", "Conv1D"},
    {"AtrousConvolution2D", "Conv2D"},
    {"SeparableConvolution1D", "SeparableConv1D"},
    {"SeparableConvolution2D", "SeparableConv2D"},
    {"Convolution2DTranspose", "Conv2DTranspose"},
    {"Convolution3DTranspose", "Conv3DTranspose"},
    {"Deconvolution2D", "Conv2DTranspose"},
    {"Deconvolution3D", "Conv3DTranspose"},
    {"Deconv2D", "Conv2DTranspose"},
    {"Deconv3D", "Conv3DTranspose"},
    {"MaxPool1D", "MaxPooling1D"},
    {"MaxPool2D", "MaxPooling2D"},
    {"MaxPool3D", "MaxPooling3D"},
    {"AvgPool1D", "AveragePooling1D"},
    {"AvgPool2D", "AveragePooling2D"},
    {"AvgPool3D", "AveragePooling3D"},
    {"GlobalMaxPool1D", "GlobalMaxPooling1D"},
    {"GlobalMaxPool2D", "GlobalMaxPooling2D"},
    {"GlobalMaxPool3D", "GlobalMaxPooling3D"},
    {"GlobalAvgPool1D", "GlobalAveragePooling1D"},
    {"GlobalAvgPool2D", "GlobalAveragePooling2D"},
    {"GlobalAvgPool3D", "GlobalAveragePooling3D"},
};

enum { N_CLASSES = sizeof classes / sizeof *classes, N_ALIASES = sizeof aliases / sizeof *aliases };

const kfi_layer_class *kfi_layer_class_at(int32_t index) {
    return index >= 0 && index < N_CLASSES ? classes[index] : NULL;
}

const kfi_layer_class *kfi_layer_class_find(const char *name) {
    for (int32_t i = 0; i < N_ALIASES; i++)
        if (strcmp(aliases[i].name, name) == 0) name = aliases[i].class;
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

/* A wrapper's argument is a layer as text: layer=LSTM(64). */
static kf_layer *make(const char *class_name, const kfi_variant *arguments) {
    const kfi_layer_class *class = kfi_layer_class_find(class_name);
    if (!class) return kfi_layer_poisoned(refuse_class(class_name));
    if (!class->wraps) return kfi_layer_from_arguments(class, arguments, NULL, NULL);
    const kfi_variant *inside = kfi_variant_get(arguments, class->wraps);
    const char *name = kfi_variant_text(inside, NULL);
    if (!name) name = kfi_variant_text(kfi_variant_get(inside, "class_name"), NULL);
    kf_layer *inner = name ? make(name, kfi_variant_get(inside, "config")) : NULL;
    return kfi_wrapper_from_arguments(class, arguments, NULL, NULL, inner);
}

kf_layer *kf_layer_named(const char *class_name, const char *arguments) {
    if (!class_name) return kfi_layer_poisoned(kfi_fail(KF_USAGE, "the layer's class is NULL"));
    kfi_variant *parsed = NULL;
    const kf_status status = arguments ? kfi_arguments_parse(arguments, &parsed) : KF_OK;
    if (status != KF_OK) return kfi_layer_poisoned(kfi_within(status, "%s: ", class_name));
    kf_layer *layer = make(class_name, parsed);
    kfi_variant_free(parsed);
    return layer;
}
