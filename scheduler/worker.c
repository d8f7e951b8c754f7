/* The life of a task. It becomes ready when a worker finishes the last of its predecessors. That
 * worker keeps it if it is cheap, goes on with it if it is the best of the others, and publishes
 * the rest. Of a task begun, a stage worth several chunks is opened as a loop for others to join;
 * the worker that brings a stage's last chunk goes on with the next stage or the successors.
 * Nobody ever waits for anybody in here. */
#include "scheduler/worker.h"

#include "scheduler/policy.h"

kfi_worker kfi_worker_new(kfi_crew *crew, int32_t index) {
    return (kfi_worker){.crew = crew,
                        .nodes = crew->schedule->nodes,
                        .loops = crew->schedule->loops,
                        .hand = {.worker = index},
                        .ready = &crew->ready[crew->group[index]],
                        .group = crew->group[index],
                        .alone = index == 0,
                        .cheap = KFI_NONE,
                        .held = KFI_NONE};
}

/* ---- making work known ---- */

static void open_gate(kfi_worker *w) {
    if (w->alone) kfi_crew_open(w->crew);
    w->alone = false;
}

/* Somebody is woken once enough has been published. Worker 0 opens the gate for the first one. */
static void announce(kfi_worker *w, double cost_ns) {
    w->unannounced_ns += cost_ns;
    if (w->unannounced_ns < KFI_WAKE_NS) return;
    w->unannounced_ns = 0;
    kfi_crew *crew = w->crew;
    if (atomic_load_explicit(&crew->workers, memory_order_relaxed) == 1) return;
    open_gate(w);
    kfi_crew_wake(crew, w->group);
}

static void publish_batch(kfi_worker *w) {
    if (w->batch) kfi_ready_add(w->ready, w->batch_word, w->batch);
    w->batch = 0;
}

/* To be followed by publish_batch, and by announce with the sum of what is returned. */
static double publish(kfi_worker *w, int32_t number) {
    if (number / 64 != w->batch_word) publish_batch(w);
    w->batch_word = number / 64;
    w->batch |= UINT64_C(1) << (number % 64);
    return w->nodes[number].cost_ns;
}

static void publish_held(kfi_worker *w) {
    const double cost_ns = publish(w, w->held);
    w->held = KFI_NONE;
    publish_batch(w);
    announce(w, cost_ns);
}

/* ---- what a finished task leads to ---- */

static void keep_cheap(kfi_worker *w, int32_t number) {
    kfi_node *node = &w->nodes[number];
    node->next = w->cheap;
    w->cheap = number;
    w->cheap_ns += node->cost_ns;
}

static int32_t take_cheap(kfi_worker *w) {
    const kfi_node *node = &w->nodes[w->cheap];
    const int32_t number = w->cheap;
    w->cheap = node->next;
    w->cheap_ns = w->cheap == KFI_NONE ? 0 : w->cheap_ns - node->cost_ns;
    return number;
}

/* Keeps or publishes a cheap task; returns the cost of what it has published. */
static double put_away(kfi_worker *w, int32_t number) {
    if (w->cheap_ns + w->nodes[number].cost_ns > KFI_KEEP_NS) return publish(w, number);
    keep_cheap(w, number);
    return 0;
}

/* Holds the better one of this task and the one that is held; likewise. */
static double hold(kfi_worker *w, int32_t number) {
    const int32_t other = w->held;
    if (other == KFI_NONE) w->held_ns = 0;
    if (other == KFI_NONE || number < other) w->held = number;
    if (other == KFI_NONE) return 0;
    return publish(w, number < other ? other : number);
}

/* Returns the best of the cheap ones that have become ready, which is put nowhere; else KFI_NONE.
 */
static int32_t release_successors(kfi_worker *w, const kfi_node *node) {
    double published_ns = 0;
    int32_t best = KFI_NONE;
    for (int32_t k = node->n_successors - 1; k >= 0; k--) { /* the most critical one last */
        const int32_t number = node->successors[k];
        if (!kfi_node_arrive(&w->nodes[number], w->alone)) continue;
        if (w->nodes[number].cost_ns >= KFI_CHEAP_NS) {
            published_ns += hold(w, number);
            continue;
        }
        if (best != KFI_NONE) published_ns += put_away(w, best);
        best = number;
    }
    publish_batch(w);
    if (published_ns > 0) announce(w, published_ns);
    return best;
}

