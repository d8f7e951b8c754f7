/* Bidirectional: a recurrent layer along the sequence and a second one with weights of its own from
 * its end; what they give is merged. Schuster and Paliwal 1997.
 *
 * Both are made from the options of the layer that was given, go_backwards turned around for the
 * second, and named after it. Its sequence comes in the order it went, so it is reversed. */
#include "core/base/memory.h"
#include "core/layers/options.h"
#include "core/layers/rules.h"
#include "core/layers/wrapper.h"

#include <string.h>

typedef kf_bidirectional_options bidirectional_options;

typedef struct bidirectional {
    kfi_wrapper wrapper; /* inner: forward, backward */
    bool return_sequences, return_state;
} bidirectional;

/* How two outputs become one; NULL: they stay two. */
typedef struct merging {
    const char *name;
    kfi_value (*merge)(kfi_formula *formula, kfi_value forward, kfi_value backward);
} merging;

static kfi_value concatenated(kfi_formula *formula, kfi_value forward, kfi_value backward) {
    const kfi_slice along = {.axis = kfi_type(formula, forward)->shape.rank - 1};
    return kfi_emit(formula, "concatenate", &along, forward, backward);
}

static kfi_value summed(kfi_formula *formula, kfi_value forward, kfi_value backward) {
    return kfi_emit(formula, "add", NULL, forward, backward);
}

static kfi_value multiplied(kfi_formula *formula, kfi_value forward, kfi_value backward) {
    return kfi_emit(formula, "multiply", NULL, forward, backward);
}

static kfi_value averaged(kfi_formula *formula, kfi_value forward, kfi_value backward) {
    const kfi_affine half = {.scale = 0.5f};
    return kfi_emit(formula, "affine", &half, summed(formula, forward, backward));
}

static const merging mergings[] = {
    {"concat", concatenated}, {"sum", summed}, {"mul", multiplied},
    {"ave", averaged},        {"None", NULL},
};

static const merging *find_merging(const char *name) {
    for (size_t i = 0; i < sizeof mergings / sizeof *mergings; i++)
        if (strcmp(mergings[i].name, name) == 0) return &mergings[i];
    return NULL;
}

/* --- options ---------------------------------------------------------------------------------- */

/* None is a mode of its own, which text stands for in the struct. */
static kf_status store_mode(const kfi_field *field, void *member, const kfi_variant *value) {
    const bool none = kfi_variant_is(value, KFI_NULL);
    if (!find_merging(none ? "None" : kfi_variant_text(value, "")))
        return kfi_fail(KF_INVALID, "Invalid merge mode. Merge mode should be one of {\"sum\", "
                                    "\"mul\", \"ave\", \"concat\", None}");
    if (!none) return kfi_field_string.store(field, member, value);
    kfi_variant *text = kfi_variant_string("None");
    if (!text) return KF_MEMORY;
    const kf_status status = kfi_field_string.store(field, member, text);
    kfi_variant_free(text);
    return status;
}

static kfi_variant *load_mode(const kfi_field *field, const void *member) {
    const char *mode = *(const char *const *)member;
    return mode && !find_merging(mode)->merge ? kfi_variant_null()
                                              : kfi_field_string.load(field, member);
}

static bool mode_is_unset(const kfi_field *field, const void *member) {
    return kfi_field_string.is_unset(field, member);
}

static void release_mode(const kfi_field *field, void *member) {
    kfi_field_string.release(field, member);
}

static size_t mode_size(const kfi_field *field) { return kfi_field_string.size(field); }

/* As the user gave it: it may be no mode at all. */
static kfi_variant *typed_mode(const kfi_field *field, const void *member) {
    return kfi_field_string.load(field, member);
}

static const kfi_field_type field_mode = {
    .name = "a merge mode",
    .store = store_mode,
    .load = load_mode,
    .is_unset = mode_is_unset,
    .release = release_mode,
    .size = mode_size,
    .typed = typed_mode,
};

static const kfi_field fields[] = {
    KFI_FIELD(bidirectional_options, merge_mode, "merge_mode", field_mode, .otherwise = "concat",
              .position = 2, .help = "concat, sum, mul, ave or None"),
    KFI_FIELD(bidirectional_options, num_constants, "num_constants", kfi_field_integer,
              .otherwise = "None", .low = 0, .high = KFI_LAYER_MAX_OUTPUTS, .position = 4,
              .quiet = true, .help = "how many of the last inputs are constants"),
    KFI_FIELDS_END,
};

