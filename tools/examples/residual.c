/* A residual block: the input is added to what a convolution makes of it, so the convolution only
 * has to learn the difference. Blocks made in a loop by a function show that a graph is ordinary C:
 * functions from tensors to tensors. */
#include "example.h"

enum { SAMPLES = 64, SIDE = 256, SMALL_SIDE = 16, CHANNELS = 3, BLOCKS = 2 };

static float image[SAMPLES * SIDE * SIDE * CHANNELS];
static float brightness[SAMPLES][1];

/* Regression: the brightness of the image's first channel, a little stretched. */
static void make_data(int64_t side) {
    const int64_t pixels = side * side;
    example_fill(image, SAMPLES * pixels * CHANNELS);
    for (int64_t i = 0; i < SAMPLES; i++) {
        const float level = (float)(i % 8) / 8;
        for (int64_t j = 0; j < pixels; j++) image[(i * pixels + j) * CHANNELS] += 2 * level;
        brightness[i][0] = 3 * level;
    }
}

/* y = x + conv(x): the convolution keeps size and channels, so that the two can be added. */
static kf_tensor *residual(kf_tensor *x) {
    kf_tensor *y = kf_apply(kf_conv2d(CHANNELS, .kernel_size = {3}, .padding = "same"), x);
    return kf_apply(kf_add(), x, y);
}

static kf_model *build_block(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {SIDE, SIDE, CHANNELS});
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(residual(input)));
}

static kf_model *build(kf_graph *graph, int64_t side) {
    kf_tensor *input = kf_input(graph, {side, side, CHANNELS}, .name = "image");
    kf_tensor *x = input;
    for (int i = 0; i < BLOCKS; i++) {
        x = residual(x);
        x = kf_apply(kf_batch_normalization(.momentum = 0.9f), x);
        x = kf_apply(kf_activation("relu"), x);
    }
    x = kf_apply(kf_global_average_pooling2d(), x);
    kf_tensor *out = kf_apply(kf_dense(1, .name = "brightness"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(out));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.02f), .loss = "mean_squared_error");
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 6, .batch_size = 8, .history = history);
    return status;
}

int main(int argc, char **argv) {
    const int64_t side = example_begin(argc, argv) ? SMALL_SIDE : SIDE;
    make_data(side);
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){{"image", image, KF_FLOAT32, {4, {SAMPLES, side, side, CHANNELS}}},
                     {"brightness", brightness, KF_FLOAT32, {2, {SAMPLES, 1}}}},
        2);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *block = build_block(graph);
    example_show(block, 84);
    example_expect_shape(kf_model_output(block, 0), KF_ANY, SIDE, SIDE, CHANNELS);

    kf_history *history = kf_history_new();
    example_learned(train(build(graph, side), data, history), history, 0.6);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
