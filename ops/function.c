/* function(x_0, …): y = f(x_0, …), a function of the user's, as one tile; function_gradient(x_0, …,
 * y, dy): dx_0, …, by the function's own derivative. Only the x_i that are asked for are worked
 * out, the others are 0. Both may fail: `run` gives the status, the kernels can only drop it. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

enum { MESSAGE_BYTES = 256 };

static void list_inputs(const kfi_call *call, int n_in, kf_array in[KF_FUNCTION_MAX_INPUTS]) {
    for (int i = 0; i < n_in; i++)
        in[i] = (kf_array){
            .data = call->in[i].data, .dtype = call->in[i].dtype, .shape = call->in[i].shape};
}

static kf_status told(const kf_function *function, const char *what, kf_status status,
                      char message[MESSAGE_BYTES]) {
    if (status == KF_OK) return KF_OK;
    message[MESSAGE_BYTES - 1] = '\0';
    return kfi_fail(status, "function %s failed%s: %s", function->name, what,
                    message[0] ? message : "it does not say why");
}

/* --- forward ---------------------------------------------------------------------------------- */

static kf_status infer_function(kfi_shaping *shaping) {
    const kfi_user_function *a = shaping->attributes;
    if (shaping->n_in < 1 || shaping->n_in > KF_FUNCTION_MAX_INPUTS)
        return kfi_fail(KF_INVALID, "a function takes 1 to %d inputs, got %d",
                        KF_FUNCTION_MAX_INPUTS, shaping->n_in);
    shaping->n_out = 1;
    shaping->out[0].shape = a->shape;
    return KF_OK;
}

static kf_status run_function(const kfi_call *call) {
    const kf_function *function = ((const kfi_user_function *)call->attributes)->function;
    kf_array in[KF_FUNCTION_MAX_INPUTS];
    char message[MESSAGE_BYTES] = "";
    list_inputs(call, call->n_in, in);
    return told(
        function, "",
        function->forward(function->context, in, &call->out[0].shape, kfi_out(call, 0), message),
        message);
}

static void function(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    (void)run_function(call);
}

static kf_status derive(kfi_derivation *d) {
    kfi_user_function a = *(const kfi_user_function *)d->attributes;
    if (!a.function->gradient) return KF_OK;
    kfi_value in[KF_FUNCTION_MAX_INPUTS + 2],
        more[KFI_OP_MAX_OUTPUTS] = {KFI_NONE, KFI_NONE, KFI_NONE, KFI_NONE};
    a.wanted = 0;
    for (int i = 0; i < d->n_in; i++) {
        in[i] = d->in[i];
        if (d->wanted[i] && d->in_type[i].dtype == KF_FLOAT32) a.wanted |= 1u << i;
    }
    in[d->n_in] = d->out[0];
    in[d->n_in + 1] = d->dout[0];
    const kfi_value first = d->emit(d, "function_gradient", &a, in, d->n_in + 2, more);
    for (int i = 0; i < d->n_in; i++)
        if (a.wanted >> i & 1) d->din[i] = i ? more[i - 1] : first;
    return KF_OK;
}

/* --- backward --------------------------------------------------------------------------------- */

static kf_status infer_gradient(kfi_shaping *shaping) {
    shaping->n_out = shaping->n_in - 2;
    if (shaping->n_out < 1 || shaping->n_out > KF_FUNCTION_MAX_INPUTS)
        return kfi_fail(KF_INVALID, "expected the inputs of a function, its output and the "
                                    "derivative of that");
    for (int i = 0; i < shaping->n_out; i++) shaping->out[i].shape = shaping->in[i].shape;
    return KF_OK;
}

static kf_status run_gradient(const kfi_call *call) {
    const kfi_user_function *a = call->attributes;
    kf_array in[KF_FUNCTION_MAX_INPUTS];
    float *din[KF_FUNCTION_MAX_INPUTS] = {NULL};
    char message[MESSAGE_BYTES] = "";
    list_inputs(call, call->n_out, in);
    for (int i = 0; i < call->n_out; i++) {
        if (a->wanted >> i & 1)
            din[i] = kfi_out(call, i);
        else
            memset(kfi_out(call, i), 0, (size_t)kfi_count(&call->out[i]) * sizeof(float));
    }
    const kfi_array *y = &call->in[call->n_out], *dy = y + 1;
    return told(
        a->function, " backwards",
        a->function->gradient(a->function->context, in, &y->shape, y->data, dy->data, din, message),
        message);
}

static void function_gradient(const kfi_call *call, int64_t tile, void *local) {
    (void)tile, (void)local;
    (void)run_gradient(call);
}

/* What it costs is not known; a small stretch of arithmetic for every element is a guess. */
static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 20); }

/* --- an example: y = a b + a, and one of two inputs of which only the first has a derivative ---
 */

static kf_status example_forward(void *context, const kf_array *in, const kf_shape *shape,
                                 float *out, char *message) {
    (void)context, (void)message;
    const float *a = in[0].data, *b = in[1].data;
    for (int64_t i = 0; i < kfi_shape_count(shape); i++) out[i] = a[i] * b[i] + a[i];
    return KF_OK;
}

static kf_status example_gradient(void *context, const kf_array *in, const kf_shape *shape,
                                  const float *out, const float *dout, float *const *din,
                                  char *message) {
    (void)context, (void)message, (void)out;
    const float *a = in[0].data, *b = in[1].data;
    const int64_t count = kfi_shape_count(shape);
    for (int64_t i = 0; din[0] && i < count; i++) din[0][i] = dout[i] * (b[i] + 1);
    for (int64_t i = 0; din[1] && i < count; i++) din[1][i] = dout[i] * a[i];
    return KF_OK;
}

static const kf_function example_function = {.size = sizeof example_function,
                                             .name = "example",
                                             .n_inputs = 2,
                                             .forward = example_forward,
                                             .gradient = example_gradient};

#define EXAMPLE(bits)                                                                              \
    &(const kfi_user_function) {                                                                   \
        .function = &example_function, .shape = {2, {3, 5}}, .wanted = (bits)                      \
    }
#define X                                                                                          \
    {                                                                                              \
        .shape = { 2, {3, 5} }                                                                     \
    }

static const kfi_example function_examples[] = {
    {.name = "two inputs", .attributes = EXAMPLE(0), .n_in = 2, .in = {X, X}},
    {0},
};
static const kfi_example gradient_examples[] = {
    {.name = "both", .attributes = EXAMPLE(3), .n_in = 4, .in = {X, X, X, X}},
    {.name = "the second alone", .attributes = EXAMPLE(2), .n_in = 4, .in = {X, X, X, X}},
    {0},
};

const kfi_op KFI_OP(function) = {
    .name = "function",
    .attributes_size = sizeof(kfi_user_function),
    .infer = infer_function,
    .stages = {{function, NULL}},
    .run = run_function,
    .gradient = derive,
    .cost = cost,
    .examples = KFI_EXAMPLES(function_examples),
};

const kfi_op KFI_OP(function_gradient) = {
    .name = "function_gradient",
    .attributes_size = sizeof(kfi_user_function),
    .infer = infer_gradient,
    .stages = {{function_gradient, NULL}},
    .run = run_gradient,
    .cost = cost,
    .examples = KFI_EXAMPLES(gradient_examples),
};
