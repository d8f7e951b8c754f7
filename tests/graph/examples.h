/* Data for the examples of ops. */
#ifndef KFI_TESTS_GRAPH_EXAMPLES_H
#define KFI_TESTS_GRAPH_EXAMPLES_H

#include "core/base/memory.h"
#include "core/base/random.h"
#include "ops/op.h"

/* Numbers of the example's range; what is random state is a seed and a step. For kfi_free_buffer.
 */
static inline void *example_input(const kfi_example_input *input, int number) {
    const int64_t count = kfi_shape_count(&input->shape);
    float *values = kfi_alloc_buffer((size_t)count * kf_dtype_size(KF_INT64));
    const bool plain = input->low == 0 && input->high == 0;
    const kfi_random stream = {42, (uint64_t)number};
    kfi_random_uniform(stream, plain ? -1 : input->low, plain ? 1 : input->high, values, count);
    if (input->dtype == KF_INT32)
        for (int64_t i = 0; i < count; i++) ((int32_t *)values)[i] = (int32_t)values[i];
    if (input->dtype == KF_INT64)
        for (int64_t i = 0; i < count; i++) ((int64_t *)values)[i] = 7 + i;
    return values;
}

#endif
