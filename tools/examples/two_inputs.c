/* Two inputs and two outputs. The main input is looked at twice: by an auxiliary output of its own,
 * whose loss counts 0.2 and keeps the first layers learning, and, beside a second input with other
 * facts, by the main output. Data and losses are given by the names of inputs and outputs. */
#include <kf.h>

#include <stdio.h>

enum { SAMPLES = 768, WORDS = 24, FACTS = 5 };

static float main_input[SAMPLES][WORDS], aux_input[SAMPLES][FACTS];
static float answer[SAMPLES][1];

static float next(void) {
    static uint32_t state = 2;
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) * 0x1p-24f - 0.5f;
}

/* The answer depends on both inputs, so that the auxiliary output alone cannot know it. */
static void make_data(void) {
    for (int i = 0; i < SAMPLES; i++) {
        float sum = 0;
        for (int j = 0; j < WORDS; j++) sum += main_input[i][j] = next();
        for (int j = 0; j < FACTS; j++) sum += 2 * (aux_input[i][j] = next());
        answer[i][0] = sum > 0;
    }
}

static kf_model *build(kf_graph *graph) {
    kf_tensor *words = kf_input(graph, {WORDS}, .name = "main_input");
    kf_tensor *facts = kf_input(graph, {FACTS}, .name = "aux_input");
    kf_tensor *seen = kf_apply(kf_dense(32, .activation = "relu"), words);
    kf_tensor *aux = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "aux_output"), seen);
    kf_tensor *x = kf_apply(kf_concatenate(), seen, facts);
    for (int i = 0; i < 3; i++) x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *out = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "main_output"), x);
    return kf_model_new(.inputs = kf_list(words, facts), .outputs = kf_list(out, aux));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(
        model, .optimizer = kf_rmsprop(0.002f),
        .outputs = {{.output = "main_output", .loss = "binary_crossentropy", .loss_weight = 1},
                    {.output = "aux_output", .loss = "binary_crossentropy", .loss_weight = 0.2f}});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 8, .batch_size = 32, .history = history);
    return status;
}

int main(void) {
    make_data();
    kf_graph *graph = kf_graph_new(.seed = 7);
    /* one array may be the target of two outputs */
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){{"main_input", main_input, KF_FLOAT32, {2, {SAMPLES, WORDS}}},
                     {"aux_input", aux_input, KF_FLOAT32, {2, {SAMPLES, FACTS}}},
                     {"main_output", answer, KF_FLOAT32, {2, {SAMPLES, 1}}},
                     {"aux_output", answer, KF_FLOAT32, {2, {SAMPLES, 1}}}},
        4);
    kf_history *history = kf_history_new();
    if (graph == NULL || data == NULL || history == NULL) return 1;
    const kf_status status = train(build(graph), data, history);
    int failed = status != KF_OK;
    if (failed) {
        fprintf(stderr, "two_inputs: %s\n", kf_last_error());
    } else {
        const int last = kf_history_epochs(history) - 1;
        const double *total = kf_history_values(history, "loss");
        const double *main_loss = kf_history_values(history, "main_output_loss");
        const double *aux_loss = kf_history_values(history, "aux_output_loss");
        printf("loss %.4f -> %.4f = %.4f + 0.2 * %.4f\n", total[0], total[last], main_loss[last],
               aux_loss[last]);
        failed = !(total[last] < 0.7 * total[0]);
    }
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return failed;
}
