#include "fitting.h"

#include "../command/interrupt.h"
#include "../command/report.h"
#include "class_weight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- callbacks -------------------------------------------------------------------------------- */

/* "name(arguments)", with the argument `first` quoted if there is a name for it. */
static kf_status add(kf_fit_options *how, int *n, const char *name, const char *arguments) {
    char *text = NULL;
    if (asprintf(&text, "%s(%s)", name, arguments) < 0)
        return tool_fail(KF_MEMORY, "out of memory");
    if (*n == KF_MAX_CALLBACKS) {
        free(text);
        return tool_fail(KF_USAGE, "more than %d callbacks", KF_MAX_CALLBACKS);
    }
    how->callbacks[(*n)++] = kf_callback_named(text);
    free(text);
    const kf_status status = kf_callback_error(how->callbacks[*n - 1]);
    return status == KF_OK ? KF_OK : tool_fail(KF_USAGE, "%s", kf_last_error());
}

static kf_status take(kf_fit_options *how, int *n, kf_callback *made) {
    if (*n == KF_MAX_CALLBACKS) {
        kf_callback_free(made);
        return tool_fail(KF_USAGE, "more than %d callbacks", KF_MAX_CALLBACKS);
    }
    how->callbacks[(*n)++] = made;
    return made != NULL ? KF_OK : tool_fail(KF_MEMORY, "out of memory");
}

/* A text that is a callback as typed: "name" or "name(arguments)". */
static kf_status add_typed(kf_fit_options *how, int *n, const char *text) {
    kf_callback *made = kf_callback_named(text);
    const kf_status status = take(how, n, made);
    if (status != KF_OK || kf_callback_error(made) == KF_OK) return status;
    return tool_fail(KF_USAGE, "--callback: %s", kf_last_error());
}

/* Those that change the learning rate or stop come before those that write things down. */
static kf_status make_callbacks(const train_options *given, kf_model *model, kf_fit_options *how) {
    int n = 0;
    FILE *progress = given->json ? stderr : stdout;
    kf_status status = KF_OK;
    if (given->verbose > 0) status = take(how, &n, kf_progress(progress, (int32_t)given->verbose));
    for (int32_t i = 0; i < given->callbacks.count && status == KF_OK; i++)
        status = add_typed(how, &n, given->callbacks.items[i]);
    if (status == KF_OK && given->reduce_lr != NULL)
        status = add(how, &n, "reduce_lr_on_plateau", given->reduce_lr);
    if (status == KF_OK && given->early_stopping != NULL)
        status = add(how, &n, "early_stopping", given->early_stopping);
    if (status == KF_OK && given->terminate_on_nan) status = add(how, &n, "terminate_on_nan", "");
    if (status == KF_OK && given->csv != NULL) status = take(how, &n, kf_csv_logger(given->csv));
    if (status == KF_OK && given->tensorboard != NULL)
        status = take(how, &n, kf_tensorboard(given->tensorboard));
    if (status == KF_OK) status = take(how, &n, tool_suspend_on_signals(model));
    return status;
}

/* --- results ---------------------------------------------------------------------------------- */

static void print_last_epoch(const kf_history *history) {
    const int32_t epochs = kf_history_epochs(history);
    if (epochs == 0) return;
    for (int32_t i = 0; i < kf_history_keys(history); i++) {
        const char *key = kf_history_key(history, i);
        tool_print_value(key, kf_history_values(history, key)[epochs - 1]);
    }
}

