/* Work element by element: an output is cut into tiles of KFI_TILE consecutive elements, whatever
 * the number of workers. 32 Ki floats are 128 KiB of output, 10 to 40 us of work on one core. */
#ifndef KFI_OPS_ELEMENTS_H
#define KFI_OPS_ELEMENTS_H

#include "ops/op.h"

#include <string.h>

#define KFI_INLINE static inline __attribute__((always_inline))

enum { KFI_TILE = 32768, KFI_BLOCK = 16 };

static inline int64_t kfi_count(const kfi_array *array) { return kfi_shape_count(&array->shape); }

/* How many tiles of `per_tile` cover `count`; one, with nothing to do, if there is nothing. */
static inline int64_t kfi_tiles_for(int64_t count, int64_t per_tile) {
    return count <= per_tile ? 1 : (count + per_tile - 1) / per_tile;
}

static inline kfi_span kfi_span_of(int64_t tile, int64_t per_tile, int64_t count) {
    const int64_t begin = tile * per_tile;
    return (kfi_span){begin, begin + per_tile < count ? begin + per_tile : count};
}

/* For kfi_stage.tiles of ops that go through output 0 element by element. */
static inline int64_t kfi_element_tiles(const kfi_call *call) {
    return kfi_tiles_for(kfi_count(&call->out[0]), KFI_TILE);
}

static inline kfi_span kfi_element_span(const kfi_call *call, int64_t tile) {
    if (call->part.end > call->part.begin) return call->part;
    return kfi_span_of(tile, KFI_TILE, kfi_count(&call->out[0]));
}

static inline kfi_region kfi_element_region(const kfi_call *call, int stage, int64_t tile) {
    (void)stage;
    const kfi_span span = kfi_element_span(call, tile);
    return (kfi_region){span.begin, 1, span.end - span.begin, span.end - span.begin};
}

/* In the descriptor of an op whose kernel goes through kfi_element_span. */
#define KFI_ELEMENT_WISE .region = kfi_element_region, .element_wise = true

/* Every operand is read or written once; `flops` operations for each element of output 0. */
static inline kfi_cost kfi_cost_of(const kfi_call *call, double flops) {
    double bytes = 0;
    for (int i = 0; i < call->n_in; i++)
        bytes += (double)kfi_count(&call->in[i]) * (double)kf_dtype_size(call->in[i].dtype);
    for (int i = 0; i < call->n_out; i++)
        bytes += (double)kfi_count(&call->out[i]) * (double)kf_dtype_size(call->out[i].dtype);
    return (kfi_cost){flops * (double)kfi_count(&call->out[0]), bytes};
}

static inline kfi_cost kfi_copy_cost(const kfi_call *call) { return kfi_cost_of(call, 0); }
static inline kfi_cost kfi_cheap_cost(const kfi_call *call) { return kfi_cost_of(call, 1); }

/* y = f(x) over n elements, x == y allowed. The last few go through the same vector code in a
 * padded block, so that the value of an element does not depend on where it stands. */
typedef float kfi_function(float x);

KFI_INLINE void kfi_map(kfi_function *f, const float *x, float *y, int64_t n) {
    const int64_t whole = n - n % KFI_BLOCK;
    for (int64_t i = 0; i < whole; i += KFI_BLOCK) {
#pragma omp simd
        for (int j = 0; j < KFI_BLOCK; j++) y[i + j] = f(x[i + j]);
    }
    if (whole == n) return;
    float block[KFI_BLOCK] = {0};
    memcpy(block, x + whole, (size_t)(n - whole) * sizeof(float));
#pragma omp simd
    for (int j = 0; j < KFI_BLOCK; j++) block[j] = f(block[j]);
    memcpy(y + whole, block, (size_t)(n - whole) * sizeof(float));
}

#endif
