#include "scheduler/node.h"

/* With few chunks per worker, a number that does not divide evenly leaves somebody idle for a whole
 * chunk at the end; from this many each on the rest is small. */
enum { CHUNKS_EACH = 4 };

int32_t kfi_loop_chunks(const kfi_loop *loop, int32_t stage, int32_t workers) {
    const int32_t kind = kfi_loop_kind(loop, stage);
    const int32_t tiles = loop->tiles[kind], most = loop->most_chunks[kind];
    if (tiles == 0) return 0;
    if (workers == 1) return 1;
    if (kind == loop->last && loop->n_stages > loop->last + 1) /* each has its own, every round */
        return most < workers ? most : workers;
    const bool uneven = most > workers && most < CHUNKS_EACH * workers && most < tiles;
    return uneven ? most / workers * workers : most;
}

void kfi_loop_open(kfi_loop *loop, int32_t stage, int32_t n_chunks) {
    loop->stage = stage;
    loop->n_chunks = n_chunks;
    /* relaxed: `claims` publishes it */
    atomic_store_explicit(&loop->unfinished, n_chunks, memory_order_relaxed);
    atomic_store_explicit(&loop->claims, KFI_CLAIMS_END - (uint32_t)n_chunks, memory_order_release);
}
