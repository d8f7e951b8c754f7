/* bench-model CASE: one model of cases.h in a process of its own. It says
 *     ready planned_mb=…
 * and then, for each line "train SECONDS" or "infer SECONDS", runs steps for so long (one at least)
 * and answers with the median: "ms=…"; to "count", which takes memory of its own, with
 * "train_flops=…". It ends with its input. */
#include "../../command/report.h"
#include "../common/statistics.h"
#include "cases.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_STEPS = 20000 };

typedef struct subject {
    const bench_case *chosen;
    kf_model *model;
    bench_batch batch;
} subject;

typedef kf_status (*pass)(subject *one);

static kf_status train(subject *one) {
    return kf_train_on_batch(one->model, one->batch.arrays, one->batch.n_arrays, NULL);
}

static kf_status infer(subject *one) {
    return kf_predict_on_batch(one->model, one->batch.arrays, one->batch.n_inputs,
                               one->batch.outputs);
}

/* Milliseconds of a step. */
static kf_status measure(subject *one, pass step, double seconds, double *median) {
    static double times[MOST_STEPS];
    const double begin = bench_now();
    double now = begin;
    int32_t n = 0;
    do {
        const kf_status status = step(one);
        if (status != KF_OK) return tool_fail_kf(status);
        const double end = bench_now();
        times[n++] = 1e3 * (end - now);
        now = end;
    } while (n < MOST_STEPS && now - begin < seconds);
    *median = bench_median(times, n);
    return KF_OK;
}

/* What a step computes, by the ops' own count. */
static kf_status count_flops(subject *one) {
    kf_profile *profile = kf_profile_run(one->model, .batch_size = one->chosen->batch, .steps = 1);
    if (!profile) return tool_fail_kf(kf_last_status());
    printf("train_flops=%.0f\n", kf_profile_total(profile).flops);
    kf_profile_free(profile);
    return KF_OK;
}

/* What the process holds, in bytes; 0 if the system does not say. */
static double resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    long pages = 0;
    if (file && fscanf(file, "%*s %ld", &pages) != 1) pages = 0;
    if (file) fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

/* Trains a small model, and forgets it: what the libraries' code and the workers' stacks take once
 * they are used, 0.7 MB, is there then when the memory of the case is planned. */
static kf_status warm_libraries(void) {
    enum { ROWS = 32, PIXELS = 64, CLASSES = 10 };
    static const float image[ROWS][PIXELS];
    static const int32_t digit[ROWS];
    const kf_array arrays[] = {
        {.data = image, .dtype = KF_FLOAT32, .shape = {2, {ROWS, PIXELS}}},
        {.data = digit, .dtype = KF_INT32, .shape = {2, {ROWS, 1}}},
    };
    kf_graph *graph = kf_graph_new();
    if (!graph) return tool_fail(KF_MEMORY, "out of memory");
    kf_tensor *input = kf_input(graph, {PIXELS});
    kf_tensor *x = kf_apply(kf_dense(64, .activation = "relu"), input);
    x = kf_apply(kf_dense(CLASSES, .activation = "softmax"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(input), .outputs = kf_list(x));
    kf_status status = kf_compile(model, .loss = "sparse_categorical_crossentropy");
    if (status == KF_OK) status = kf_train_on_batch(model, arrays, 2, NULL);
    kf_graph_free(graph);
    return tool_fail_kf(status);
}

/* What training will take, before its first step: what is there already (weights, the optimizer's
 * averages, the batch, the libraries) and the arena of a step. */
static kf_status plan_megabytes(const subject *one, double *megabytes) {
    size_t arena;
    const kf_status status = kf_planned_peak(one->model, one->chosen->batch, &arena);
    if (status == KF_OK) *megabytes = 1e-6 * (resident_bytes() + (double)arena);
    return tool_fail_kf(status);
}

/* Also warms both passes up. */
static kf_status prepare(subject *one, kf_graph *graph) {
    one->model = bench_case_model(one->chosen, graph);
    if (!one->model) return tool_fail_kf(kf_last_status());
    if (bench_batch_make(one->chosen, one->model, &one->batch) != KF_OK)
        return tool_fail(KF_MEMORY, "out of memory");
    double megabytes = 0;
    kf_status status = plan_megabytes(one, &megabytes);
    if (status == KF_OK) status = tool_fail_kf(train(one));
    if (status == KF_OK) status = tool_fail_kf(infer(one));
    if (status == KF_OK) printf("ready planned_mb=%.3f\n", megabytes);
    return status;
}

static kf_status answer(subject *one, const char *question) {
    const bool training = strncmp(question, "train ", 6) == 0;
    if (strcmp(question, "count") == 0) return count_flops(one);
    if (!training && strncmp(question, "infer ", 6) != 0)
        return tool_fail(KF_USAGE, "expected 'train SECONDS', 'infer SECONDS' or 'count', got '%s'",
                         question);
    double median = 0;
    const kf_status status =
        measure(one, training ? train : infer, strtod(question + 6, NULL), &median);
    if (status == KF_OK) printf("ms=%.6f\n", median);
    return status;
}

static kf_status serve(const bench_case *chosen) {
    kf_graph *graph = kf_graph_new();
    if (!graph) return tool_fail(KF_MEMORY, "out of memory");
    subject one = {.chosen = chosen};
    kf_status status = warm_libraries();
    if (status == KF_OK) status = prepare(&one, graph);
    if (status == KF_OK) status = tool_flush_results();
    char line[64];
    while (status == KF_OK && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        status = answer(&one, line);
        if (status == KF_OK) status = tool_flush_results();
    }
    bench_batch_free(&one.batch);
    kf_graph_free(graph);
    return status;
}

int main(int argc, char **argv) {
    tool_start();
    const bench_case *chosen = argc == 2 ? bench_case_find(argv[1]) : NULL;
    if (!chosen) return (int)tool_fail(KF_USAGE, "expected the name of one case");
    return (int)serve(chosen);
}
