/* kfrun evaluate: one line "name value" per loss and metric. */
#include "../command/data_file.h"
#include "../command/interrupt.h"
#include "../command/library_options.h"
#include "../command/model_file.h"
#include "../command/report.h"
#include "../command/training.h"
#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct evaluate_options {
    tool_data_options data;
    tool_training_options training;
    kf_run_options run; /* the library's own */
    tool_weights weights;
    bool json;
} evaluate_options;

static const tool_option own[] = {
    TOOL_DATA_OPTIONS(evaluate_options, data), TOOL_TRAINING_OPTIONS(evaluate_options, training),
    TOOL_WEIGHTS_OPTIONS(evaluate_options, weights),
    TOOL_OPTION(evaluate_options, json, "json", tool_flag, .help = "print them as JSON"),
    TOOL_OPTIONS_END};

static tool_option options[TOOL_MAX_OPTIONS]; /* with those of kf_evaluate */

static const tool_command command = {
    .name = "kfrun evaluate",
    .arguments = "MODEL DATA",
    .least = 2,
    .most = 2,
    .purpose = "Prints the loss and the metrics of MODEL, averaged over the samples of DATA.",
    .notes = "A .h5 file saved after training says its loss and metrics itself; for others give\n"
             "--loss and --metrics. SIGINT (Ctrl-C) and SIGTERM stop after the current batch; the\n"
             "exit code is 130 or 143, and nothing is printed.\n",
    .options = options};

/* Names of metrics hold nothing that JSON would have to escape; what is no number is null. */
static void print_json(const kf_model *model, const double *values) {
    for (int32_t i = 0; i < kf_metrics(model); i++) {
        printf("%s\"%s\": ", i > 0 ? ", " : "{", kf_metrics_name(model, i));
        isfinite(values[i]) ? printf("%.17g", values[i]) : printf("null");
    }
    printf("}\n");
}

static kf_status evaluate(kf_model *model, kf_dataset *data, const evaluate_options *given) {
    kf_status status = tool_compile(model, &given->training);
    if (status != KF_OK) return status;
    const int32_t n = kf_metrics(model);
    double *values = calloc((size_t)n, sizeof *values);
    if (values == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_run_options how = given->run;
    how.size = sizeof how;
    how.callbacks[0] = tool_stop_on_signals();
    status = tool_fail_run(kf_evaluate_with(model, data, values, &how), "nothing was printed");
    if (status == KF_OK && given->json) print_json(model, values);
    for (int32_t i = 0; i < n && status == KF_OK && !given->json; i++)
        tool_print_value(kf_metrics_name(model, i), values[i]);
    free(values);
    return status;
}

kf_status kfrun_evaluate(int argc, char **argv) {
    evaluate_options given = {0};
    int first;
    bool helped;
    memcpy(options, own, sizeof own);
    kf_status status =
        tool_add_library_options("run", offsetof(evaluate_options, run), options, TOOL_MAX_OPTIONS);
    if (status != KF_OK) return status;
    status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    tool_check_threads(given.run.threads);

    kf_graph *graph = kf_graph_new();
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    kf_dataset *data = NULL;
    status = tool_model_open(graph, argv[first], &given.weights, &model);
    if (status == KF_OK) status = tool_data_open(argv[first + 1], &given.data, model, &data);
    if (status == KF_OK) status = evaluate(model, data, &given);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return status == KF_OK ? tool_signal_status() : status; /* late: all was done */
}
