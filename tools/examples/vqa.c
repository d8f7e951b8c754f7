/* Visual question answering: one model sees an image, another reads a question, and what both made
 * of them decides between a thousand answers of one word.
 *
 * The image model is a Sequential: a chain needs no names for what is in between. At full size the
 * last layer alone has 160 million weights, so that a step needs 2 GiB. */
#include "example.h"

enum {
    SIDE = 224,
    SMALL_SIDE = 32,
    WORDS = 100,
    VOCABULARY = 10000,
    ANSWERS = 1000,
    SAMPLES = 4,
};

static float image[SAMPLES * SIDE * SIDE * 3];
static int32_t question[SAMPLES][WORDS], answer[SAMPLES][1];

/* Nothing to understand: a few questions are learned by heart. */
static void make_data(int64_t side) {
    example_fill(image, SAMPLES * side * side * 3);
    for (int i = 0; i < SAMPLES; i++) {
        for (int j = 0; j < WORDS; j++) question[i][j] = 1 + example_random_below(VOCABULARY - 1);
        answer[i][0] = example_random_below(ANSWERS);
    }
}

/* Two convolutions, the first of which keeps the size, and so on after each pooling. */
static kf_model *build_vision(kf_graph *graph, int64_t side) {
    kf_model *vision = kf_sequential_new(graph, .input_shape = {side, side, 3});
    for (int64_t filters = 64; filters <= 256; filters *= 2) {
        if (filters > 64) kf_sequential_add(vision, kf_max_pooling2d());
        kf_sequential_add(vision, kf_conv2d(filters, .kernel_size = {3}, .activation = "relu",
                                            .padding = "same"));
        kf_sequential_add(vision, kf_conv2d(filters, .kernel_size = {3}, .activation = "relu"));
    }
    kf_sequential_add(vision, kf_conv2d(256, .kernel_size = {3}, .activation = "relu"));
    kf_sequential_add(vision, kf_max_pooling2d());
    kf_sequential_add(vision, kf_flatten());
    return vision;
}

static kf_model *build(kf_graph *graph, int64_t side) {
    kf_model *vision = build_vision(graph, side);
    kf_tensor *seen = kf_input(graph, {side, side, 3}, .name = "image");
    kf_tensor *encoded_image = kf_apply(kf_model_layer(vision), seen);

    kf_tensor *asked = kf_input(graph, {WORDS}, .dtype = "int32", .name = "question");
    kf_tensor *embedded = kf_apply(kf_embedding(VOCABULARY, 256, .input_length = WORDS), asked);
    kf_tensor *encoded_question = kf_apply(kf_lstm(256), embedded);

    kf_tensor *both = kf_apply(kf_concatenate(), encoded_question, encoded_image);
    kf_tensor *output = kf_apply(kf_dense(ANSWERS, .activation = "softmax"), both);
    if (side == SIDE) {
        example_show(vision, 1735488);
        example_expect_shape(encoded_image, KF_ANY, 160000);
    }
    return kf_model_new(.inputs = kf_list(seen, asked), .outputs = kf_list(output));
}

static kf_status train(kf_model *model, int64_t side, kf_history *history) {
    const kf_array arrays[] = {{NULL, image, KF_FLOAT32, {4, {SAMPLES, side, side, 3}}},
                               {NULL, question, KF_INT32, {2, {SAMPLES, WORDS}}},
                               {NULL, answer, KF_INT32, {2, {SAMPLES, 1}}}};
    kf_dataset *data = kf_dataset_arrays(arrays, 3);
    kf_status status = kf_compile(model, .optimizer = kf_rmsprop(0.0001f),
                                  .loss = "sparse_categorical_crossentropy");
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 5, .batch_size = SAMPLES, .history = history);
    kf_dataset_free(data);
    return status;
}

int main(int argc, char **argv) {
    const int64_t side = example_begin(argc, argv) ? SMALL_SIDE : SIDE;
    make_data(side);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph, SIDE);
    example_show(model, 165077800);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, ANSWERS);
    if (side != SIDE) model = build(graph, side);

    kf_history *history = kf_history_new();
    example_learned(train(model, side, history), history, 0.95);
    kf_history_free(history);
    kf_graph_free(graph);
    return example_end();
}
