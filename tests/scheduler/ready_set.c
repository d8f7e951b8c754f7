/* The ready set against an array of truth values, and under several takers. */
#include "scheduler/ready_set.h"

#include "tests/scheduler/graphs.h"

#include <pthread.h>

static int32_t first_of(const bool *in, int32_t n) {
    for (int32_t k = 0; k < n; k++)
        if (in[k]) return k;
    return KFI_NONE;
}

static void like_a_model(int32_t n, uint64_t seed) {
    _Atomic uint64_t *words = calloc((size_t)kfi_ready_words(n), sizeof *words);
    bool *in = calloc((size_t)n, sizeof *in), hid = false;
    kfi_ready_set set;
    kfi_ready_init(&set, words, n);
    dice d = {{seed, 3}, 0};
    for (int step = 0; step < 2000; step++) {
        const int32_t number = (int32_t)roll(&d, (uint32_t)n);
        const uint32_t what = roll(&d, 4);
        if (what == 0) assert_int_equal(kfi_ready_remove(&set, number), in[number]);
        if (what == 0) in[number] = false;
        if (what == 1) kfi_ready_add(&set, number / 64, UINT64_C(1) << (number % 64));
        if (what == 1) in[number] = true;
        const int32_t first = first_of(in, n);
        assert_int_equal(kfi_ready_peek(&set), first);
        if (first != KFI_NONE) assert_true(kfi_ready_some(&set));
        if (what == 2) assert_int_equal(kfi_ready_take(&set, &hid), first);
        if (what == 2 && first != KFI_NONE) in[first] = false;
        if (what == 3) assert_int_equal(kfi_ready_first(&set, &hid), first);
    }
    while (kfi_ready_take(&set, &hid) != KFI_NONE) continue;
    assert_false(kfi_ready_some(&set));
    assert_false(hid);
    free(in);
    free((void *)words);
}

static void model(void **state) {
    (void)state;
    const int32_t sizes[] = {1, 2, 63, 64, 65, 128, 1000, 4096, 4097, 5000, 20000};
    for (size_t k = 0; k < sizeof sizes / sizeof sizes[0]; k++) like_a_model(sizes[k], k);
}

enum { N_NUMBERS = 700, N_TAKERS = 3, ROUNDS = 200 };

typedef struct contest {
    kfi_ready_set set;
    _Atomic uint64_t words[(N_NUMBERS + 63) / 64];
    int32_t payload[N_NUMBERS]; /* plain: adding must happen before taking */
    _Atomic int32_t n_taken, n_wrong;
} contest;

static void *take_all(void *argument) {
    contest *c = argument;
    bool hid;
    while (c->n_taken < N_NUMBERS * ROUNDS) {
        const int32_t number = kfi_ready_take(&c->set, &hid);
        if (number == KFI_NONE) continue;
        c->n_wrong += c->payload[number] != 1;
        c->payload[number] = 0;
        c->n_taken++;
    }
    return NULL;
}

static void takers(void **state) {
    (void)state;
    static contest c;
    pthread_t threads[N_TAKERS];
    kfi_ready_init(&c.set, c.words, N_NUMBERS);
    for (int k = 0; k < N_TAKERS; k++) pthread_create(&threads[k], NULL, take_all, &c);
    for (int32_t round = 0; round < ROUNDS; round++) {
        for (int32_t k = 0; k < N_NUMBERS; k++) {
            c.payload[k] = 1;
            kfi_ready_add(&c.set, k / 64, UINT64_C(1) << (k % 64));
        }
        while (c.n_taken < N_NUMBERS * (round + 1)) continue;
    }
    for (int k = 0; k < N_TAKERS; k++) pthread_join(threads[k], NULL);
    assert_int_equal(c.n_wrong, 0);
    assert_int_equal(kfi_ready_peek(&c.set), KFI_NONE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("the smallest number comes first, for any size", model),
        SENTENCE("every number goes to one taker, who sees what came before", takers),
    };
    return cmocka_run_group_tests_name("scheduler.ready_set", tests, NULL, NULL);
}
