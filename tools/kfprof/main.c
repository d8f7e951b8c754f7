/* kfprof runs some steps of a model and tells where their time went. */
#include "../command/data_file.h"
#include "../command/model_file.h"
#include "../command/report.h"
#include "../command/training.h"
#include "loss.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

typedef struct profile_options {
    tool_data_options data;
    tool_training_options training;
    bool random, inference, memory;
    int64_t batch_size, steps, threads, top;
    uint64_t seed;
    const char *trace, *simulate;
} profile_options;

static const tool_option options[] = {
    TOOL_OPTION(profile_options, random, "random", tool_flag,
                .help = "random numbers and labels instead of DATA"),
    TOOL_DATA_OPTIONS(profile_options, data),
    TOOL_TRAINING_OPTIONS(profile_options, training),
    TOOL_OPTION(profile_options, batch_size, "batch-size", tool_integer, .argument = "N", .low = 1,
                .high = 1e9, .help = "default 32"),
    TOOL_OPTION(profile_options, steps, "steps", tool_integer, .argument = "N", .low = 1,
                .high = 1e6,
                .help = "steps to measure, after as many (at most 5) to warm up; default 10"),
    TOOL_OPTION(profile_options, threads, "threads", tool_integer, .argument = "N", .low = 1,
                .high = 1024, .help = "workers; default: all CPUs"),
    TOOL_OPTION(profile_options, inference, "inference", tool_flag,
                .help = "steps of predict instead of training"),
    TOOL_OPTION(profile_options, top, "top", tool_integer, .argument = "N", .low = 0, .high = 1e9,
                .help = "nodes to show, those with most time; default 25, 0: all"),
    TOOL_OPTION(profile_options, memory, "memory", tool_flag,
                .help = "also tell what the step's memory is taken by"),
    TOOL_OPTION(profile_options, trace, "trace", tool_text, .argument = "FILE",
                .help = "write a trace for chrome://tracing or ui.perfetto.dev"),
    TOOL_OPTION(profile_options, simulate, "simulate", tool_text, .argument = "N,N…",
                .help = "also tell what these numbers of workers would make of the step"),
    TOOL_OPTION(profile_options, seed, "seed", tool_seed, .argument = "N",
                .help = "of initial weights and dropout"),
    TOOL_OPTIONS_END};

static const tool_command command = {
    .name = "kfprof",
    .arguments = "MODEL DATA|--random",
    .least = 1,
    .most = 2,
    .purpose = "Runs training steps of MODEL and prints where their time went, node by node: a\n"
               "node is one call of a layer in one direction.",
    .notes =
        "A model that is not compiled gets the losses that go with its last activations\n"
        "(softmax: categorical_crossentropy, or the sparse one where DATA has labels;\n"
        "sigmoid: binary_crossentropy; else mean_squared_error) and adam, unless --loss and\n"
        "--optimizer say otherwise. Work is the time of all nodes, span that of the longest\n"
        "chain of nodes that wait for each other; the file itself is never changed. What is\n"
        "done to a result while it is in the cache (bias, activation, the update of a weight)\n"
        "counts with the node that computes it. --simulate replays the measured times by the\n"
        "rules of the scheduler; the bound is what no schedule could beat. What sharing memory\n"
        "costs is in it as far as the --threads that were measured share it. --memory lists\n"
        "what lies in the arena, and which steps use it from when to when: the pile marked * "
        "makes\n"
        "it as large as it is, and adds up to it.\n",
    .options = options};

/* Output by output, since they may end in different activations. */
static kf_status compile_default(kf_model *model, const char *optimizer, const kf_dataset *data) {
    char *json = NULL;
    const kf_status status = tool_fail_kf(kf_model_to_json(model, &json));
    if (status != KF_OK) return status;
    kf_compile_options how = {.size = sizeof how};
    const int32_t n = kf_model_outputs(model);
    for (int32_t i = 0; i < n && i < KF_MAX_OUTPUTS; i++) {
        how.outputs[i].output = n > 1 ? kf_model_output_name(model, i) : NULL;
        how.outputs[i].loss = kfprof_choose_loss(model, i, json, data);
    }
    if (n == 1) { /* the plain form */
        how.loss = how.outputs[0].loss;
        how.outputs[0] = (kf_output_options){0};
    }
    kf_free(json);
    how.optimizer = kf_optimizer_named(optimizer != NULL ? optimizer : "adam");
    return tool_fail_kf(kf_compile_with(model, &how));
}

static kf_status compile(kf_model *model, const profile_options *given, const kf_dataset *data) {
    if (given->inference) return KF_OK;
    if (given->training.losses.count > 0) return tool_compile(model, &given->training);
    if (given->training.loss_weights.count > 0 || given->training.metrics.count > 0)
        return tool_fail(KF_USAGE, "--loss-weights and --metrics need --loss");
    if (kf_metrics(model) > 0 && given->training.optimizer == NULL) return KF_OK;
    return compile_default(model, given->training.optimizer, data);
}

static kf_status profile(kf_model *model, kf_dataset *data, const profile_options *given) {
    kf_status status = compile(model, given, data);
    if (status != KF_OK) return status;
    kf_profile_options how = {.size = sizeof how,
                              .batch_size = given->batch_size,
                              .steps = (int32_t)given->steps,
                              .threads = (int32_t)given->threads,
                              .inference = given->inference,
                              .data = data};
    if (given->simulate != NULL) status = kfprof_parse_workers(given->simulate, how.simulate);
    if (status != KF_OK) return status;
    kf_profile *profile = kf_profile_run_with(model, &how);
    if (profile == NULL) return tool_fail_kf(kf_last_status());
    kfprof_print_table(profile, given->top);
    kfprof_print_simulations(profile);
    if (given->memory) kfprof_print_memory(profile, given->top);
    if (given->trace != NULL) status = kfprof_write_trace(profile, given->trace);
    kf_profile_free(profile);
    return status;
}

static kf_status run(int argc, char **argv) {
    profile_options given = {.top = 25};
    int first;
    bool helped;
    kf_status status = tool_parse(&command, argc, argv, &given, &first, &helped);
    if (status != KF_OK || helped) return status;
    if ((argc - first == 2) == given.random)
        return tool_fail(KF_USAGE, "give either DATA or --random; see 'kfprof --help'");
    tool_check_threads(given.threads);

    kf_graph *graph = kf_graph_new(.seed = given.seed);
    if (graph == NULL) return tool_fail(KF_MEMORY, "out of memory");
    kf_model *model = NULL;
    kf_dataset *data = NULL;
    status = tool_model_open(graph, argv[first], NULL, &model);
    if (status == KF_OK && !given.random)
        status = tool_data_open(argv[first + 1], &given.data, model, &data);
    if (status == KF_OK) status = profile(model, data, &given);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return status;
}

int main(int argc, char **argv) {
    tool_start();
    if (argc == 2 && strcmp(argv[1], "--version") == 0) {
        printf("kfprof %s\n%s\n", KF_VERSION, kf_about());
        return (int)tool_flush_results();
    }
    const kf_status status = run(argc, argv);
    const kf_status flushed = tool_flush_results();
    return (int)(status != KF_OK ? status : flushed);
}
