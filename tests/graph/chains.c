/* Chains: what runs as one step, and that it gives the numbers of its nodes one by one. */
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"
#include "tests/graph/examples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* --- ops: what a tile finishes, and parts of an element-wise op ------------------------------- */

typedef struct op_run {
    kfi_call call;
    kfi_array in[KFI_EXAMPLE_MAX_INPUTS], out[KFI_OP_MAX_OUTPUTS];
    void *local;
} op_run;

static void open_run(op_run *run, const kfi_op *op, const kfi_example *example) {
    kfi_shaping shaping = {.attributes = example->attributes, .n_in = example->n_in};
    for (int i = 0; i < example->n_in; i++)
        run->in[i] = (kfi_array){example->in[i].dtype, example->in[i].shape,
                                 example_input(&example->in[i], i)};
    shaping.in = run->in;
    assert_int_equal(op->infer(&shaping), KF_OK);
    for (int i = 0; i < shaping.n_out; i++) {
        run->out[i] = shaping.out[i];
        run->out[i].data = kfi_alloc_buffer(kfi_array_bytes(&run->out[i]));
        memset(run->out[i].data, 0x5a, kfi_array_bytes(&run->out[i]));
    }
    run->call = (kfi_call){.attributes = example->attributes,
                           .n_in = example->n_in,
                           .n_out = shaping.n_out,
                           .in = run->in,
                           .out = run->out};
    const size_t scratch = op->scratch ? op->scratch(&run->call) : 0;
    const size_t local = op->tile_scratch ? op->tile_scratch(&run->call) : 0;
    run->call.scratch = kfi_alloc_buffer(scratch + 64);
    run->local = kfi_alloc_buffer(local + 64);
}

static void close_run(op_run *run) {
    for (int i = 0; i < run->call.n_in; i++) kfi_free_buffer(run->in[i].data, 0);
    for (int i = 0; i < run->call.n_out; i++) kfi_free_buffer(run->out[i].data, 0);
    kfi_free_buffer(run->call.scratch, 0);
    kfi_free_buffer(run->local, 0);
}

/* Notes who finished what, and the values as they are then. */
static void note_finished(const op_run *run, const kfi_region *region, int *times, float *then) {
    for (int64_t r = 0; r < region->rows; r++)
        for (int64_t i = 0; i < region->width; i++) {
            const int64_t at = region->first + r * region->stride + i;
            assert_true(at >= 0 && at < kfi_shape_count(&run->out[0].shape));
            times[at]++;
            then[at] = ((const float *)run->out[0].data)[at];
        }
}

static void check_regions(const kfi_op *op, const kfi_example *example) {
    op_run run;
    open_run(&run, op, example);
    const int64_t count = kfi_shape_count(&run.out[0].shape);
    int *times = calloc((size_t)count + 1, sizeof *times);
    float *then = calloc((size_t)count + 1, sizeof *then);
    for (int stage = 0; stage < KFI_OP_MAX_STAGES && op->stages[stage].kernel; stage++) {
        const int64_t tiles = op->stages[stage].tiles ? op->stages[stage].tiles(&run.call) : 1;
        for (int64_t tile = 0; tile < tiles; tile++) {
            op->stages[stage].kernel(&run.call, tile, run.local);
            const kfi_region region = op->region(&run.call, stage, tile);
            note_finished(&run, &region, times, then);
        }
    }
    for (int64_t i = 0; i < count; i++)
        if (times[i] != 1)
            fail_msg("%s, %s: element %lld is finished %d times", op->name, example->name,
                     (long long)i, times[i]);
    if (memcmp(then, run.out[0].data, (size_t)count * sizeof *then) != 0)
        fail_msg("%s, %s: writes what it had finished", op->name, example->name);
    free(times);
    free(then);
    close_run(&run);
}

