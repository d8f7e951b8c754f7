/* kfrun check: looks a file over, whatever it is, as training would meet it. */
#include "check.h"

#include "../command/data_file.h"
#include "../command/model_file.h"
#include "../command/report.h"
#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct check_options {
    bool json;
} check_options;

static const tool_option options[] = {
    TOOL_OPTION(check_options, json, "json", tool_flag, .help = "print what is there as JSON"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfrun check",
    .arguments = "FILE",
    .least = 1,
    .most = 1,
    .purpose = "Looks FILE over: a model (.h5 or JSON), weights, or data (FILE:group for a group).",
    .notes = "Says what is in it, and exits with 3 if kf cannot use it: a model that does not\n"
             "load, weights or data that are not all finite numbers, a dataset that kf does not\n"
             "read. Text and single values in a data file are no data, and passed over.\n",
    .options = options};

/* --- models ----------------------------------------------------------------------------------- */

typedef kf_status (*get_values)(const void *from, float *values, int64_t count);

static kf_status check_values(const char *name, kf_shape shape, get_values get, const void *from) {
    int64_t count = 1;
    for (int32_t i = 0; i < shape.rank; i++) count *= shape.dims[i];
    float *values = malloc((size_t)(count > 0 ? count : 1) * sizeof *values);
    if (values == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_status status = tool_fail_kf(get(from, values, count));
    for (int64_t i = 0; i < count && status == KF_OK; i++)
        if (!isfinite(values[i]))
            status = tool_fail(KF_INVALID, "%s: number %lld is %g", name, (long long)i,
                               (double)values[i]);
    free(values);
    return status;
}

static kf_status weight_values(const void *weight, float *values, int64_t count) {
    return kf_weight_get(weight, values, count);
}

struct of_optimizer {
    const kf_model *model;
    int32_t index;
};

static kf_status optimizer_values(const void *of, float *values, int64_t count) {
    const struct of_optimizer *at = of;
    return kf_optimizer_weight_get(at->model, at->index, values, count);
}

static kf_status check_weights(const kf_model *model) {
    kf_status status = KF_OK;
    for (int32_t i = 0; i < kf_model_weights(model) && status == KF_OK; i++) {
        const kf_weight *weight = kf_model_weight(model, i);
        status =
            check_values(kf_weight_name(weight), kf_weight_shape(weight), weight_values, weight);
    }
    for (int32_t i = 0; i < kf_optimizer_weights(model) && status == KF_OK; i++)
        status =
            check_values(kf_optimizer_weight_name(model, i), kf_optimizer_weight_shape(model, i),
                         optimizer_values, &(struct of_optimizer){model, i});
    return status;
}

static void print_end(const char *what, const char *name, const kf_tensor *tensor) {
    char shape[TOOL_SHAPE_TEXT];
    const kf_shape dims = kf_tensor_shape(tensor);
    printf("%s %s %s %s\n", what, name, kf_dtype_name(kf_tensor_dtype(tensor)),
           tool_shape_text(&dims, shape));
}

static void print_model(const kf_model *model) {
    int64_t trainable = 0;
    const int64_t all = kf_model_parameters(model, &trainable);
    printf("model %s\nlayers %d\ninputs %d\noutputs %d\n", kf_model_name(model),
           kf_model_layers(model), kf_model_inputs(model), kf_model_outputs(model));
    for (int32_t i = 0; i < kf_model_inputs(model); i++)
        print_end("input", kf_model_input_name(model, i), kf_model_input(model, i));
    for (int32_t i = 0; i < kf_model_outputs(model); i++)
        print_end("output", kf_model_output_name(model, i), kf_model_output(model, i));
    printf("parameters %lld\ntrainable %lld\ncompiled %s\n", (long long)all, (long long)trainable,
           kf_metrics(model) > 0 ? "yes" : "no");
}

static void print_end_json(const char *name, const kf_tensor *tensor) {
    const kf_shape shape = kf_tensor_shape(tensor);
    printf("{\"name\": ");
    tool_print_json_text(name);
    printf(", \"dtype\": \"%s\", \"shape\": ", kf_dtype_name(kf_tensor_dtype(tensor)));
    tool_print_json_shape(&shape);
    printf("}");
}

static void print_model_json(const kf_model *model) {
    int64_t trainable = 0;
    const int64_t all = kf_model_parameters(model, &trainable);
    printf("{\"kind\": \"model\", \"name\": ");
    tool_print_json_text(kf_model_name(model));
    printf(", \"layers\": %d, \"inputs\": [", kf_model_layers(model));
    for (int32_t i = 0; i < kf_model_inputs(model); i++) {
        printf("%s", i > 0 ? ", " : "");
        print_end_json(kf_model_input_name(model, i), kf_model_input(model, i));
    }
    printf("], \"outputs\": [");
    for (int32_t i = 0; i < kf_model_outputs(model); i++) {
        printf("%s", i > 0 ? ", " : "");
        print_end_json(kf_model_output_name(model, i), kf_model_output(model, i));
    }
    printf("], \"parameters\": %lld, \"trainable\": %lld, \"compiled\": %s}\n", (long long)all,
           (long long)trainable, kf_metrics(model) > 0 ? "true" : "false");
}

static kf_status check_model(const char *path, bool json) {
    kf_graph *graph = kf_graph_new();
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    kf_status status = tool_model_open(graph, path, NULL, &model);
    if (status == KF_OK) status = check_weights(model);
    if (status == KF_OK) json ? print_model_json(model) : print_model(model);
    kf_graph_free(graph);
    return status;
}

/* --- which of them it is ---------------------------------------------------------------------- */

kf_status kfrun_check(int argc, char **argv) {
    check_options given = {0};
    int first;
    bool helped, hdf5;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    char path[TOOL_MAX_PATH];
    const char *group = NULL;
    status = tool_data_split(argv[first], path, &group);
    if (status == KF_OK) status = tool_is_hdf5(path, &hdf5);
    if (status != KF_OK) return status;
    if (group == NULL && !hdf5) return check_model(path, given.json);
    kf_file_about about = {.kind = KF_FILE_DATA};
    if (group == NULL) status = tool_fail_kf(kf_file_look(path, &about));
    if (status != KF_OK) return status;
    return about.kind == KF_FILE_MODEL ? check_model(path, given.json)
                                       : kfrun_check_arrays(path, group, &about, given.json);
}
