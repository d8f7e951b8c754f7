/* Lambda: a function of the graph as a layer. In Keras's JSON it is a Lambda of a named function;
 * one that holds Python code is refused, and so is a name that the graph does not know. */
#include "core/base/memory.h"
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <string.h>

typedef kf_lambda_options lambda_options;

/* --- functions of a graph --------------------------------------------------------------------- */

typedef struct known_function {
    kf_function function;
    char *name;
} known_function;

static void free_function(void *object) {
    known_function *known = object;
    kfi_free(known->name);
    kfi_free(known);
}

const kf_function *kfi_function_find(const kf_graph *graph, const char *name) {
    const known_function *known;
    for (int64_t i = 0; (known = kfi_graph_owned(graph, free_function, i)); i++)
        if (strcmp(known->name, name) == 0) return &known->function;
    return NULL;
}

static kf_status check_function(const kf_graph *graph, const kf_function *function) {
    if (!graph || !function || function->size < sizeof *function)
        return kfi_fail(KF_USAGE, "kf_graph_add_function: the graph or the function is missing");
    if (!function->name || !*function->name || !function->forward)
        return kfi_fail(KF_USAGE, "a function needs a name and a forward callback");
    if (function->n_inputs < 0 || function->n_inputs > KF_FUNCTION_MAX_INPUTS)
        return kfi_fail(KF_USAGE, "function %s: n_inputs must be from 1 to %d; got %d",
                        function->name, KF_FUNCTION_MAX_INPUTS, function->n_inputs);
    if (kfi_function_find(graph, function->name))
        return kfi_fail(KF_USAGE, "the graph has a function %s already", function->name);
    return KF_OK;
}

kf_status kf_graph_add_function(kf_graph *graph, const kf_function *function) {
    const kf_status status = check_function(graph, function);
    if (status != KF_OK) return status;
    known_function *known = kfi_alloc(1, sizeof *known);
    if (!known) return KF_MEMORY;
    known->function = *function;
    if (known->function.n_inputs == 0) known->function.n_inputs = 1;
    known->function.name = known->name = kfi_strdup(function->name);
    if (known->name) return kfi_graph_own(graph, known, free_function);
    free_function(known);
    return KF_MEMORY;
}

/* --- Keras's configuration -------------------------------------------------------------------- */

/* A list is a marshalled Python function. */
static kf_status store_function(const kfi_field *field, void *member, const kfi_variant *value) {
    if (kfi_variant_is(value, KFI_LIST))
        return kfi_fail(KF_INVALID, "must be the name of a function of the graph; this file has "
                                    "Python code, which is not run");
    return kfi_field_string.store(field, member, value);
}

static kfi_variant *load_function(const kfi_field *field, const void *member) {
    return kfi_field_string.load(field, member);
}

static bool function_is_unset(const kfi_field *field, const void *member) {
    return kfi_field_string.is_unset(field, member);
}

static void release_function(const kfi_field *field, void *member) {
    kfi_field_string.release(field, member);
}

static size_t function_size(const kfi_field *field) { return kfi_field_string.size(field); }

static const kfi_field_type field_function = {
    .name = "the name of a function of the graph",
    .store = store_function,
    .load = load_function,
    .is_unset = function_is_unset,
    .release = release_function,
    .size = function_size,
};

/* Entries that say the same for every function here: nothing is stored. */
static bool is_constant(const kfi_field *field, const kfi_variant *value) {
    if (kfi_variant_is(value, KFI_DICT)) return kfi_variant_count(value) == 0;
    if (kfi_variant_is(value, KFI_NULL)) return true;
    return strcmp(kfi_variant_text(value, ""), field->choices ? field->choices : "") == 0;
}

static kf_status store_constant(const kfi_field *field, void *member, const kfi_variant *value) {
    (void)member;
    if (is_constant(field, value)) return KF_OK;
    return kfi_fail(KF_INVALID, "must be %s: a function of the graph takes nothing else",
                    field->help);
}

