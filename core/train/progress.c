/* kf_progress: what Keras 2.2.4 prints while it trains. One difference: the last line of an epoch
 * shows the epoch's averages as the history has them, while Keras counts the last batch twice. */
#include "core/train/fitting.h"

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/status.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

enum { BAR_WIDTH = 30, REDRAW_NS = 100000000, MOST_VALUES = 2 * KF_MAX_OUTPUTS * KF_MAX_METRICS };

typedef struct progress {
    kf_callback callback; /* first: a kf_callback is a progress */
    FILE *stream;
    int32_t verbose;
    bool in_fit;
    int64_t target, seen; /* samples, or steps */
    int64_t rows;         /* that the sums are over */
    int64_t start_ns, drawn_ns;
    size_t drawn_width; /* of the line on the terminal */
    int32_t n_values;
    double sums[MOST_VALUES]; /* over the epoch so far, weighted by rows */
} progress;

/* A line being put together, to be written at once. */
typedef struct text_line {
    char text[8192];
    size_t length;
} text_line;

__attribute__((format(printf, 2, 3))) static void put(text_line *line, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const size_t room = sizeof line->text - line->length;
    const int wrote = vsnprintf(line->text + line->length, room, format, arguments);
    va_end(arguments);
    if (wrote > 0) line->length += (size_t)wrote < room ? (size_t)wrote : room - 1;
}

/* " - loss: 0.1234"; small ones as 1.2345e-04. */
static void put_value(text_line *line, const char *name, double value) {
    put(line, fabs(value) > 1e-3 || isnan(value) ? " - %s: %.4f" : " - %s: %.4e", name, value);
}

static void put_bar(text_line *line, int64_t seen, int64_t target) {
    const int digits = (int)floor(log10((double)target)) + 1;
    put(line, "%*" PRId64 "/%" PRId64 " [", digits, seen, target);
    const int filled = (int)(BAR_WIDTH * ((double)seen / (double)target));
    for (int i = 0; i < BAR_WIDTH; i++) {
        const char tip = i + 1 == filled && seen < target ? '>' : '=';
        put(line, "%c", i < filled ? tip : '.');
    }
    put(line, "]");
}

static void put_remaining(text_line *line, double seconds) {
    const int64_t eta = (int64_t)seconds;
    if (eta > 3600)
        put(line, " - ETA: %" PRId64 ":%02" PRId64 ":%02" PRId64, eta / 3600, eta % 3600 / 60,
            eta % 60);
    else if (eta > 60)
        put(line, " - ETA: %" PRId64 ":%02" PRId64, eta / 60, eta % 60);
    else
        put(line, " - ETA: %" PRId64 "s", eta);
}

/* Keras calls a sample a step here. */
static void put_spent(text_line *line, double seconds, int64_t samples) {
    const double each = samples ? seconds / (double)samples : 0;
    put(line, " - %.0fs", seconds);
    if (each >= 1)
        put(line, " %.0fs/step", each);
    else if (each >= 1e-3)
        put(line, " %.0fms/step", each * 1e3);
    else
        put(line, " %.0fus/step", each * 1e6);
}

static double seconds_since(int64_t start_ns) { return (double)(kfi_now_ns() - start_ns) * 1e-9; }

/* Writes over the line that is there. */
static void draw(progress *bar, text_line *line, bool last) {
    const size_t width = line->length;
    while (line->length < bar->drawn_width) put(line, " ");
    fprintf(bar->stream, "%s%s%s", bar->drawn_width ? "\r" : "", line->text, last ? "\n" : "");
    fflush(bar->stream);
    bar->drawn_width = last ? 0 : width;
    bar->drawn_ns = kfi_now_ns();
}

static void begin(progress *bar, int64_t target) {
    bar->target = target;
    bar->seen = bar->rows = 0;
    bar->n_values = 0;
    bar->drawn_width = 0;
    bar->start_ns = kfi_now_ns();
    bar->drawn_ns = bar->start_ns - REDRAW_NS;
    memset(bar->sums, 0, sizeof bar->sums);
}

static const kfi_progress_state *state_of(const kf_model *model) {
    return &((const kfi_training *)model->training)->progress;
}

/* --- hooks ------------------------------------------------------------------------------------ */

