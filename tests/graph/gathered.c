/* Rows of a table that products read and nobody else are gathered by the products; the numbers are
 * those of a gather. */
#include "core/base/memory.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"
#include "tests/base/sentences.h"

#include <math.h>
#include <string.h>

enum { ROWS = 300, WIDE = 48, BATCH = 40, TIME = 9, UNITS = 32, MOST = 4 };

typedef struct network {
    kf_weight *table, *kernel;
    kfi_formula *formula;
    kfi_value ids, rows, results[MOST];
    int32_t n_results;
    kfi_plan *plan;
    kfi_arena arena;
} network;

static kf_weight *make_weight(const char *name, kf_shape shape) {
    kf_weight *weight;
    assert_int_equal(kfi_weight_new(name, &shape, &weight), KF_OK);
    for (int64_t i = 0; i < weight->count; i++) weight->data[i] = 0.1f * sinf((float)i);
    return weight;
}

/* rows = table[ids], y = tanh(rows kernel); loss = mean of y squared. */
static network begin(void) {
    network net = {.n_results = 1};
    assert_int_equal(kfi_formula_new(false, true, &net.formula), KF_OK);
    kfi_formula *f = net.formula;
    net.table = make_weight("table", KFI_SHAPE(ROWS, WIDE));
    net.kernel = make_weight("kernel", KFI_SHAPE(WIDE, UNITS));
    net.ids = kfi_source(f, "ids", KF_INT32, &KFI_SHAPE(BATCH, TIME));
    net.rows = kfi_emit(f, "gather", NULL, kfi_weight_value(f, net.table), net.ids);
    const kfi_value flat = kfi_reshape(f, net.rows, &KFI_SHAPE(BATCH * TIME, WIDE));
    kfi_value y = kfi_emit(f, "matmul", &(kfi_matmul){0}, flat, kfi_weight_value(f, net.kernel));
    y = kfi_emit(f, "square", NULL, kfi_emit(f, "tanh", NULL, y));
    net.results[0] = kfi_emit(f, "reduce_mean", &(kfi_reduce){.axes = 3}, y);
    return net;
}

static void give(network *net, kfi_value value) { net->results[net->n_results++] = value; }

/* One step down the gradient. */
static void descend(network *net) {
    kfi_formula *f = net->formula;
    kf_weight *weights[] = {net->table, net->kernel};
    const kfi_value wrt[] = {kfi_weight_value(f, net->table), kfi_weight_value(f, net->kernel)};
    kfi_value gradients[2];
    assert_int_equal(kfi_differentiate(f, net->results[0], wrt, 2, gradients), KF_OK);
    for (int i = 0; i < 2; i++) {
        const kfi_value step = kfi_emit(f, "affine", &(kfi_affine){.scale = 50}, gradients[i]);
        kfi_assign(f, weights[i], kfi_emit(f, "subtract", NULL, wrt[i], step));
    }
}

static void run(network *net, int32_t workers) {
    static int32_t ids[BATCH * TIME];
    for (int i = 0; i < BATCH * TIME; i++) ids[i] = i * i % ROWS;
    kfi_plan_feed(net->plan, net->ids, ids);
    const kfi_run_options options = {.workers = workers};
    assert_int_equal(kfi_plan_run(net->plan, &net->arena, &options), KF_OK);
}

static void finish(network *net) {
    assert_int_equal(kfi_plan_new(net->formula, net->results, net->n_results, &net->plan), KF_OK);
}

static void close(network *net) {
    kfi_plan_free(net->plan);
    kfi_arena_free(&net->arena);
    kfi_weight_free(net->table);
    kfi_weight_free(net->kernel);
}

static int count_steps(const kfi_plan *plan, const char *op) {
    int count = 0;
    for (int32_t s = 0; s < plan->n_steps; s++)
        for (int32_t p = 0; p < plan->steps[s].n_parts; p++)
            count += strcmp(plan->steps[s].parts[p].op->name, op) == 0;
    return count;
}

static void no_rows(void **state) {
    (void)state;
    network net = begin();
    descend(&net);
    finish(&net);
    assert_int_equal(count_steps(net.plan, "gather"), 0);
    assert_int_equal(count_steps(net.plan, "gather_gradient"), 0);
    assert_int_equal(count_steps(net.plan, "gathered_product"), 2);
    assert_int_equal(count_steps(net.plan, "gathered_product_gradient"), 1);
    close(&net);
}