/* The held task, or a far more critical one that stands ready: the held one takes its place. */
static int32_t better_of(kfi_worker *w, int32_t held) {
    const int32_t best = kfi_ready_peek(w->ready);
    if (best == KFI_NONE || !kfi_schedule_outranks(w->crew->schedule, best, held, KFI_PREFER_NS) ||
        !kfi_ready_remove(w->ready, best))
        return held;
    publish(w, held);
    publish_batch(w);
    return best;
}

/* The next task to run here: cheap ones first, since others may wait for what they lead to. */
static int32_t next_task(kfi_worker *w, int32_t cheap) {
    if (cheap == KFI_NONE && w->cheap != KFI_NONE) cheap = take_cheap(w);
    const int32_t held = w->held;
    if (cheap == KFI_NONE) {
        w->held = KFI_NONE;
        return held == KFI_NONE ? KFI_NONE : better_of(w, held);
    }
    if (held == KFI_NONE) return cheap;
    w->held_ns += KFI_LEAST_NS + w->nodes[cheap].cost_ns;
    if (w->held_ns > KFI_KEEP_NS) publish_held(w);
    return cheap;
}

/* ---- the stages of a task ---- */

/* What others will find when the task is finished here: all that it makes ready but the best. */
static double leaves_ns(const kfi_worker *w, const kfi_node *node) {
    double sum_ns = 0, most_ns = 0;
    for (int32_t k = 0; k < node->n_successors; k++) {
        const kfi_node *next = &w->nodes[node->successors[k]];
        if (!kfi_node_is_last(next)) continue;
        const bool shared = next->one_piece == KFI_NONE; /* tiles that others may run */
        if (!shared && next->cost_ns > most_ns) most_ns = next->cost_ns;
        sum_ns += next->cost_ns;
    }
    return sum_ns - most_ns;
}

/* Others may rest until the end of this long piece, if it is of interest to them. */
static void run_long(kfi_worker *w, const kfi_piece *piece) {
    const kfi_node *node = &w->nodes[piece->number];
    const bool is_exit = node->n_successors == 0;
    const bool is_foretold = is_exit || leaves_ns(w, node) >= KFI_WAKE_NS;
    kfi_crew *crew = w->crew;
    if (is_foretold && !is_exit) open_gate(w);
    if (is_foretold) kfi_crew_foretell(crew, w->hand.worker, (int64_t)node->cost_ns, is_exit);
    kfi_crew_run(crew, &w->hand, piece);
    if (is_foretold) kfi_crew_recall(crew, w->hand.worker);
}

static void run_one_piece(kfi_worker *w, int32_t number, int32_t n_tiles) {
    const kfi_piece piece = {number, 0, 0, n_tiles};
    const bool alone = atomic_load_explicit(&w->crew->workers, memory_order_relaxed) == 1;
    if (w->nodes[number].cost_ns < KFI_LONG_NS || alone)
        kfi_crew_run(w->crew, &w->hand, &piece);
    else
        run_long(w, &piece);
}

static void run_chunk(kfi_worker *w, int32_t number, int32_t stage, int32_t n_chunks,
                      int32_t chunk) {
    const kfi_loop *loop = &w->loops[number];
    const kfi_piece piece = kfi_piece_of_chunk(loop, number, stage, n_chunks, chunk);
    kfi_crew_run(w->crew, &w->hand, &piece);
}

/* Returns the last stage that was run: they are all the rounds of one. */
static int32_t run_whole(kfi_worker *w, int32_t number, int32_t stage) {
    const kfi_loop *loop = &w->loops[number];
    const kfi_piece piece = kfi_piece_of_stage(loop, number, stage);
    kfi_crew_run(w->crew, &w->hand, &piece);
    return kfi_loop_last(loop, stage);
}

/* Runs `chunk` and further chunks of the open stage until none is left, or until a more critical
 * task stands ready. True if that finished the stage. */
static bool run_chunks(kfi_worker *w, int32_t number, int32_t chunk) {
    kfi_crew *crew = w->crew;
    kfi_loop *loop = &w->loops[number];
    /* stable while a chunk claimed here is unfinished */
    const int32_t stage = loop->stage, n_chunks = loop->n_chunks;
    int32_t n_done = 0;
    while (chunk != KFI_NONE) {
        /* before the chunk is run, so that it is done before the stage can be finished */
        if (chunk == n_chunks - 1) kfi_ready_remove(&crew->open, number);
        run_chunk(w, number, stage, n_chunks, kfi_loop_turned(loop, chunk));
        n_done++;
        const int32_t best = kfi_ready_peek(w->ready);
        if (best != KFI_NONE && best < number) break;
        chunk = kfi_loop_claim(loop);
    }
    return kfi_loop_finish(loop, n_done);
}

