/* Questions about a video: a model for images, given to TimeDistributed, sees every frame, and an
 * LSTM the sequence of what it saw; the question is read by a model of its own, called like a
 * layer.
 *
 * Kept whole, one video of 100 frames takes 5 GiB on its way through the image model, beside the 2
 * GiB of weights, gradients and RMSprop's averages. With a limit, frames go through in parts, in
 * training twice; results stay the same to the last bit. */
#include "example.h"

enum {
    FRAMES = 100,
    SMALL_FRAMES = 6,
    SIDE = 224,
    SMALL_SIDE = 32,
    WORDS = 100,
    VOCABULARY = 10000,
    ANSWERS = 1000,
};

static float video[FRAMES * SIDE * SIDE * 3];
static int32_t question[1][WORDS], answer[1][1];

static void make_data(int64_t frames, int64_t side) {
    example_fill(video, frames * side * side * 3);
    for (int j = 0; j < WORDS; j++) question[0][j] = 1 + example_random_below(VOCABULARY - 1);
    answer[0][0] = example_random_below(ANSWERS);
}

/* As in vqa.c. */
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

/* What vqa.c does to its question, as a model: its layers and weights can be used in both. */
static kf_model *build_question_encoder(kf_graph *graph) {
    kf_tensor *asked = kf_input(graph, {WORDS}, .dtype = "int32");
    kf_tensor *embedded = kf_apply(kf_embedding(VOCABULARY, 256, .input_length = WORDS), asked);
    return kf_model_new(.inputs = kf_list(asked),
                        .outputs = kf_list(kf_apply(kf_lstm(256), embedded)));
}

static kf_model *build(kf_graph *graph, int64_t frames, int64_t side) {
    kf_layer *vision = kf_model_layer(build_vision(graph, side));
    kf_tensor *seen = kf_input(graph, {frames, side, side, 3}, .name = "video");
    kf_tensor *sequence = kf_apply(kf_time_distributed(vision), seen);
    kf_tensor *encoded_video = kf_apply(kf_lstm(256), sequence);

    kf_tensor *asked = kf_input(graph, {WORDS}, .dtype = "int32", .name = "question");
    kf_tensor *encoded_question = kf_apply(kf_model_layer(build_question_encoder(graph)), asked);

    kf_tensor *both = kf_apply(kf_concatenate(), encoded_video, encoded_question);
    kf_tensor *output = kf_apply(kf_dense(ANSWERS, .activation = "softmax"), both);
    if (side == SIDE) example_expect_shape(sequence, KF_ANY, FRAMES, 160000);
    return kf_model_new(.inputs = kf_list(seen, asked), .outputs = kf_list(output));
}

static kf_status train(kf_model *model, int64_t frames, int64_t side, kf_history *history) {
    const kf_array arrays[] = {{NULL, video, KF_FLOAT32, {5, {1, frames, side, side, 3}}},
                               {NULL, question, KF_INT32, {2, {1, WORDS}}},
                               {NULL, answer, KF_INT32, {2, {1, 1}}}};
    kf_dataset *data = kf_dataset_arrays(arrays, 3);
    kf_status status =
        kf_compile(model, .optimizer = kf_rmsprop(0.001f),
                   .loss = "sparse_categorical_crossentropy", .memory_limit_bytes = 6ull << 30);
    /* an epoch is one step here */
    if (status == KF_OK) status = kf_fit(model, data, .epochs = 2, .history = history);
    kf_dataset_free(data);
    return status;
}

int main(int argc, char **argv) {
    const bool small = example_begin(argc, argv);
    const int64_t frames = small ? SMALL_FRAMES : FRAMES, side = small ? SMALL_SIDE : SIDE;
    make_data(frames, side);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph, FRAMES, SIDE);
    example_show(model, 169436968);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, ANSWERS);
    if (small) model = build(graph, frames, side);

    kf_history *history = kf_history_new();
    example_learned(train(model, frames, side, history), history, 0.95);
    kf_history_free(history);
    kf_graph_free(graph);
    return example_end();
}
