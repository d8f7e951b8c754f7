/* bench-model CASE: one model of cases.h in a process of its own. It says
 *     ready train_flops=… infer_flops=… planned_mb=…
 * and then, for each line "train SECONDS" or "infer SECONDS", runs steps for so long (one at least)
 * and answers with the median: "ms=…". It ends with its input. */
#include "../../command/report.h"
#include "../common/statistics.h"
#include "cases.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 20000 };

typedef struct subject {
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
static kf_status count_flops(subject *one, const bench_case *chosen, bool inference,
                             double *flops) {
    kf_profile *profile =
        kf_profile_run(one->model, .batch_size = chosen->batch, .steps = 1, .inference = inference);
    if (!profile) return tool_fail_kf(kf_last_status());
    *flops = kf_profile_total(profile).flops;
    kf_profile_free(profile);
    return KF_OK;
}

/* Weights, the optimizer's averages, and the arena of a training step: what the plan says that
 * training will take. */
static kf_status plan_megabytes(subject *one, const bench_case *chosen, double *megabytes) {
    size_t arena;
    const kf_status status = kf_planned_peak(one->model, chosen->batch, &arena);
    if (status != KF_OK) return tool_fail_kf(status);
    double floats = (double)kf_model_parameters(one->model, NULL);
    for (int32_t i = 0; i < kf_optimizer_weights(one->model); i++) {
        const kf_shape shape = kf_optimizer_weight_shape(one->model, i);
        double count = 1;
        for (int32_t axis = 0; axis < shape.rank; axis++) count *= (double)shape.dims[axis];
        floats += count;
    }
    *megabytes = 1e-6 * ((double)arena + sizeof(float) * floats);
    return KF_OK;
}

/* Also warms both passes up. */
static kf_status prepare(subject *one, const bench_case *chosen, kf_graph *graph) {
    one->model = bench_case_model(chosen, graph);
    if (!one->model) return tool_fail_kf(kf_last_status());
    if (bench_batch_make(chosen, one->model, &one->batch) != KF_OK)
        return tool_fail(KF_MEMORY, "out of memory");
    double training = 0, inference = 0, megabytes = 0;
    kf_status status = tool_fail_kf(train(one));
    if (status == KF_OK) status = tool_fail_kf(infer(one));
    if (status == KF_OK) status = plan_megabytes(one, chosen, &megabytes);
    if (status == KF_OK) status = count_flops(one, chosen, false, &training);
    if (status == KF_OK) status = count_flops(one, chosen, true, &inference);
    if (status == KF_OK)
        printf("ready train_flops=%.0f infer_flops=%.0f planned_mb=%.3f\n", training, inference,
               megabytes);
    return status;
}

static kf_status answer(subject *one, const char *question) {
    const bool training = strncmp(question, "train ", 6) == 0;
    if (!training && strncmp(question, "infer ", 6) != 0)
        return tool_fail(KF_USAGE, "expected 'train SECONDS' or 'infer SECONDS', got '%s'",
                         question);
    double median = 0;
    const kf_status status =
        measure(one, training ? train : infer, strtod(question + 6, NULL), &median);
    if (status == KF_OK) printf("ms=%.6f\n", median);
    return status == KF_OK ? tool_flush_results() : status;
}

static kf_status serve(const bench_case *chosen) {
    kf_graph *graph = kf_graph_new();
    if (!graph) return tool_fail(KF_MEMORY, "out of memory");
    subject one = {0};
    kf_status status = prepare(&one, chosen, graph);
    if (status == KF_OK) status = tool_flush_results();
    char line[64];
    while (status == KF_OK && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = '\0';
        status = answer(&one, line);
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