static kf_status train_begin(kf_callback *callback, kf_model *model) {
    progress *bar = (progress *)callback;
    const kfi_progress_state *state = state_of(model);
    bar->in_fit = true;
    if (state->validation_samples)
        fprintf(bar->stream, "Train on %" PRId64 " samples, validate on %" PRId64 " samples\n",
                state->samples, state->validation_samples);
    fflush(bar->stream);
    return KF_OK;
}

static kf_status train_end(kf_callback *callback, kf_model *model) {
    (void)model;
    ((progress *)callback)->in_fit = false;
    return KF_OK;
}

static kf_status epoch_begin(kf_callback *callback, kf_model *model, int32_t epoch) {
    progress *bar = (progress *)callback;
    const kfi_progress_state *state = state_of(model);
    fprintf(bar->stream, "Epoch %d/%d\n", epoch + 1, state->epochs);
    fflush(bar->stream);
    begin(bar, state->samples);
    return KF_OK;
}

/* The numbers of what was seen before are not known here: the bar shows those of the rest, its last
 * line those of the whole epoch. */
static kf_status resume(kf_callback *callback, kf_model *model, int32_t epoch, int64_t rows) {
    progress *bar = (progress *)callback;
    const kf_status status = epoch_begin(callback, model, epoch);
    bar->seen =
        state_of(model)->counts_steps ? ((const kfi_training *)model->training)->fit->batch : rows;
    return status;
}

/* In a fit the end of the epoch draws the last line, with the validation; elsewhere the last batch
 * does. */
static kf_status batch_end(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                           const kf_log *logs, int32_t n_logs) {
    progress *bar = (progress *)callback;
    if (!bar->in_fit && batch == 0) begin(bar, state_of(model)->samples);
    bar->seen += state_of(model)->counts_steps ? 1 : rows;
    bar->rows += rows;
    bar->n_values = n_logs < MOST_VALUES ? n_logs : MOST_VALUES;
    for (int32_t i = 0; i < bar->n_values; i++) bar->sums[i] += logs[i].value * (double)rows;
    const bool last = bar->seen >= bar->target;
    if (bar->verbose != 1 || (last && bar->in_fit)) return KF_OK;
    if (!last && kfi_now_ns() - bar->drawn_ns < REDRAW_NS) return KF_OK;
    text_line line = {.length = 0};
    const double spent = seconds_since(bar->start_ns);
    put_bar(&line, bar->seen, bar->target);
    if (last)
        put_spent(&line, spent, bar->seen);
    else
        put_remaining(&line, spent / (double)bar->seen * (double)(bar->target - bar->seen));
    for (int32_t i = 0; i < bar->n_values && bar->in_fit; i++)
        put_value(&line, logs[i].name, bar->sums[i] / (double)bar->rows);
    draw(bar, &line, last);
    return KF_OK;
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    (void)model, (void)epoch;
    progress *bar = (progress *)callback;
    text_line line = {.length = 0};
    const double spent = seconds_since(bar->start_ns);
    if (bar->verbose == 1 && bar->target > 0) {
        put_bar(&line, bar->seen, bar->target);
        put_spent(&line, spent, bar->seen);
    } else {
        put(&line, " - %.0fs", spent);
    }
    for (int32_t i = 0; i < n_logs; i++) put_value(&line, logs[i].name, logs[i].value);
    draw(bar, &line, true);
    return KF_OK;
}

static void free_progress(kf_callback *callback) { kfi_free(callback); }

kf_callback *kf_progress(FILE *stream, int32_t verbose) {
    if (!stream || (verbose != 1 && verbose != 2)) {
        kfi_fail(KF_USAGE, "kf_progress needs a stream and verbose 1 or 2, got %d", verbose);
        return NULL;
    }
    progress *bar = kfi_alloc(1, sizeof *bar);
    if (!bar) return NULL;
    bar->stream = stream;
    bar->verbose = verbose;
    bar->callback = (kf_callback){.on_train_begin = train_begin,
                                  .on_train_end = train_end,
                                  .on_epoch_begin = epoch_begin,
                                  .on_epoch_end = epoch_end,
                                  .on_batch_end = batch_end,
                                  .on_resume = resume,
                                  .free = free_progress};
    return &bar->callback;
}
