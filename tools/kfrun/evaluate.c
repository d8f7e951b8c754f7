/* kfrun evaluate: one line "name value" per loss and metric. */
#include "../command/data_file.h"
#include "../command/model_file.h"
#include "../command/report.h"
#include "../command/training.h"
#include "commands.h"

#include <stdlib.h>

typedef struct evaluate_options {
    tool_data_options data;
    tool_training_options training;
    int64_t batch_size, threads;
    const char *weights;
} evaluate_options;

static const tool_option options[] = {
    TOOL_DATA_OPTIONS(evaluate_options, data),
    TOOL_TRAINING_OPTIONS(evaluate_options, training),
    TOOL_OPTION(evaluate_options, batch_size, "batch-size", tool_integer, .argument = "N", .low = 1,
                .high = 1e9, .help = "default 32"),
    TOOL_OPTION(evaluate_options, threads, "threads", tool_integer, .argument = "N", .low = 1,
                .high = 1024, .help = "workers; default: all CPUs"),
    TOOL_OPTION(evaluate_options, weights, "weights", tool_text, .argument = "FILE.h5",
                .help = "load the weights in this file first"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfrun evaluate",
    .arguments = "MODEL DATA",
    .least = 2,
    .most = 2,
    .purpose = "Prints the loss and the metrics of MODEL, averaged over the samples of DATA.",
    .notes = "A .h5 file saved after training says its loss and metrics itself; for others give\n"
             "--loss and --metrics.\n",
    .options = options};

static kf_status evaluate(kf_model *model, kf_dataset *data, const evaluate_options *given) {
    kf_status status = tool_compile(model, &given->training);
    if (status != KF_OK) return status;
    const int32_t n = kf_metrics(model);
    double *values = calloc((size_t)n, sizeof *values);
    if (values == NULL) return tool_fail(KF_MEMORY, "out of memory");
    status = tool_fail_kf(kf_evaluate(model, data, values, .batch_size = given->batch_size,
                                      .threads = (int32_t)given->threads));
    for (int32_t i = 0; i < n && status == KF_OK; i++)
        tool_print_value(kf_metrics_name(model, i), values[i]);
    free(values);
    return status;
}

kf_status kfrun_evaluate(int argc, char **argv) {
    evaluate_options given = {0};
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    tool_check_threads(given.threads);

    kf_graph *graph = kf_graph_new();
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    kf_dataset *data = NULL;
    status = tool_model_open(graph, argv[first], given.weights, &model);
    if (status == KF_OK) status = tool_data_open(argv[first + 1], &given.data, model, &data);
    if (status == KF_OK) status = evaluate(model, data, &given);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return status;
}
