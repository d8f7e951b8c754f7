/* Concatenations that their inputs are written into: the same numbers as copies give, and when they
 * stay copies. */
#include "core/base/memory.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"
#include "tests/base/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 1031, A = 24, B = 40, MOST_RESULTS = 8 };

typedef struct network {
    kfi_formula *formula;
    kfi_value x, results[MOST_RESULTS];
    int32_t n_results;
    kfi_plan *plan;
    kfi_arena arena;
} network;

static const kfi_slice last_axis = {.axis = 1}, first_axis = {.axis = 0};

static network begin(void) {
    network net = {.n_results = 0};
    assert_int_equal(kfi_formula_new(false, true, &net.formula), KF_OK);
    net.x = kfi_source(net.formula, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, A));
    return net;
}

static void give(network *net, kfi_value value) { net->results[net->n_results++] = value; }

/* x (ROWS, A) -> (ROWS, width): a product with numbers that differ, and what follows it. */
static kfi_value tower(network *net, kfi_value x, int64_t width, const char *activation) {
    kfi_formula *f = net->formula;
    const int64_t deep = kfi_type(f, x)->shape.dims[1];
    kfi_value w = kfi_fill(f, &KFI_SHAPE(deep, width), 0.03f);
    kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, x, w);
    return activation ? kfi_emit(f, activation, NULL, y) : y;
}

static void finish(network *net) {
    assert_int_equal(kfi_plan_new(net->formula, net->results, net->n_results, &net->plan), KF_OK);
}

static void run(network *net, int32_t workers) {
    static float x[ROWS * A];
    for (int i = 0; i < ROWS * A; i++) x[i] = sinf((float)i);
    kfi_plan_feed(net->plan, net->x, x);
    const kfi_run_options options = {.workers = workers};
    assert_int_equal(kfi_plan_run(net->plan, &net->arena, &options), KF_OK);
}

static void close(network *net) {
    kfi_plan_free(net->plan);
    kfi_arena_free(&net->arena);
}

static const kfi_step *find_step(const kfi_plan *plan, const char *op) {
    for (int32_t s = 0; s < plan->n_steps; s++)
        if (strcmp(plan->steps[s].parts[0].op->name, op) == 0) return &plan->steps[s];
    fail_msg("the plan has no step '%s'", op);
    return NULL;
}

/* How many inputs of the (first) concatenation are pieces of it. */
static int count_pieces(const network *net) {
    const kfi_step *step = find_step(net->plan, "concatenate");
    int n = 0;
    for (int i = 0; i < step->parts[0].call.n_in; i++) n += step->parts[0].call.in[i].data == NULL;
    return n;
}

/* Two towers side by side, read as a whole; and the derivative by x. Where the towers are results,
 * too, they live by themselves, and the concatenation copies them. */
static network make_towers(bool apart, const char *activation) {
    network net = begin();
    const kfi_value a = tower(&net, net.x, A, activation), b = tower(&net, net.x, B, activation);
    const kfi_value y = kfi_emit(net.formula, "concatenate", &last_axis, a, b);
    const kfi_value mean = kfi_emit(net.formula, "reduce_mean", &(kfi_reduce){.axes = 3},
                                    kfi_emit(net.formula, "square", NULL, tower(&net, y, 9, NULL)));
    kfi_value dx;
    assert_int_equal(kfi_differentiate(net.formula, mean, &net.x, 1, &dx), KF_OK);
    give(&net, y);
    give(&net, mean);
    give(&net, dx);
    if (apart) give(&net, a);
    if (apart) give(&net, b);
    finish(&net);
    return net;
}

static void check_same(network *net, network *other) {
    for (int32_t i = 0; i < 3; i++) {
        const kfi_array *one = kfi_plan_result(net->plan, i);
        assert_memory_equal(one->data, kfi_plan_result(other->plan, i)->data, kfi_array_bytes(one));
    }
}

