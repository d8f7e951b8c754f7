/* kfrun convert: a model file written anew. */
#include "../command/model_file.h"
#include "../command/options.h"
#include "../command/report.h"
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct convert_options {
    const char *dialect, *weights;
    bool no_optimizer, weights_only;
} convert_options;

static const tool_option options[] = {
    TOOL_OPTION(convert_options, dialect, "dialect", tool_choice, .argument = "VERSION",
                .choices = "2.2|3", .help = "2.2 (default), or 3: options as Keras 3 names them"),
    TOOL_OPTION(convert_options, no_optimizer, "no-optimizer", tool_flag,
                .help = "leave out how the model is trained"),
    TOOL_OPTION(convert_options, weights_only, "weights-only", tool_flag,
                .help = "write what save_weights writes"),
    TOOL_OPTION(convert_options, weights, "weights", tool_text, .argument = "FILE.h5",
                .help = "load the weights in this file first"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfrun convert",
    .arguments = "MODEL OUT",
    .least = 2,
    .most = 2,
    .purpose = "Writes MODEL, of any dialect that can be read, as a Keras .h5 file.",
    .notes = "An OUT that ends in .json gets the architecture alone, as to_json() has it.\n",
    .options = options};

static kf_status write_json(const kf_model *model, const char *path) {
    char *text = NULL;
    kf_status status = tool_fail_kf(kf_model_to_json(model, &text));
    if (status != KF_OK) return status;
    FILE *file = fopen(path, "w");
    bool written = file != NULL && fputs(text, file) >= 0;
    if (file != NULL && fclose(file) != 0) written = false;
    if (!written) status = tool_fail(KF_IO, "%s: %s", path, strerror(errno));
    kf_free(text);
    return status;
}

static kf_status write(kf_model *model, const char *path, const convert_options *given) {
    const char *dot = strrchr(path, '.');
    if (dot != NULL && strcmp(dot, ".json") == 0) return write_json(model, path);
    if (given->weights_only) return tool_fail_kf(kf_save_weights(model, path));
    return tool_fail_kf(
        kf_save(model, path, .dialect = given->dialect, .no_optimizer = given->no_optimizer));
}

kf_status kfrun_convert(int argc, char **argv) {
    convert_options given = {0};
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    kf_graph *graph = kf_graph_new();
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    status = tool_model_open(graph, argv[first], given.weights, &model);
    if (status == KF_OK) status = write(model, argv[first + 1], &given);
    kf_graph_free(graph);
    return status;
}
