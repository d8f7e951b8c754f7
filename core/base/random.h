/* Counter-based random numbers: a pure function of a key and a counter, so that any part of an
 * array can be filled by any worker, in any order, with the same bits.
 * Philox4x32-10: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC
 * 2011. */
#ifndef KFI_BASE_RANDOM_H
#define KFI_BASE_RANDOM_H

#include <stdint.h>

/* One of 2^64 streams of 2^66 numbers each. */
typedef struct kfi_random {
    uint64_t key;  /* the seed                                            */
    uint64_t high; /* the stream: a step, a node, a weight, folded by kfi_random_fold */
} kfi_random;

typedef struct kfi_random4 {
    uint32_t word[4];
} kfi_random4;

static inline kfi_random4 kfi_random_block(kfi_random stream, uint64_t block) {
    uint32_t x0 = (uint32_t)block, x1 = (uint32_t)(block >> 32);
    uint32_t x2 = (uint32_t)stream.high, x3 = (uint32_t)(stream.high >> 32);
    uint32_t k0 = (uint32_t)stream.key, k1 = (uint32_t)(stream.key >> 32);
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * x0, b = (uint64_t)0xCD9E8D57u * x2;
        const uint32_t y0 = (uint32_t)(b >> 32) ^ x1 ^ k0, y2 = (uint32_t)(a >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)b, x3 = (uint32_t)a, x0 = y0, x2 = y2;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
    return (kfi_random4){{x0, x1, x2, x3}};
}

/* A float in [0, 1) with 24 random bits. */
static inline float kfi_random_unit(uint32_t word) { return (float)(word >> 8) * 0x1p-24f; }

/* A stream of its own for `part` (a node number, a weight's index …) of a stream. */
kfi_random kfi_random_fold(kfi_random stream, uint64_t part);

/* count floats uniform in [low, high); normal with redraw beyond `cut` deviations (0: no cut). */
void kfi_random_uniform(kfi_random stream, float low, float high, float *out, int64_t count);
void kfi_random_normal(kfi_random stream, float mean, float deviation, float cut, float *out,
                       int64_t count);

/* A random order of 0 … count-1 (Fisher–Yates). */
void kfi_random_permutation(kfi_random stream, int64_t *out, int64_t count);

#endif
