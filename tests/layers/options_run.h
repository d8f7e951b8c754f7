/* One layer with options, in a formula of its own: outputs, derivatives of all weights and float
 * inputs against central differences, and two steps of training by 1, 2 and 8 workers. */
#ifndef KF_TESTS_LAYERS_OPTIONS_RUN_H
#define KF_TESTS_LAYERS_OPTIONS_RUN_H

#include "core/base/random.h"
#include "tests/layers/run.h"

#include <stdlib.h>

enum { MAX_INPUTS = 4, MAX_ENDS = 64 };

/* What an input holds. */
typedef enum content {
    NUMBERS, /* distinct floats in (-1, 1), none of them close to 0 or to one of another input */
    STEPS,   /* the same, some steps all zero and masked */
    IDS,     /* whole numbers from 0 to 4 */
} content;

typedef struct option_input {
    kf_shape shape; /* with the batch */
    content content;
} option_input;

#define INPUT(kind, ...)                                                                           \
    { {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}, (kind) }
#define FLOATS(...) INPUT(NUMBERS, __VA_ARGS__)

/* A layer by its arguments, and what it is called on. */
typedef struct option_row {
    const char *sentence, *class, *arguments;
    option_input in[MAX_INPUTS];
    bool fixed_batch;
    uint64_t seed; /* of weights and inputs; another one where a number comes too close to a kink */
} option_row;

/* ---- the row as layers in a graph ---- */

typedef struct subject {
    const option_row *row;
    kf_graph *graph;
    kf_layer *layer, *masking[MAX_INPUTS]; /* masking: in front of STEPS */
    int32_t n_in;
    void *data[MAX_INPUTS];
    float *factor[MAX_ENDS]; /* of the outputs, in the sum that is derived */
    kfi_weight_list trained, all;
} subject;

static int64_t count_of(const option_input *input) { return kfi_shape_count(&input->shape); }

/* Values in steps, in random order, offset against those of the other inputs by parts of a step. */
static float *distinct_numbers(const option_row *row, int32_t i, int32_t n_in) {
    const int64_t count = count_of(&row->in[i]);
    float *values = calloc((size_t)count, sizeof *values);
    int64_t *rank = calloc((size_t)count, sizeof *rank);
    assert_true(values && rank);
    kfi_random_permutation((kfi_random){row->seed + 99, (uint64_t)i}, rank, count);
    const double offset = (i + 0.6) / (n_in + 1);
    for (int64_t k = 0; k < count; k++)
        values[k] = (float)(2 * ((double)rank[k] + offset) / (double)count - 1);
    free(rank);
    return values;
}

/* Every third step of a sample is masked, in the first sample the first one. */
static void clear_steps(const kf_shape *shape, float *values) {
    const int64_t steps = shape->dims[0] * shape->dims[1], size = kfi_shape_count(shape) / steps;
    for (int64_t k = 0; k < steps; k++)
        if ((k / shape->dims[1] + k % shape->dims[1]) % 3 == 0)
            memset(values + k * size, 0, (size_t)size * sizeof *values);
}

static int32_t *whole_numbers(const option_row *row, int32_t i) {
    const int64_t count = count_of(&row->in[i]);
    int32_t *values = calloc((size_t)count, sizeof *values);
    assert_non_null(values);
    for (int64_t k = 0; k < count; k++)
        values[k] = (int32_t)((uint64_t)(k * k + 3 * k + i) + row->seed) % 5;
    return values;
}

static kf_tensor *make_input(subject *s, int32_t i) {
    const option_input *input = &s->row->in[i];
    kf_input_options options = {.size = sizeof options};
    for (int32_t a = 1; a < input->shape.rank; a++) options.shape[a - 1] = input->shape.dims[a];
    if (s->row->fixed_batch) options.batch_size = input->shape.dims[0];
    if (input->content == IDS) options.dtype = "int32";
    kf_tensor *tensor = kf_input_create(s->graph, &options);
    if (input->content == IDS)
        s->data[i] = whole_numbers(s->row, i);
    else
        s->data[i] = distinct_numbers(s->row, i, s->n_in);
    if (input->content != STEPS) return tensor;
    clear_steps(&input->shape, s->data[i]);
    s->masking[i] = kf_masking();
    return kf_apply(s->masking[i], tensor);
}

