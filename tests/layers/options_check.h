/* What every row of options must satisfy: derivatives agree with central differences, and 1, 2 and
 * 8 workers train to the same bits. */
#ifndef KF_TESTS_LAYERS_OPTIONS_CHECK_H
#define KF_TESTS_LAYERS_OPTIONS_CHECK_H

#include "tests/layers/options_run.h"

/* ---- derivatives ---- */

/* penalties + sum out * factor, in doubles */
static double objective(const subject *s, program *forward) {
    reset_states(s->layer);
    run_program(forward, 1);
    double sum = (double)*(const float *)kfi_plan_result(forward->plan, forward->n_out)->data;
    for (int32_t i = 0; i < forward->n_out; i++) {
        const kfi_array *out = kfi_plan_result(forward->plan, i);
        const float *values = out->data;
        for (int64_t k = 0; k < kfi_shape_count(&out->shape); k++)
            sum += (double)values[k] * (double)s->factor[i][k];
    }
    return sum;
}

static double by_differences(const subject *s, program *forward, float *x, double step) {
    const float saved = *x, right = (float)((double)saved + step),
                left = (float)((double)saved - step);
    *x = right;
    const double above = objective(s, forward);
    *x = left;
    const double below = objective(s, forward);
    *x = saved;
    return (above - below) / ((double)right - (double)left);
}

static double largest_of(const float *values, int64_t count) {
    double largest = 0;
    for (int64_t k = 0; values && k < count; k++)
        if (fabs((double)values[k]) > largest) largest = fabs((double)values[k]);
    return largest;
}

/* Up to 400 elements of x; those of masked steps, which are 0, would no longer be masked. Without a
 * gradient (NULL) the differences must be 0. */
static void check_gradient(const subject *s, program *forward, const char *name, float *x,
                           const float *gradient, int64_t count, bool masked) {
    const double near = 0.25 / (double)count; /* inputs keep their order, and their signs */
    const double step = near > 4e-3 ? 4e-3 : near < 1e-3 ? 1e-3 : near;
    const double allowed = 1e-3 * largest_of(gradient, count) + 1e-4;
    for (int64_t k = 0; k < count; k += 1 + count / 400) {
        if (masked && x[k] == 0) continue;
        const double expected = by_differences(s, forward, &x[k], step);
        const double got = gradient ? (double)gradient[k] : 0;
        if (!(fabs(expected - got) <= allowed))
            fail_msg("%s(%s): element %lld of the gradient of %s is %g, by differences %g",
                     s->row->class, s->row->arguments, (long long)k, name, got, expected);
    }
}

/* A copy, since the next run writes over the result; NULL: there is none. */
static float *copy_gradient(const program *p, int32_t index, int64_t count) {
    if (index < 0) return NULL;
    float *copy = calloc((size_t)count, sizeof *copy);
    assert_non_null(copy);
    assert_int_equal(kfi_shape_count(&kfi_plan_result(p->plan, index)->shape), count);
    return memcpy(copy, kfi_plan_result(p->plan, index)->data, (size_t)count * sizeof *copy);
}

static void check_gradients(subject *s, program *training, float *const *initial) {
    program forward = make_program(s, false);
    reset_states(s->layer);
    run_program(training, 1);
    for (int64_t i = 0; i < s->all.count; i++) /* as they were before this step */
        memcpy(s->all.items[i]->data, initial[i], (size_t)s->all.items[i]->count * sizeof(float));
    for (int64_t i = 0; i < s->trained.count; i++) {
        kf_weight *weight = s->trained.items[i];
        float *gradient = copy_gradient(training, training->of_weight[i], weight->count);
        check_gradient(s, &forward, weight->name, weight->data, gradient, weight->count, false);
        free(gradient);
    }
    for (int32_t i = 0; i < s->n_in; i++) {
        const option_input *input = &s->row->in[i];
        if (input->content == IDS) continue;
        float *gradient = copy_gradient(training, training->of_input[i], count_of(input));
        check_gradient(s, &forward, "an input", s->data[i], gradient, count_of(input),
                       input->content == STEPS);
        free(gradient);
    }
    free_program(&forward);
}

/* ---- bits ---- */

/* All that two steps of training gave, one after the other: results and weights. */
typedef struct record {
    float *values;
    int64_t count;
} record;

static void append(record *to, const float *values, int64_t count) {
    to->values = realloc(to->values, (size_t)(to->count + count) * sizeof *values);
    assert_non_null(to->values);
    memcpy(to->values + to->count, values, (size_t)count * sizeof *values);
    to->count += count;
}

static record train(subject *s, program *training, float *const *initial, int32_t workers) {
    const int64_t *const steps[] = {first_step, second_step};
    record all = {0};
    reset_states(s->layer);
    for (int64_t i = 0; i < s->all.count; i++)
        memcpy(s->all.items[i]->data, initial[i], (size_t)s->all.items[i]->count * sizeof(float));
    for (int32_t step = 0; step < 2; step++) {
        kfi_plan_feed(training->plan, training->random, steps[step]);
        run_program(training, workers);
        for (int32_t i = 0; i < training->n_results; i++) {
            const kfi_array *result = kfi_plan_result(training->plan, i);
            append(&all, result->data, kfi_shape_count(&result->shape));
        }
    }
    for (int64_t i = 0; i < s->all.count; i++)
        append(&all, s->all.items[i]->data, s->all.items[i]->count);
    kfi_plan_feed(training->plan, training->random, first_step);
    return all;
}

static void check_bits(subject *s, program *training, float *const *initial) {
    static const int32_t workers[] = {1, 2, 8};
    record first = train(s, training, initial, 1);
    for (int64_t k = 0; k < first.count; k++)
        if (!isfinite(first.values[k]))
            fail_msg("%s(%s): not all numbers are finite", s->row->class, s->row->arguments);
    for (int i = 1; i < 3; i++) {
        record other = train(s, training, initial, workers[i]);
        assert_int_equal(other.count, first.count);
        if (memcmp(other.values, first.values, (size_t)first.count * sizeof(float)) != 0)
            fail_msg("%s(%s): %d workers give other bits than one", s->row->class,
                     s->row->arguments, workers[i]);
        free(other.values);
    }
    free(first.values);
}

/* ---- both ---- */

static void check_row(const option_row *row, void (*prepare)(kf_graph *graph)) {
    subject s = make_subject(row, prepare);
    program training = make_program(&s, true);
    float *initial[MAX_ENDS];
    assert_true(s.all.count <= MAX_ENDS);
    for (int64_t i = 0; i < s.all.count; i++) {
        const size_t bytes = (size_t)s.all.items[i]->count * sizeof(float);
        initial[i] = malloc(bytes);
        assert_non_null(initial[i]);
        memcpy(initial[i], s.all.items[i]->data, bytes);
    }
    check_gradients(&s, &training, initial);
    check_bits(&s, &training, initial);
    for (int64_t i = 0; i < s.all.count; i++) free(initial[i]);
    free_program(&training);
    free_subject(&s);
}

#endif
