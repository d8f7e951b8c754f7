/* An Inception block: three towers look at the same image with different windows, and their results
 * are stacked along the channels. The towers do not depend on each other, so the scheduler runs
 * them at the same time; kfprof with inception.json shows it. */
#include <kf.h>

#include <stdio.h>

enum { SAMPLES = 128, SIDE = 12, CLASSES = 2 };

static float image[SAMPLES][SIDE][SIDE][3];
static float label[SAMPLES][CLASSES]; /* one-hot */

/* Class 1 has bright columns, class 0 bright rows, both under noise. */
static void make_data(void) {
    uint32_t state = 3;
    for (int i = 0; i < SAMPLES; i++) {
        label[i][i % CLASSES] = 1;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++)
                for (int c = 0; c < 3; c++) {
                    state = state * 1664525u + 1013904223u;
                    const int stripe = (i % CLASSES == 1 ? x : y) % 3 == i % 3;
                    image[i][y][x][c] = (float)stripe + (float)(state >> 8) * 0x1p-24f - 0.5f;
                }
    }
}

static kf_tensor *convolve(kf_tensor *x, int64_t filters, int64_t window) {
    return kf_apply(
        kf_conv2d(filters, .kernel_size = {window}, .padding = "same", .activation = "relu"), x);
}

static kf_model *build(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {SIDE, SIDE, 3}, .name = "image");
    kf_tensor *tower_1 = convolve(convolve(input, 8, 1), 8, 3);
    kf_tensor *tower_2 = convolve(convolve(input, 8, 1), 8, 5);
    kf_tensor *tower_3 =
        kf_apply(kf_max_pooling2d(.pool_size = {3}, .strides = {1}, .padding = "same"), input);
    tower_3 = convolve(tower_3, 8, 1);
    /* axis 3 of (batch, rows, columns, channels) */
    kf_tensor *x = kf_apply(kf_concatenate(.axis = 3), tower_1, tower_2, tower_3);
    x = kf_apply(kf_max_pooling2d(.pool_size = {4}), x);
    x = kf_apply(kf_flatten(), x);
    kf_tensor *out = kf_apply(kf_dense(CLASSES, .activation = "softmax", .name = "label"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(out));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.005f),
                                  .loss = "categorical_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 6, .batch_size = 16, .history = history);
    return status;
}

int main(void) {
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_dataset *data =
        kf_dataset_arrays((kf_array[]){{"image", image, KF_FLOAT32, {4, {SAMPLES, SIDE, SIDE, 3}}},
                                       {"label", label, KF_FLOAT32, {2, {SAMPLES, CLASSES}}}},
                          2);
    kf_history *history = kf_history_new();
    if (graph == NULL || data == NULL || history == NULL) return 1;
    const kf_status status = train(build(graph), data, history);
    int failed = status != KF_OK;
    if (failed) {
        fprintf(stderr, "inception: %s\n", kf_last_error());
    } else {
        const int last = kf_history_epochs(history) - 1;
        const double *loss = kf_history_values(history, "loss");
        printf("loss %.4f -> %.4f\n", loss[0], loss[last]);
        failed = !(loss[last] < 0.7 * loss[0]);
    }
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return failed;
}