/* --- the layers inside ------------------------------------------------------------------------ */

static kf_status add_inner(kf_layer *layer, const kfi_variant *config) {
    kfi_wrapper *wrapper = layer->extra;
    kf_layer *inner = kfi_layer_from_arguments(wrapper->layer->class, config, NULL, NULL);
    kf_status status = inner->status;
    if (status != KF_OK) {
        status = kfi_fail(status, "%s", inner->message ? inner->message : "out of memory");
        kf_layer_free(inner);
        return status;
    }
    inner->trainable = layer->trainable;
    kfi_layer_hold(layer, inner);
    wrapper->inner[wrapper->n_inner++] = inner;
    return KF_OK;
}

static kf_status add_both(kf_layer *layer, kfi_variant *config) {
    const kfi_variant *flag = kfi_variant_get(config, "go_backwards");
    if (!flag)
        return kfi_fail(KF_INVALID, "Bidirectional is for recurrent layers; %s has no go_backwards",
                        kfi_wrapped(layer)->class->name);
    const bool backwards = kfi_variant_truth(flag, false);
    bidirectional *extra = layer->extra;
    extra->return_sequences = kfi_variant_truth(kfi_variant_get(config, "return_sequences"), false);
    extra->return_state = kfi_variant_truth(kfi_variant_get(config, "return_state"), false);
    kf_status status = add_inner(layer, config);
    if (status == KF_OK)
        status = kfi_variant_put(config, "go_backwards", kfi_variant_bool(!backwards));
    return status == KF_OK ? add_inner(layer, config) : status;
}

static kf_status wrap(kf_layer *layer, kf_layer *inner) {
    kf_status status = kfi_wrapper_begin(layer, sizeof(bidirectional), inner);
    if (status != KF_OK) return status;
    kfi_variant *config = kfi_fields_config(inner->class->fields, inner->options);
    if (!config) return KF_MEMORY;
    status = add_both(layer, config);
    kfi_variant_free(config);
    return status;
}

static const char *scope_of(const kf_layer *layer) {
    return layer->scope ? layer->scope : layer->name;
}

/* bidirectional_1/forward_lstm_1/kernel */
static kf_status name_inner(kf_layer *layer, int32_t index) {
    static const char *const prefixes[] = {"forward", "backward"};
    const kfi_wrapper *wrapper = layer->extra;
    kf_layer *inner = wrapper->inner[index];
    if (!inner->name) inner->name = kfi_format("%s_%s", prefixes[index], wrapper->layer->name);
    if (inner->name && !inner->scope)
        inner->scope = kfi_format("%s/%s", scope_of(layer), inner->name);
    if (!inner->name || !inner->scope) return KF_MEMORY;
    return kfi_layer_join(inner, layer->graph, NULL);
}

/* States are for both, constants for each of the two. */
static kf_status count_states(const kf_layer *layer, int32_t n_in, int32_t *n_states) {
    const int32_t given = n_in - 1 - kfi_layer_constants(layer);
    *n_states = given / 2;
    if (given >= 0 && given % 2 == 0) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "When passing `initial_state` to a Bidirectional RNN, the state should be a "
                    "list containing the states of the underlying RNNs. Found: %d",
                    given);
}

static int64_t *constants(const kf_layer *layer) {
    const kf_layer *inner = kfi_wrapped(layer);
    return inner->class->constants ? &((bidirectional_options *)layer->options)->num_constants
                                   : NULL;
}

static kf_status build_inner(const kf_layer *layer, kf_layer *inner, const kfi_array *in,
                             int32_t n_in) {
    const int32_t n_constants = kfi_layer_constants(layer);
    if (n_constants > 0) *inner->class->constants(inner) = n_constants;
    return kfi_layer_build(inner, in, n_in);
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    const kfi_wrapper *wrapper = layer->extra;
    int32_t n_states;
    kf_status status = count_states(layer, n_in, &n_states);
    for (int32_t i = 0; i < wrapper->n_inner && status == KF_OK; i++) {
        status = name_inner(layer, i);
        if (status == KF_OK)
            status = build_inner(layer, wrapper->inner[i], in,
                                 1 + n_states + kfi_layer_constants(layer));
    }
    return status;
}

