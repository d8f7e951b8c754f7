/* What a model knows of itself: any part of a graph between inputs and outputs is one, and lists of
 * inputs and outputs may be of any length; an output may even stand there twice. */
#include "example.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLES = 256, FEATURES = 32 };

static float a[SAMPLES][FEATURES], a2[SAMPLES][FEATURES], b[SAMPLES][FEATURES];

/* The target is the first input with its features in reverse: a matrix that a Dense can learn. */
static void make_data(void) {
    example_fill(a[0], SAMPLES * FEATURES);
    example_fill(a2[0], SAMPLES * FEATURES);
    for (int i = 0; i < SAMPLES; i++)
        for (int j = 0; j < FEATURES; j++) b[i][j] = a[i][FEATURES - 1 - j];
}

static kf_model *build(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {FEATURES}, .name = "a");
    kf_tensor *output = kf_apply(kf_dense(32, .name = "b"), input);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(output));
}

/* Layers by their place from the inputs on, or by name; asked for both, the place counts. */
static void check_layers(const kf_model *model) {
    kf_layer *dense = kf_model_get_layer(model, "b", KF_NO_INDEX);
    example_expect(kf_model_layers(model) == 2, "the input is a layer, too");
    example_expect(dense && strcmp(kf_layer_class(dense), "Dense") == 0, "b is the Dense");
    example_expect(kf_model_get_layer(model, "a", 1) == dense, "the index wins");
    example_expect(kf_model_get_layer(model, NULL, -1) == dense, "-1 is the last layer");
    example_expect(kf_model_get_layer(model, "c", KF_NO_INDEX) == NULL, "there is no layer c");
    printf("%s\n", kf_last_error());
    example_expect(kf_model_inputs(model) == 1 && kf_model_outputs(model) == 1, "one in, one out");
    example_expect(kf_model_weights(model) == 2, "kernel and bias");
}

/* Model(inputs=[a1, a2], outputs=[b1, b3, b3]). */
static kf_model *build_lists(kf_graph *graph) {
    kf_tensor *a1 = kf_input(graph, {FEATURES}, .name = "a1");
    kf_tensor *a_2 = kf_input(graph, {FEATURES}, .name = "a2");
    kf_tensor *b1 = kf_apply(kf_dense(32, .name = "b1"), a1);
    kf_tensor *both = kf_apply(kf_concatenate(), a1, a_2);
    kf_tensor *b3 = kf_apply(kf_dense(32, .name = "b3"), both);
    return kf_model_new(.inputs = kf_list(a1, a_2), .outputs = kf_list(b1, b3, b3));
}

/* Data in the order of the lists: two inputs, three targets. */
static kf_status train(kf_model *model, const void *const *fields, int32_t n, kf_history *history) {
    kf_array arrays[5];
    for (int32_t i = 0; i < n; i++)
        arrays[i] = (kf_array){NULL, fields[i], KF_FLOAT32, {2, {SAMPLES, FEATURES}}};
    kf_dataset *data = kf_dataset_arrays(arrays, n);
    kf_status status =
        kf_compile(model, .optimizer = kf_adam(0.01f), .loss = "mse", .metrics = {"mae"});
    for (int32_t i = 0; status == KF_OK && i < kf_metrics(model); i++)
        printf("%s%s", kf_metrics_name(model, i), i + 1 < kf_metrics(model) ? ", " : "\n");
    if (status == KF_OK) status = kf_fit(model, data, .epochs = 5, .history = history);
    kf_dataset_free(data);
    return status;
}

int main(int argc, char **argv) {
    example_begin(argc, argv); /* small already */
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph), *lists = build_lists(graph);
    example_show(model, 1056);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, 32);
    check_layers(model);
    example_show(lists, 1056 + 64 * 32 + 32);
    example_expect(kf_model_outputs(lists) == 3 &&
                       kf_model_output(lists, 1) == kf_model_output(lists, 2),
                   "an output may stand twice in the list");

    kf_history *history = kf_history_new(), *lists_history = kf_history_new();
    example_learned(train(model, (const void *[]){a, b}, 2, history), history, 0.7);
    example_learned(train(lists, (const void *[]){a, a2, b, b, b}, 5, lists_history), lists_history,
                    0.7);
    kf_history_free(lists_history);
    kf_history_free(history);
    kf_graph_free(graph);
    return example_end();
}
