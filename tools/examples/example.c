/* The checks and the made-up data of all examples: example.h. */
#include "example.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *program = "example";
static int failures;

bool example_begin(int argc, char **argv) {
    const char *slash = strrchr(argv[0], '/');
    program = slash ? slash + 1 : argv[0];
    const bool small = argc == 2 && strcmp(argv[1], "--small") == 0;
    if (argc > 1 && !small) {
        fprintf(stderr, "usage: %s [--small]\n", program);
        exit(KF_USAGE);
    }
    return small;
}

void example_expect(bool holds, const char *what) {
    if (holds) return;
    fprintf(stderr, "%s: not so: %s\n", program, what);
    failures++;
}

static void fail(void) {
    fprintf(stderr, "%s: %s\n", program, kf_last_error());
    failures++;
}

void example_expect_dims(const kf_tensor *tensor, const int64_t *dims, int32_t rank) {
    if (!tensor) {
        fail();
        return;
    }
    const kf_shape shape = kf_tensor_shape(tensor);
    bool same = shape.rank == rank;
    for (int32_t i = 0; same && i < rank; i++) same = shape.dims[i] == dims[i];
    if (same) return;
    fprintf(stderr, "%s: a shape is (", program);
    for (int32_t i = 0; i < shape.rank; i++) fprintf(stderr, " %" PRId64, shape.dims[i]);
    fprintf(stderr, " ), should be (");
    for (int32_t i = 0; i < rank; i++) fprintf(stderr, " %" PRId64, dims[i]);
    fprintf(stderr, " )\n");
    failures++;
}

void example_show(const kf_model *model, int64_t parameters) {
    char *text = NULL;
    if (kf_model_summary(model, &text) != KF_OK) {
        fail();
        return;
    }
    printf("%s\n", text);
    kf_free(text);
    const int64_t got = kf_model_parameters(model, NULL);
    if (got == parameters) return;
    fprintf(stderr, "%s: %" PRId64 " parameters, should be %" PRId64 "\n", program, got,
            parameters);
    failures++;
}

void example_learned(kf_status status, const kf_history *history, double part) {
    const double *loss = status == KF_OK && history ? kf_history_values(history, "loss") : NULL;
    if (!loss) {
        fail();
        return;
    }
    const double first = loss[0], last = loss[kf_history_epochs(history) - 1];
    printf("loss %.4f -> %.4f\n", first, last);
    example_expect(last <= part * first, "the loss falls as it should");
}

int example_end(void) { return failures > 0; }

float example_random(void) {
    static uint32_t state = 1; /* the generator of Numerical Recipes; its high bits are good */
    state = state * 1664525u + 1013904223u;
    return (float)(state >> 8) * 0x1p-24f - 0.5f;
}

int32_t example_random_below(int32_t n) { return (int32_t)((example_random() + 0.5f) * (float)n); }

void example_fill(float *values, int64_t n) {
    for (int64_t i = 0; i < n; i++) values[i] = example_random();
}

void example_digit(float *pixels, int32_t n, float target[10], int32_t label) {
    example_fill(pixels, n);
    for (int32_t i = 0; i < n / 10; i++) pixels[label * (n / 10) + i] += 0.5f;
    for (int32_t i = 0; i < 10; i++) target[i] = (float)(i == label);
}
