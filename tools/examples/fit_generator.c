/* Training from a file that is read as training goes: a generator makes batch after batch, on a
 * thread of its own and a few ahead, for as long as it is asked. Here every line of a text file
 * makes one batch of one sample, with two inputs and an output by name. */
#include "example.h"

#include <stdio.h>

enum { LINES = 200, X1 = 4, X2 = 2, STEPS = 2000, SMALL_STEPS = 200, EPOCHS = 5 };

/* Lines of six numbers and whether their sum is positive. */
static bool write_lines(FILE *file) {
    for (int i = 0; i < LINES; i++) {
        float sum = 0;
        for (int j = 0; j < X1 + X2; j++) {
            const float x = example_random();
            sum += x;
            fprintf(file, "%.4f ", (double)x);
        }
        fprintf(file, "%d\n", sum > 0);
    }
    rewind(file);
    return !ferror(file);
}

/* After the last line comes the first again. */
static bool read_line(FILE *file, float numbers[X1 + X2 + 1]) {
    for (int j = 0; j < X1 + X2 + 1; j++) {
        int got = fscanf(file, "%f", &numbers[j]);
        if (got == EOF && j == 0) {
            rewind(file);
            got = fscanf(file, "%f", &numbers[j]);
        }
        if (got != 1) return false;
    }
    return true;
}

/* Called by one thread at a time, in order. A status other than KF_OK ends the fit with the
 * message, at this batch's turn. */
static kf_status fill(void *context, int64_t index, kf_batch *batch) {
    (void)index;
    float line[X1 + X2 + 1];
    if (!read_line(context, line)) return kf_fail(KF_INVALID, "this is no line of numbers");
    const kf_array arrays[] = {{"input_1", line, KF_FLOAT32, {2, {1, X1}}},
                               {"input_2", line + X1, KF_FLOAT32, {2, {1, X2}}},
                               {"output", line + X1 + X2, KF_FLOAT32, {2, {1, 1}}}};
    kf_status status = KF_OK;
    for (int i = 0; status == KF_OK && i < 3; i++) status = kf_batch_copy(batch, &arrays[i]);
    return status;
}

static kf_model *build(kf_graph *graph) {
    kf_tensor *x1 = kf_input(graph, {X1}, .name = "input_1");
    kf_tensor *x2 = kf_input(graph, {X2}, .name = "input_2");
    kf_tensor *x = kf_apply(kf_concatenate(), x1, x2);
    x = kf_apply(kf_dense(16, .activation = "relu"), x);
    kf_tensor *output = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "output"), x);
    return kf_model_new(.inputs = kf_list(x1, x2), .outputs = kf_list(output));
}

/* A generator has no end, so an epoch is as many batches as one says. */
static kf_status train(kf_model *model, FILE *file, int64_t steps, kf_history *history) {
    const kf_generator lines = {.fill = fill, .context = file};
    kf_status status = kf_compile(model, .optimizer = kf_adam(0.003f),
                                  .loss = "binary_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit_generator(model, &lines, .steps_per_epoch = steps, .epochs = EPOCHS,
                                  .max_queue_size = 10, .history = history);
    return status;
}

int main(int argc, char **argv) {
    const int64_t steps = example_begin(argc, argv) ? SMALL_STEPS : STEPS;
    FILE *file = tmpfile();
    if (!file || !write_lines(file)) {
        perror("fit_generator");
        return KF_IO;
    }
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph);
    example_show(model, 6 * 16 + 16 + 16 + 1);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, 1);

    kf_history *history = kf_history_new();
    example_learned(train(model, file, steps, history), history, 0.7);
    kf_history_free(history);
    kf_graph_free(graph);
    fclose(file);
    return example_end();
}
