/* kf_compile's exact_convolution: the ways of convolution that round more are off, in predicting
 * and in training. */
#include "tests/train/support.h"

enum { ROWS = 4, SIDE = 24, CHANNELS = 32, IMAGE = SIDE * SIDE * CHANNELS };

typedef struct batch {
    float x[ROWS * IMAGE], y[ROWS * IMAGE];
} batch;

static kf_dataset *data_of(batch *to) {
    for (int i = 0; i < ROWS * IMAGE; i++) to->x[i] = (float)(i * 37 % 101) / 101 - 0.5f;
    for (int i = 0; i < ROWS * IMAGE; i++) to->y[i] = (float)(i * 53 % 97) / 97 - 0.5f;
    const kf_array arrays[] = {ARRAY("x", to->x, ROWS, SIDE, SIDE, CHANNELS),
                               ARRAY("y", to->y, ROWS, SIDE, SIDE, CHANNELS)};
    return kf_dataset_arrays(arrays, 2);
}

static kf_model *convolutions(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {SIDE, SIDE, CHANNELS}, .name = "x");
    kf_tensor *h = kf_apply(kf_conv2d(CHANNELS, .kernel_size = {3, 3}, .padding = "same"), x);
    kf_tensor *y =
        kf_apply(kf_conv2d(CHANNELS, .kernel_size = {5, 5}, .padding = "same", .name = "y"), h);
    return kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
}

/* What a new model predicts, before and after a step of training. */
static void run(bool exact, kf_dataset *data, float *before, float *after) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = convolutions(graph);
    ok(kf_compile(model, .optimizer = kf_sgd(0.01), .loss = "mse", .exact_convolution = exact));
    ok(kf_predict(model, data, (float *[]){before}, .batch_size = ROWS));
    ok(kf_fit(model, data, .batch_size = ROWS, .epochs = 1));
    ok(kf_predict(model, data, (float *[]){after}, .batch_size = ROWS));
    kf_graph_free(graph);
}

static double largest(const float *values) {
    double found = 0;
    for (int i = 0; i < ROWS * IMAGE; i++) found = fmax(found, fabs((double)values[i]));
    return found;
}

static double largest_difference(const float *a, const float *b) {
    double found = 0;
    for (int i = 0; i < ROWS * IMAGE; i++) found = fmax(found, fabs((double)a[i] - (double)b[i]));
    return found;
}

static void rounds_differently(void **state) {
    (void)state;
    unsetenv("KF_CONV");
    batch *images = malloc(sizeof *images);
    float *fast[2], *exact[2], *again[2];
    for (int i = 0; i < 2; i++) {
        fast[i] = malloc(sizeof(float) * ROWS * IMAGE);
        exact[i] = malloc(sizeof(float) * ROWS * IMAGE);
        again[i] = malloc(sizeof(float) * ROWS * IMAGE);
        assert_true(images && fast[i] && exact[i] && again[i]);
    }
    kf_dataset *data = data_of(images);
    run(false, data, fast[0], fast[1]);
    run(true, data, exact[0], exact[1]);
    run(true, data, again[0], again[1]);
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(exact[i], again[i], sizeof(float) * ROWS * IMAGE);
        const double difference = largest_difference(fast[i], exact[i]);
        assert_true(difference > 0);                         /* it does something */
        assert_true(difference <= 6e-5 * largest(exact[i])); /* two layers of 3e-5 */
        free(fast[i]), free(exact[i]), free(again[i]);
    }
    kf_dataset_free(data);
    free(images);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("exact convolutions have other bits than fast ones, and close values",
                 rounds_differently),
    };
    return cmocka_run_group_tests_name("exact_convolution", tests, NULL, NULL);
}