static kfi_variant *load_constant(const kfi_field *field, const void *member) {
    (void)member;
    if (field->choices) return kfi_variant_string(field->choices);
    return strcmp(field->name, "arguments") == 0 ? kfi_variant_dict() : kfi_variant_null();
}

static bool constant_is_unset(const kfi_field *field, const void *member) {
    (void)field, (void)member;
    return true;
}

static size_t constant_size(const kfi_field *field) {
    (void)field;
    return 0;
}

static const kfi_field_type field_constant = {
    .name = "nothing",
    .store = store_constant,
    .load = load_constant,
    .is_unset = constant_is_unset,
    .size = constant_size,
};

#define CONSTANT(key, ...)                                                                         \
    KFI_FIELD(lambda_options, function, key, field_constant, .otherwise = "None", __VA_ARGS__)

static const kfi_field fields[] = {
    KFI_FIELD(lambda_options, function, "function", field_function,
              .help = "its name in the graph"),
    CONSTANT("function_type", .choices = "function", .help = "'function'"),
    CONSTANT("output_shape", .help = "None"),
    CONSTANT("output_shape_type", .choices = "raw", .help = "'raw'"),
    CONSTANT("arguments", .help = "empty"),
    KFI_FIELDS_END,
};

/* --- calls ------------------------------------------------------------------------------------ */

static kf_status check_inputs(const kfi_layer_call *call, const kf_function *function) {
    if (call->n_in != function->n_inputs)
        return kfi_fail(KF_INVALID, "function %s takes %d inputs, got %d", function->name,
                        function->n_inputs, call->n_in);
    for (int32_t i = 0; i < call->n_in; i++)
        if (!kfi_is_none(call->in_mask[i]) && !function->supports_masking)
            return kfi_fail(KF_INVALID,
                            "Layer %s does not support masking, but was passed an input_mask",
                            call->layer->name);
    return KF_OK;
}

static kf_status find_shape(const kfi_layer_call *call, const kf_function *function,
                            kf_shape *shape) {
    kf_shape in[KF_FUNCTION_MAX_INPUTS];
    char message[256] = "";
    for (int32_t i = 0; i < call->n_in; i++) in[i] = kfi_input_shape(call, i);
    *shape = in[0];
    if (!function->shape) return KF_OK;
    const kf_status status = function->shape(function->context, in, shape, message);
    message[sizeof message - 1] = '\0';
    if (status != KF_OK)
        return kfi_fail(status, "function %s does not take inputs of these shapes: %s",
                        function->name, message[0] ? message : "it does not say why");
    if (shape->rank >= 0 && shape->rank <= KF_MAX_RANK &&
        (kfi_formula_symbolic(call->formula) || kfi_shape_count(shape) >= 0))
        return KF_OK;
    return kfi_fail(KF_INVALID, "function %s gave no good shape for its output", function->name);
}

static kf_status call(kfi_layer_call *call) {
    const lambda_options *options = call->layer->options;
    const kf_function *function = kfi_function_find(call->layer->graph, options->function);
    if (!function)
        return kfi_fail(KF_INVALID,
                        "the graph has no function '%s': kf_graph_add_function makes it known",
                        options->function);
    kfi_user_function by = {.function = function};
    kf_status status = check_inputs(call, function);
    if (status == KF_OK) status = find_shape(call, function, &by.shape);
    if (status == KF_OK)
        call->out[0] =
            kfi_emit_list(call->formula, "function", &by, call->in, (int)call->n_in, NULL);
    return status;
}

/* Nobody knows what a user's function does with the samples. */
static bool whole_batch(const kf_layer *layer) {
    (void)layer;
    return true;
}

const kfi_layer_class kfi_layer_lambda = {
    .name = "Lambda",
    .fields = fields,
    .options_size = sizeof(lambda_options),
    .min_inputs = 1,
    .max_inputs = KF_FUNCTION_MAX_INPUTS,
    .supports_masking = true,
    .takes_mask = true,
    .call = call,
    .whole_batch = whole_batch,
};

kf_layer *kf_lambda_create(const kf_lambda_options *options) {
    return kfi_layer_new(&kfi_layer_lambda, options);
}
