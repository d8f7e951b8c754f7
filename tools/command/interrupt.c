#include "interrupt.h"

#include "report.h"

#include <signal.h>

/* Written before the handler is installed, read by it. */
static kf_model *suspended_model;
static volatile sig_atomic_t caught;

static void interrupt(int signal_number) {
    caught = signal_number;
    if (suspended_model != NULL) kf_suspend_training(suspended_model);
}

static void install(void) {
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* A fit forgets what was asked of the one before it. */
static kf_status suspend(kf_callback *callback, kf_model *model) {
    (void)callback;
    if (caught) kf_suspend_training(model);
    return KF_OK;
}

kf_callback *tool_suspend_on_signals(kf_model *model) {
    static kf_callback catches = {.on_train_begin = suspend};
    suspended_model = model;
    install();
    return &catches;
}

static kf_status stop(kf_callback *callback, kf_model *model, int64_t batch, int64_t rows,
                      const kf_log *logs, int32_t n_logs) {
    (void)callback, (void)batch, (void)rows, (void)logs, (void)n_logs;
    if (caught) kf_stop_training(model);
    return KF_OK;
}

kf_callback *tool_stop_on_signals(void) {
    static kf_callback catches = {.on_batch_end = stop};
    install();
    return &catches;
}

kf_status tool_signal_status(void) { return caught ? (kf_status)(128 + caught) : KF_OK; }

kf_status tool_fail_run(kf_status status, const char *lost) {
    if (status != KF_STOPPED || !caught) return tool_fail_kf(status);
    return tool_fail(tool_signal_status(), "stopped by a signal; %s", lost);
}
