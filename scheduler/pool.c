#include "scheduler/pool.h"

#include "scheduler/cpus.h"
#include "scheduler/policy.h"
#include "scheduler/threads.h"
#include "scheduler/worker.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* Whoever spins where threads outnumber CPUs may keep somebody from working. */
static const double CROWDED_SPIN_NS = 20e3;

static pthread_mutex_t threads_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t threads[KFI_MAX_WORKERS]; /* 1 … n_threads, under the lock           */
static _Atomic int32_t n_threads;          /* written under the lock                  */
static _Atomic bool stopping;              /* by kfi_pool_shutdown                    */
static _Atomic bool crowded;               /* by callers: of the latest run           */
static _Atomic bool is_placing;            /* by the caller that may place threads    */
static _Atomic int pinning = -1;           /* on, off; -1: as KF_PIN says             */

kfi_hooks kfi_pool_hooks;

void kfi_pool_on_enter(void (*enter)(void), void (*leave)(void)) {
    kfi_pool_hooks = (kfi_hooks){enter, leave};
}

/* ---- pinning ---- */

void kfi_pool_pin(int on) { atomic_store(&pinning, on != 0); }

static bool is_pinning_on(void) {
    const int on = atomic_load(&pinning);
    const char *asked = on < 0 ? getenv("KF_PIN") : NULL;
    return on < 0 ? !asked || strcmp(asked, "0") != 0 : on != 0;
}

/* Where the threads 1 … n stand: by the caller that has set is_placing. */
static struct {
    cpu_set_t mask;
    int32_t n;
    kfi_stand stand;
} placed;

/* ---- the threads ---- */

int64_t kfi_pool_spin_ns(bool is_crowded) {
    return (int64_t)(is_crowded ? CROWDED_SPIN_NS : KFI_SPIN_NS);
}

static bool has_more(const void *subject) {
    const int32_t *index = subject;
    return atomic_load_explicit(&stopping, memory_order_seq_cst) || kfi_crews_have_work(*index);
}

static int64_t expected(const void *subject) {
    const int32_t *index = subject;
    return kfi_crews_expected(*index);
}

/* Works in one crew as long as there is work; false if there was none. */
static bool help_one_crew(int32_t index, bool *fresh) {
    kfi_crew *crew = kfi_crew_enter(index);
    if (!crew) return false;
    kfi_worker worker = kfi_worker_new(crew, index);
    worker.fresh = *fresh;
    bool has_worked = false;
    while (kfi_worker_work(&worker)) has_worked = true;
    *fresh = worker.fresh;
    kfi_crew_leave(crew);
    return has_worked;
}

static void *run_thread(void *argument) {
    const int32_t index = (int32_t)(intptr_t)argument;
    bool fresh = false;
    kfi_pool_enter();
    while (!atomic_load_explicit(&stopping, memory_order_seq_cst)) {
        if (help_one_crew(index, &fresh)) continue;
        const bool yields = atomic_load_explicit(&crowded, memory_order_relaxed);
        const kfi_rest rest = {kfi_pool_spin_ns(yields), yields, has_more, yields ? NULL : expected,
                               &index};
        kfi_park_rest(&kfi_pool_park, index, &rest);
        fresh = true;
    }
    return NULL;
}

/* Signals belong to the program's own threads; the mask is the caller's own, pinned or not. */
static bool make_thread(const kfi_cpus *cpus, int32_t index) {
    sigset_t all, before;
    pthread_attr_t attributes;
    if (pthread_attr_init(&attributes) != 0) return false;
    if (cpus->in_mask) pthread_attr_setaffinity_np(&attributes, sizeof cpus->mask, &cpus->mask);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failure =
        pthread_create(&threads[index], &attributes, run_thread, (void *)(intptr_t)index);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failure == 0;
}

