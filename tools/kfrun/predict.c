/* kfrun predict: the outputs of a model for all samples, batch by batch into a file. */
#include "../command/data_file.h"
#include "../command/interrupt.h"
#include "../command/library_options.h"
#include "../command/model_file.h"
#include "../command/report.h"
#include "../command/training.h"
#include "commands.h"

#include <string.h>

typedef struct predict_options {
    tool_data_options data;
    kf_run_options run; /* the library's own */
    tool_weights weights;
    const char *output;
} predict_options;

static const tool_option own[] = {TOOL_OPTION(predict_options, output, "output", tool_text,
                                              .argument = "OUT.h5",
                                              .help = "the file to write (required)"),
                                  TOOL_DATA_OPTIONS(predict_options, data),
                                  TOOL_WEIGHTS_OPTIONS(predict_options, weights), TOOL_OPTIONS_END};

static tool_option options[TOOL_MAX_OPTIONS]; /* with those of kf_predict */

static const tool_command command = {
    .name = "kfrun predict",
    .arguments = "MODEL DATA --output OUT.h5",
    .least = 2,
    .most = 2,
    .purpose = "Writes one dataset per output of MODEL, named after it, with a row per sample.",
    .notes = "SIGINT (Ctrl-C) and SIGTERM stop after the current batch; the exit code is 130 or\n"
             "143, and OUT.h5 stays as it was.\n",
    .options = options};

static kf_status add_fields(kf_writer *writer, const kf_model *model) {
    for (int32_t i = 0; i < kf_model_outputs(model); i++) {
        const kf_shape batch = kf_tensor_shape(kf_model_output(model, i));
        kf_shape sample = {.rank = batch.rank - 1};
        for (int32_t axis = 0; axis < sample.rank; axis++) {
            sample.dims[axis] = batch.dims[axis + 1];
            if (sample.dims[axis] == KF_ANY)
                return tool_fail(KF_INVALID, "output '%s': its axis %d has no fixed size",
                                 kf_model_output_name(model, i), axis + 1);
        }
        const kf_status status = tool_fail_kf(
            kf_writer_add_field(writer, kf_model_output_name(model, i), KF_FLOAT32, &sample));
        if (status != KF_OK) return status;
    }
    return KF_OK;
}

static kf_status append(void *context, int32_t output, int64_t first_row, int64_t rows,
                        const float *values) {
    (void)first_row; /* they come in order */
    return kf_writer_append(context, output, rows, values);
}

static kf_status predict(kf_model *model, kf_dataset *data, const predict_options *given) {
    kf_callback *catches = tool_stop_on_signals(); /* before there is a file to clean up */
    kf_writer *writer = kf_writer_new(given->output);
    if (writer == NULL) return tool_fail_kf(kf_last_status());
    kf_run_options how = given->run;
    how.size = sizeof how;
    how.callbacks[0] = catches;
    kf_status status = add_fields(writer, model);
    if (status == KF_OK)
        status =
            tool_fail_run(kf_predict_to(model, data, append, writer, &how), "nothing was written");
    if (status == KF_OK) status = tool_fail_kf(kf_writer_close(writer));
    kf_writer_free(writer);
    return status;
}

kf_status kfrun_predict(int argc, char **argv) {
    predict_options given = {0};
    int first;
    bool helped;
    memcpy(options, own, sizeof own);
    kf_status status =
        tool_add_library_options("run", offsetof(predict_options, run), options, TOOL_MAX_OPTIONS);
    if (status != KF_OK) return status;
    status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    if (given.output == NULL) return tool_fail(KF_USAGE, "give --output OUT.h5");
    tool_check_threads(given.run.threads);

    kf_graph *graph = kf_graph_new();
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    kf_dataset *data = NULL;
    status = tool_model_open(graph, argv[first], &given.weights, &model);
    if (status == KF_OK) status = tool_data_open(argv[first + 1], &given.data, model, &data);
    if (status == KF_OK) status = predict(model, data, &given);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return status == KF_OK ? tool_signal_status() : status; /* late: all was done */
}
