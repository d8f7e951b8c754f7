/* Vectors of floats as wide as the level has them, for kernels that name their registers. A
 * multiplication and an addition in one expression become one instruction where there is one. */
#ifndef KFI_OPS_VECTORS_H
#define KFI_OPS_VECTORS_H

#include <stdint.h>

#if defined __AVX512F__
enum { KFI_LANES = 16, KFI_VECTORS = 4 };
#elif defined __AVX__
enum { KFI_LANES = 8, KFI_VECTORS = 2 };
#else
enum { KFI_LANES = 4, KFI_VECTORS = 2 };
#endif

/* Six rows of KFI_VECTORS vectors are sums that stay in registers, with room for their factors:
 * 24 of 32, or 12 of 16. */
enum { KFI_SUM_ROWS = 6, KFI_SUM_COLUMNS = KFI_VECTORS * KFI_LANES };

typedef float kfi_vector __attribute__((vector_size(KFI_LANES * sizeof(float))));
/* The same in memory, anywhere. */
typedef float kfi_loose_vector
    __attribute__((vector_size(KFI_LANES * sizeof(float)), aligned(4), may_alias));

static inline kfi_vector kfi_load(const float *from) { return *(const kfi_loose_vector *)from; }
static inline void kfi_store(float *to, kfi_vector value) { *(kfi_loose_vector *)to = value; }

/* A value that several products share, in a register: gcc would load it anew for each. */
static inline kfi_vector kfi_keep(kfi_vector value) {
#if defined __x86_64__
    __asm__("" : "+v"(value));
#endif
    return value;
}

/* Lane by lane a > b ? a : b. */
typedef int32_t kfi_lane_mask __attribute__((vector_size(KFI_LANES * sizeof(int32_t))));
static inline kfi_vector kfi_larger_lanes(kfi_vector a, kfi_vector b) {
    const kfi_lane_mask mask = a > b;
    return (kfi_vector)(((kfi_lane_mask)a & mask) | ((kfi_lane_mask)b & ~mask));
}

/* `count` rounded up to whole vectors. */
static inline int64_t kfi_whole_vectors(int64_t count) {
    return (count + KFI_LANES - 1) / KFI_LANES * KFI_LANES;
}

#endif
