/* From an image classifier to a video classifier in one line: TimeDistributed applies a layer, and
 * a model is one, to every step of a sequence with the same weights. */
#include "example.h"

enum { SAMPLES = 256, STEPS = 20, PIXELS = 784, CLASSES = 10 };

static float frames[SAMPLES][STEPS][PIXELS], digits[SAMPLES][STEPS][CLASSES];

static kf_model *build_classifier(kf_graph *graph) {
    kf_tensor *input = kf_input(graph, {PIXELS});
    kf_tensor *x = kf_apply(kf_dense(64, .activation = "relu"), input);
    x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *output = kf_apply(kf_dense(CLASSES, .activation = "softmax"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(output));
}

static kf_model *build(kf_graph *graph) {
    kf_layer *classifier = kf_model_layer(build_classifier(graph));
    kf_tensor *sequence = kf_input(graph, {STEPS, PIXELS}, .name = "frames");
    kf_tensor *answers = kf_apply(kf_time_distributed(classifier, .name = "digits"), sequence);
    return kf_model_new(.inputs = kf_list(sequence), .outputs = kf_list(answers));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_rmsprop(0.001f),
                                  .loss = "categorical_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 4, .batch_size = 4, .history = history);
    return status;
}

int main(int argc, char **argv) {
    const int64_t samples = example_begin(argc, argv) ? SAMPLES / 4 : SAMPLES;
    for (int64_t i = 0; i < samples; i++)
        for (int t = 0; t < STEPS; t++)
            example_digit(frames[i][t], PIXELS, digits[i][t], example_random_below(CLASSES));
    /* every step of a sequence has a target of its own */
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){{"frames", frames, KF_FLOAT32, {3, {samples, STEPS, PIXELS}}},
                     {"digits", digits, KF_FLOAT32, {3, {samples, STEPS, CLASSES}}}},
        2);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph);
    example_show(model, 55050);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, STEPS, CLASSES);

    kf_history *history = kf_history_new();
    example_learned(train(model, data, history), history, 0.7);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
