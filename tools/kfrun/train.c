/* kfrun train: the checks that need no training come first, so that hours are not lost to a typing
 * error in --save. */
#include "../command/data_file.h"
#include "../command/model_file.h"
#include "../command/report.h"
#include "../command/training.h"
#include "commands.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct train_options {
    tool_data_options data;
    tool_training_options training;
    int64_t epochs, batch_size, threads, verbose;
    double validation_split;
    const char *validation_data, *shuffle, *weights, *save;
    uint64_t seed;
} train_options;

static const tool_option options[] = {
    TOOL_DATA_OPTIONS(train_options, data),
    TOOL_TRAINING_OPTIONS(train_options, training),
    TOOL_OPTION(train_options, epochs, "epochs", tool_integer, .argument = "N", .low = 1,
                .high = 1e9, .help = "default 1"),
    TOOL_OPTION(train_options, batch_size, "batch-size", tool_integer, .argument = "N", .low = 1,
                .high = 1e9, .help = "default 32"),
    TOOL_OPTION(train_options, validation_split, "validation-split", tool_real,
                .argument = "FRACTION", .low = 1e-9, .high = 0.999999,
                .help = "keep this part of the samples, the last ones, for validation"),
    TOOL_OPTION(train_options, validation_data, "validation-data", tool_text, .argument = "DATA",
                .help = "validate on these after each epoch: FILE or FILE:group"),
    TOOL_OPTION(train_options, shuffle, "shuffle", tool_choice, .argument = "HOW",
                .choices = "true|batch|false", .help = "true (default), batch or false"),
    TOOL_OPTION(train_options, seed, "seed", tool_seed, .argument = "N",
                .help = "of initial weights, dropout and shuffling"),
    TOOL_OPTION(train_options, threads, "threads", tool_integer, .argument = "N", .low = 1,
                .high = 1024, .help = "workers; default: all CPUs"),
    TOOL_OPTION(train_options, weights, "weights", tool_text, .argument = "FILE.h5",
                .help = "start from the weights in this file"),
    TOOL_OPTION(train_options, save, "save", tool_text, .argument = "OUT.h5",
                .help = "save the trained model as a Keras .h5 file"),
    TOOL_OPTION(train_options, verbose, "verbose", tool_integer, .argument = "0|1|2", .low = 0,
                .high = 2,
                .help = "0 silent, 1 a bar, 2 a line per epoch; default: 1 on a terminal, else 2"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfrun train",
    .arguments = "MODEL DATA",
    .least = 2,
    .most = 2,
    .purpose = "Trains MODEL on the datasets of DATA that are named like its inputs and outputs.",
    .notes = "The progress and then the last epoch's loss and metrics are written to standard\n"
             "output. Ctrl-C stops after the current batch and still saves.\n",
    .options = options};

/* The saved file will appear by a rename in its folder: can a file be made there? */
static kf_status check_writable(const char *path) {
    struct stat found;
    if (stat(path, &found) == 0 && S_ISDIR(found.st_mode))
        return tool_fail(KF_IO, "cannot save to %s: it is a folder", path);
    char trial[4096];
    if ((size_t)snprintf(trial, sizeof trial, "%s.XXXXXX", path) >= sizeof trial)
        return tool_fail(KF_IO, "cannot save to %.40s…: the path is too long", path);
    const int file = mkstemp(trial);
    if (file < 0) return tool_fail(KF_IO, "cannot save to %s: %s", path, strerror(errno));
    close(file);
    unlink(trial);
    return KF_OK;
}

/* Written before the handler is installed, read by it. */
static kf_model *trained_model;
static volatile sig_atomic_t interrupted;

static void interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
    kf_stop_training(trained_model);
}

/* The second Ctrl-C ends the program as usual. */
static void stop_on_interrupt(kf_model *model) {
    trained_model = model;
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static void print_last_epoch(const kf_history *history) {
    const int32_t epochs = kf_history_epochs(history);
    if (epochs == 0) return;
    for (int32_t i = 0; i < kf_history_keys(history); i++) {
        const char *key = kf_history_key(history, i);
        tool_print_value(key, kf_history_values(history, key)[epochs - 1]);
    }
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

static kf_status fit(kf_model *model, kf_dataset *data, kf_dataset *validation,
                     const train_options *given) {
    kf_history *history = kf_history_new();
    if (history == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_fit_options how = {.size = sizeof how,
                          .batch_size = given->batch_size,
                          .epochs = (int32_t)given->epochs,
                          .validation_split = (float)given->validation_split,
                          .validation_data = validation,
                          .shuffle = given->shuffle,
                          .seed = given->seed,
                          .threads = (int32_t)given->threads,
                          .history = history};
    if (given->verbose > 0) how.callbacks[0] = kf_progress(stdout, (int32_t)given->verbose);
    kf_status status = KF_OK;
    if (given->verbose > 0 && how.callbacks[0] == NULL)
        status = tool_fail(KF_MEMORY, "out of memory");
    stop_on_interrupt(model);
    if (status == KF_OK) status = kf_fit_with(model, data, &how);
    if (status == KF_STOPPED && interrupted)
        status = KF_OK;
    else
        tool_fail_kf(status);
    if (status == KF_OK) status = check_finite(history);
    if (status == KF_OK) print_last_epoch(history);
    kf_callback_free(how.callbacks[0]);
    kf_history_free(history);
    return status;
}

static kf_status train_and_save(kf_model *model, kf_dataset *data, kf_dataset *validation,
                                const train_options *given) {
    kf_status status = tool_compile(model, &given->training);
    if (status == KF_OK) status = fit(model, data, validation, given);
    if (status != KF_OK) return status;
    if (given->save != NULL) status = tool_fail_kf(kf_save(model, given->save));
    if (status != KF_OK || !interrupted) return status;
    return tool_fail(KF_STOPPED, "stopped by a signal%s%s",
                     given->save != NULL ? "; saved what was trained so far to " : "",
                     given->save != NULL ? given->save : "");
}

static kf_status open_data(const char *path, const train_options *given, const kf_model *model,
                           kf_dataset **data, kf_dataset **validation) {
    kf_status status = tool_data_open(path, &given->data, model, data);
    if (status != KF_OK || given->validation_data == NULL) return status;
    tool_data_options same = given->data;
    /* --group chooses within DATA; other data say their own group */
    same.group = NULL;
    return tool_data_open(given->validation_data, &same, model, validation);
}

kf_status kfrun_train(int argc, char **argv) {
    train_options given = {.verbose = isatty(STDOUT_FILENO) ? 1 : 2, .epochs = 1};
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    if (given.validation_data != NULL && given.validation_split > 0)
        return tool_fail(KF_USAGE, "give --validation-split or --validation-data, not both");
    if (given.save != NULL && (status = check_writable(given.save)) != KF_OK) return status;
    tool_check_threads(given.threads);

    kf_graph *graph = kf_graph_new(.seed = given.seed);
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    kf_dataset *data = NULL, *validation = NULL;
    status = tool_model_open(graph, argv[first], given.weights, &model);
    if (status == KF_OK) status = open_data(argv[first + 1], &given, model, &data, &validation);
    if (status == KF_OK) status = train_and_save(model, data, validation, &given);
    kf_dataset_free(validation);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return status;
}
