/* Keras 1 had one function for all ways to put tensors together, merge(inputs, mode=…); Keras 2 has
 * a layer for each. kf_merge takes the old modes and makes the new layers. */
#include "example.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLES = 128, WORDS = 100, VOCABULARY = 10000, FACTS = 5 };

static int32_t headline[SAMPLES][WORDS];
static float facts[SAMPLES][FACTS], liked[SAMPLES][1];

/* Liked headlines use some words more, and come with other facts. */
static void make_data(void) {
    for (int i = 0; i < SAMPLES; i++) {
        liked[i][0] = (float)(i % 2);
        for (int j = 0; j < WORDS; j++)
            headline[i][j] = example_random_below(300) + (i % 2 ? 0 : 200);
        for (int j = 0; j < FACTS; j++) facts[i][j] = example_random() + 0.3f * liked[i][0];
    }
}

/* Each mode on two tensors of shape (batch, 4, 6), along the last axis where there is one. */
static void check_modes(kf_graph *graph) {
    static const struct {
        const char *mode, *class_name;
        int64_t columns;
    } modes[] = {{"sum", "Add", 6},     {"mul", "Multiply", 6}, {"concat", "Concatenate", 12},
                 {"ave", "Average", 6}, {"max", "Maximum", 6},  {"dot", "Dot", 4},
                 {"cos", "Dot", 4}};
    kf_tensor *a = kf_input(graph, {4, 6}), *b = kf_input(graph, {4, 6});
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        kf_layer *layer = kf_merge(modes[i].mode);
        kf_tensor *y = kf_apply(layer, a, b);
        printf("merge(mode='%s') is now %s\n", modes[i].mode, kf_layer_class(layer));
        example_expect(strcmp(kf_layer_class(layer), modes[i].class_name) == 0,
                       "every mode has its layer");
        example_expect_shape(y, KF_ANY, 4, modes[i].columns);
    }
}

/* "join" was the name of something that failed whenever it was used. */
static void check_join(void) {
    kf_graph *graph = kf_graph_new();
    kf_tensor *a = kf_input(graph, {4}), *b = kf_input(graph, {4});
    kf_apply(kf_merge("join"), a, b);
    example_expect(kf_graph_error(graph) != KF_OK, "there is no mode join");
    printf("%s\n", kf_last_error());
    kf_graph_free(graph);
}

/* x = merge([lstm_out, aux_input], mode='concat') */
static kf_model *build(kf_graph *graph) {
    kf_tensor *words = kf_input(graph, {WORDS}, .dtype = "int32", .name = "main_input");
    kf_tensor *x = kf_apply(kf_embedding(VOCABULARY, 512, .input_length = WORDS), words);
    kf_tensor *read = kf_apply(kf_lstm(32), x);
    kf_tensor *aux_input = kf_input(graph, {FACTS}, .name = "aux_input");
    x = kf_apply(kf_merge("concat"), read, aux_input);
    example_expect_shape(x, KF_ANY, 32 + FACTS);
    for (int i = 0; i < 3; i++) x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *output = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "liked"), x);
    return kf_model_new(.inputs = kf_list(words, aux_input), .outputs = kf_list(output));
}

static kf_status train(kf_model *model, kf_history *history) {
    const kf_array arrays[] = {{"main_input", headline, KF_INT32, {2, {SAMPLES, WORDS}}},
                               {"aux_input", facts, KF_FLOAT32, {2, {SAMPLES, FACTS}}},
                               {"liked", liked, KF_FLOAT32, {2, {SAMPLES, 1}}}};
    kf_dataset *data = kf_dataset_arrays(arrays, 3);
    kf_status status =
        kf_compile(model, .optimizer = kf_rmsprop(0.001f), .loss = "binary_crossentropy");
    if (status == KF_OK) status = kf_fit(model, data, .epochs = 6, .history = history);
    kf_dataset_free(data);
    return status;
}

int main(int argc, char **argv) {
    example_begin(argc, argv); /* small already */
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7);
    check_modes(graph);
    check_join();
    kf_model *model = build(graph);
    example_show(model, 5200610 - 33); /* that of headline.c without its second output */
    example_expect_shape(kf_model_output(model, 0), KF_ANY, 1);

    kf_history *history = kf_history_new();
    example_learned(train(model, history), history, 0.9);
    kf_history_free(history);
    kf_graph_free(graph);
    return example_end();
}
