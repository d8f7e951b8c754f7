/* kfrun check: loads a file as everything else would, and looks for weights that are no numbers. */
#include "../command/model_file.h"
#include "../command/options.h"
#include "../command/report.h"
#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const tool_option options[] = {TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfrun check",
    .arguments = "MODEL",
    .least = 1,
    .most = 1,
    .purpose = "Says whether MODEL can be loaded and what it is; exits with 3 if it cannot.",
    .notes = "A model whose weights are not all finite numbers is refused too. For data files\n"
             "there is 'kfrun data info'.\n",
    .options = options};

static kf_status check_weight(const kf_weight *weight) {
    const kf_shape shape = kf_weight_shape(weight);
    int64_t count = 1;
    for (int32_t i = 0; i < shape.rank; i++) count *= shape.dims[i];
    float *values = malloc((size_t)(count > 0 ? count : 1) * sizeof *values);
    if (values == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_status status = tool_fail_kf(kf_weight_get(weight, values, count));
    for (int64_t i = 0; i < count && status == KF_OK; i++)
        if (!isfinite(values[i]))
            status = tool_fail(KF_INVALID, "%s: number %lld is %g", kf_weight_name(weight),
                               (long long)i, (double)values[i]);
    free(values);
    return status;
}

static void describe(const kf_model *model) {
    int64_t trainable = 0;
    const int64_t all = kf_model_parameters(model, &trainable);
    printf("model %s\nlayers %d\ninputs %d\noutputs %d\nparameters %lld\ntrainable %lld\n",
           kf_model_name(model), kf_model_layers(model), kf_model_inputs(model),
           kf_model_outputs(model), (long long)all, (long long)trainable);
    printf("compiled %s\n", kf_metrics(model) > 0 ? "yes" : "no");
}

kf_status kfrun_check(int argc, char **argv) {
    char given; /* there are no options */
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    kf_graph *graph = kf_graph_new();
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    status = tool_model_open(graph, argv[first], NULL, &model);
    for (int32_t i = 0; status == KF_OK && i < kf_model_weights(model); i++)
        status = check_weight(kf_model_weight(model, i));
    if (status == KF_OK) describe(model);
    kf_graph_free(graph);
    return status;
}
