#include "core/layers/wrapper.h"

#include "core/base/memory.h"

int32_t kfi_wrapper_inner(const kf_layer *layer, kf_layer *const **inner) {
    const kfi_wrapper *wrapper = layer->extra;
    if (!wrapper) return 0;
    *inner = wrapper->inner;
    return wrapper->n_inner;
}

/* The layers inside are the graph's, or go with this one (kfi_layer_hold). */
void kfi_wrapper_free(kf_layer *layer) { kfi_free(layer->extra); }

kf_status kfi_wrapper_begin(kf_layer *layer, size_t bytes, kf_layer *inner) {
    kfi_wrapper *wrapper = kfi_alloc(1, bytes);
    if (!wrapper) return KF_MEMORY;
    layer->extra = wrapper;
    wrapper->layer = inner;
    kfi_layer_hold(layer, inner);
    return KF_OK;
}

static kf_status check_wrapped(const kfi_layer_class *class, const kf_layer *inner) {
    if (!inner) return kfi_fail(KF_INVALID, "%s: %s is missing", class->name, class->wraps);
    if (inner->status == KF_OK) return KF_OK;
    return kfi_fail(inner->status, "%s: %s", inner->name ? inner->name : inner->class->name,
                    inner->message ? inner->message : "out of memory");
}

/* `layer` is new, perhaps poisoned; it becomes the wrapper, or makes room for a poisoned layer. */
static kf_layer *wrap(kf_layer *layer, kf_layer *inner) {
    if (layer->status != KF_OK) {
        kf_layer_free(inner);
        return layer;
    }
    kf_status status = check_wrapped(layer->class, inner);
    if (status == KF_OK) status = layer->class->wrap(layer, inner);
    if (status == KF_OK) return layer;
    kf_layer *const poisoned = kfi_layer_poisoned(status);
    if (inner && inner->holder != layer) kf_layer_free(inner);
    kf_layer_free(layer);
    return poisoned;
}

kf_layer *kfi_wrapper_new(const kfi_layer_class *class, const void *options, kf_layer *inner) {
    return wrap(kfi_layer_new(class, options), inner);
}

kf_layer *kfi_wrapped(const kf_layer *layer) {
    return layer->class->wraps && layer->extra ? ((kfi_wrapper *)layer->extra)->layer : NULL;
}

kf_layer *kfi_wrapper_from_arguments(const kfi_layer_class *class, const kfi_variant *arguments,
                                     void (*unknown)(void *context, const char *key), void *context,
                                     kf_layer *inner) {
    return wrap(kfi_layer_from_arguments(class, arguments, unknown, context), inner);
}

kf_status kfi_wrapper_call(kfi_layer_call *around, kf_layer *inner, const kfi_value *in,
                           const kfi_value *in_mask, int32_t n_in, kfi_value *out,
                           kfi_value *out_mask, int32_t *n_out) {
    kfi_layer_call call = {.layer = inner,
                           .formula = around->formula,
                           .n_in = n_in,
                           .in = in,
                           .in_mask = in_mask,
                           .out = out,
                           .out_mask = out_mask,
                           .gives_mask = around->gives_mask && inner->class->takes_mask,
                           .mask = around->mask};
    const kfi_scope scope = kfi_formula_scope(around->formula, (kfi_scope){0});
    kfi_formula_scope(around->formula, scope);
    const bool muted = kfi_formula_mute_activity(around->formula, true);
    const kf_status status = kfi_layer_invoke(&call, scope.call);
    kfi_formula_mute_activity(around->formula, muted);
    *n_out = call.n_out;
    return status;
}
