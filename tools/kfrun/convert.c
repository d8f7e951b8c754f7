/* kfrun convert: a model file written anew. */
#include "../command/model_file.h"
#include "../command/options.h"
#include "../command/report.h"
#include "commands.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct convert_options {
    const char *dialect;
    tool_weights weights;
    bool no_optimizer, weights_only;
} convert_options;

static const tool_option options[] = {
    TOOL_OPTION(convert_options, dialect, "dialect", tool_choice, .argument = "VERSION",
                .choices = "2.2|3", .help = "2.2 (default), or 3: as Keras 3 loads it"),
    TOOL_OPTION(convert_options, no_optimizer, "no-optimizer", tool_flag,
                .help = "leave out how the model is trained"),
    TOOL_OPTION(convert_options, weights_only, "weights-only", tool_flag,
                .help = "write what save_weights writes"),
    TOOL_WEIGHTS_OPTIONS(convert_options, weights), TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfrun convert",
    .arguments = "MODEL OUT",
    .least = 2,
    .most = 2,
    .purpose = "Writes MODEL, of any dialect that can be read, as a Keras .h5 file.",
    .notes = "An OUT that ends in .json gets the architecture alone, as to_json() has it.\n",
    .options = options};

/* Beside, then renamed, so that a full disk leaves the old file as it was. */
static kf_status write_text(const char *path, const char *text) {
    char beside[4096];
    if ((size_t)snprintf(beside, sizeof beside, "%s.XXXXXX", path) >= sizeof beside)
        return tool_fail(KF_IO, "%.40s…: the path is too long", path);
    const int made = mkstemp(beside);
    FILE *file = made >= 0 ? fdopen(made, "w") : NULL;
    const mode_t mask = umask(0);
    umask(mask);
    bool written = file != NULL && fputs(text, file) >= 0 && fflush(file) == 0 &&
                   fchmod(made, 0666 & ~mask) == 0 && fsync(made) == 0;
    if (file != NULL && fclose(file) != 0) written = false;
    if (written && rename(beside, path) == 0) return KF_OK;
    const int error = errno;
    if (made >= 0) unlink(beside);
    return tool_fail(KF_IO, "cannot write %s: %s", path, strerror(error));
}

static kf_status write_json(const kf_model *model, const char *path) {
    char *text = NULL;
    kf_status status = tool_fail_kf(kf_model_to_json(model, &text));
    if (status == KF_OK) status = write_text(path, text);
    kf_free(text);
    return status;
}

static kf_status write_model(kf_model *model, const char *path, const convert_options *given) {
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
    status = tool_model_open(graph, argv[first], &given.weights, &model);
    if (status == KF_OK) status = write_model(model, argv[first + 1], &given);
    kf_graph_free(graph);
    return status;
}