/* Names of metrics hold nothing that JSON would have to escape; what is no number is null. */
static void print_json(const kf_history *history) {
    const int32_t epochs = kf_history_epochs(history);
    printf("{\"epochs\": %d, \"history\": {", epochs);
    for (int32_t i = 0; i < kf_history_keys(history); i++) {
        const char *key = kf_history_key(history, i);
        const double *values = kf_history_values(history, key);
        printf("%s\"%s\": [", i > 0 ? ", " : "", key);
        for (int32_t epoch = 0; epoch < epochs; epoch++)
            isfinite(values[epoch]) ? printf("%s%.17g", epoch > 0 ? ", " : "", values[epoch])
                                    : printf("%snull", epoch > 0 ? ", " : "");
        printf("]");
    }
    printf("}, \"data_wait_seconds\": [");
    for (int32_t epoch = 0; epoch < epochs; epoch++)
        printf("%s%.6f", epoch > 0 ? ", " : "", kf_history_data_wait(history, epoch));
    printf("], \"data_idle_seconds\": [");
    for (int32_t epoch = 0; epoch < epochs; epoch++)
        printf("%s%.6f", epoch > 0 ? ", " : "", kf_history_data_idle(history, epoch));
    printf("], \"bottleneck\": [");
    for (int32_t epoch = 0; epoch < epochs; epoch++)
        printf("%s\"%s\"", epoch > 0 ? ", " : "", kf_history_bottleneck(history, epoch));
    printf("]}\n");
}

/* Who waited for whom, epoch by epoch: no result, so not on standard output. */
static void print_data_times(const kf_history *history) {
    for (int32_t epoch = 0; epoch < kf_history_epochs(history); epoch++)
        tool_say("epoch %d: training waited %.3f s for data, reading ahead waited %.3f s for "
                 "training; the bottleneck is %s",
                 epoch + 1, kf_history_data_wait(history, epoch),
                 kf_history_data_idle(history, epoch), kf_history_bottleneck(history, epoch));
}

/* Training goes on with a loss that is no number, as Keras does; but what comes of it is not worth
 * a good file that may be under the name of --save. */
static kf_status check_finite(const kf_history *history) {
    const double *loss = kf_history_values(history, "loss");
    for (int32_t epoch = 0; loss != NULL && epoch < kf_history_epochs(history); epoch++)
        if (!isfinite(loss[epoch]))
            return tool_fail(KF_DIVERGED, "the loss of epoch %d is %g; nothing is saved", epoch + 1,
                             loss[epoch]);
    return KF_OK;
}

/* --- the fit ---------------------------------------------------------------------------------- */

static kf_status fit(kf_model *model, kf_dataset *data, kf_dataset *validation,
                     const train_options *given) {
    kf_history *history = kf_history_new();
    if (history == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_fit_options how = given->fit;
    how.size = sizeof how;
    how.history = history;
    how.validation_data = validation;
    class_weights *classes = NULL;
    kf_status status = make_callbacks(given, model, &how);
    if (status == KF_OK && given->class_weights.count > 0)
        status = kfrun_class_weights_read(&given->class_weights, &classes);
    if (classes != NULL) how.class_weight = kfrun_class_weights_list(classes);
    if (status == KF_OK) {
        status = kf_fit_with(model, data, &how);
        if (status != KF_STOPPED || tool_signal_status() == KF_OK) tool_fail_kf(status);
    }
    if (status == KF_OK) status = check_finite(history);
    if (status == KF_OK && given->data_times) print_data_times(history);
    if (status == KF_OK) given->json ? print_json(history) : print_last_epoch(history);
    for (int i = 0; i < KF_MAX_CALLBACKS; i++) kf_callback_free(how.callbacks[i]);
    kfrun_class_weights_free(classes);
    kf_history_free(history);
    return status;
}

static kf_status stopped(kf_model *model, const train_options *given) {
    const char *path = given->fit.checkpoint != NULL ? given->fit.checkpoint : given->save;
    const kf_status status = path != NULL ? tool_fail_kf(kf_save(model, path)) : KF_OK;
    if (status != KF_OK) return status;
    tool_fail(KF_STOPPED, "stopped by a signal%s%s%s",
              path != NULL ? "; saved what was trained so far to " : "", path != NULL ? path : "",
              path != NULL ? "; --resume goes on from there" : "");
    return tool_signal_status();
}

kf_status kfrun_fit(kf_model *model, kf_dataset *data, kf_dataset *validation,
                    const train_options *given) {
    kf_status status = fit(model, data, validation, given);
    if (status == KF_STOPPED && tool_signal_status() != KF_OK) return stopped(model, given);
    if (status == KF_OK && given->save != NULL) status = tool_fail_kf(kf_save(model, given->save));
    return status == KF_OK ? tool_signal_status() : status; /* late: all was done and saved */
}