static void what_a_tile_finishes_is_finished_once(void **state) {
    (void)state;
    int n_ops = 0;
    for (int i = 0; kfi_op_at(i); i++) {
        const kfi_op *op = kfi_op_at(i);
        n_ops += op->region != NULL;
        for (const kfi_example *e = kfi_op_examples(op); op->region && e->name; e++)
            check_regions(op, e);
    }
    assert_true(n_ops > 40);
}

/* Parts of 1, 2, … elements, and one of the rest. */
static void check_parts(const kfi_op *op, const kfi_example *example) {
    op_run whole, parts;
    open_run(&whole, op, example);
    open_run(&parts, op, example);
    const int64_t tiles = op->stages[0].tiles ? op->stages[0].tiles(&whole.call) : 1;
    for (int64_t tile = 0; tile < tiles; tile++) op->stages[0].kernel(&whole.call, tile, NULL);
    const int64_t count = kfi_shape_count(&parts.out[0].shape);
    for (int64_t begin = 0, width = 1; begin < count; begin += width++) {
        const int64_t end = begin + width < count && width < 100 ? begin + width : count;
        parts.call.part = (kfi_span){begin, end};
        op->stages[0].kernel(&parts.call, 0, NULL);
        if (end == count) break;
    }
    for (int i = 0; i < whole.call.n_out; i++)
        if (memcmp(whole.out[i].data, parts.out[i].data, kfi_array_bytes(&whole.out[i])) != 0)
            fail_msg("%s, %s: output %d differs when done by parts", op->name, example->name, i);
    close_run(&whole);
    close_run(&parts);
}

static void an_element_wise_op_may_be_done_by_parts(void **state) {
    (void)state;
    int n_ops = 0;
    for (int i = 0; kfi_op_at(i); i++) {
        const kfi_op *op = kfi_op_at(i);
        n_ops += op->element_wise;
        for (const kfi_example *e = kfi_op_examples(op); op->element_wise && e->name; e++)
            check_parts(op, e);
    }
    assert_true(n_ops > 40);
}

/* --- plans ------------------------------------------------------------------------------------ */

enum { ROWS = 70, IN = 300, UNITS = 260, WEIGHTS = 4 };

/* A dense layer with dropout, its loss, and updates by RMSprop: what is chained most. */
typedef struct training {
    kf_weight *weights[WEIGHTS]; /* kernel, bias and the averages of their squares */
    kfi_formula *formula;
    kfi_value x, random, hyper, y, loss;
} training;

static kf_weight *make_weight(const char *name, kf_shape shape, uint64_t number) {
    kf_weight *weight = NULL;
    assert_int_equal(kfi_weight_new(name, &shape, &weight), KF_OK);
    kfi_random_uniform((kfi_random){7, number}, 0, 0.2f, weight->data, weight->count);
    return weight;
}

static void write_update(training *t, kfi_value gradient, int weight) {
    kfi_formula *f = t->formula;
    kfi_value average;
    const kfi_value in[] = {kfi_weight_value(f, t->weights[weight]), gradient, t->hyper,
                            kfi_weight_value(f, t->weights[weight + 2])};
    const kfi_update by = {.momentum = 0.9f, .epsilon = 1e-7f};
    kfi_assign(f, t->weights[weight], kfi_emit_list(f, "rmsprop_update", &by, in, 4, &average));
    kfi_assign(f, t->weights[weight + 2], average);
}

