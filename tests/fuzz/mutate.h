/* Damage, the same for the same seed: what the fuzz tests do to files and texts that were good. */
#ifndef KF_TESTS_FUZZ_MUTATE_H
#define KF_TESTS_FUZZ_MUTATE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Marsaglia's xorshift64*: small, and never 0 from a seed that is not. */
typedef struct mutator {
    uint64_t state;
} mutator;

static inline uint64_t next_number(mutator *by) {
    by->state ^= by->state >> 12;
    by->state ^= by->state << 25;
    by->state ^= by->state >> 27;
    return by->state * 2685821657736338717u;
}

static inline mutator mutator_new(uint64_t seed, uint64_t run) {
    mutator made = {(seed + 1) * 0x9e3779b97f4a7c15u ^ (run + 1) * 0xbf58476d1ce4e5b9u};
    if (!made.state) made.state = 1;
    for (int i = 0; i < 4; i++) next_number(&made);
    return made;
}

static inline size_t below(mutator *by, size_t bound) {
    return bound ? (size_t)(next_number(by) % bound) : 0;
}

/* Runs from the environment, for longer searches than a test's: KF_FUZZ_RUNS, KF_FUZZ_SEED. */
static inline uint64_t fuzz_number(const char *name, uint64_t otherwise) {
    const char *given = getenv(name);
    return given ? strtoull(given, NULL, 10) : otherwise;
}

/* Sizes and counts that arithmetic goes wrong with. */
static inline uint64_t strange_number(mutator *by) {
    static const uint64_t numbers[] = {0,
                                       1,
                                       7,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x100,
                                       0x7fff,
                                       0xffff,
                                       0x10000,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x100000000,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       0xffffffffffffffff};
    return numbers[below(by, sizeof numbers / sizeof *numbers)];
}

static inline void change_byte(mutator *by, unsigned char *bytes, size_t count) {
    bytes[below(by, count)] = (unsigned char)next_number(by);
}

static inline void change_bit(mutator *by, unsigned char *bytes, size_t count) {
    bytes[below(by, count)] ^= (unsigned char)(1u << below(by, 8));
}

static inline void change_number(mutator *by, unsigned char *bytes, size_t count) {
    const size_t width = (size_t)1 << below(by, 4);
    if (count < width) return;
    const uint64_t value = strange_number(by);
    memcpy(bytes + below(by, count - width + 1), &value, width); /* little-endian, as in files */
}

static inline void copy_bytes(mutator *by, unsigned char *bytes, size_t count) {
    const size_t n = 1 + below(by, count < 64 ? count : 64);
    if (n > count) return;
    const size_t from = below(by, count - n + 1), to = below(by, count - n + 1);
    memmove(bytes + to, bytes + from, n);
}

/* One to four changes in bytes[begin … end). */
static inline void damage(mutator *by, unsigned char *bytes, size_t begin, size_t end) {
    static void (*const ways[])(mutator *, unsigned char *, size_t) = {change_byte, change_bit,
                                                                       change_number, copy_bytes};
    if (begin >= end) return;
    for (size_t n = 1 + below(by, 4); n > 0; n--)
        ways[below(by, sizeof ways / sizeof *ways)](by, bytes + begin, end - begin);
}

#endif
