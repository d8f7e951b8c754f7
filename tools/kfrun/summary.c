/* kfrun summary: Keras's table of a model, or its architecture as JSON. */
#include "../command/model_file.h"
#include "../command/options.h"
#include "../command/report.h"
#include "commands.h"

#include <stdio.h>

typedef struct summary_options {
    bool json;
} summary_options;

static const tool_option options[] = {
    TOOL_OPTION(summary_options, json, "json", tool_flag,
                .help = "print the architecture as to_json() does instead"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfrun summary",
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .purpose = "Prints the layers of MODEL with their output shapes, parameters and inputs.",
    .options = options};

static kf_status print(const kf_model *model, bool json) {
    char *text = NULL;
    const kf_status status =
        tool_fail_kf(json ? kf_model_to_json(model, &text) : kf_model_summary(model, &text));
    if (status != KF_OK) return status;
    fputs(text, stdout);
    if (json) putchar('\n');
    kf_free(text);
    return KF_OK;
}

kf_status kfrun_summary(int argc, char **argv) {
    summary_options given = {0};
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    kf_graph *graph = kf_graph_new();
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    status = tool_model_open(graph, argv[first], NULL, &model);
    if (status == KF_OK) status = print(model, given.json);
    kf_graph_free(graph);
    return status;
}
