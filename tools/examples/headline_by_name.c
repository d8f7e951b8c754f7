/* The model of headline.c, trained by name: inputs and outputs are called like their layers, and
 * losses, weights and data say which one they are for, in any order. */
#include "example.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 512, WORDS = 100, VOCABULARY = 10000, FACTS = 5 };

static int32_t headline[SAMPLES][WORDS];
static float facts[SAMPLES][FACTS], liked[SAMPLES][1];

/* Liked headlines use some words more, and come with other facts. */
static void make_data(int64_t samples) {
    for (int64_t i = 0; i < samples; i++) {
        liked[i][0] = (float)(i % 2);
        for (int j = 0; j < WORDS; j++)
            headline[i][j] = example_random_below(300) + (i % 2 ? 0 : 200);
        for (int j = 0; j < FACTS; j++) facts[i][j] = example_random() + 0.3f * liked[i][0];
    }
}

static kf_model *build(kf_graph *graph) {
    kf_tensor *words = kf_input(graph, {WORDS}, .dtype = "int32", .name = "main_input");
    kf_tensor *x = kf_apply(kf_embedding(VOCABULARY, 512, .input_length = WORDS), words);
    kf_tensor *read = kf_apply(kf_lstm(32), x);
    kf_tensor *aux = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "aux_output"), read);

    kf_tensor *aux_input = kf_input(graph, {FACTS}, .name = "aux_input");
    x = kf_apply(kf_concatenate(), read, aux_input);
    for (int i = 0; i < 3; i++) x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *main = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "main_output"), x);
    return kf_model_new(.inputs = kf_list(words, aux_input), .outputs = kf_list(main, aux));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(
        model, .optimizer = kf_rmsprop(0.001f),
        .outputs = {{.output = "aux_output", .loss = "binary_crossentropy", .loss_weight = 0.2f},
                    {.output = "main_output", .loss = "binary_crossentropy", .loss_weight = 1}});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 6, .batch_size = 32, .history = history);
    return status;
}

/* What is minimised is the weighted sum of what each output reports. */
static void check_sum(const kf_history *history) {
    const int last = kf_history_epochs(history) - 1;
    const double *total = kf_history_values(history, "loss");
    const double *main = kf_history_values(history, "main_output_loss");
    const double *aux = kf_history_values(history, "aux_output_loss");
    if (last < 0 || !total || !main || !aux) {
        example_expect(false, "every output reports its loss");
        return;
    }
    printf("%.4f = %.4f + 0.2 * %.4f\n", total[last], main[last], aux[last]);
    example_expect(fabs(total[last] - main[last] - 0.2 * aux[last]) < 1e-5,
                   "the loss is the weighted sum");
}

int main(int argc, char **argv) {
    const int64_t samples = example_begin(argc, argv) ? SAMPLES / 4 : SAMPLES;
    make_data(samples);
    kf_dataset *data =
        kf_dataset_arrays((kf_array[]){{"aux_output", liked, KF_FLOAT32, {2, {samples, 1}}},
                                       {"main_output", liked, KF_FLOAT32, {2, {samples, 1}}},
                                       {"aux_input", facts, KF_FLOAT32, {2, {samples, FACTS}}},
                                       {"main_input", headline, KF_INT32, {2, {samples, WORDS}}}},
                          4);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph);
    example_show(model, 5200610);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, 1);
    example_expect_shape(kf_model_output(model, 1), KF_ANY, 1);
    example_expect(strcmp(kf_model_output_name(model, 0), "main_output") == 0 &&
                       strcmp(kf_model_output_name(model, 1), "aux_output") == 0,
                   "outputs are called like their layers");

    kf_history *history = kf_history_new();
    example_learned(train(model, data, history), history, 0.8);
    check_sum(history);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
