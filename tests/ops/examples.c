/* Every op over all of its examples: it writes all of its output and nothing else, gives the same
 * bits in whatever order its tiles run and wherever its output stands, and its derivative agrees
 * with finite differences. What the values should be is tested op by op in the other files. */
#include "tests/ops/support.h"

/* Ops with float inputs and, by intent, no derivative; a leading * stands for any beginning. */
static const char *const without_gradient[] = {
    "greater",    "greater_equal",  "less",          "less_equal",  "*_gradient", "*_update",
    "*_accuracy", "moving_average", "any_not_equal", "*_gradients", NULL,
};

/* Ops with outputs that only their own derivative or other ops' updates read: from which output on
 * no derivative flows. */
static const struct {
    const char *op;
    int first;
} without_flow[] = {{"batch_norm", 1}, {"gru", 1}, {"lstm", 2}, {"simple_rnn", 1}};

static bool matches(const char *pattern, const char *name) {
    if (*pattern != '*') return strcmp(pattern, name) == 0;
    const size_t length = strlen(name), tail = strlen(pattern + 1);
    return length >= tail && strcmp(name + length - tail, pattern + 1) == 0;
}

static bool has_no_gradient_by_intent(const kfi_op *op) {
    for (int i = 0; without_gradient[i]; i++)
        if (matches(without_gradient[i], op->name)) return true;
    return false;
}

/* ---- inputs ---- */

static float low_of(const kfi_example_input *input) {
    return input->low == 0 && input->high == 0 ? -1 : input->low;
}
static float high_of(const kfi_example_input *input) {
    return input->low == 0 && input->high == 0 ? 1 : input->high;
}

static int distinct_inputs(const kfi_example *example) {
    int count = 0;
    for (int i = 0; i < example->n_in; i++) count += example->in[i].distinct;
    return count;
}

/* Values in steps, in random order; the inputs of an example are offset against each other by equal
 * parts of a step, and no value is at the middle of the range. */
static double step_of(const kfi_example_input *input) {
    return (high_of(input) - low_of(input)) / (double)kfi_shape_count(&input->shape);
}

static void fill_distinct(const kfi_example *example, int i, float *values) {
    const kfi_example_input *input = &example->in[i];
    const int64_t count = kfi_shape_count(&input->shape);
    int64_t *rank = calloc((size_t)count + 1, sizeof *rank);
    assert_non_null(rank);
    kfi_random_permutation((kfi_random){99, (uint64_t)i}, rank, count);
    const double offset = (i + 0.6) / (example->n_in + 1);
    for (int64_t k = 0; k < count; k++)
        values[k] = (float)(low_of(input) + step_of(input) * ((double)rank[k] + offset));
    free(rank);
}

static kfi_array example_input(const kfi_example *example, int i) {
    const kfi_example_input *input = &example->in[i];
    const kfi_array array = array_filled(input->dtype, input->shape, garbage);
    const int64_t count = kfi_shape_count(&input->shape);
    if (input->dtype == KF_FLOAT32 && input->distinct) {
        fill_distinct(example, i, array.data);
        return array;
    }
    const kfi_random stream = {2024, (uint64_t)i};
    if (input->dtype == KF_FLOAT32) {
        kfi_random_uniform(stream, low_of(input), high_of(input), array.data, count);
        return array;
    }
    for (int64_t k = 0; k < count; k++) {
        float value;
        kfi_random_uniform(kfi_random_fold(stream, (uint64_t)k), low_of(input), high_of(input),
                           &value, 1);
        if (input->dtype == KF_INT32)
            ((int32_t *)array.data)[k] = (int32_t)floorf(value);
        else
            ((int64_t *)array.data)[k] = (int64_t)floorf(value);
    }
    return array;
}

/* ---- bits ---- */

static void expect_written(const kfi_op *op, const kfi_example *example, const kfi_array *out) {
    const size_t words = bytes_of(out) / sizeof(uint32_t);
    for (size_t i = 0; i < words; i++)
        if (((const uint32_t *)out->data)[i] == unwritten)
            fail_msg("%s (%s): element %zu of %s is not written", op->name, example->name, i,
                     kfi_shape_string(&out->shape));
}

static void expect_equal_bits(const kfi_op *op, const kfi_example *example, const kfi_array *a,
                              const kfi_array *b, int n_out, const char *how) {
    for (int i = 0; i < n_out; i++)
        if (memcmp(a[i].data, b[i].data, bytes_of(&a[i])) != 0)
            fail_msg("%s (%s): output %d has other bits %s", op->name, example->name, i, how);
}

