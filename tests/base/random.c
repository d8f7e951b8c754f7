#include "core/base/random.h"

#include "tests/base/sentences.h"

#include <math.h>
#include <string.h>

/* The known answers that the authors of Philox publish for ten rounds of philox4x32. */
static const struct {
    uint32_t counter[4], key[2], answer[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void known_answers(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const uint32_t *c = known[i].counter, *k = known[i].key;
        const kfi_random stream = {(uint64_t)k[1] << 32 | k[0], (uint64_t)c[3] << 32 | c[2]};
        const kfi_random4 got = kfi_random_block(stream, (uint64_t)c[1] << 32 | c[0]);
        assert_memory_equal(got.word, known[i].answer, sizeof got.word);
    }
}

enum { N = 100000 };

static void moments(const float *x, double *mean, double *variance) {
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) sum += x[i], squares += (double)x[i] * x[i];
    *mean = sum / N;
    *variance = squares / N - *mean * *mean;
}

static void uniform(void **state) {
    (void)state;
    static float x[N];
    double mean, variance;
    kfi_random_uniform((kfi_random){42, 0}, -1, 3, x, N);
    for (int i = 0; i < N; i++) assert_true(x[i] >= -1 && x[i] < 3);
    moments(x, &mean, &variance);
    assert_true(fabs(mean - 1) < 0.02 && fabs(variance - 16.0 / 12) < 0.02);
}

static void normal(void **state) {
    (void)state;
    static float x[N];
    double mean, variance;
    kfi_random_normal((kfi_random){7, 1}, 5, 2, 0, x, N);
    moments(x, &mean, &variance);
    assert_true(fabs(mean - 5) < 0.03 && fabs(variance - 4) < 0.08);
    int beyond = 0;
    for (int i = 0; i < N; i++) beyond += fabsf(x[i] - 5) > 4;
    assert_true(fabs(beyond / (double)N - 0.0455) < 0.004);
}

/* Keras's truncated normal: the deviation of a normal cut at 2 is 0.87962566 of the whole one's. */
static void truncated(void **state) {
    (void)state;
    static float x[N];
    double mean, variance;
    kfi_random_normal((kfi_random){7, 2}, 0, 1, 2, x, N);
    for (int i = 0; i < N; i++) assert_true(fabsf(x[i]) <= 2);
    moments(x, &mean, &variance);
    assert_true(fabs(sqrt(variance) - 0.87962566) < 0.01 && fabs(mean) < 0.01);
}

static void any_part(void **state) {
    (void)state;
    float all[103], part[40];
    kfi_random_uniform((kfi_random){1, 2}, 0, 1, all, 103);
    kfi_random_uniform((kfi_random){1, 2}, 0, 1, part, 40);
    assert_memory_equal(all, part, sizeof part);
}

static void streams_differ(void **state) {
    (void)state;
    const kfi_random root = {3, 0};
    const kfi_random a = kfi_random_fold(root, 1), b = kfi_random_fold(root, 2);
    assert_int_equal(a.key, root.key);
    assert_true(a.high != b.high);
    assert_true(kfi_random_fold(a, 5).high != kfi_random_fold(b, 5).high);
    assert_int_equal(kfi_random_fold(root, 1).high, a.high);
}

static void permutation(void **state) {
    (void)state;
    int64_t order[1000], again[1000];
    char seen[1000] = {0};
    kfi_random_permutation((kfi_random){9, 9}, order, 1000);
    kfi_random_permutation((kfi_random){9, 9}, again, 1000);
    assert_memory_equal(order, again, sizeof order);
    int fixed = 0;
    for (int i = 0; i < 1000; i++) {
        assert_in_range(order[i], 0, 999);
        assert_int_equal(seen[order[i]]++, 0);
        fixed += order[i] == i;
    }
    assert_true(fixed < 10);
}

/* All six orders of three come equally often: 6000 draws, a chi-square below 20.5 (p = 0.001). */
static void permutation_is_fair(void **state) {
    (void)state;
    int count[27] = {0};
    for (uint64_t i = 0; i < 6000; i++) {
        int64_t order[3];
        kfi_random_permutation((kfi_random){4, i}, order, 3);
        count[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    double chi_square = 0;
    int orders = 0;
    for (int i = 0; i < 27; i++) {
        if (!count[i]) continue;
        orders++;
        chi_square += (count[i] - 1000.0) * (count[i] - 1000.0) / 1000;
    }
    assert_int_equal(orders, 6);
    assert_true(chi_square < 20.5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("Philox gives its authors' known answers", known_answers),
        SENTENCE("uniform numbers fill their range evenly", uniform),
        SENTENCE("normal numbers have their mean, deviation and tails", normal),
        SENTENCE("a truncated normal stays inside and has Keras's deviation", truncated),
        SENTENCE("the first numbers do not depend on how many are wanted", any_part),
        SENTENCE("folded streams differ and are reproducible", streams_differ),
        SENTENCE("a permutation holds every index once and is reproducible", permutation),
        SENTENCE("all permutations are equally likely", permutation_is_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
