/* A model is a layer. One vision model turns an image into features; called on two images, it uses
 * the same weights for both, and the gradients of both calls add up in them. A classifier on top
 * says whether the two images show the same thing. */
#include <kf.h>

#include <stdio.h>

enum { SAMPLES = 256, SIDE = 11 };

static float digit_a[SAMPLES][SIDE][SIDE][1], digit_b[SAMPLES][SIDE][SIDE][1];
static float same[SAMPLES][1];

/* A bar, upright or lying, under noise: kind 0 or 1. */
static void draw(float image[SIDE][SIDE][1], int kind, uint32_t *state) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            *state = *state * 1664525u + 1013904223u;
            const int bar = (kind == 0 ? x : y) / 3 == 1;
            image[y][x][0] = (float)bar + 0.3f * ((float)(*state >> 8) * 0x1p-24f - 0.5f);
        }
}

static void make_data(void) {
    uint32_t state = 5;
    for (int i = 0; i < SAMPLES; i++) {
        const int kind_a = i % 2, kind_b = i / 2 % 2;
        draw(digit_a[i], kind_a, &state);
        draw(digit_b[i], kind_b, &state);
        same[i][0] = kind_a == kind_b;
    }
}

static kf_model *build_vision(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {SIDE, SIDE, 1});
    kf_tensor *x = kf_apply(kf_conv2d(8, .kernel_size = {3}, .activation = "relu"), input);
    x = kf_apply(kf_conv2d(8, .kernel_size = {3}, .activation = "relu"), x);
    x = kf_apply(kf_max_pooling2d(.pool_size = {2}), x);
    x = kf_apply(kf_flatten(), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(x), .name = "vision");
}

static kf_model *build(kf_graph *graph) {
    kf_layer *vision = kf_model_layer(build_vision(graph));
    kf_tensor *a = kf_input(graph, {SIDE, SIDE, 1}, .name = "digit_a");
    kf_tensor *b = kf_input(graph, {SIDE, SIDE, 1}, .name = "digit_b");
    kf_tensor *both = kf_apply(kf_concatenate(), kf_apply(vision, a), kf_apply(vision, b));
    kf_tensor *x = kf_apply(kf_dense(16, .activation = "relu"), both);
    kf_tensor *out = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "same"), x);
    return kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(out));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.005f),
                                  .loss = "binary_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 8, .batch_size = 16, .history = history);
    return status;
}

int main(void) {
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){{"digit_a", digit_a, KF_FLOAT32, {4, {SAMPLES, SIDE, SIDE, 1}}},
                     {"digit_b", digit_b, KF_FLOAT32, {4, {SAMPLES, SIDE, SIDE, 1}}},
                     {"same", same, KF_FLOAT32, {2, {SAMPLES, 1}}}},
        3);
    kf_history *history = kf_history_new();
    if (graph == NULL || data == NULL || history == NULL) return 1;
    const kf_status status = train(build(graph), data, history);
    int failed = status != KF_OK;
    if (failed) {
        fprintf(stderr, "shared_vision: %s\n", kf_last_error());
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
