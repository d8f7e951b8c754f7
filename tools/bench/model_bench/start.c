/* bench-start FILE: how long a program takes that only wants an answer: it loads a model, predicts
 * one batch and ends. bench-start --write FILE makes such a file: an MLP for Fashion-MNIST. */
#include "../../command/report.h"
#include "kf.h"

#include <string.h>

enum { BATCH = 32, PIXELS = 784, CLASSES = 10 };

static kf_status write_model(kf_graph *graph, const char *path) {
    kf_tensor *image = kf_input(graph, {28, 28});
    kf_tensor *x = kf_apply(kf_flatten(), image);
    x = kf_apply(kf_dense(128, .activation = "relu"), x);
    x = kf_apply(kf_dense(CLASSES, .activation = "softmax"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(image), .outputs = kf_list(x));
    const kf_status status =
        kf_compile(model, .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"});
    return status == KF_OK ? kf_save(model, path) : status;
}

static kf_status predict(kf_graph *graph, const char *path) {
    static float images[BATCH][PIXELS], digits[BATCH][CLASSES];
    kf_model *model = kf_load(graph, path);
    const kf_array batch = {.data = images, .dtype = KF_FLOAT32, .shape = {3, {BATCH, 28, 28}}};
    return kf_predict_on_batch(model, &batch, 1, (float *[]){digits[0]});
}

int main(int argc, char **argv) {
    tool_start();
    const bool writes = argc == 3 && strcmp(argv[1], "--write") == 0;
    if (!writes && argc != 2) return (int)tool_fail(KF_USAGE, "expected [--write] FILE");
    kf_graph *graph = kf_graph_new();
    if (!graph) return (int)tool_fail(KF_MEMORY, "out of memory");
    const kf_status status = writes ? write_model(graph, argv[2]) : predict(graph, argv[1]);
    tool_fail_kf(status);
    kf_graph_free(graph);
    return (int)status;
}