static training make_training(void) {
    training t = {.weights = {make_weight("kernel", KFI_SHAPE(IN, UNITS), 1),
                              make_weight("bias", KFI_SHAPE(UNITS), 2),
                              make_weight("squares/kernel", KFI_SHAPE(IN, UNITS), 3),
                              make_weight("squares/bias", KFI_SHAPE(UNITS), 4)}};
    assert_int_equal(kfi_formula_new(false, true, &t.formula), KF_OK);
    kfi_formula *f = t.formula;
    t.x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, IN));
    t.random = kfi_source(f, "random", KF_INT64, &KFI_SHAPE(2));
    t.hyper = kfi_source(f, "hyper", KF_FLOAT32, &KFI_SHAPE(4));
    const kfi_value kernel = kfi_weight_value(f, t.weights[0]);
    const kfi_value bias = kfi_weight_value(f, t.weights[1]);
    kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, t.x, kernel);
    y = kfi_emit(f, "relu", NULL, kfi_emit(f, "bias_add", NULL, y, bias));
    t.y = kfi_emit(f, "dropout", &(kfi_dropout){.rate = 0.3f}, y, t.random);
    const kfi_value squares = kfi_emit(f, "multiply", NULL, t.y, t.y);
    t.loss = kfi_emit(f, "reduce_mean", &(kfi_reduce){.axes = 3}, squares);
    const kfi_value wrt[] = {kernel, bias};
    kfi_value gradients[2];
    assert_int_equal(kfi_differentiate(f, t.loss, wrt, 2, gradients), KF_OK);
    write_update(&t, gradients[0], 0);
    write_update(&t, gradients[1], 1);
    return t;
}

static kfi_plan *plan_training(training *t) {
    const kfi_value results[] = {t->y, t->loss};
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(t->formula, results, 2, &plan), KF_OK);
    return plan;
}

static void free_training(training *t) {
    for (int i = 0; i < WEIGHTS; i++) kfi_weight_free(t->weights[i]);
}

/* The parts of the step that begins with the nth op of that name. */
static int32_t parts_of(const kfi_plan *plan, const char *op, int nth) {
    for (int32_t s = 0; s < plan->n_steps; s++)
        if (strcmp(plan->steps[s].parts[0].op->name, op) == 0 && nth-- == 0)
            return plan->steps[s].n_parts;
    return 0;
}

static void a_product_is_followed_by_what_is_done_to_it(void **state) {
    (void)state;
    training t = make_training();
    kfi_plan *plan = plan_training(&t);
    assert_int_equal(parts_of(plan, "matmul", 0), 5); /* bias, relu, dropout, the squares */
    assert_int_equal(parts_of(plan, "matmul", 1), 2); /* the update                       */
    kfi_plan_free(plan);
    free_training(&t);
}

static void the_gradient_of_a_kernel_takes_no_memory(void **state) {
    (void)state;
    training t = make_training();
    kfi_plan *plan = plan_training(&t);
    int n_local = 0;
    for (int64_t i = 0; i < plan->n_storages; i++)
        n_local += plan->storages[i].local && plan->storages[i].bytes == IN * UNITS * sizeof(float);
    assert_int_equal(n_local, 1);
    kfi_plan_free(plan);
    training apart = make_training();
    apart.formula->unchained = true;
    const size_t before = kfi_plan_peak_bytes(plan = plan_training(&apart));
    kfi_plan_free(plan);
    training chained = make_training();
    assert_true(kfi_plan_peak_bytes(plan = plan_training(&chained)) < before);
    kfi_plan_free(plan);
    free_training(&t);
    free_training(&apart);
    free_training(&chained);
}

/* Three steps of training; the bytes of the weights and of the last output. */
static void train(bool unchained, int workers, float *weights[WEIGHTS], float *y) {
    training t = make_training();
    t.formula->unchained = unchained;
    kfi_plan *plan = plan_training(&t);
    kfi_arena arena = {0};
    static float x[ROWS * IN];
    const float hyper[4] = {0.01f};
    kfi_random_uniform((kfi_random){1, 1}, -1, 1, x, ROWS * IN);
    for (int64_t step = 0; step < 3; step++) {
        const int64_t random[2] = {3, step};
        kfi_plan_feed(plan, t.x, x);
        kfi_plan_feed(plan, t.random, random);
        kfi_plan_feed(plan, t.hyper, hyper);
        const kfi_run_options options = {.workers = workers};
        assert_int_equal(kfi_plan_run(plan, &arena, &options), KF_OK);
    }
    for (int i = 0; i < WEIGHTS; i++) {
        const size_t bytes = (size_t)t.weights[i]->count * sizeof(float);
        weights[i] = memcpy(malloc(bytes), t.weights[i]->data, bytes);
    }
    memcpy(y, kfi_plan_result(plan, 0)->data, sizeof(float) * ROWS * UNITS);
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    free_training(&t);
}

