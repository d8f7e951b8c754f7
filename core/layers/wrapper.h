/* Wrappers: layers around a layer, which is given when they are made: TimeDistributed(layer). */
#ifndef KFI_LAYERS_WRAPPER_H
#define KFI_LAYERS_WRAPPER_H

#include "core/layers/layer.h"

/* What a wrapper's `extra` points to. */
typedef struct kfi_wrapper {
    kf_layer *layer;    /* as it was given: what the config tells of */
    kf_layer *inner[2]; /* those that are called and have the weights */
    int32_t n_inner;
} kfi_wrapper;

/* For kf_x_create: the layer and what it wraps, or a poisoned layer. Takes `inner` over. */
kf_layer *kfi_wrapper_new(const kfi_layer_class *class, const void *options, kf_layer *inner);

/* What wrapper classes have in common: `inner` and `free`, and the beginning of `wrap`: extra with
 * room for `bytes` and the layer in it. */
int32_t kfi_wrapper_inner(const kf_layer *layer, kf_layer *const **inner);
void kfi_wrapper_free(kf_layer *layer);
kf_status kfi_wrapper_begin(kf_layer *layer, size_t bytes, kf_layer *inner);

/* Calls a layer inside on values of its own, in the scope of the wrapper's call. `out` and
 * `out_mask` have room for KFI_LAYER_MAX_OUTPUTS. */
kf_status kfi_wrapper_call(kfi_layer_call *around, kf_layer *inner, const kfi_value *in,
                           const kfi_value *in_mask, int32_t n_in, kfi_value *out,
                           kfi_value *out_mask, int32_t *n_out);

#endif