static subject make_subject(const option_row *row, void (*prepare)(kf_graph *graph)) {
    subject s = {.row = row, .graph = kf_graph_new(.seed = row->seed + 5)};
    kf_tensor *in[MAX_INPUTS];
    prepare(s.graph);
    while (s.n_in < MAX_INPUTS && row->in[s.n_in].shape.rank) s.n_in++;
    for (int32_t i = 0; i < s.n_in; i++) in[i] = make_input(&s, i);
    s.layer = kf_layer_named(row->class, row->arguments);
    kf_apply_list(s.layer, in, s.n_in);
    if (kf_graph_error(s.graph) != KF_OK)
        fail_msg("%s(%s): %s", row->class, row->arguments, kf_last_error());
    check(kfi_layer_gather(s.layer, true, &s.trained));
    check(kfi_layer_gather(s.layer, true, &s.all));
    check(kfi_layer_gather(s.layer, false, &s.all));
    return s;
}

static void free_subject(subject *s) {
    for (int32_t i = 0; i < s->n_in; i++) free(s->data[i]);
    for (int32_t i = 0; i < MAX_ENDS; i++) free(s->factor[i]);
    kfi_free(s->trained.items);
    kfi_free(s->all.items);
    kf_graph_free(s->graph);
}

/* ---- the row as a plan ---- */

typedef struct program {
    kfi_plan *plan;
    kfi_arena arena;
    int32_t n_out, n_results; /* results: the outputs, the penalties, then gradients */
    kfi_value random;         /* the source of its seed and step */
    int32_t of_weight[MAX_ENDS], of_input[MAX_INPUTS]; /* their gradients; -1: none flows */
} program;

static kfi_value call_layer(kfi_formula *f, kf_layer *layer, const kfi_value *in, kfi_value *masks,
                            int32_t n_in, kfi_value *out, int32_t *n_out) {
    kfi_value out_masks[KFI_LAYER_MAX_OUTPUTS];
    kfi_layer_call call = {.layer = layer,
                           .formula = f,
                           .n_in = n_in,
                           .in = in,
                           .in_mask = masks,
                           .out = out,
                           .out_mask = out_masks};
    check(kfi_layer_invoke(&call, 0));
    *n_out = call.n_out;
    return out_masks[0];
}

/* The outputs, of the inputs behind their masks. */
static int32_t write_layer(const subject *s, kfi_formula *f, const kfi_value *in, kfi_value *out) {
    kfi_value shown[MAX_INPUTS], masks[MAX_INPUTS], none = KFI_NONE, one[KFI_LAYER_MAX_OUTPUTS];
    int32_t n_out;
    for (int32_t i = 0; i < s->n_in; i++) {
        masks[i] = KFI_NONE;
        shown[i] = in[i];
        if (!s->masking[i]) continue;
        masks[i] = call_layer(f, s->masking[i], &in[i], &none, 1, one, &n_out);
        shown[i] = one[0];
    }
    call_layer(f, s->layer, shown, masks, s->n_in, out, &n_out);
    return n_out;
}

static kfi_value write_penalties(kfi_formula *f) {
    const kfi_value *losses;
    kfi_value sum = kfi_fill(f, &KFI_SCALAR, 0);
    const int32_t n_losses = kfi_added_losses(f, &losses);
    for (int32_t i = 0; i < n_losses; i++) sum = kfi_emit(f, "add", NULL, sum, losses[i]);
    return sum;
}

/* loss = penalties + sum over all outputs of out * factor */
static kfi_value write_loss(kfi_formula *f, const kfi_value *out, const kfi_value *factor,
                            int32_t n_out, kfi_value loss) {
    for (int32_t i = 0; i < n_out; i++) {
        const kfi_value product = kfi_emit(f, "multiply", NULL, out[i], factor[i]);
        const uint32_t axes = (1u << kfi_type(f, product)->shape.rank) - 1;
        loss = kfi_emit(f, "add", NULL, loss,
                        kfi_emit(f, "reduce_sum", &(kfi_reduce){.axes = axes}, product));
    }
    return loss;
}

static int32_t keep_result(kfi_value value, kfi_value *results, int32_t *n_results) {
    if (kfi_is_none(value)) return -1;
    results[*n_results] = value;
    return (*n_results)++;
}

/* w -= gradient / 8, then the constraint */
static void write_updates(const subject *s, kfi_formula *f, const kfi_value *gradients) {
    for (int64_t i = 0; i < s->trained.count; i++) {
        if (kfi_is_none(gradients[i])) continue;
        kf_weight *weight = s->trained.items[i];
        const kfi_value down = kfi_emit(f, "affine", &(kfi_affine){.scale = -0.125f}, gradients[i]);
        kfi_assign(f, weight, kfi_emit(f, "add", NULL, kfi_weight_value(f, weight), down));
        kfi_layer_constrain(f, weight);
    }
}

