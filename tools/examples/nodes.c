/* Nodes: every call of a layer adds one, numbered from 0. A layer with one node has an output; with
 * two, "the output" means nothing any more, and one asks for that of a node. */
#include "example.h"

#include <stdio.h>
#include <string.h>

enum { SAMPLES = 64, SMALL_SIDE = 32, LARGE_SIDE = 64 };

static float small_image[SAMPLES][SMALL_SIDE * SMALL_SIDE * 3];
static float large_image[SAMPLES][LARGE_SIDE * LARGE_SIDE * 3];
static float colour[SAMPLES][1];

static bool refused(const void *answer, const char *message) {
    printf("%s\n", kf_last_error());
    return answer == NULL && strstr(kf_last_error(), message) != NULL;
}

static void check_outputs(kf_graph *graph) {
    kf_layer *lstm = kf_lstm(32);
    example_expect(refused(kf_layer_output(lstm), "has no inbound nodes"),
                   "a layer that was never called has no output");

    kf_tensor *encoded_a = kf_apply(lstm, kf_input(graph, {140, 256}));
    example_expect(kf_layer_output(lstm) == encoded_a, "one node: the output is its output");

    kf_tensor *encoded_b = kf_apply(lstm, kf_input(graph, {140, 256}));
    example_expect(refused(kf_layer_output(lstm), "has multiple inbound nodes"),
                   "two nodes: which output?");
    example_expect(kf_layer_output_at(lstm, 0) == encoded_a, "node 0 is the first call");
    example_expect(kf_layer_output_at(lstm, 1) == encoded_b, "node 1 is the second");
    example_expect(refused(kf_layer_output_at(lstm, 2), "only 2 inbound nodes"),
                   "there is no third");
}

static bool is_square(kf_status status, const kf_shape *shape, int64_t side) {
    return status == KF_OK && shape->rank == 4 && shape->dims[0] == KF_ANY &&
           shape->dims[1] == side && shape->dims[2] == side && shape->dims[3] == 3;
}

/* Shapes are clear as long as all calls agree. A convolution does not mind the size of images, and
 * its weights are shared between sizes. */
static kf_layer *check_shapes(kf_graph *graph) {
    kf_layer *conv = kf_conv2d(16, .kernel_size = {3}, .padding = "same");
    kf_shape shape;
    kf_apply(conv, kf_input(graph, {SMALL_SIDE, SMALL_SIDE, 3}, .name = "small_image"));
    kf_status status = kf_layer_input_shape(conv, &shape);
    example_expect(is_square(status, &shape, SMALL_SIDE), "one node: the input's shape");

    kf_apply(conv, kf_input(graph, {LARGE_SIDE, LARGE_SIDE, 3}, .name = "large_image"));
    status = kf_layer_input_shape(conv, &shape);
    example_expect(status != KF_OK && refused(NULL, "with different input shapes"),
                   "two nodes of different shapes: which shape?");
    status = kf_layer_input_shape_at(conv, 0, &shape);
    example_expect(is_square(status, &shape, SMALL_SIDE), "node 0 is the small image");
    status = kf_layer_input_shape_at(conv, 1, &shape);
    example_expect(is_square(status, &shape, LARGE_SIDE), "node 1 is the large one");
    example_expect(kf_layer_parameters(conv) == 448, "both calls share one kernel and bias");
    return conv;
}

/* A model from nodes that exist: it takes up wherever its tensors are. */
static kf_model *build(kf_layer *conv) {
    kf_tensor *features[2];
    for (int node = 0; node < 2; node++)
        features[node] = kf_apply(kf_global_average_pooling2d(), kf_layer_output_at(conv, node));
    kf_tensor *x = kf_apply(kf_concatenate(), features[0], features[1]);
    x = kf_apply(kf_dense(1, .name = "colour"), x);
    return kf_model_new(.inputs = kf_list(kf_layer_input_at(conv, 0), kf_layer_input_at(conv, 1)),
                        .outputs = kf_list(x));
}

/* The difference of the two images' brightness. */
static void make_data(void) {
    example_fill(small_image[0], sizeof small_image / sizeof(float));
    example_fill(large_image[0], sizeof large_image / sizeof(float));
    for (int i = 0; i < SAMPLES; i++) {
        const float a = example_random(), b = example_random();
        for (int j = 0; j < SMALL_SIDE * SMALL_SIDE * 3; j++) small_image[i][j] += a;
        for (int j = 0; j < LARGE_SIDE * LARGE_SIDE * 3; j++) large_image[i][j] += b;
        colour[i][0] = 3 * (a - b);
    }
}

static kf_status train(kf_model *model, kf_history *history) {
    const kf_array arrays[] = {
        {"small_image", small_image, KF_FLOAT32, {4, {SAMPLES, SMALL_SIDE, SMALL_SIDE, 3}}},
        {"large_image", large_image, KF_FLOAT32, {4, {SAMPLES, LARGE_SIDE, LARGE_SIDE, 3}}},
        {"colour", colour, KF_FLOAT32, {2, {SAMPLES, 1}}}};
    kf_dataset *data = kf_dataset_arrays(arrays, 3);
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.02f), .loss = "mse");
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 6, .batch_size = 8, .history = history);
    kf_dataset_free(data);
    return status;
}

int main(int argc, char **argv) {
    example_begin(argc, argv); /* small already */
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7);
    check_outputs(graph);
    kf_model *model = build(check_shapes(graph));
    example_show(model, 448 + 33);

    kf_history *history = kf_history_new();
    example_learned(train(model, history), history, 0.7);
    kf_history_free(history);
    kf_graph_free(graph);
    return example_end();
}
