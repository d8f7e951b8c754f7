/* An Inception block: three towers look at the same image with different windows, and their results
 * are stacked. The towers do not depend on each other, so the scheduler runs them at the same time;
 * kfprof with inception.json shows it. */
#include "example.h"

enum { SAMPLES = 8, SMALL_SAMPLES = 64, SIDE = 256, SMALL_SIDE = 16, CLASSES = 2 };

static float image[SAMPLES * SIDE * SIDE * 3]; /* room for more and smaller ones, too */
static float label[SMALL_SAMPLES][CLASSES];    /* one-hot */

/* Class 1 has bright columns, class 0 bright rows, both under noise. */
static void make_data(int64_t samples, int side) {
    float *pixel = image;
    for (int64_t i = 0; i < samples; i++) {
        label[i][i % CLASSES] = 1;
        for (int y = 0; y < side; y++)
            for (int x = 0; x < side; x++)
                for (int c = 0; c < 3; c++) {
                    const int stripe = (i % CLASSES == 1 ? x : y) % 3 == i % 3;
                    *pixel++ = (float)stripe + example_random();
                }
    }
}

static kf_tensor *convolve(kf_tensor *x, int64_t window) {
    return kf_apply(kf_conv2d(64, .kernel_size = {window}, .padding = "same", .activation = "relu"),
                    x);
}

/* Axis 3 of (batch, rows, columns, channels) stacks channels, as the paper does (Szegedy et al.
 * 2014). Keras's guide says axis 1, which was that of the channels when they came first: here it
 * puts the images below each other. Both are legal. */
static kf_tensor *inception(kf_tensor *input, int64_t axis) {
    kf_tensor *tower_1 = convolve(convolve(input, 1), 3);
    kf_tensor *tower_2 = convolve(convolve(input, 1), 5);
    kf_tensor *tower_3 =
        kf_apply(kf_max_pooling2d(.pool_size = {3}, .strides = {1}, .padding = "same"), input);
    tower_3 = convolve(tower_3, 1);
    return kf_apply(kf_concatenate(.axis = axis), tower_1, tower_2, tower_3);
}

static kf_model *build_block(kf_graph *graph, int64_t axis) {
    kf_tensor *input = kf_input(graph, {SIDE, SIDE, 3});
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(inception(input, axis)));
}

static kf_model *build(kf_graph *graph, int64_t side) {
    kf_tensor *input = kf_input(graph, {side, side, 3}, .name = "image");
    kf_tensor *x = kf_apply(kf_global_average_pooling2d(), inception(input, 3));
    kf_tensor *out = kf_apply(kf_dense(CLASSES, .activation = "softmax", .name = "label"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(out));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.003f),
                                  .loss = "categorical_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 6, .batch_size = 4, .history = history);
    return status;
}

int main(int argc, char **argv) {
    const bool small = example_begin(argc, argv);
    const int64_t samples = small ? SMALL_SAMPLES : SAMPLES, side = small ? SMALL_SIDE : SIDE;
    make_data(samples, (int)side);
    kf_dataset *data =
        kf_dataset_arrays((kf_array[]){{"image", image, KF_FLOAT32, {4, {samples, side, side, 3}}},
                                       {"label", label, KF_FLOAT32, {2, {samples, CLASSES}}}},
                          2);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *rows = build_block(graph, 1), *channels = build_block(graph, 3);
    example_show(channels, 140160);
    example_expect_shape(kf_model_output(channels, 0), KF_ANY, SIDE, SIDE, 3 * 64);
    example_expect(kf_model_parameters(rows, NULL) == 140160, "axis 1 has as many parameters");
    example_expect_shape(kf_model_output(rows, 0), KF_ANY, 3 * SIDE, SIDE, 64);

    kf_history *history = kf_history_new();
    example_learned(train(build(graph, side), data, history), history, 0.8);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
