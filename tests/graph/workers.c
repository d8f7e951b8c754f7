/* Every op over all its examples, as a plan: the same bits for 1, 2 and 8 workers, and nothing
 * allocated by a run once the arena is there. */
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/graph/formula_internal.h"
#include "core/graph/plan.h"
#include "tests/graph/examples.h"
#include "tests/scheduler/mallocs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t result_bytes(const kfi_array *result) {
    return (size_t)kfi_shape_count(&result->shape) * kf_dtype_size(result->dtype);
}

/* On one worker: others may come to a kernel for the first time, and libraries greet them. */
static void check_allocations(const kfi_op *op, const kfi_example *example, kfi_plan *plan,
                              kfi_arena *arena) {
    const int64_t before = n_mallocs;
    assert_int_equal(kfi_plan_run(plan, arena, &(kfi_run_options){.workers = 1}), KF_OK);
    if (n_mallocs != before) fail_msg("%s, %s: a run allocates", op->name, example->name);
}

static void check_example(const kfi_op *op, const kfi_example *example) {
    kfi_formula *f = NULL;
    assert_int_equal(kfi_formula_new(false, true, &f), KF_OK);
    kfi_value in[KFI_EXAMPLE_MAX_INPUTS];
    void *data[KFI_EXAMPLE_MAX_INPUTS];
    for (int i = 0; i < example->n_in; i++) {
        in[i] = kfi_source(f, "input", example->in[i].dtype, &example->in[i].shape);
        data[i] = example_input(&example->in[i], i);
    }
    kfi_value out[KFI_OP_MAX_OUTPUTS];
    out[0] = kfi_emit_list(f, op->name, example->attributes, in, example->n_in, out + 1);
    if (kfi_is_none(out[0])) fail_msg("%s, %s: %s", op->name, example->name, kf_last_error());
    const int n_out = f->nodes[f->n_nodes - 1].n_out;
    kfi_plan *plan = NULL;
    assert_int_equal(kfi_plan_new(f, out, n_out, &plan), KF_OK);
    for (int i = 0; i < example->n_in; i++) kfi_plan_feed(plan, in[i], data[i]);

    static const int workers[] = {1, 2, 8};
    void *first[KFI_OP_MAX_OUTPUTS] = {NULL};
    for (int w = 0; w < 3; w++) {
        kfi_arena arena = {0};
        const kfi_run_options options = {.workers = workers[w]};
        assert_int_equal(kfi_plan_run(plan, &arena, &options), KF_OK);
        if (w == 0) check_allocations(op, example, plan, &arena);
        for (int i = 0; i < n_out; i++) {
            const kfi_array *result = kfi_plan_result(plan, i);
            const size_t bytes = result_bytes(result);
            if (w == 0)
                first[i] = memcpy(malloc(bytes + 1), result->data, bytes);
            else if (memcmp(first[i], result->data, bytes) != 0)
                fail_msg("%s, %s: output %d differs for %d workers", op->name, example->name, i,
                         workers[w]);
        }
        kfi_arena_free(&arena);
    }
    for (int i = 0; i < n_out; i++) free(first[i]);
    for (int i = 0; i < example->n_in; i++) kfi_free_buffer(data[i], 0);
    kfi_plan_free(plan);
}

static void every_op_gives_the_same_bits_for_any_workers(void **state) {
    (void)state;
    int n_examples = 0;
    for (int i = 0; kfi_op_at(i); i++)
        for (const kfi_example *e = kfi_op_examples(kfi_op_at(i)); e->name; e++, n_examples++)
            check_example(kfi_op_at(i), e);
    assert_true(n_examples > 200);
}

int main(void) {
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_op_gives_the_same_bits_for_any_workers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
