#include "core/base/random.h"

#include <math.h>

kfi_random kfi_random_fold(kfi_random stream, uint64_t part) {
    const kfi_random4 mixed = kfi_random_block(stream, part);
    return (kfi_random){stream.key, (uint64_t)mixed.word[0] << 32 | mixed.word[1]};
}

void kfi_random_uniform(kfi_random stream, float low, float high, float *out, int64_t count) {
    for (int64_t i = 0; i < count; i += 4) {
        const kfi_random4 block = kfi_random_block(stream, (uint64_t)i / 4);
        for (int64_t j = i; j < i + 4 && j < count; j++)
            out[j] = low + (high - low) * kfi_random_unit(block.word[j - i]);
    }
}

/* Box–Muller, one number an element so that a redraw does not shift its neighbours: attempt k of
 * element i is the block i of stream k. */
static double normal(kfi_random stream, uint64_t element, double cut) {
    for (uint64_t attempt = 0;; attempt++) {
        kfi_random own = stream;
        own.high += attempt * 0x9E3779B97F4A7C15u;
        const kfi_random4 block = kfi_random_block(own, element);
        const double u = (block.word[0] + 0.5) * 0x1p-32, v = (block.word[1] + 0.5) * 0x1p-32;
        const double z = sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
        if (cut <= 0 || fabs(z) <= cut) return z;
    }
}

void kfi_random_normal(kfi_random stream, float mean, float deviation, float cut, float *out,
                       int64_t count) {
    for (int64_t i = 0; i < count; i++)
        out[i] = (float)(mean + deviation * normal(stream, (uint64_t)i, cut));
}

/* Lemire's multiply-shift: a bias below 2^-32 for every count that fits memory. */
static int64_t below(kfi_random4 block, int64_t limit) {
    __extension__ typedef unsigned __int128 uint128;
    const uint64_t word = (uint64_t)block.word[0] << 32 | block.word[1];
    return (int64_t)((uint128)word * (uint64_t)limit >> 64);
}

void kfi_random_permutation(kfi_random stream, int64_t *out, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        const int64_t j = below(kfi_random_block(stream, (uint64_t)i), i + 1);
        out[i] = i;
        const int64_t moved = out[j];
        out[j] = i;
        out[i] = moved;
    }
}