void kfi_pool_shutdown(void) {
    pthread_mutex_lock(&threads_lock);
    atomic_store(&stopping, true);
    while (kfi_park_wake(&kfi_pool_park, UINT64_MAX)) continue;
    const int32_t n = atomic_load(&n_threads);
    for (int32_t k = 1; k <= n; k++) pthread_join(threads[k], NULL);
    atomic_store(&n_threads, 0);
    placed.n = 0;
    atomic_store(&stopping, false);
    pthread_mutex_unlock(&threads_lock);
}

/* A forked child has none of its parent's threads. */
static void forget_threads(void) {
    threads_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    atomic_store(&n_threads, 0);
    atomic_store(&is_placing, false);
    placed.n = 0;
    kfi_crews_forget();
}

static void prepare_process(void) {
    atexit(kfi_pool_shutdown);
    pthread_atfork(NULL, NULL, forget_threads);
}

static void make_threads(const kfi_cpus *cpus, int32_t workers) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, prepare_process);
    pthread_mutex_lock(&threads_lock);
    for (int32_t k = atomic_load(&n_threads) + 1; k < workers && make_thread(cpus, k); k++)
        atomic_store(&n_threads, k);
    pthread_mutex_unlock(&threads_lock);
}

static void set_if_different(_Atomic bool *flag, bool value) {
    if (atomic_load_explicit(flag, memory_order_relaxed) != value)
        atomic_store_explicit(flag, value, memory_order_relaxed);
}

void kfi_pool_need(const kfi_cpus *cpus, int32_t workers) {
    set_if_different(&crowded, workers > cpus->usable);
    if (atomic_load_explicit(&n_threads, memory_order_relaxed) < workers - 1)
        make_threads(cpus, workers);
}

/* ---- places ---- */

/* Only a run that uses every CPU it may is placed. With fewer, or under a quota, other processes
 * would choose the same first CPUs while others idle. */
static bool wants_places(const kfi_cpus *cpus, int32_t workers) {
    return is_pinning_on() && workers == cpus->in_mask && workers <= cpus->usable;
}

/* The index of a thread's CPU, KFI_NOWHERE if it may be on any. */
static int32_t place_of(const kfi_cpus *cpus, kfi_stand stand, int32_t thread) {
    const int32_t index = kfi_stand_of(stand, thread);
    return stand.caller == KFI_NOWHERE || index >= cpus->in_mask ? KFI_NOWHERE : index;
}

/* A thread that sleeps is moved by a system call of about 1 µs, whereas a caller that moved itself
 * to an idle CPU would wait some 50 µs until that CPU is awake. So the threads move. */
static void place_threads(const kfi_cpus *cpus, kfi_stand stand) {
    const int32_t n = atomic_load_explicit(&n_threads, memory_order_acquire);
    const bool same_mask = CPU_EQUAL(&placed.mask, &cpus->mask);
    if (same_mask && placed.n == n && placed.stand.caller == stand.caller) return;
    for (int32_t k = 1; k <= n; k++) {
        const int32_t place = place_of(cpus, stand, k);
        if (same_mask && k <= placed.n && place == place_of(cpus, placed.stand, k)) continue;
        const cpu_set_t mask = place == KFI_NOWHERE ? cpus->mask : kfi_cpus_only(cpus, place);
        pthread_setaffinity_np(threads[k], sizeof mask, &mask);
    }
    placed.mask = cpus->mask;
    placed.n = n;
    placed.stand = stand;
}

kfi_stand kfi_pool_place(const kfi_cpus *cpus, int32_t workers, bool for_long) {
    kfi_stand stand = {.caller = KFI_NOWHERE};
    if (!cpus->in_mask || atomic_exchange_explicit(&is_placing, true, memory_order_acquire))
        return stand;
    stand.is_ours = true;
    if (wants_places(cpus, workers)) stand.caller = kfi_cpus_where(cpus);
    place_threads(cpus, stand);
    if (for_long) kfi_cpus_pin(cpus, stand.caller);
    return stand;
}

void kfi_pool_disperse(kfi_stand stand) {
    if (!stand.is_ours) return;
    kfi_cpus_unpin();
    atomic_store_explicit(&is_placing, false, memory_order_release);
}