static void chains_give_the_same_bits_as_their_nodes_for_any_workers(void **state) {
    (void)state;
    static const int counts[WEIGHTS] = {IN * UNITS, UNITS, IN * UNITS, UNITS};
    static const int workers[] = {1, 2, 8};
    static float expected_y[ROWS * UNITS], y[ROWS * UNITS];
    float *expected[WEIGHTS], *got[WEIGHTS];
    train(true, 1, expected, expected_y);
    for (int w = 0; w < 3; w++) {
        train(false, workers[w], got, y);
        assert_memory_equal(y, expected_y, sizeof y);
        for (int i = 0; i < WEIGHTS; i++) {
            assert_memory_equal(got[i], expected[i], (size_t)counts[i] * sizeof(float));
            free(got[i]);
        }
    }
    for (int i = 0; i < WEIGHTS; i++) free(expected[i]);
}

/* y = relu(a b) + c, where c takes a product of its own: the first product must not wait for it. */
static void a_chain_does_not_wait_for_a_branch(void **state) {
    (void)state;
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, false, &f), KF_OK);
    const kfi_value a = kfi_source(f, "a", KF_FLOAT32, &KFI_SHAPE(4, 4));
    const kfi_value b = kfi_source(f, "b", KF_FLOAT32, &KFI_SHAPE(4, 4));
    const kfi_value c = kfi_emit(f, "matmul", &(kfi_matmul){.transpose_a = true}, a, b);
    const kfi_value product = kfi_emit(f, "matmul", &(kfi_matmul){0}, a, b);
    const kfi_value sum = kfi_emit(f, "add", NULL, kfi_emit(f, "relu", NULL, product), c);
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, &sum, 1, &plan), KF_OK);
    assert_int_equal(plan->n_steps, 3); /* c; the product and relu; the sum */
    kfi_plan_free(plan);
}

/* p is read by s before relu(p) is written: relu would make s wait, and stays apart. */
static void a_value_that_is_read_meanwhile_ends_its_chain(void **state) {
    (void)state;
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, false, &f), KF_OK);
    const kfi_value a = kfi_source(f, "a", KF_FLOAT32, &KFI_SHAPE(4, 4));
    const kfi_value p = kfi_emit(f, "matmul", &(kfi_matmul){0}, a, a);
    const kfi_value s = kfi_emit(f, "matmul", &(kfi_matmul){0}, p, a);
    const kfi_value results[] = {kfi_emit(f, "relu", NULL, p), s};
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, results, 2, &plan), KF_OK);
    assert_int_equal(plan->n_steps, 3);
    kfi_plan_free(plan);
}

/* w' = w - lr g with g = 2 w w: the product reads all of w, which the update writes by tiles. */
static void a_weight_is_not_written_over_while_its_chain_reads_it(void **state) {
    (void)state;
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    kf_weight *weight = make_weight("w", KFI_SHAPE(8, 8), 1);
    const kfi_value w = kfi_weight_value(f, weight);
    const kfi_value hyper = kfi_source(f, "hyper", KF_FLOAT32, &KFI_SHAPE(4));
    const kfi_value g = kfi_emit(f, "matmul", &(kfi_matmul){0}, w, w);
    kfi_assign(f, weight, kfi_emit(f, "sgd_update", &(kfi_update){0}, w, g, hyper));
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, NULL, 0, &plan), KF_OK);
    assert_int_equal(plan->n_steps, 2);
    kfi_plan_free(plan);
    kfi_weight_free(weight);
}

