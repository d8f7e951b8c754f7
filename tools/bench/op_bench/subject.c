#include "subject.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { LINE = 64, HUGE_PAGE = 2 << 20 };

/* Kernels expect lines of the cache, and large arrays lie on huge pages as in a plan's arena. */
static kf_status take(size_t bytes, void **memory) {
    const bool huge = bytes >= 2 * (size_t)HUGE_PAGE;
    const size_t unit = huge ? HUGE_PAGE : LINE, rounded = (bytes + unit) / unit * unit;
    *memory = aligned_alloc(unit, rounded);
    if (huge && *memory) madvise(*memory, rounded, MADV_HUGEPAGE);
    return *memory ? KF_OK : KF_MEMORY;
}

static size_t bytes_of(const kfi_array *array) {
    return (size_t)kfi_shape_count(&array->shape) * kf_dtype_size(array->dtype);
}

/* Evenly from low to high; of Numerical Recipes, whose high bits are good. */
static void fill(const kfi_example_input *input, kfi_array *array) {
    const bool given = input->low != 0 || input->high != 0;
    const float low = given ? input->low : -1, high = given ? input->high : 1;
    const int64_t count = kfi_shape_count(&array->shape);
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        const float value = low + (high - low) * (float)(state >> 8) * 0x1p-24f;
        if (array->dtype == KF_FLOAT32)
            ((float *)array->data)[i] = value;
        else if (array->dtype == KF_INT32)
            ((int32_t *)array->data)[i] = (int32_t)value;
        else
            ((int64_t *)array->data)[i] = (int64_t)value;
    }
}

static kf_status make_inputs(const kfi_example *example, bench_subject *subject) {
    for (int i = 0; i < example->n_in; i++) {
        kfi_array *array = &subject->in[i];
        *array = (kfi_array){.dtype = example->in[i].dtype, .shape = example->in[i].shape};
        const kf_status status = take(bytes_of(array), &array->data);
        if (status != KF_OK) return status;
        fill(&example->in[i], array);
    }
    return KF_OK;
}

static kf_status make_outputs(bool in_place, bench_subject *subject) {
    for (int i = 0; i < subject->call.n_out; i++) {
        kfi_array *array = &subject->out[i];
        const int over = in_place ? subject->op->in_place[i] - 1 : -1;
        subject->shared[i] = over >= 0;
        const kf_status status = over >= 0 ? KF_OK : take(bytes_of(array), &array->data);
        if (status != KF_OK) return status;
        if (over >= 0)
            array->data = subject->in[over].data;
        else
            memset(array->data, 0, bytes_of(array));
    }
    return KF_OK;
}

/* Sizes of scratch are asked for while no array has data, as a plan does. */
static kf_status make_scratch(bench_subject *subject) {
    const kfi_op *op = subject->op;
    kfi_array in[KFI_EXAMPLE_MAX_INPUTS], out[BENCH_MOST_OUTPUTS];
    memcpy(in, subject->in, sizeof in);
    memcpy(out, subject->out, sizeof out);
    for (int i = 0; i < subject->call.n_in; i++) in[i].data = NULL;
    kfi_call shapes = subject->call;
    shapes.in = in, shapes.out = out;
    if (op->cost) subject->cost = op->cost(&shapes);
    kf_status status = KF_OK;
    if (op->scratch) status = take(op->scratch(&shapes), &subject->call.scratch);
    if (op->tile_scratch && status == KF_OK)
        status = take(op->tile_scratch(&shapes), &subject->local);
    return status;
}

kf_status bench_subject_make(const kfi_op *op, const kfi_example *example, bool in_place,
                             bench_subject *subject) {
    *subject = (bench_subject){.op = op};
    subject->call = (kfi_call){.attributes = example->attributes,
                               .n_in = example->n_in,
                               .in = subject->in,
                               .out = subject->out};
    kf_status status = make_inputs(example, subject);
    if (status != KF_OK) return status;
    kfi_shaping shaping = {
        .attributes = example->attributes, .n_in = example->n_in, .in = subject->in};
    status = op->infer(&shaping);
    if (status != KF_OK) return status;
    subject->call.n_out = shaping.n_out;
    memcpy(subject->out, shaping.out, sizeof subject->out);
    status = make_scratch(subject);
    return status == KF_OK ? make_outputs(in_place, subject) : status;
}

kf_status bench_subject_run(const bench_subject *subject) {
    const kfi_op *op = subject->op;
    if (op->run) return op->run(&subject->call);
    for (int s = 0; s < KFI_OP_MAX_STAGES && op->stages[s].kernel; s++) {
        const kfi_stage *stage = &op->stages[s];
        const bool repeats = s + 1 == KFI_OP_MAX_STAGES || !op->stages[s + 1].kernel;
        int64_t tiles = stage->tiles ? stage->tiles(&subject->call) : 1;
        if (op->rounds && repeats && tiles) tiles *= op->rounds(&subject->call);
        for (int64_t tile = 0; tile < tiles; tile++)
            stage->kernel(&subject->call, tile, subject->local);
    }
    return KF_OK;
}

void bench_subject_free(bench_subject *subject) {
    for (int i = 0; i < subject->call.n_in; i++) free(subject->in[i].data);
    for (int i = 0; i < subject->call.n_out; i++)
        if (!subject->shared[i]) free(subject->out[i].data);
    free(subject->call.scratch);
    free(subject->local);
    *subject = (bench_subject){0};
}