/* Outputs in the memory of those inputs that they may overwrite. */
static void check_in_place(const kfi_op *op, const kfi_example *example, const void *attributes,
                           const kfi_array *in, const kfi_array *expected, int n_out,
                           tile_order order) {
    kfi_array own[KFI_EXAMPLE_MAX_INPUTS], out[KFI_OP_MAX_OUTPUTS];
    for (int i = 0; i < example->n_in; i++) own[i] = copy_of(&in[i]);
    for (int i = 0; i < n_out; i++) {
        const int over = op->in_place[i] - 1;
        out[i] = array_filled(expected[i].dtype, expected[i].shape, unwritten);
        if (over >= 0 && over < example->n_in && kfi_shape_equal(&own[over].shape, &out[i].shape) &&
            own[over].dtype == out[i].dtype)
            out[i].data = own[over].data;
    }
    const kfi_call call = {
        .attributes = attributes, .n_in = example->n_in, .n_out = n_out, .in = own, .out = out};
    run_op(op, call, order);
    expect_equal_bits(op, example, expected, out, n_out, "in place");
}

static void check_bits(const kfi_op *op, const kfi_example *example, const void *attributes,
                       const kfi_array *in, const kfi_array *out, int n_out) {
    for (int i = 0; i < n_out; i++) expect_written(op, example, &out[i]);
    static const struct {
        tile_order order;
        const char *how;
    } orders[] = {{REVERSE, "when its tiles run backwards"},
                  {SHUFFLED, "when its tiles run in random order"}};
    for (int i = 0; i < 2; i++) {
        kfi_array again[KFI_OP_MAX_OUTPUTS];
        apply_op(op, attributes, in, example->n_in, again, garbage, orders[i].order);
        expect_equal_bits(op, example, out, again, n_out, orders[i].how);
    }
    check_in_place(op, example, attributes, in, out, n_out, FORWARD);
    check_in_place(op, example, attributes, in, out, n_out, SHUFFLED);
}

static void check_cost(const kfi_op *op, const kfi_example *example, const void *attributes,
                       const kfi_array *in, const kfi_array *out, int n_out) {
    if (!op->cost) fail_msg("%s has no cost", op->name);
    const kfi_call call = {
        .attributes = attributes, .n_in = example->n_in, .n_out = n_out, .in = in, .out = out};
    kfi_array storage[MAX_OPERANDS];
    const kfi_call shapes = without_data(&call, storage);
    const kfi_cost cost = op->cost(&shapes);
    const bool sound = isfinite(cost.flops) && isfinite(cost.bytes) && cost.flops >= 0;
    if (!sound || (!op->is_view && cost.bytes <= 0))
        fail_msg("%s (%s): cost %g flops, %g bytes", op->name, example->name, cost.flops,
                 cost.bytes);
}

/* ---- derivatives ---- */

/* sum(out * r) over the outputs that have an r */
static double objective(const kfi_op *op, const void *attributes, const kfi_array *in, int n_in,
                        const kfi_array *r) {
    const int mark = n_blocks;
    kfi_array out[KFI_OP_MAX_OUTPUTS];
    const int n_out = apply_op(op, attributes, in, n_in, out, unwritten, FORWARD);
    double sum = 0;
    for (int o = 0; o < n_out; o++)
        for (int64_t i = 0; r[o].data && i < kfi_shape_count(&out[o].shape); i++)
            sum += (double)at(&out[o], i) * (double)at(&r[o], i);
    release(mark);
    return sum;
}

/* Small enough that distinct values keep their order. */
static double epsilon_of(const kfi_example *example) {
    double epsilon = 1e-2;
    for (int i = 0; i < example->n_in; i++) {
        if (!example->in[i].distinct) continue;
        const double part = step_of(&example->in[i]) / (4 * (distinct_inputs(example) + 1));
        if (part < epsilon) epsilon = part;
    }
    return epsilon;
}

static double finite_difference(const kfi_op *op, const void *attributes, const kfi_array *in,
                                int n_in, const kfi_array *r, float *x, double epsilon) {
    const float saved = *x, right = (float)(saved + epsilon), left = (float)(saved - epsilon);
    *x = right;
    const double above = objective(op, attributes, in, n_in, r);
    *x = left;
    const double below = objective(op, attributes, in, n_in, r);
    *x = saved;
    return (above - below) / ((double)right - (double)left);
}

static double largest_magnitude(const kfi_array *array) {
    double largest = 0;
    for (int64_t i = 0; i < kfi_shape_count(&array->shape); i++)
        if (fabs((double)at(array, i)) > largest) largest = fabs((double)at(array, i));
    return largest;
}

/* Up to about 400 elements of each input, 2 % of the largest gradient. */
static void check_input_gradient(const kfi_op *op, const kfi_example *example,
                                 const void *attributes, const kfi_array *in, int i,
                                 const kfi_array *r, const kfi_array *din) {
    if (!din->data) fail_msg("%s (%s): no gradient flows to input %d", op->name, example->name, i);
    if (!kfi_shape_equal(&din->shape, &in[i].shape) || din->dtype != KF_FLOAT32)
        fail_msg("%s (%s): the gradient of input %d is of shape %s", op->name, example->name, i,
                 kfi_shape_string(&din->shape));
    const double allowed = 2e-2 * largest_magnitude(din) + 1e-4;
    const int64_t count = kfi_shape_count(&in[i].shape);
    for (int64_t k = 0; k < count; k += 1 + count / 400) {
        const double expected = finite_difference(op, attributes, in, example->n_in, r,
                                                  (float *)in[i].data + k, epsilon_of(example));
        if (!(fabs(expected - at(din, k)) <= allowed))
            fail_msg("%s (%s): element %lld of the gradient of input %d is %g, by differences %g",
                     op->name, example->name, (long long)k, i, (double)at(din, k), expected);
    }
}

