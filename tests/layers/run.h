/* Runs one call of a layer through a plan: its output, its mask, the loss it adds. */
#ifndef KF_TESTS_LAYERS_RUN_H
#define KF_TESTS_LAYERS_RUN_H

#include "tests/layers/support.h"

#include <math.h>

enum { TRIAL_VALUES = 4096, TRIAL_INPUTS = 4 };

typedef struct trial {
    bool training;
    int64_t batch;
    const float *data[TRIAL_INPUTS], *mask[TRIAL_INPUTS]; /* mask NULL: none */
    kf_shape mask_shape;                                  /* of all masks    */
    int64_t random[2];
    kf_shape shape, out_mask_shape; /* rank 0: no mask */
    float out[TRIAL_VALUES], out_mask[TRIAL_VALUES];
    float loss; /* the sum of what was added */
} trial;

static inline void check(kf_status status) {
    if (status != KF_OK) fail_msg("%s", kf_last_error());
}

static inline void copy_result(const kfi_plan *plan, int32_t i, kf_shape *shape, float *to) {
    const kfi_array *result = kfi_plan_result(plan, i);
    *shape = result->shape;
    assert_true(kfi_shape_count(shape) <= TRIAL_VALUES);
    memcpy(to, result->data, (size_t)kfi_shape_count(shape) * sizeof(float));
}

/* Runs the call that made `tensor`; a failure of the run is returned. */
static inline kf_status try_layer(const kf_tensor *tensor, trial *run) {
    const kfi_node *node = tensor->node;
    kfi_formula *formula;
    assert_good(tensor->graph);
    check(kfi_formula_new(false, run->training, &formula));
    kfi_value in[TRIAL_INPUTS], masks[TRIAL_INPUTS];
    kfi_value out[KFI_LAYER_MAX_OUTPUTS], out_masks[KFI_LAYER_MAX_OUTPUTS], results[3];
    for (int32_t i = 0; i < node->n_in; i++) {
        kf_shape shape = node->in[i]->shape;
        shape.dims[0] = run->batch;
        in[i] = kfi_source(formula, "input", KF_FLOAT32, &shape);
        masks[i] =
            run->mask[i] ? kfi_source(formula, "mask", KF_FLOAT32, &run->mask_shape) : KFI_NONE;
    }
    kfi_layer_call call = {.layer = node->layer,
                           .formula = formula,
                           .n_in = node->n_in,
                           .in = in,
                           .in_mask = masks,
                           .out = out,
                           .out_mask = out_masks};
    check(kfi_layer_invoke(&call, node->index));
    const kfi_value *losses, random = kfi_random_state(formula);
    results[0] = out[0];
    results[1] = kfi_fill(formula, &KFI_SCALAR, 0);
    const int32_t n_losses = kfi_added_losses(formula, &losses);
    for (int32_t i = 0; i < n_losses; i++)
        results[1] = kfi_emit(formula, "add", NULL, results[1], losses[i]);
    const bool masked = !kfi_is_none(out_masks[0]);
    results[2] = out_masks[0];
    kfi_plan *plan;
    check(kfi_plan_new(formula, results, masked ? 3 : 2, &plan));
    for (int32_t i = 0; i < node->n_in; i++) {
        kfi_plan_feed(plan, in[i], run->data[i]);
        if (run->mask[i]) kfi_plan_feed(plan, masks[i], run->mask[i]);
    }
    kfi_plan_feed(plan, random, run->random);
    kfi_arena arena = {0};
    const kf_status status = kfi_plan_run(plan, &arena, &(kfi_run_options){.workers = 1});
    kf_shape scalar;
    run->out_mask_shape = KFI_SCALAR;
    if (status == KF_OK) {
        copy_result(plan, 0, &run->shape, run->out);
        copy_result(plan, 1, &scalar, &run->loss);
        if (masked) copy_result(plan, 2, &run->out_mask_shape, run->out_mask);
    }
    kfi_plan_free(plan);
    kfi_arena_free(&arena);
    return status;
}

static inline void run_layer(const kf_tensor *tensor, trial *run) { check(try_layer(tensor, run)); }

static inline void assert_near(const float *got, const float *expected, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - expected[i]) <= 1e-5f))
            fail_msg("element %d is %g, expected %g", (int)i, (double)got[i], (double)expected[i]);
}

static inline void assert_values(const trial *run, const char *shape, const float *expected) {
    assert_string_equal(kfi_shape_string(&run->shape), shape);
    assert_near(run->out, expected, kfi_shape_count(&run->shape));
}

#define VALUES(run, shape, ...) assert_values((run), (shape), (const float[]){__VA_ARGS__})

static inline void set_weight(kf_layer *layer, int32_t i, const float *values, int64_t count) {
    check(kf_weight_set(kf_layer_weight(layer, i), values, count));
}

/* A graph of its own, g, fails with exactly this message. */
#define FAILS(make, message)                                                                       \
    {                                                                                              \
        g = kf_graph_new();                                                                        \
        kf_tensor *made = (make);                                                                  \
        assert_fails(g, made, (message));                                                          \
    }

#endif
