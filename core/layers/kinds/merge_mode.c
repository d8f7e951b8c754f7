/* Keras 1's merge(mode=…), which had one layer for all modes: the layers of Keras 2 by the names of
 * those modes. "join" never did anything but fail after Keras 0.3. */
#include "core/layers/options.h"

#include <string.h>

static kf_layer *make_dot(const kf_merge_mode_options *options, bool normalize) {
    kf_dot_options dot = {.size = sizeof dot,
                          .name = options->name,
                          .frozen = options->frozen,
                          .axes = {options->dot_axes[0], options->dot_axes[1]},
                          .normalize = normalize};
    if (!dot.axes[0]) dot.axes[0] = -1;
    return kf_dot_create(&dot);
}

static kf_layer *make_concatenate(const kf_merge_mode_options *options) {
    return kf_concatenate_create(&(kf_concatenate_options){.size = sizeof(kf_concatenate_options),
                                                           .name = options->name,
                                                           .frozen = options->frozen,
                                                           .axis = options->concat_axis});
}

typedef struct elementwise {
    const char *mode;
    kf_layer *(*make)(const kf_merge_options *options);
} elementwise;

static const elementwise elementwise_modes[] = {
    {"sum", kf_add_create},
    {"mul", kf_multiply_create},
    {"ave", kf_average_create},
    {"max", kf_maximum_create},
};

kf_layer *kf_merge_create(const kf_merge_mode_options *options) {
    const kf_merge_mode_options whole = {0};
    if (!options || options->size < sizeof *options) options = &whole;
    const char *mode = options->mode ? options->mode : "sum";
    const kf_merge_options plain = {
        .size = sizeof plain, .name = options->name, .frozen = options->frozen};
    for (size_t i = 0; i < sizeof elementwise_modes / sizeof *elementwise_modes; i++)
        if (strcmp(elementwise_modes[i].mode, mode) == 0) return elementwise_modes[i].make(&plain);
    if (strcmp(mode, "concat") == 0) return make_concatenate(options);
    if (strcmp(mode, "dot") == 0) return make_dot(options, false);
    if (strcmp(mode, "cos") == 0) return make_dot(options, true);
    return kfi_layer_poisoned(
        kfi_fail(KF_INVALID,
                 "Invalid merge mode: %.80s (known: sum, mul, concat, ave, max, dot, cos)", mode));
}