/* mean(relu(concatenate(a b, a c)) over all places): what goes back is repeated, not cut. */
static void pieces_of_what_is_repeated_are_repeated_pieces(void **state) {
    (void)state;
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, false, &f), KF_OK);
    const kfi_value a = kfi_source(f, "a", KF_FLOAT32, &KFI_SHAPE(6, 4));
    const kfi_value b = kfi_source(f, "b", KF_FLOAT32, &KFI_SHAPE(4, 3));
    const kfi_value c = kfi_source(f, "c", KF_FLOAT32, &KFI_SHAPE(4, 5));
    const kfi_value products[] = {kfi_emit(f, "matmul", &(kfi_matmul){0}, a, b),
                                  kfi_emit(f, "matmul", &(kfi_matmul){0}, a, c)};
    const kfi_slice along = {.axis = 1};
    const kfi_value all = kfi_emit_list(f, "concatenate", &along, products, 2, NULL);
    const kfi_value means = kfi_emit(f, "reduce_mean", &(kfi_reduce){.axes = 1}, all);
    const kfi_value squares = kfi_emit(f, "multiply", NULL, means, means);
    const kfi_value loss = kfi_emit(f, "reduce_sum", &(kfi_reduce){.axes = 1}, squares);
    const kfi_value wrt[] = {b, c};
    kfi_value results[3];
    assert_int_equal(kfi_differentiate(f, loss, wrt, 2, results), KF_OK);
    results[2] = means;
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, results, 3, &plan), KF_OK);
    for (int32_t s = 0; s < plan->n_steps; s++) {
        const kfi_step_info step = kfi_plan_step(plan, s);
        assert_false(strcmp(step.op, "broadcast_to") == 0 &&
                     kfi_shape_equal(&step.shape, &KFI_SHAPE(6, 8)));
    }
    float a_data[24], b_data[12], c_data[20];
    kfi_random_uniform((kfi_random){1, 1}, -1, 1, a_data, 24);
    kfi_random_uniform((kfi_random){1, 2}, -1, 1, b_data, 12);
    kfi_random_uniform((kfi_random){1, 3}, -1, 1, c_data, 20);
    kfi_plan_feed(plan, a, a_data);
    kfi_plan_feed(plan, b, b_data);
    kfi_plan_feed(plan, c, c_data);
    kfi_arena arena = {0};
    assert_int_equal(kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1}), KF_OK);
    const float *mean = kfi_plan_result(plan, 2)->data;
    for (int i = 0; i < 4; i++) {
        double column = 0; /* dloss / db_ij = 2 mean_j mean(a_i) */
        for (int row = 0; row < 6; row++) column += a_data[4 * row + i] / 6.0;
        for (int j = 0; j < 8; j++) {
            const float *got = kfi_plan_result(plan, j < 3 ? 0 : 1)->data;
            const double value = (double)(j < 3 ? got[3 * i + j] : got[5 * i + j - 3]);
            assert_true(value - 2 * mean[j] * column < 1e-6 && 2 * mean[j] * column - value < 1e-6);
        }
    }
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
}

#define SAYS(sentence) cmocka_unit_test(sentence)

int main(void) {
    const struct CMUnitTest tests[] = {
        SAYS(what_a_tile_finishes_is_finished_once),
        SAYS(an_element_wise_op_may_be_done_by_parts),
        SAYS(a_product_is_followed_by_what_is_done_to_it),
        SAYS(the_gradient_of_a_kernel_takes_no_memory),
        SAYS(chains_give_the_same_bits_as_their_nodes_for_any_workers),
        SAYS(a_chain_does_not_wait_for_a_branch),
        SAYS(a_value_that_is_read_meanwhile_ends_its_chain),
        SAYS(a_weight_is_not_written_over_while_its_chain_reads_it),
        SAYS(pieces_of_what_is_repeated_are_repeated_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
