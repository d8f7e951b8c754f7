/* random_normal(random): numbers from a normal distribution, a pure function of (seed, step,
 * stream, element), so that backward draws the same ones. No derivative.
 * Each tile has a stream of its own. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/elements.h"

static kf_status infer(kfi_shaping *shaping) {
    kf_status status = kfi_expect_inputs(shaping, 1);
    if (!status) status = kfi_expect_dtype(shaping, 0, KF_INT64);
    if (status) return status;
    if (!kfi_shape_equal(&shaping->in[0].shape, &KFI_SHAPE(2)))
        return kfi_fail(KF_INVALID, "the random state must be of shape (2,), got %s",
                        kfi_shape_string(&shaping->in[0].shape));
    shaping->n_out = 1;
    shaping->out[0].shape = ((const kfi_random_normal_of *)shaping->attributes)->shape;
    return KF_OK;
}

static void draw(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const kfi_random_normal_of *by = call->attributes;
    const int64_t *state = call->in[0].data;
    const kfi_span span = kfi_element_span(call, tile);
    const kfi_random step = {(uint64_t)state[0], (uint64_t)state[1]};
    const kfi_random stream = kfi_random_fold(kfi_random_fold(step, by->stream), (uint64_t)tile);
    kfi_random_normal(stream, by->mean, by->deviation, 0, kfi_out(call, 0) + span.begin,
                      span.end - span.begin);
}

static kfi_cost cost(const kfi_call *call) { return kfi_cost_of(call, 150); }

#define RANDOM                                                                                     \
    { .shape = {1, {2}}, .dtype = KF_INT64, .low = 0, .high = 1000 }
static const kfi_example examples[] = {
    {.name = "two axes",
     .attributes = &(const kfi_random_normal_of){.shape = {2, {5, 7}}, .deviation = 0.3f},
     .n_in = 1,
     .in = {RANDOM}},
    {.name = "large",
     .attributes =
         &(const kfi_random_normal_of){.shape = {2, {301, 333}}, .mean = 1, .deviation = 2},
     .n_in = 1,
     .large = true,
     .in = {RANDOM}},
    {0},
};

const kfi_op KFI_OP(random_normal) = {
    .name = "random_normal",
    .attributes_size = sizeof(kfi_random_normal_of),
    .infer = infer,
    .stages = {{draw, kfi_element_tiles}},
    .cost = cost,
    .examples = KFI_EXAMPLES(examples),
};