/* The same training with the rows as a result, which are then gathered for all, and without. */
static void same_numbers(void **state) {
    (void)state;
    for (int32_t workers = 1; workers <= 8; workers *= 2) {
        network nets[2] = {begin(), begin()};
        give(&nets[1], nets[1].rows);
        for (int i = 0; i < 2; i++) {
            descend(&nets[i]);
            finish(&nets[i]);
            for (int step = 0; step < 3; step++) run(&nets[i], workers);
        }
        assert_int_equal(count_steps(nets[0].plan, "gather"), 0);
        assert_int_equal(count_steps(nets[1].plan, "gather"), 1);
        for (int64_t i = 0; i < nets[0].table->count; i++)
            assert_true(fabsf(nets[0].table->data[i] - nets[1].table->data[i]) < 1e-6f);
        for (int64_t i = 0; i < nets[0].kernel->count; i++)
            assert_true(fabsf(nets[0].kernel->data[i] - nets[1].kernel->data[i]) < 1e-6f);
        close(&nets[0]);
        close(&nets[1]);
    }
}

static void same_bits(void **state) {
    (void)state;
    static float table[2][ROWS * WIDE];
    for (int i = 0; i < 2; i++) {
        network net = begin();
        descend(&net);
        finish(&net);
        for (int step = 0; step < 3; step++) run(&net, i == 0 ? 1 : 8);
        memcpy(table[i], net.table->data, sizeof table[i]);
        close(&net);
    }
    assert_memory_equal(table[0], table[1], sizeof table[0]);
}

static void other_readers(void **state) {
    (void)state;
    network net = begin();
    give(&net, kfi_emit(net.formula, "tanh", NULL, net.rows));
    finish(&net);
    assert_int_equal(count_steps(net.plan, "gather"), 1);
    assert_int_equal(count_steps(net.plan, "gathered_product"), 0);
    close(&net);
}

/* A flattened sequence is no matrix of rows. */
static void other_shapes(void **state) {
    (void)state;
    network net = begin();
    kfi_formula *f = net.formula;
    const kfi_value flat = kfi_reshape(f, net.rows, &KFI_SHAPE(BATCH, TIME * WIDE));
    const kfi_value w = kfi_fill(f, &KFI_SHAPE(TIME * WIDE, UNITS), 0.01f);
    give(&net, kfi_emit(f, "matmul", &(kfi_matmul){0}, flat, w));
    finish(&net);
    assert_int_equal(count_steps(net.plan, "gather"), 1);
    close(&net);
}

static void fed_ids(void **state) {
    (void)state;
    network net = begin();
    finish(&net);
    static int32_t ids[BATCH * TIME] = {[20] = ROWS};
    kfi_plan_feed(net.plan, net.ids, ids);
    kfi_bad_index bad;
    assert_true(kfi_plan_bad_index(net.plan, &bad));
    assert_string_equal(bad.source, "ids");
    assert_int_equal(bad.row, 20 / TIME);
    assert_int_equal(bad.value, ROWS);
    close(&net);
}

static void out_of_memory(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth++) {
        network net = begin();
        descend(&net);
        kfi_fail_allocation(nth);
        const kf_status status = kfi_plan_new(net.formula, net.results, net.n_results, &net.plan);
        kfi_fail_allocation(0);
        const bool done = status == KF_OK;
        if (!done) assert_int_equal(status, KF_MEMORY);
        if (!done) net.plan = NULL;
        close(&net);
        if (done) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("what products alone read of a table is nowhere as a whole", no_rows),
        SENTENCE("training gives the numbers of a gather", same_numbers),
        SENTENCE("it gives the same bits for any workers", same_bits),
        SENTENCE("what others read, too, is gathered for all", other_readers),
        SENTENCE("so are rows that a product takes for something else", other_shapes),
        SENTENCE("fed numbers are checked as a gather's are", fed_ids),
        SENTENCE("planning survives any allocation failing", out_of_memory),
    };
    return cmocka_run_group_tests_name("gathered", tests, NULL, NULL);
}