/* Outputs of floats that a derivative may come to. */
static int count_flowing(const kfi_op *op, const kfi_array *out, int n_out) {
    int count = 0;
    while (count < n_out && out[count].dtype == KF_FLOAT32) count++;
    for (size_t i = 0; i < sizeof without_flow / sizeof *without_flow; i++)
        if (strcmp(without_flow[i].op, op->name) == 0 && without_flow[i].first < count)
            count = without_flow[i].first;
    return count;
}

/* The derivative of some of the outputs: of all, or with `only` >= 0 of this one. */
static void check_gradient_of(const kfi_op *op, const kfi_example *example, const void *attributes,
                              const kfi_array *in, const kfi_array *out, int n_out, int only) {
    bool wanted[KFI_EXAMPLE_MAX_INPUTS];
    kfi_array r[KFI_OP_MAX_OUTPUTS] = {{0}}, din[MAX_OPERANDS];
    const int n_flowing = count_flowing(op, out, n_out);
    for (int i = 0; i < example->n_in; i++)
        wanted[i] = example->in[i].dtype == KF_FLOAT32 && !example->in[i].constant;
    for (int o = 0; o < n_flowing; o++)
        if (only < 0 || only == o) r[o] = uniform(out[o].shape, -1, 1, 4711 + (uint64_t)o);
    derive(op, attributes, in, example->n_in, out, n_out, r, wanted, din);
    for (int i = 0; i < example->n_in; i++)
        if (wanted[i]) check_input_gradient(op, example, attributes, in, i, r, &din[i]);
}

static void check_gradient(const kfi_op *op, const kfi_example *example, const void *attributes,
                           const kfi_array *in, const kfi_array *out, int n_out) {
    bool any = false;
    for (int i = 0; i < example->n_in; i++)
        any |= example->in[i].dtype == KF_FLOAT32 && !example->in[i].constant;
    const int n_flowing = count_flowing(op, out, n_out);
    if (!any || n_flowing == 0) return;
    check_gradient_of(op, example, attributes, in, out, n_out, -1);
    for (int o = 0; o < n_flowing && n_flowing > 1; o++)
        check_gradient_of(op, example, attributes, in, out, n_out, o);
}

/* ---- all of it ---- */

static void check_example(const kfi_op *op, const kfi_example *example) {
    kfi_array in[KFI_EXAMPLE_MAX_INPUTS], out[KFI_OP_MAX_OUTPUTS];
    if ((example->attributes == NULL) != (op->attributes_size == 0))
        fail_msg("%s (%s): attributes of %zu bytes expected", op->name, example->name,
                 op->attributes_size);
    void *attributes = NULL; /* a copy of exactly as many bytes as a graph copies */
    if (op->attributes_size) {
        attributes = guarded(op->attributes_size, garbage);
        memcpy(attributes, example->attributes, op->attributes_size);
    }
    for (int i = 0; i < example->n_in; i++) in[i] = example_input(example, i);
    const int n_out = apply_op(op, attributes, in, example->n_in, out, unwritten, FORWARD);
    check_cost(op, example, attributes, in, out, n_out);
    if (!op->is_view) check_bits(op, example, attributes, in, out, n_out);
    if (op->gradient && !example->large) check_gradient(op, example, attributes, in, out, n_out);
}

static bool takes_floats(const kfi_op *op) {
    for (const kfi_example *example = kfi_op_examples(op); example->name; example++)
        for (int i = 0; i < example->n_in; i++)
            if (example->in[i].dtype == KF_FLOAT32) return true;
    return false;
}

static void check_op(void **state) {
    const kfi_op *op = *state;
    const kfi_example *examples = kfi_op_examples(op);
    if (!examples || !examples[0].name) fail_msg("%s has no examples", op->name);
    if (!op->gradient && takes_floats(op) && !has_no_gradient_by_intent(op))
        fail_msg("%s has no gradient", op->name);
    if (kfi_op_find(op->name) != op) fail_msg("%s is not found by its name", op->name);
    for (const kfi_example *example = examples; example->name; example++) {
        check_example(op, example);
        release(0);
    }
}

static int run(void) {
    static struct CMUnitTest tests[1024];
    size_t count = 0;
    for (int i = 0; kfi_op_at(i) && count < 1024; i++) {
        union {
            const kfi_op *op;
            void *state;
        } op = {kfi_op_at(i)};
        tests[count++] = (struct CMUnitTest){op.op->name, check_op, NULL, release_all, op.state};
    }
    return _cmocka_run_group_tests(kfi_simd_level(), tests, count, NULL, NULL);
}

int main(void) { return at_each_level(run); }
