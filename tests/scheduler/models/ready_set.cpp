/* The ready set: two threads add, two take, and nothing is lost, taken twice, or seen half made. */
#include "model.hpp"

#include "scheduler/ready_set.c"

namespace {

/* Two numbers in one word, one in a word whose group shares the top bit, one in another group. */
const int32_t numbers[] = {1, 5, 64, 128};
enum { N_NUMBERS = 4, N_WORDS = 3 };

struct ready_set : rl::test_suite<ready_set, 4> {
    kfi_ready_set set;
    rl::atomic<uint64_t> words[N_WORDS];
    rl::var<int> payload[N_NUMBERS];
    rl::atomic<int> n_taken[N_NUMBERS];

    void before() {
        for (auto &word : words) atomic_store(&word, 0);
        for (auto &n : n_taken) atomic_store(&n, 0);
        kfi_ready_init(&set, words, 64 * N_WORDS);
    }

    void add(int k) {
        PLAIN(payload[k]) = numbers[k];
        kfi_ready_add(&set, numbers[k] / 64, UINT64_C(1) << (numbers[k] % 64));
    }

    bool take() {
        bool hid = false;
        const int32_t number = kfi_ready_take(&set, &hid);
        for (int k = 0; k < N_NUMBERS; k++) {
            if (numbers[k] != number) continue;
            RL_ASSERT(PLAIN(payload[k]) == number);
            RL_ASSERT(atomic_fetch_add_explicit(&n_taken[k], 1, memory_order_relaxed) == 0);
        }
        return number != KFI_NONE;
    }

    void thread(unsigned index) {
        if (index < 2) {
            add((int)index);
            add((int)index + 2);
            take();
        } else {
            take();
            take();
            take();
        }
    }

    /* What nobody has taken is still to be found. */
    void after() {
        while (take()) continue;
        for (auto &n : n_taken) RL_ASSERT(atomic_load_explicit(&n, memory_order_relaxed) == 1);
    }
};

} // namespace

int main(int argc, char **argv) { return explore<ready_set>(argc, argv); }
