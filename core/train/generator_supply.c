#include "core/train/generator_supply.h"

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/status.h"

/* --- filling, on the pipeline's threads ------------------------------------------------------- */

static kf_status call_fill(const kfi_generator_supply *supply, int64_t index, kf_batch *batch) {
    kfi_batch_clear(batch);
    const kf_status status = supply->generator->fill(supply->generator->context, index, batch);
    if (status == KF_OK || kf_last_status() == status) return status;
    return kfi_fail(status, "a generator failed at batch %lld", (long long)index);
}

static bool tells_ends(const kfi_generator_supply *supply) { return supply->workers > 0; }

static void order_pass(kfi_generator_supply *supply) {
    if (supply->order)
        kfi_random_permutation(kfi_random_fold(supply->random, (uint64_t)supply->pass),
                               supply->order, supply->generator->length);
}

/* With the lock. Nobody fills a batch of a pass that was taken whole. */
static void end_pass(kfi_generator_supply *supply) {
    const kf_generator *generator = supply->generator;
    if (generator->on_epoch_end && tells_ends(supply)) generator->on_epoch_end(generator->context);
    supply->pass++;
    order_pass(supply);
    pthread_cond_broadcast(&supply->turn);
}

/* With the lock. Until training took one more batch. From when on all `batches` are filled, that is
 * idling; before, others still work. */
static void wait_for_taking(kfi_generator_supply *supply, int64_t batches) {
    const int64_t since = kfi_now_ns();
    pthread_cond_wait(&supply->turn, &supply->lock);
    if (supply->all_filled < batches) return;
    supply->idle_ns += kfi_now_ns() - (since > supply->filled_ns ? since : supply->filled_ns);
}

/* With the lock. The thread whose batch is the first one after a pass ends that pass, once training
 * took all of it. Batches are begun in order, so the wait has an end unless the supply is closed.
 */
static kf_status reach_pass(kfi_generator_supply *supply, int64_t pass) {
    const int64_t batches = pass * supply->generator->length;
    while (supply->pass < pass && !supply->closing) {
        if (supply->all_taken < batches)
            wait_for_taking(supply, batches);
        else
            end_pass(supply);
    }
    return supply->pass < pass ? kfi_fail(KF_STOPPED, "the supply is closed") : KF_OK;
}

static kf_status fill_from_sequence(kfi_generator_supply *supply, int64_t number, kf_batch *batch) {
    const int64_t length = supply->generator->length;
    pthread_mutex_lock(&supply->lock);
    kf_status status = reach_pass(supply, number / length);
    const int64_t place = number % length;
    const int64_t index = supply->order ? supply->order[place] : place;
    pthread_mutex_unlock(&supply->lock);
    if (status == KF_OK) status = call_fill(supply, index, batch);
    pthread_mutex_lock(&supply->lock);
    supply->all_filled++;
    supply->filled_ns = kfi_now_ns();
    pthread_mutex_unlock(&supply->lock);
    return status;
}

static kf_status fill_from_generator(kfi_generator_supply *supply, int64_t number,
                                     kf_batch *batch) {
    pthread_mutex_lock(&supply->lock);
    while (supply->next < number) pthread_cond_wait(&supply->turn, &supply->lock);
    kf_status status = KF_STOPPED;
    if (supply->over)
        kfi_fail(status, "the generator is over");
    else
        status = call_fill(supply, number, batch);
    supply->over = status != KF_OK;
    supply->next++;
    pthread_cond_broadcast(&supply->turn);
    pthread_mutex_unlock(&supply->lock);
    return status;
}

static kf_status fill(void *context, kfi_batch *to) {
    kfi_generator_supply *supply = context;
    kf_batch *batch = &supply->batches[to->slot];
    const int64_t number = supply->first + to->index;
    kf_status status = supply->generator->length > 0 ? fill_from_sequence(supply, number, batch)
                                                     : fill_from_generator(supply, number, batch);
    if (status == KF_STOPPED)
        status = kfi_fail(KF_INVALID, "the generator ended after %lld batches, more are needed",
                          (long long)number);
    if (status == KF_OK) status = kfi_batch_finish(batch, &supply->ports, supply->classes, number);
    to->rows = status == KF_OK ? batch->rows : 0;
    return status;
}

/* --- taking, on the consumer's ---------------------------------------------------------------- */

static kf_status begin(kfi_generator_supply *supply, int32_t epoch, int64_t first) {
    const int64_t steps = supply->supply.steps, length = supply->generator->length;
    supply->first = (int64_t)(epoch - supply->initial_epoch) * steps + first;
    supply->next = supply->first;
    supply->all_taken = supply->all_filled = supply->first;
    if (length > 0) {
        supply->pass = supply->first / length;
        if (supply->shuffle && tells_ends(supply)) {
            supply->order = kfi_alloc((size_t)length, sizeof *supply->order);
            if (!supply->order) return KF_MEMORY;
        }
        order_pass(supply);
    }
    const kfi_pipeline_options options = {.n_batches =
                                              (int64_t)(supply->epochs - epoch) * steps - first,
                                          .capacity = INT64_MAX,
                                          .workers = supply->workers,
                                          .max_queue_size = supply->max_queue_size,
                                          .fill = fill,
                                          .context = supply};
    supply->n_batches = kfi_pipeline_slots(&options);
    supply->batches = kfi_alloc((size_t)supply->n_batches, sizeof *supply->batches);
    return supply->batches ? kfi_pipeline_new(&options, &supply->pipeline) : KF_MEMORY;
}

