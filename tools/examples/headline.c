/* Will this headline be liked? Two inputs and two outputs: the words, which an LSTM reads, and
 * other facts, the hour say; the answer, and an auxiliary answer from the words alone, whose loss
 * counts 0.2 and keeps embedding and LSTM learning whatever the rest does. Here data and losses are
 * given in the order of the model's inputs and outputs; headline_by_name.c gives them by name. */
#include "example.h"

enum { SAMPLES = 512, WORDS = 100, VOCABULARY = 10000, FACTS = 5 };

static int32_t headline[SAMPLES][WORDS];
static float facts[SAMPLES][FACTS], liked[SAMPLES][1];

/* Liked headlines use some words more, and come with other facts. Word numbers go from 0 to
 * VOCABULARY - 1; one more is an error that names it. */
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
    kf_tensor *read = kf_apply(kf_lstm(32), x); /* the whole headline in one vector */
    kf_tensor *aux = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "aux_output"), read);

    kf_tensor *aux_input = kf_input(graph, {FACTS}, .name = "aux_input");
    x = kf_apply(kf_concatenate(), read, aux_input);
    for (int i = 0; i < 3; i++) x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *main = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "main_output"), x);
    return kf_model_new(.inputs = kf_list(words, aux_input), .outputs = kf_list(main, aux));
}

/* One loss is for all outputs; the loss that is minimised is 1 * main + 0.2 * aux. */
static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_rmsprop(0.001f),
                                  .loss = "binary_crossentropy", .loss_weights = {1, 0.2f});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 6, .batch_size = 32, .history = history);
    return status;
}

int main(int argc, char **argv) {
    const int64_t samples = example_begin(argc, argv) ? SAMPLES / 4 : SAMPLES;
    make_data(samples);
    /* arrays without a name stand for inputs, then targets; one may be the target of two outputs */
    kf_dataset *data =
        kf_dataset_arrays((kf_array[]){{NULL, headline, KF_INT32, {2, {samples, WORDS}}},
                                       {NULL, facts, KF_FLOAT32, {2, {samples, FACTS}}},
                                       {NULL, liked, KF_FLOAT32, {2, {samples, 1}}},
                                       {NULL, liked, KF_FLOAT32, {2, {samples, 1}}}},
                          4);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph);
    example_show(model, 5200610);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, 1);
    example_expect_shape(kf_model_output(model, 1), KF_ANY, 1);

    kf_history *history = kf_history_new();
    example_learned(train(model, data, history), history, 0.8);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
