/* A residual block: the input is added to what a convolution makes of it, so the convolution only
 * has to learn the difference. Blocks made in a loop by a function show that a graph
 * is ordinary C: functions from tensors to tensors. */
#include <kf.h>

#include <stdio.h>

enum { SAMPLES = 128, SIDE = 10, CHANNELS = 3, BLOCKS = 2 };

static float image[SAMPLES][SIDE][SIDE][CHANNELS];
static float brightness[SAMPLES][1];

/* Regression: the mean of the image's first channel, a little stretched. */
static void make_data(void) {
    uint32_t state = 4;
    for (int i = 0; i < SAMPLES; i++) {
        const float level = (float)(i % 8) / 8;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                for (int c = 0; c < CHANNELS; c++) {
                    state = state * 1664525u + 1013904223u;
                    image[i][y][x][c] = (float)(state >> 8) * 0x1p-24f - 0.5f;
                    if (c == 0) image[i][y][x][c] += 2 * level;
                }
        brightness[i][0] = 3 * level;
    }
}

/* y = x + conv(x): the convolution keeps size and channels, so that the two can be added. */
static kf_tensor *residual_block(kf_tensor *x) {
    kf_tensor *y = kf_apply(kf_conv2d(CHANNELS, .kernel_size = {3}, .padding = "same"), x);
    y = kf_apply(kf_batch_normalization(.momentum = 0.9f), y);
    y = kf_apply(kf_activation("relu"), y);
    return kf_apply(kf_add(), x, y);
}

static kf_model *build(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {SIDE, SIDE, CHANNELS}, .name = "image");
    kf_tensor *x = input;
    for (int i = 0; i < BLOCKS; i++) x = residual_block(x);
    x = kf_apply(kf_global_average_pooling2d(), x);
    kf_tensor *out = kf_apply(kf_dense(1, .name = "brightness"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(out));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.02f), .loss = "mean_squared_error");
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 10, .batch_size = 16, .history = history);
    return status;
}

int main(void) {
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){{"image", image, KF_FLOAT32, {4, {SAMPLES, SIDE, SIDE, CHANNELS}}},
                     {"brightness", brightness, KF_FLOAT32, {2, {SAMPLES, 1}}}},
        2);
    kf_history *history = kf_history_new();
    if (graph == NULL || data == NULL || history == NULL) return 1;
    const kf_status status = train(build(graph), data, history);
    int failed = status != KF_OK;
    if (failed) {
        fprintf(stderr, "residual: %s\n", kf_last_error());
    } else {
        const int last = kf_history_epochs(history) - 1;
        const double *loss = kf_history_values(history, "loss");
        printf("loss %.4f -> %.4f\n", loss[0], loss[last]);
        failed = !(loss[last] < 0.5 * loss[0]);
    }
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return failed;
}