/* Since the run's beginning. */
static kfi_pipeline_times measure(kfi_generator_supply *supply) {
    kfi_pipeline_times times = kfi_pipeline_measure(supply->pipeline);
    pthread_mutex_lock(&supply->lock);
    times.producer_idle_ns += supply->idle_ns;
    pthread_mutex_unlock(&supply->lock);
    return times;
}

static kf_status start(kfi_supply *base, int32_t epoch, int64_t first) {
    kfi_generator_supply *supply = (kfi_generator_supply *)base;
    supply->taken = first;
    if (!supply->pipeline) return begin(supply, epoch, first);
    supply->before = measure(supply);
    return KF_OK;
}

static void count_taken(kfi_generator_supply *supply) {
    pthread_mutex_lock(&supply->lock);
    supply->all_taken++;
    pthread_cond_broadcast(&supply->turn);
    pthread_mutex_unlock(&supply->lock);
}

/* A pass that ends with the run has no batch after it whose thread could end it. */
static void end_run(kfi_generator_supply *supply) {
    const int64_t length = supply->generator->length;
    const int64_t all = (int64_t)(supply->epochs - supply->initial_epoch) * supply->supply.steps;
    pthread_mutex_lock(&supply->lock);
    if (length > 0 && supply->all_taken == all && supply->all_taken == (supply->pass + 1) * length)
        end_pass(supply);
    pthread_mutex_unlock(&supply->lock);
}

static kf_status next(kfi_supply *base, kfi_supply_batch *batch) {
    kfi_generator_supply *supply = (kfi_generator_supply *)base;
    const kfi_batch *filled = NULL;
    *batch = (kfi_supply_batch){0};
    if (supply->taken >= base->steps) {
        end_run(supply);
        return KF_OK;
    }
    const kf_status status = kfi_pipeline_next(supply->pipeline, &filled);
    if (status != KF_OK || !filled) return status;
    count_taken(supply);
    kf_batch *from = &supply->batches[filled->slot];
    *batch = (kfi_supply_batch){.index = supply->taken++,
                                .rows = from->rows,
                                .ports = &from->ports,
                                .data = from->data,
                                .where = {.batch = supply->first + filled->index}};
    supply->last_rows = from->rows;
    if (supply->graph) kfi_class_weights_warn(supply->graph, from->unweighed);
    if (from->unweighed) supply->graph = NULL;
    return KF_OK;
}

static kfi_pipeline_times times_of(kfi_supply *base) {
    kfi_generator_supply *supply = (kfi_generator_supply *)base;
    if (!supply->pipeline) return (kfi_pipeline_times){0, 0};
    kfi_pipeline_times times = measure(supply);
    times.consumer_wait_ns -= supply->before.consumer_wait_ns;
    times.producer_idle_ns -= supply->before.producer_idle_ns;
    return times;
}

kf_status kfi_generator_open(kfi_generator_supply *made, const kf_generator *generator,
                             int64_t steps, const char *option) {
    if (!generator || !generator->fill)
        return kfi_fail(KF_USAGE, "the generator is NULL or has no fill");
    if (steps < 0 || generator->length < 0)
        return kfi_fail(KF_USAGE, "%s and the length must be positive", option);
    if (steps == 0) steps = generator->length;
    if (steps == 0)
        return kfi_fail(KF_USAGE,
                        "`%s=None` is only valid for a generator based on the "
                        "`keras.utils.Sequence` class. Please specify `%s` or use the "
                        "`keras.utils.Sequence` class.",
                        option, option);
    made->generator = generator;
    made->supply = (kfi_supply){
        .samples = KF_ANY, .steps = steps, .start = start, .next = next, .times = times_of};
    made->epochs = made->initial_epoch + 1;
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->turn, NULL);
    return KF_OK;
}

void kfi_generator_close(kfi_generator_supply *supply) {
    if (!supply->generator) return;
    pthread_mutex_lock(&supply->lock);
    supply->closing = true;
    pthread_cond_broadcast(&supply->turn);
    pthread_mutex_unlock(&supply->lock);
    kfi_pipeline_free(supply->pipeline);
    for (int32_t i = 0; supply->batches && i < supply->n_batches; i++)
        kfi_batch_release(&supply->batches[i]);
    kfi_free(supply->batches);
    kfi_free(supply->order);
    pthread_mutex_destroy(&supply->lock);
    pthread_cond_destroy(&supply->turn);
    supply->generator = NULL;
}