/* Opens the stage for all, and works on it. True if that finished it. */
static bool run_loop(kfi_worker *w, int32_t number, int32_t stage, int32_t n_chunks) {
    kfi_crew *crew = w->crew;
    kfi_loop *loop = &w->loops[number];
    loop->turn = w->hand.worker % n_chunks; /* in each round a worker has what is in its cache */
    kfi_loop_open(loop, stage, n_chunks);
    kfi_ready_add(&crew->open, number / 64, UINT64_C(1) << (number % 64));
    announce(w, KFI_WAKE_NS); /* every chunk is worth it */
    const int32_t chunk = kfi_loop_claim(loop);
    return chunk != KFI_NONE && run_chunks(w, number, chunk);
}

/* Runs the stages from `stage` on. False if somebody else goes on with the task. */
static bool run_stages(kfi_worker *w, int32_t number, int32_t stage) {
    const int32_t one_piece = w->nodes[number].one_piece;
    if (one_piece != KFI_NONE) {
        if (one_piece) run_one_piece(w, number, one_piece);
        return true;
    }
    const kfi_loop *loop = &w->loops[number];
    const int32_t workers = atomic_load_explicit(&w->crew->workers, memory_order_relaxed);
    for (; stage < loop->n_stages; stage++) {
        const int32_t n_chunks = kfi_loop_chunks(loop, stage, workers);
        if (n_chunks == 1) stage = run_whole(w, number, stage);
        if (n_chunks <= 1) continue;
        if (!run_loop(w, number, stage, n_chunks)) return false;
        stage = loop->stage; /* a later one if others were faster than this worker */
    }
    return true;
}

/* A finished task, what it leads to, what that leads to … as long as it stays here. */
static void go_on(kfi_worker *w, int32_t number) {
    do {
        const kfi_node *node = &w->nodes[number];
        const int32_t cheap = release_successors(w, node);
        if (node->n_successors == 0) kfi_crew_exit(w->crew, w->hand.worker);
        number = next_task(w, cheap);
    } while (number != KFI_NONE && run_stages(w, number, 0));
}

/* ---- the worker ---- */

void kfi_worker_start(kfi_worker *w) { go_on(w, w->crew->schedule->n_tasks); }

/* Called once work is found: what is still left may need somebody who was not woken because this
 * worker was searching. */
static void wake_next(kfi_worker *w) {
    if (w->fresh) kfi_crews_pass_on(w->crew);
    w->fresh = false;
}

static bool join_loop(kfi_worker *w, int32_t number) {
    kfi_loop *loop = &w->loops[number];
    const int32_t chunk = kfi_loop_claim(loop);
    if (chunk == KFI_NONE) return false; /* who claimed the last one is about to remove the loop */
    wake_next(w);
    if (run_chunks(w, number, chunk) && run_stages(w, number, loop->stage + 1)) go_on(w, number);
    return true;
}

/* The best of the worker's own group, else of another. */
static int32_t take_task(kfi_worker *w) {
    kfi_crew *crew = w->crew;
    int32_t number = kfi_ready_take(w->ready, &w->fresh);
    const int32_t n_groups = atomic_load_explicit(&crew->n_groups, memory_order_relaxed);
    for (int32_t g = 1; g < n_groups && number == KFI_NONE; g++)
        number = kfi_ready_take(&crew->ready[(w->group + g) % n_groups], &w->fresh);
    return number;
}

static bool begin_task(kfi_worker *w) {
    const int32_t number = take_task(w);
    if (number == KFI_NONE) return false;
    wake_next(w);
    if (run_stages(w, number, 0)) go_on(w, number);
    return true;
}

bool kfi_worker_work(kfi_worker *w) {
    kfi_crew *crew = w->crew;
    w->hand.clock = 0; /* time has passed since the last piece */
    const int32_t ready = kfi_ready_peek(w->ready);
    const int32_t open = kfi_ready_first(&crew->open, &w->fresh);
    if (open != KFI_NONE && (ready == KFI_NONE || open < ready) && join_loop(w, open)) return true;
    return begin_task(w);
}
