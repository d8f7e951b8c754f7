/* What a plan says of its memory: each stretch with those who use it, and the pile that makes the
 * arena as large as it is. */
#include "core/base/memory.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan_internal.h"
#include "tests/base/sentences.h"

#include <string.h>

enum { ROWS = 64, WIDE = 32 };

typedef struct network {
    kfi_plan *plan;
    kfi_stretch *stretches;
    int64_t n;
} network;

/* exp(x), its reverse, and the sum of both: x itself is fed. */
static network make_network(void) {
    network net = {0};
    kfi_formula *f;
    assert_int_equal(kfi_formula_new(false, false, &f), KF_OK);
    const kfi_value x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, WIDE));
    f->scope.name = "first";
    const kfi_value y = kfi_emit(f, "exp", NULL, x);
    const kfi_value flat = kfi_reshape(f, y, &KFI_SHAPE(1, ROWS * WIDE));
    f->scope.name = "second";
    kfi_value z = kfi_emit(f, "reverse", &(kfi_slice){.axis = 1}, flat);
    z = kfi_emit(f, "add", NULL, z, flat);
    const kfi_value sum = kfi_emit(f, "reduce_sum", &(kfi_reduce){.axes = 3}, z);
    assert_int_equal(kfi_plan_new(f, &sum, 1, &net.plan), KF_OK);
    assert_int_equal(kfi_plan_stretches(net.plan, &net.stretches, &net.n), KF_OK);
    return net;
}

static void close(network *net) {
    kfi_free(net->stretches);
    kfi_plan_free(net->plan);
}

static const kfi_stretch *find(const network *net, const char *op, bool scratch) {
    for (int64_t i = 0; i < net->n; i++)
        if (strcmp(net->stretches[i].op, op) == 0 && net->stretches[i].is_scratch == scratch)
            return &net->stretches[i];
    fail_msg("no stretch of %s", op);
    return NULL;
}

static void users(void **state) {
    (void)state;
    network net = make_network();
    const int32_t last = kfi_plan_steps(net.plan) - 1;
    const kfi_stretch *y = find(&net, "exp", false), *sum = find(&net, "reduce_sum", false);
    assert_string_equal(y->scope.name, "first");
    assert_int_equal(y->bytes, ROWS * WIDE * sizeof(float));
    assert_int_equal(y->shape.dims[1], WIDE);
    assert_int_equal(y->first, 0);
    assert_true(y->last > y->first); /* whoever reads the view reads it */
    assert_true(sum->is_kept && sum->last == last && sum->bytes == 64);
    const kfi_stretch *z = find(&net, "reverse", false);
    assert_true(z->first > y->first && z->last >= y->last);
    close(&net);
}

static void pile(void **state) {
    (void)state;
    network net = make_network();
    size_t sum = 0;
    for (int64_t i = 0; i < net.n; i++)
        if (net.stretches[i].at_peak) sum += net.stretches[i].bytes;
    assert_int_equal(sum, kfi_plan_peak_bytes(net.plan));
    for (int64_t i = 0; i < net.n; i++)
        for (int64_t k = 0; k < i; k++) {
            const kfi_stretch *a = &net.stretches[i], *b = &net.stretches[k];
            if (!a->at_peak || !b->at_peak) continue;
            assert_true(a->offset + a->bytes <= b->offset || b->offset + b->bytes <= a->offset);
        }
    close(&net);
}

/* tanh(exp(x)) with a view between them, which `other` reads, too. */
static size_t peak_of_views(bool other) {
    kfi_formula *f;
    assert_int_equal(kfi_formula_new(false, false, &f), KF_OK);
    const kfi_value x = kfi_source(f, "x", KF_FLOAT32, &KFI_SHAPE(ROWS, WIDE));
    const kfi_value flat = kfi_reshape(f, kfi_emit(f, "exp", NULL, x), &KFI_SHAPE(1, ROWS * WIDE));
    kfi_value results[2] = {kfi_emit(f, "tanh", NULL, flat)};
    if (other) results[1] = kfi_emit(f, "reverse", &(kfi_slice){.axis = 1}, flat);
    kfi_plan *plan;
    assert_int_equal(kfi_plan_new(f, results, 1 + other, &plan), KF_OK);
    const size_t bytes = kfi_plan_peak_bytes(plan);
    kfi_plan_free(plan);
    return bytes;
}

static void through_views(void **state) {
    (void)state;
    const size_t one = ROWS * WIDE * sizeof(float);
    assert_int_equal(peak_of_views(false), one);
    assert_int_equal(peak_of_views(true), 3 * one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a stretch knows whose it is and who uses it", users),
        SENTENCE("an op takes over what it alone reads, through views or not", through_views),
        SENTENCE("the pile below the top of the arena adds up to it", pile),
    };
    return cmocka_run_group_tests_name("inventory", tests, NULL, NULL);
}