static void write_training(const subject *s, kfi_formula *f, kfi_value loss, const kfi_value *in,
                           kfi_value *results, program *p) {
    kfi_value wrt[MAX_ENDS + MAX_INPUTS], gradients[MAX_ENDS + MAX_INPUTS];
    int32_t n = 0;
    assert_true(s->trained.count <= MAX_ENDS);
    for (int64_t i = 0; i < s->trained.count; i++)
        wrt[n++] = kfi_weight_value(f, s->trained.items[i]);
    for (int32_t i = 0; i < s->n_in; i++)
        if (s->row->in[i].content != IDS) wrt[n++] = in[i];
    check(kfi_differentiate(f, loss, wrt, n, gradients));
    n = 0;
    for (int64_t i = 0; i < s->trained.count; i++)
        p->of_weight[i] = keep_result(gradients[n++], results, &p->n_results);
    for (int32_t i = 0; i < s->n_in; i++)
        if (s->row->in[i].content != IDS)
            p->of_input[i] = keep_result(gradients[n++], results, &p->n_results);
    write_updates(s, f, gradients);
}

static const int64_t first_step[2] = {77, 0}, second_step[2] = {77, 1};

static void make_factor(subject *s, int32_t i, const kf_shape *shape) {
    const int64_t count = kfi_shape_count(shape);
    if (s->factor[i]) return;
    s->factor[i] = calloc((size_t)count, sizeof *s->factor[i]);
    assert_non_null(s->factor[i]);
    kfi_random_uniform((kfi_random){4711, (uint64_t)i}, -1, 1, s->factor[i], count);
}

/* The training phase; without `training` nothing is derived and nothing changes. */
static program make_program(subject *s, bool training) {
    program p = {0};
    kfi_formula *f;
    kfi_value in[MAX_INPUTS], out[KFI_LAYER_MAX_OUTPUTS], factor[MAX_ENDS];
    kfi_value results[3 * MAX_ENDS + MAX_INPUTS];
    check(kfi_formula_new(false, true, &f));
    for (int32_t i = 0; i < s->n_in; i++)
        in[i] = kfi_source(f, "input", s->row->in[i].content == IDS ? KF_INT32 : KF_FLOAT32,
                           &s->row->in[i].shape);
    p.n_out = write_layer(s, f, in, out);
    for (int32_t i = 0; i < p.n_out; i++) {
        const kf_shape shape = kfi_type(f, out[i])->shape;
        factor[i] = kfi_source(f, "factor", KF_FLOAT32, &shape);
        make_factor(s, i, &shape);
        keep_result(out[i], results, &p.n_results);
    }
    const kfi_value penalties = write_penalties(f), random = kfi_random_state(f);
    keep_result(penalties, results, &p.n_results);
    if (training)
        write_training(s, f, write_loss(f, out, factor, p.n_out, penalties), in, results, &p);
    else
        kfi_drop_assignments(f);
    check(kfi_plan_new(f, results, p.n_results, &p.plan));
    for (int32_t i = 0; i < s->n_in; i++) kfi_plan_feed(p.plan, in[i], s->data[i]);
    for (int32_t i = 0; i < p.n_out; i++) kfi_plan_feed(p.plan, factor[i], s->factor[i]);
    kfi_plan_feed(p.plan, random, first_step);
    p.random = random;
    return p;
}

static void free_program(program *p) {
    kfi_plan_free(p->plan);
    kfi_arena_free(&p->arena);
}

static void run_program(program *p, int32_t workers) {
    check(kfi_plan_run(p->plan, &p->arena, &(kfi_run_options){.workers = workers}));
}

/* Stateful layers, in wrappers too, start from zeros again. */
static void reset_states(const kf_layer *layer) {
    kf_layer *const *inner;
    kf_weight *const *states;
    const int32_t n_inner = kfi_layer_inner(layer, &inner);
    const int32_t n_states = layer->class->states ? layer->class->states(layer, &states) : 0;
    for (int32_t i = 0; i < n_states; i++)
        memset(states[i]->data, 0, (size_t)states[i]->count * sizeof(float));
    for (int32_t i = 0; i < n_inner; i++) reset_states(inner[i]);
}

#endif
