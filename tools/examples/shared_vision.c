/* A model is a layer. One vision model turns an image into features; called on two images, it uses
 * the same weights for both, and the gradients of both calls add up in them. A classifier on top
 * says whether the two images show the same digit. */
#include "example.h"

enum { SAMPLES = 128, SIDE = 27 };

static float digit_a[SAMPLES][SIDE][SIDE][1], digit_b[SAMPLES][SIDE][SIDE][1];
static float same[SAMPLES][1];

/* A bar, upright or lying, under noise: kind 0 or 1. */
static void draw(float image[SIDE][SIDE][1], int kind) {
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++) {
            const int bar = (kind == 0 ? x : y) / 9 == 1;
            image[y][x][0] = (float)bar + 0.3f * example_random();
        }
}

/* The first digit is always upright: the model adds up what it sees in one image and in the other,
 * and cannot learn an exclusive or. */
static void make_data(int64_t samples) {
    for (int64_t i = 0; i < samples; i++) {
        draw(digit_a[i], 0);
        draw(digit_b[i], (int)(i % 2));
        same[i][0] = i % 2 == 0;
    }
}

static kf_model *build_vision(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {SIDE, SIDE, 1});
    kf_tensor *x = kf_apply(kf_conv2d(64, .kernel_size = {3}), input);
    x = kf_apply(kf_conv2d(64, .kernel_size = {3}), x);
    x = kf_apply(kf_max_pooling2d(.pool_size = {2}), x);
    x = kf_apply(kf_flatten(), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(x), .name = "vision");
}

static kf_model *build(kf_graph *graph) {
    kf_layer *vision = kf_model_layer(build_vision(graph));
    kf_tensor *a = kf_input(graph, {SIDE, SIDE, 1}, .name = "digit_a");
    kf_tensor *b = kf_input(graph, {SIDE, SIDE, 1}, .name = "digit_b");
    kf_tensor *both = kf_apply(kf_concatenate(), kf_apply(vision, a), kf_apply(vision, b));
    example_expect_shape(both, KF_ANY, 15488);
    kf_tensor *out = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "same"), both);
    return kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(out));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.0003f),
                                  .loss = "binary_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 4, .batch_size = 8, .history = history);
    return status;
}

int main(int argc, char **argv) {
    const int64_t samples = example_begin(argc, argv) ? SAMPLES / 4 : SAMPLES;
    make_data(samples);
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){{"digit_a", digit_a, KF_FLOAT32, {4, {samples, SIDE, SIDE, 1}}},
                     {"digit_b", digit_b, KF_FLOAT32, {4, {samples, SIDE, SIDE, 1}}},
                     {"same", same, KF_FLOAT32, {2, {samples, 1}}}},
        3);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph);
    example_show(model, 53057);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, 1);

    kf_history *history = kf_history_new();
    example_learned(train(model, data, history), history, 0.7);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