static void same_numbers(void **state) {
    (void)state;
    static const char *const activations[] = {NULL, "relu", "sigmoid"};
    for (size_t i = 0; i < sizeof activations / sizeof activations[0]; i++) {
        network copied = make_towers(true, activations[i]);
        run(&copied, 1);
        assert_int_equal(count_pieces(&copied), 0);
        for (int32_t workers = 1; workers <= 8; workers *= 2) {
            network net = make_towers(false, activations[i]);
            run(&net, workers);
            assert_int_equal(count_pieces(&net), 2);
            check_same(&net, &copied);
            close(&net);
        }
        close(&copied);
    }
}

static void nothing_to_copy(void **state) {
    (void)state;
    network net = make_towers(false, "relu"), copied = make_towers(true, "relu");
    assert_int_equal(find_step(net.plan, "concatenate")->tiles[0], 1);
    assert_true(find_step(copied.plan, "concatenate")->tiles[0] > 1);
    const size_t towers = ROWS * (A + B) * sizeof(float);
    assert_true(kfi_plan_peak_bytes(net.plan) + towers <= kfi_plan_peak_bytes(copied.plan));
    close(&net);
    close(&copied);
}

/* The inner one has nothing of its own to put together, so it could stand in the outer. */
static void concatenations_of_concatenations(void **state) {
    (void)state;
    for (int32_t workers = 1; workers <= 8; workers *= 2) {
        network net = begin();
        const kfi_value square = kfi_emit(net.formula, "square", NULL, net.x);
        const kfi_value inner = kfi_emit(net.formula, "concatenate", &last_axis, net.x, net.x);
        give(&net, kfi_emit(net.formula, "concatenate", &last_axis, square, inner));
        finish(&net);
        run(&net, workers);
        const float *y = kfi_plan_result(net.plan, 0)->data;
        for (int i = 0; i < ROWS * 3 * A; i++) {
            const int row = i / (3 * A), column = i % (3 * A);
            const float fed = sinf((float)(row * A + column % A));
            assert_float_equal(y[i], column < A ? fed * fed : fed, 1e-6);
        }
        close(&net);
    }
}

/* A product reads the tower as it lies in memory. */
static void other_readers(void **state) {
    (void)state;
    network net = begin();
    const kfi_value a = tower(&net, net.x, A, "relu"), b = tower(&net, net.x, B, "relu");
    give(&net, kfi_emit(net.formula, "concatenate", &last_axis, a, b));
    give(&net, tower(&net, b, 3, NULL));
    finish(&net);
    run(&net, 2);
    assert_int_equal(count_pieces(&net), 1);
    const float *whole = kfi_plan_result(net.plan, 0)->data;
    const float *deep = kfi_plan_result(net.plan, 1)->data;
    for (int i = 0; i < ROWS; i++) {
        double sum = 0;
        for (int j = 0; j < B; j++) sum += 0.03 * whole[i * (A + B) + A + j];
        assert_true(fabs(sum - deep[3 * i + 1]) < 1e-4);
    }
    close(&net);
}

static void twice(void **state) {
    (void)state;
    network net = begin();
    const kfi_value a = tower(&net, net.x, A, "relu"), b = tower(&net, net.x, B, "relu");
    const kfi_value once = kfi_emit(net.formula, "concatenate", &last_axis, a, b, b);
    give(&net, once);
    give(&net, kfi_emit(net.formula, "concatenate", &last_axis, once, a));
    finish(&net);
    run(&net, 2);
    assert_int_equal(count_pieces(&net), 0);
    const float *y = kfi_plan_result(net.plan, 1)->data;
    const int64_t row = A + 2 * B + A;
    for (int64_t i = 0; i < ROWS; i++) {
        assert_memory_equal(y + i * row + A, y + i * row + A + B, B * sizeof *y);
        assert_memory_equal(y + i * row, y + i * row + A + 2 * B, A * sizeof *y);
    }
    close(&net);
}

/* Below, copies stay in the cache. */
static void small_ones(void **state) {
    (void)state;
    network net = begin();
    const kfi_slice top = {.axis = 0, .start = 5, .size = 10};
    const kfi_value x = kfi_emit(net.formula, "slice", &top, net.x);
    give(&net, kfi_emit(net.formula, "concatenate", &last_axis, tower(&net, x, A, "relu"),
                        tower(&net, x, B, "relu")));
    finish(&net);
    run(&net, 1);
    assert_int_equal(count_pieces(&net), 0);
    close(&net);
}

