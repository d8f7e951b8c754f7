/* kfrun train: the checks that need no training come first, so that hours are not lost to a typing
 * error in --save. */
#include "../command/library_options.h"
#include "../command/model_file.h"
#include "../command/report.h"
#include "commands.h"
#include "fitting.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What kfrun adds to the options of kf_fit. */
static const tool_option own[] = {
    TOOL_DATA_OPTIONS(train_options, data),
    TOOL_TRAINING_OPTIONS(train_options, training),
    TOOL_OPTION(train_options, validation_data, "validation-data", tool_text, .argument = "DATA",
                .help = "validate on these after each epoch: FILE or FILE:group"),
    TOOL_OPTION(train_options, class_weights, "class-weight", tool_texts,
                .argument = "[OUTPUT=]CLASS:WEIGHT,…",
                .help = "weights of classes, or a .json file of them; repeatable"),
    TOOL_OPTION(train_options, early_stopping, "early-stopping", tool_text, .argument = "ARGS",
                .help = "such as \"patience=3, restore_best_weights=True\""),
    TOOL_OPTION(train_options, reduce_lr, "reduce-lr", tool_text, .argument = "ARGS",
                .help = "on a plateau, such as \"factor=0.5, patience=2\""),
    TOOL_OPTION(train_options, terminate_on_nan, "terminate-on-nan", tool_flag,
                .help = "stop after a batch whose loss is no finite number"),
    TOOL_OPTION(train_options, callbacks, "callback", tool_texts, .argument = "TEXT",
                .help = "see 'kfrun help callbacks'; repeatable"),
    TOOL_OPTION(train_options, csv, "csv", tool_text, .argument = "FILE.csv",
                .help = "write a line of logs per epoch"),
    TOOL_OPTION(train_options, tensorboard, "tensorboard", tool_text, .argument = "FOLDER",
                .help = "write event files for TensorBoard"),
    TOOL_WEIGHTS_OPTIONS(train_options, weights),
    TOOL_OPTION(train_options, save, "save", tool_text, .argument = "OUT.h5",
                .help = "save the trained model as a Keras .h5 file"),
    TOOL_OPTION(train_options, json, "json", tool_flag,
                .help = "print the history as JSON; progress goes to standard error"),
    TOOL_OPTION(train_options, data_times, "data-times", tool_flag,
                .help = "say for each epoch whether training or data was waited for"),
    TOOL_OPTION(train_options, verbose, "verbose", tool_integer, .argument = "0|1|2", .low = 0,
                .high = 2,
                .help = "0 silent, 1 a bar, 2 a line per epoch; default: 1 on a terminal, else 2"),
    TOOL_OPTIONS_END};

/* And those of kf_fit, as the library tells of them. */
static tool_option options[TOOL_MAX_OPTIONS];

static const tool_command command = {
    .name = "kfrun train",
    .arguments = "MODEL DATA",
    .least = 2,
    .most = 2,
    .purpose = "Trains MODEL on the datasets of DATA that are named like its inputs and outputs.",
    .notes = "The progress and then the last epoch's loss and metrics are written to standard\n"
             "output. SIGINT (Ctrl-C) and SIGTERM stop after the current batch, save to\n"
             "--checkpoint or --save, and exit with 130 or 143. What goes on by --resume, with\n"
             "the same options, ends with the same bits as if it had never been stopped: from\n"
             "--checkpoint if it is there, else from MODEL. --seed is that of initial weights\n"
             "and dropout, too. Datasets called OUTPUT_sample_weight weigh the samples of an\n"
             "output, sample_weight those of the only one.\n"
             "'kfrun help optimizers', and so on for losses, metrics, callbacks, preparations,\n"
             "lists what there is, with all options.\n",
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

static kf_status open_data(const char *path, const train_options *given, const kf_model *model,
                           kf_dataset **data, kf_dataset **validation) {
    kf_status status = tool_data_open(path, &given->data, model, data);
    if (status != KF_OK || given->validation_data == NULL) return status;
    tool_data_options same = given->data;
    /* --group and --rows choose within DATA; other data say their own group */
    same.group = same.rows = NULL;
    return tool_data_open(given->validation_data, &same, model, validation);
}

static kf_status check_options(const train_options *given) {
    if (given->validation_data != NULL && given->fit.validation_split > 0)
        return tool_fail(KF_USAGE, "give --validation-split or --validation-data, not both");
    if (given->fit.checkpoint_batches > 0 && given->fit.checkpoint == NULL)
        return tool_fail(KF_USAGE, "--checkpoint-batches needs --checkpoint");
    kf_status status = given->save != NULL ? check_writable(given->save) : KF_OK;
    const char *checkpoint = given->fit.checkpoint;
    if (status == KF_OK && checkpoint != NULL) status = check_writable(checkpoint);
    tool_check_threads(given->fit.threads);
    return status;
}

/* What a run goes on from is compiled as it was. */
static kf_status train(kf_graph *graph, const char *model_path, const char *data_path,
                       train_options *given) {
    const char *checkpoint = given->fit.checkpoint;
    const bool goes_on = given->fit.resume && checkpoint != NULL && access(checkpoint, F_OK) == 0;
    kf_model *model = NULL;
    kf_dataset *data = NULL, *validation = NULL;
    kf_status status = tool_model_open(graph, goes_on ? checkpoint : model_path,
                                       goes_on ? NULL : &given->weights, &model);
    if (status == KF_OK) status = open_data(data_path, given, model, &data, &validation);
    if (status == KF_OK && !goes_on) status = tool_compile(model, &given->training);
    if (status == KF_OK) status = kfrun_fit(model, data, validation, given);
    kf_dataset_free(validation);
    kf_dataset_free(data);
    return status;
}

kf_status kfrun_train(int argc, char **argv) {
    train_options given = {.verbose = isatty(STDOUT_FILENO) ? 1 : 2};
    int first;
    bool helped;
    memcpy(options, own, sizeof own);
    kf_status status =
        tool_add_library_options("fit", offsetof(train_options, fit), options, TOOL_MAX_OPTIONS);
    if (status != KF_OK) return status;
    status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    if ((status = check_options(&given)) != KF_OK) return status;
    kf_graph *graph = kf_graph_new(.seed = given.fit.seed);
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    status = train(graph, argv[first], argv[first + 1], &given);
    kf_graph_free(graph);
    return status;
}
