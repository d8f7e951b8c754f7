/* A multilayer perceptron: the smallest whole program. Symbolic tensors are made by applying layers
 * to tensors; a model is the part of that graph between chosen inputs and outputs. */
#include <kf.h>

#include <stdio.h>

enum { SAMPLES = 1024, FEATURES = 20, CLASSES = 3 };

static float image[SAMPLES][FEATURES];
static int32_t label[SAMPLES];

/* A task that can be learned: the label is which third of the features has the largest sum. */
static void make_data(void) {
    uint32_t state = 1;
    for (int i = 0; i < SAMPLES; i++) {
        float sum[CLASSES] = {0};
        for (int j = 0; j < FEATURES; j++) {
            state = state * 1664525u + 1013904223u;
            image[i][j] = (float)(state >> 8) * 0x1p-24f - 0.5f;
            sum[j % CLASSES] += image[i][j];
        }
        for (int c = 1; c < CLASSES; c++)
            if (sum[c] > sum[label[i]]) label[i] = c;
    }
}

static kf_model *build(kf_graph *graph) {
    /* shapes are one sample's: the batch axis is free */
    kf_tensor *input = kf_input(graph, {FEATURES}, .name = "image");
    kf_tensor *x = kf_apply(kf_dense(64, .activation = "relu"), input);
    x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *output = kf_apply(kf_dense(CLASSES, .activation = "softmax", .name = "label"), x);
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(output));
}

/* Nothing above was checked: a failed maker poisons all that is made from it, and kf_compile
 * reports the first message. */
static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status =
        kf_compile(model, .optimizer = kf_adam(0.003f), .loss = "sparse_categorical_crossentropy",
                   .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 8, .batch_size = 32, .validation_split = 0.25f,
                        .history = history);
    return status;
}

int main(void) {
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7); /* owns all layers, tensors, weights, models */
    /* fields are matched to the model's inputs and outputs by name */
    kf_dataset *data =
        kf_dataset_arrays((kf_array[]){{"image", image, KF_FLOAT32, {2, {SAMPLES, FEATURES}}},
                                       {"label", label, KF_INT32, {1, {SAMPLES}}}},
                          2);
    kf_history *history = kf_history_new();
    if (graph == NULL || data == NULL || history == NULL) return 1;
    const kf_status status = train(build(graph), data, history);
    int failed = status != KF_OK;
    if (failed) {
        fprintf(stderr, "mlp: %s\n", kf_last_error());
    } else {
        const double *loss = kf_history_values(history, "loss");
        const double *accuracy = kf_history_values(history, "val_acc");
        const int last = kf_history_epochs(history) - 1;
        printf("loss %.4f -> %.4f, validation accuracy %.4f\n", loss[0], loss[last],
               accuracy[last]);
        failed = !(loss[last] < 0.7 * loss[0]);
    }
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return failed;
}