/* --- the call --------------------------------------------------------------------------------- */

/* What one of the two gives: its output, then its states. */
typedef struct results {
    kfi_value out[KFI_LAYER_MAX_OUTPUTS];
    int32_t n_out;
} results;

/* `states`: the first of its initial states among the call's inputs. Constants are the last. */
static kf_status go(kfi_layer_call *call, int32_t index, int32_t states, int32_t n_states,
                    results *found) {
    const kfi_wrapper *wrapper = call->layer->extra;
    const int32_t n_constants = kfi_layer_constants(call->layer), n = n_states + n_constants;
    kfi_value in[KFI_LAYER_MAX_OUTPUTS], masks[KFI_LAYER_MAX_OUTPUTS];
    kfi_value out_masks[KFI_LAYER_MAX_OUTPUTS];
    if (n >= KFI_LAYER_MAX_OUTPUTS)
        return kfi_fail(KF_INVALID, "%d initial states and constants are too many", n);
    in[0] = call->in[0];
    masks[0] = call->in_mask[0];
    for (int32_t i = 0; i < n; i++) {
        in[1 + i] = call->in[i < n_states ? states + i : call->n_in - n_constants + i - n_states];
        masks[1 + i] = KFI_NONE;
    }
    return kfi_wrapper_call(call, wrapper->inner[index], in, masks, 1 + n, found->out, out_masks,
                            &found->n_out);
}

static void give(kfi_layer_call *call, kfi_value out, kfi_value mask) {
    call->out[call->n_out] = out;
    call->out_mask[call->n_out++] = mask;
}

static kf_status merge(kfi_layer_call *call, const results *forward, const results *backward) {
    const bidirectional_options *options = call->layer->options;
    const bidirectional *extra = call->layer->extra;
    const merging *mode = find_merging(options->merge_mode);
    if (forward->n_out + backward->n_out > KFI_LAYER_MAX_OUTPUTS)
        return kfi_fail(KF_INVALID, "more than %d outputs", KFI_LAYER_MAX_OUTPUTS);
    const kfi_value mask = extra->return_sequences ? call->in_mask[0] : KFI_NONE;
    const kfi_along time = {.axis = 1};
    kfi_value y = backward->out[0];
    if (extra->return_sequences) y = kfi_emit(call->formula, "reverse", &time, y);
    call->n_out = 0;
    if (mode->merge) {
        give(call, mode->merge(call->formula, forward->out[0], y), mask);
    } else {
        give(call, forward->out[0], mask);
        give(call, y, mask);
    }
    for (int32_t i = 1; i < forward->n_out; i++) give(call, forward->out[i], KFI_NONE);
    for (int32_t i = 1; i < backward->n_out; i++) give(call, backward->out[i], KFI_NONE);
    return KF_OK;
}

static kf_status call(kfi_layer_call *call) {
    int32_t n_states;
    results forward, backward;
    kf_status status = count_states(call->layer, call->n_in, &n_states);
    if (status == KF_OK) status = go(call, 0, 1, n_states, &forward);
    if (status == KF_OK) status = go(call, 1, 1 + n_states, n_states, &backward);
    return status == KF_OK ? merge(call, &forward, &backward) : status;
}

const kfi_layer_class kfi_layer_bidirectional = {
    .name = "Bidirectional",
    .fields = fields,
    .options_size = sizeof(bidirectional_options),
    .min_inputs = 1,
    .max_inputs = -1,
    .supports_masking = true,
    .takes_training = true,
    .takes_mask = true,
    .build = build,
    .call = call,
    .inner = kfi_wrapper_inner,
    .free = kfi_wrapper_free,
    .constants = constants,
    .wraps = "layer",
    .wrap = wrap,
};

kf_layer *kf_bidirectional_create(const kf_bidirectional_options *options) {
    const size_t needed = offsetof(kf_bidirectional_options, layer) + sizeof options->layer;
    kf_layer *const inner = options && options->size >= needed ? options->layer : NULL;
    return kfi_wrapper_new(&kfi_layer_bidirectional, options, inner);
}
