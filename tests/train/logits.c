/* Losses that are given arguments: the same numbers by another way. */
#include "tests/train/support.h"

enum { ROWS = 4, CLASSES = 3 };

static kf_model *classifier(kf_graph *graph, const char *activation) {
    kf_tensor *x = kf_input(graph, {2}, .name = "x");
    kf_tensor *y = kf_apply(kf_dense(CLASSES, .activation = activation, .name = "y"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_model_error(model));
    set_weight(model, 0, (const float[]){0.5f, -1, 0.25f, 1, 0.75f, -0.5f});
    return model;
}

static const float x[ROWS][2] = {{1, 2}, {-1, 0.5f}, {0.25f, -2}, {3, 1}};
static const float one_hot[ROWS][CLASSES] = {{1, 0, 0}, {0, 0, 1}, {0, 1, 0}, {0, 1, 0}};
static const int32_t labels[ROWS] = {0, 2, 1, 1};

/* The loss of a batch, and the first kernel after a step that follows its gradient. */
static double loss_of(const char *activation, const char *loss, kf_array targets, float *kernel) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = classifier(graph, activation);
    ok(kf_compile(model, .optimizer = kf_sgd(0.5f), .loss = loss));
    const kf_array arrays[] = {ARRAY("x", x, ROWS, 2), targets};
    double value;
    ok(kf_train_on_batch(model, arrays, 2, &value));
    ok(kf_weight_get(kf_model_weight(model, 0), kernel, 2 * CLASSES));
    kf_graph_free(graph);
    return value;
}

static void same(const char *activation, const char *loss, const char *of_logits,
                 kf_array targets) {
    float one[2 * CLASSES], other[2 * CLASSES];
    near(loss_of(NULL, of_logits, targets, other), loss_of(activation, loss, targets, one));
    for (int i = 0; i < 2 * CLASSES; i++) near((double)other[i], (double)one[i]);
}

static void of_logits(void **state) {
    (void)state;
    same("softmax", "categorical_crossentropy", "categorical_crossentropy(from_logits=True)",
         ARRAY("y", one_hot, ROWS, CLASSES));
    same("softmax", "sparse_categorical_crossentropy",
         "sparse_categorical_crossentropy(from_logits=True)", LABELS("y", labels, ROWS, 1));
    same("sigmoid", "binary_crossentropy", "binary_crossentropy(from_logits=True)",
         ARRAY("y", one_hot, ROWS, CLASSES));
}

/* t (1 - s) + s / n, with n = 2 for each class by itself */
static void smooth(double s, double n, float out[ROWS][CLASSES]) {
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < CLASSES; i++)
            out[r][i] = (float)((double)one_hot[r][i] * (1 - s) + s / n);
}

static void smoothing(void **state) {
    (void)state;
    float smoothed[ROWS][CLASSES], kernel[2 * CLASSES];
    smooth(0.3, CLASSES, smoothed);
    const kf_array soft = ARRAY("y", smoothed, ROWS, CLASSES);
    const kf_array hard = ARRAY("y", one_hot, ROWS, CLASSES);
    near(loss_of("softmax", "categorical_crossentropy(label_smoothing=0.3)", hard, kernel),
         loss_of("softmax", "categorical_crossentropy", soft, kernel));
    smooth(0.1, 2, smoothed);
    near(loss_of(NULL, "binary_crossentropy(from_logits=True, label_smoothing=0.1)", hard, kernel),
         loss_of("sigmoid", "binary_crossentropy", soft, kernel));
}

static void bad_arguments(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = classifier(graph, NULL);
    refuses(kf_compile(model, .loss = "mean_squared_error(k=2)"), KF_INVALID,
            "loss mean_squared_error takes no arguments");
    refuses(kf_compile(model, .loss = "nope(k=2)"), KF_INVALID, "Unknown loss function:nope");
    refuses(kf_compile(model, .loss = "binary_crossentropy(label_smoothing=2)"), KF_INVALID,
            "binary_crossentropy: label_smoothing");
    refuses(kf_compile(model, .loss = "sparse_categorical_crossentropy(label_smoothing=0.5)"),
            KF_INVALID, "label_smoothing");
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a loss of logits is that of their softmax or sigmoid", of_logits),
        SENTENCE("label smoothing moves the targets", smoothing),
        SENTENCE("arguments that a loss does not take are refused", bad_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