/* On the first axis a piece is a run: anybody may read it, under any shape. */
static void runs(void **state) {
    (void)state;
    network net = begin();
    const kfi_value a = tower(&net, net.x, B, NULL), b = tower(&net, net.x, B, "relu");
    const kfi_value b_as_row = kfi_reshape(net.formula, b, &KFI_SHAPE(2 * ROWS, B / 2));
    const kfi_value a_as_row = kfi_reshape(net.formula, a, &KFI_SHAPE(2 * ROWS, B / 2));
    give(&net, kfi_emit(net.formula, "concatenate", &first_axis, a_as_row, b_as_row));
    give(&net, tower(&net, b, 3, NULL));
    finish(&net);
    run(&net, 2);
    assert_int_equal(count_pieces(&net), 2);
    const float *whole = kfi_plan_result(net.plan, 0)->data;
    const float *deep = kfi_plan_result(net.plan, 1)->data;
    double sum = 0;
    for (int j = 0; j < B; j++) sum += 0.03 * whole[(ROWS + 7) * B + j];
    assert_true(fabs(sum - deep[3 * 7]) < 1e-4);
    close(&net);
}

static void kept_for_the_way_back(void **state) {
    (void)state;
    float derivative[2][4];
    for (int apart = 0; apart < 2; apart++) {
        network net = begin();
        const kfi_value a = tower(&net, net.x, A, "sigmoid"), b = tower(&net, net.x, B, "tanh");
        const kfi_value y = kfi_emit(net.formula, "concatenate", &last_axis, a, b);
        const kfi_value z = kfi_emit(net.formula, "softmax", &(kfi_along){.axis = 1}, y);
        const kfi_value loss = kfi_emit(net.formula, "reduce_sum", &(kfi_reduce){.axes = 3},
                                        kfi_emit(net.formula, "square", NULL, z));
        kfi_value dx;
        assert_int_equal(kfi_differentiate(net.formula, loss, &net.x, 1, &dx), KF_OK);
        give(&net, dx);
        if (apart) give(&net, a);
        if (apart) give(&net, b);
        finish(&net);
        run(&net, 2);
        assert_int_equal(count_pieces(&net), apart ? 0 : 2);
        memcpy(derivative[apart], (const float *)kfi_plan_result(net.plan, 0)->data + 100 * A,
               sizeof derivative[apart]);
        close(&net);
    }
    assert_memory_equal(derivative[0], derivative[1], sizeof derivative[0]);
}

/* Whatever allocation fails, planning gives a clean error. */
static void out_of_memory(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth++) {
        network net = begin();
        const kfi_value a = tower(&net, net.x, A, "relu"), b = tower(&net, net.x, B, "relu");
        give(&net, kfi_emit(net.formula, "concatenate", &last_axis, a, b));
        kfi_fail_allocation(nth);
        const kf_status status = kfi_plan_new(net.formula, net.results, net.n_results, &net.plan);
        kfi_fail_allocation(0);
        if (status == KF_OK) {
            close(&net);
            break;
        }
        assert_int_equal(status, KF_MEMORY);
        assert_null(net.plan);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("pieces give the numbers of copies, for any workers", same_numbers),
        SENTENCE("a concatenation of pieces copies nothing and needs no second place",
                 nothing_to_copy),
        SENTENCE("a concatenation inside of another is copied", concatenations_of_concatenations),
        SENTENCE("what a product reads, too, is copied", other_readers),
        SENTENCE("what two concatenations read, or one twice, is copied", twice),
        SENTENCE("small values are copied", small_ones),
        SENTENCE("along the first axis a piece is a run that anybody may read", runs),
        SENTENCE("pieces are kept for the way back", kept_for_the_way_back),
        SENTENCE("planning pieces survives any allocation failing", out_of_memory),
    };
    return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
