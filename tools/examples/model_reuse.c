/* Every model can be called like a layer. Calling it reuses its layers and their weights: nothing
 * is copied, so that whatever trains one trains the other. */
#include "example.h"

#include <string.h>

enum { SAMPLES = 1024, PIXELS = 784, CLASSES = 10, SHOWN = 8 };

static float image[SAMPLES][PIXELS], digit[SAMPLES][CLASSES];

static kf_model *build_classifier(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {PIXELS});
    kf_tensor *x = kf_apply(kf_dense(64, .activation = "relu"), input);
    x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *output = kf_apply(kf_dense(CLASSES, .activation = "softmax"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(output));
}

/* A model is a layer whose node 0 is its own way from inputs to outputs; its first call makes
 * node 1. */
static kf_model *call(kf_graph *graph, kf_model *classifier) {
    kf_layer *layer = kf_model_layer(classifier);
    kf_tensor *x = kf_input(graph, {PIXELS}, .name = "image");
    kf_tensor *y = kf_apply(layer, x);
    example_expect(kf_layer_nodes(layer) == 2, "the model has two nodes");
    example_expect(kf_layer_output_at(layer, 0) == kf_model_output(classifier, 0),
                   "node 0 is the model's own output");
    example_expect(kf_layer_output_at(layer, 1) == y, "node 1 is the call");
    return kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
}

/* Arrays without a name stand for inputs, then outputs. */
static kf_status train(kf_model *model, kf_history *history) {
    const kf_array arrays[] = {{NULL, image, KF_FLOAT32, {2, {SAMPLES, PIXELS}}},
                               {NULL, digit, KF_FLOAT32, {2, {SAMPLES, CLASSES}}}};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    kf_status status =
        kf_compile(model, .optimizer = kf_rmsprop(0.001f), .loss = "categorical_crossentropy");
    if (status == KF_OK) status = kf_fit(model, data, .epochs = 4, .history = history);
    kf_dataset_free(data);
    return status;
}

/* No compile is needed to predict. */
static void predict(kf_model *model, float answers[SHOWN][CLASSES]) {
    const kf_array batch = {NULL, image, KF_FLOAT32, {2, {SHOWN, PIXELS}}};
    float *outputs[] = {answers[0]};
    example_expect(kf_predict_on_batch(model, &batch, 1, outputs) == KF_OK, "it predicts");
}

int main(int argc, char **argv) {
    example_begin(argc, argv); /* small already */
    for (int i = 0; i < SAMPLES; i++)
        example_digit(image[i], PIXELS, digit[i], example_random_below(CLASSES));
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *classifier = build_classifier(graph);
    kf_model *caller = call(graph, classifier);
    example_show(caller, 55050);
    example_expect_shape(kf_model_output(caller, 0), KF_ANY, CLASSES);

    static float before[SHOWN][CLASSES], inner[SHOWN][CLASSES], outer[SHOWN][CLASSES];
    predict(classifier, before);
    kf_history *history = kf_history_new();
    example_learned(train(caller, history), history, 0.7);
    predict(classifier, inner);
    predict(caller, outer);
    example_expect(memcmp(before, inner, sizeof inner) != 0,
                   "training the caller trains the model");
    example_expect(memcmp(inner, outer, sizeof inner) == 0, "both give the same answers");
    kf_history_free(history);
    kf_graph_free(graph);
    return example_end();
}
