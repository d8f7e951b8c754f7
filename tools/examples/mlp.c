/* A multilayer perceptron: the smallest whole program. Symbolic tensors are made by applying layers
 * to tensors; a model is the part of that graph between chosen inputs and outputs. */
#include "example.h"

enum { SAMPLES = 2048, PIXELS = 784, CLASSES = 10 };

static float image[SAMPLES][PIXELS], digit[SAMPLES][CLASSES];

static kf_model *build(kf_graph *graph) {
    /* shapes are one sample's: the batch axis is free */
    kf_tensor *input = kf_input(graph, {PIXELS}, .name = "image");
    kf_tensor *x = kf_apply(kf_dense(64, .activation = "relu"), input);
    x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *output = kf_apply(kf_dense(CLASSES, .activation = "softmax", .name = "digit"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(output));
}

/* Nothing above was checked: a failed maker poisons all that is made from it, and kf_compile
 * reports the first message. */
static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_rmsprop(0.001f),
                                  .loss = "categorical_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 5, .batch_size = 32, .validation_split = 0.25f,
                        .history = history);
    return status;
}

int main(int argc, char **argv) {
    const int64_t samples = example_begin(argc, argv) ? SAMPLES / 4 : SAMPLES;
    for (int64_t i = 0; i < samples; i++)
        example_digit(image[i], PIXELS, digit[i], example_random_below(CLASSES));
    /* fields are matched to the model's inputs and outputs by name */
    kf_dataset *data =
        kf_dataset_arrays((kf_array[]){{"image", image, KF_FLOAT32, {2, {samples, PIXELS}}},
                                       {"digit", digit, KF_FLOAT32, {2, {samples, CLASSES}}}},
                          2);
    kf_graph *graph = kf_graph_new(.seed = 7); /* owns all layers, tensors, weights, models */
    kf_model *model = build(graph);
    example_show(model, 55050);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, CLASSES);

    kf_history *history = kf_history_new();
    example_learned(train(model, data, history), history, 0.7);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
