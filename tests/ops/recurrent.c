/* lstm, gru and simple_rnn against their steps in double precision, one by one: the values, and
 * their derivatives along random directions. Sizes are such that products have whole and ragged
 * panels of columns, whole and ragged groups of rows, several blocks of the batch and several
 * shares of the units; cut by rows, by units (KF_RECURRENT), and as the ops choose. */
#include "tests/ops/support.h"

typedef struct problem {
    const char *op;
    int gates;
    kfi_recurrence how;
    int64_t batch, time, units;
} problem;

/* What an op reads, in double precision. */
enum { INPUT, KERNEL, BIAS, STATE, CELL, MASK, DROPS, OPERANDS };
typedef struct operands {
    double *of[OPERANDS];
    int64_t count[OPERANDS];
} operands;

static double gate_of(const problem *p, double x) {
    if (p->how.gate_activation == KFI_SIGMOID) return 1 / (1 + exp(-x));
    const double y = 0.2 * x + 0.5;
    return y < 0 ? 0 : y > 1 ? 1 : y;
}

static double value_of(const problem *p, double x) {
    return p->how.activation == KFI_TANH ? tanh(x) : p->how.activation == KFI_RELU ? fmax(x, 0) : x;
}

/* What the h of row `row` that meets a gate is multiplied by; NULL: nothing. */
static const double *dropped(const problem *p, const operands *in, int64_t row, int64_t gate) {
    if (!in->of[DROPS]) return NULL;
    return in->of[DROPS] + ((p->how.drops > 1 ? gate : 0) * p->batch + row) * p->units;
}

/* Element k of a gate's columns of h R, h multiplied by what is dropped, and by `by` if it is
 * there.
 */
static double product(const problem *p, const operands *in, int64_t row, const double *h,
                      const double *by, int64_t gate, int64_t k) {
    const double *drop = dropped(p, in, row, gate);
    const double *r = in->of[KERNEL] + gate * p->units + k;
    double sum = 0;
    for (int64_t l = 0; l < p->units; l++)
        sum += h[l] * (by ? by[l] : 1) * (drop ? drop[l] : 1) * r[l * p->gates * p->units];
    return sum;
}

static void lstm_step(const problem *p, const operands *in, int64_t row, const double *z, double *h,
                      double *c) {
    const int64_t u = p->units;
    double *sums = calloc((size_t)(4 * u), sizeof *sums);
    for (int64_t j = 0; j < 4 * u; j++) sums[j] = z[j] + product(p, in, row, h, NULL, j / u, j % u);
    for (int64_t k = 0; k < u; k++) {
        c[k] = gate_of(p, sums[u + k]) * c[k] + gate_of(p, sums[k]) * value_of(p, sums[2 * u + k]);
        h[k] = gate_of(p, sums[3 * u + k]) * value_of(p, c[k]);
    }
    free(sums);
}

/* One mask for all gates is also that of the h in z h. */
static void gru_step(const problem *p, const operands *in, int64_t row, const double *z, double *h,
                     double *c) {
    const int64_t u = p->units;
    const double *b = in->of[BIAS], *kept = p->how.drops == 1 ? dropped(p, in, row, 0) : NULL;
    (void)c;
    double *next = calloc((size_t)(2 * u), sizeof *next), *reset = next + u;
    for (int64_t k = 0; k < u; k++)
        reset[k] = gate_of(p, z[u + k] + product(p, in, row, h, NULL, 1, k) + (b ? b[u + k] : 0));
    for (int64_t k = 0; k < u; k++) {
        const int64_t j = 2 * u + k;
        const double update =
            gate_of(p, z[k] + product(p, in, row, h, NULL, 0, k) + (b ? b[k] : 0));
        const double inner = p->how.reset_after
                                 ? reset[k] * (product(p, in, row, h, NULL, 2, k) + (b ? b[j] : 0))
                                 : product(p, in, row, h, reset, 2, k);
        next[k] = update * h[k] * (kept ? kept[k] : 1) + (1 - update) * value_of(p, z[j] + inner);
    }
    memcpy(h, next, (size_t)u * sizeof *h);
    free(next);
}

static void rnn_step(const problem *p, const operands *in, int64_t row, const double *z, double *h,
                     double *c) {
    double *next = calloc((size_t)p->units, sizeof *next);
    (void)c;
    for (int64_t k = 0; k < p->units; k++)
        next[k] = value_of(p, z[k] + product(p, in, row, h, NULL, 0, k));
    memcpy(h, next, (size_t)p->units * sizeof *h);
    free(next);
}

typedef void step(const problem *, const operands *, int64_t, const double *, double *, double *);

/* y (batch, time, units) by the definition. */
static void follow(const problem *p, const operands *in, double *y) {
    step *one = strcmp(p->op, "lstm") == 0  ? lstm_step
                : strcmp(p->op, "gru") == 0 ? gru_step
                                            : rnn_step;
    const int64_t u = p->units;
    double *h = calloc((size_t)(2 * u), sizeof *h), *c = h + u;
    for (int64_t i = 0; i < p->batch; i++) {
        for (int64_t k = 0; k < u; k++) h[k] = in->of[STATE] ? in->of[STATE][i * u + k] : 0;
        for (int64_t k = 0; k < u; k++) c[k] = in->of[CELL] ? in->of[CELL][i * u + k] : 0;
        for (int64_t t = 0; t < p->time; t++) {
            const int64_t at = i * p->time + t;
            if (!in->of[MASK] || in->of[MASK][at] != 0)
                one(p, in, i, in->of[INPUT] + at * p->gates * u, h, c);
            memcpy(y + at * u, h, (size_t)u * sizeof *h);
        }
    }
    free(h);
}

/* The op's operands in their order, and the same in double precision. */
static int make_operands(const problem *p, kfi_array *arrays, int *role, operands *doubles) {
    const int64_t n = p->batch, u = p->units, width = p->gates * u;
    const float bound = 1 / sqrtf((float)u);
    int count = 0;
    arrays[count] = uniform(KFI_SHAPE(n, p->time, width), -1, 1, 1), role[count++] = INPUT;
    arrays[count] = uniform(KFI_SHAPE(u, width), -bound, bound, 2), role[count++] = KERNEL;
    if (p->how.has_bias) arrays[count] = uniform(KFI_SHAPE(width), -1, 1, 3), role[count++] = BIAS;
    if (p->how.has_states) {
        arrays[count] = uniform(KFI_SHAPE(n, u), -1, 1, 4), role[count++] = STATE;
        if (p->gates == 4) arrays[count] = uniform(KFI_SHAPE(n, u), -1, 1, 5), role[count++] = CELL;
    }
    if (p->how.has_mask) {
        arrays[count] = uniform(KFI_SHAPE(n, p->time), 0, 1, 6), role[count] = MASK;
        float *mask = arrays[count++].data;
        for (int64_t i = 0; i < n * p->time; i++) mask[i] = mask[i] > 0.3f;
    }
    if (p->how.drops > 0)
        arrays[count] = uniform(KFI_SHAPE(p->how.drops, n, u), 0, 2, 9), role[count++] = DROPS;
    *doubles = (operands){0};
    for (int i = 0; i < count; i++) {
        const int64_t size = kfi_shape_count(&arrays[i].shape);
        double *values = doubles->of[role[i]] = calloc((size_t)size, sizeof *values);
        doubles->count[role[i]] = size;
        for (int64_t k = 0; k < size; k++) values[k] = (double)at(&arrays[i], k);
    }
    return count;
}

static void free_operands(operands *doubles) {
    for (int i = 0; i < OPERANDS; i++) free(doubles->of[i]);
}

/* sum dy y, where operand `role` has moved by `far` along a direction. */
static double moved(const problem *p, const operands *in, int role, const kfi_array *direction,
                    double far, const kfi_array *dy) {
    const int64_t count = p->batch * p->time * p->units;
    double *y = calloc((size_t)count, sizeof *y), sum = 0;
    for (int64_t i = 0; i < in->count[role]; i++) in->of[role][i] += far * (double)at(direction, i);
    follow(p, in, y);
    for (int64_t i = 0; i < in->count[role]; i++) in->of[role][i] -= far * (double)at(direction, i);
    for (int64_t i = 0; i < count; i++) sum += (double)at(dy, i) * y[i];
    free(y);
    return sum;
}

static void check(const problem *p) {
    kfi_array in[OPERANDS], out[KFI_OP_MAX_OUTPUTS], dout[KFI_OP_MAX_OUTPUTS] = {0}, din[OPERANDS];
    int role[OPERANDS];
    operands doubles;
    const kfi_op *op = find_op(p->op);
    const int n_in = make_operands(p, in, role, &doubles);
    const int n_out = apply_op(op, &p->how, in, n_in, out, unwritten, FORWARD);
    const int64_t count = kfi_shape_count(&out[0].shape);
    double *y = calloc((size_t)count, sizeof *y);
    follow(p, &doubles, y);
    for (int64_t i = 0; i < count; i++) expect_near((double)at(&out[0], i), y[i], 1e-5);
    free(y);

    bool wanted[OPERANDS];
    for (int i = 0; i < n_in; i++) wanted[i] = role[i] != MASK && role[i] != DROPS;
    dout[0] = uniform(out[0].shape, -1, 1, 7);
    derive(op, &p->how, in, n_in, out, n_out, dout, wanted, din);
    for (int i = 0; i < n_in; i++) {
        if (!wanted[i]) continue;
        const kfi_array direction = uniform(in[i].shape, -1, 1, 8);
        const double far = 1e-5, ahead = moved(p, &doubles, role[i], &direction, far, &dout[0]);
        const double behind = moved(p, &doubles, role[i], &direction, -far, &dout[0]);
        double got = 0;
        for (int64_t k = 0; k < doubles.count[role[i]]; k++)
            got += (double)at(&din[i], k) * (double)at(&direction, k);
        expect_near(got, (ahead - behind) / (2 * far), 1e-4);
    }
    free_operands(&doubles);
    release(0);
}

#define KERAS  .activation = KFI_TANH, .gate_activation = KFI_SIGMOID
#define LINEAR .activation = KFI_LINEAR, .gate_activation = KFI_SIGMOID
/* batch, time, units */
static const int64_t sizes[][3] = {{1, 2, 3},   {4, 3, 64},  {7, 3, 21},
                                   {13, 2, 40}, {55, 2, 17}, {3, 4, 75}};
enum { SIZES = sizeof sizes / sizeof *sizes };

static void check_sizes(problem p) {
    for (int i = 0; i < SIZES; i++) {
        p.batch = sizes[i][0], p.time = sizes[i][1], p.units = sizes[i][2];
        check(&p);
    }
}

static void lstms(void **state) {
    (void)state;
    check_sizes((problem){"lstm", 4, {KERAS}, 0, 0, 0});
    check_sizes((problem){"lstm", 4, {KERAS, .has_states = true, .has_mask = true}, 0, 0, 0});
    check_sizes((problem){
        "lstm", 4, {.activation = KFI_TANH, .gate_activation = KFI_HARD_SIGMOID}, 0, 0, 0});
    check_sizes((problem){"lstm", 4, {KERAS, .has_states = true, .drops = 4}, 0, 0, 0});
    check_sizes((problem){"lstm", 4, {LINEAR, .has_mask = true, .drops = 1}, 0, 0, 0});
}

static void grus(void **state) {
    (void)state;
    check_sizes((problem){"gru", 3, {KERAS}, 0, 0, 0});
    check_sizes((problem){"gru", 3, {KERAS, .has_states = true, .has_mask = true}, 0, 0, 0});
    check_sizes((problem){"gru", 3, {KERAS, .has_bias = true, .reset_after = true}, 0, 0, 0});
    check_sizes((problem){
        "gru", 3, {KERAS, .has_bias = true, .reset_after = true, .has_states = true}, 0, 0, 0});
    check_sizes((problem){"gru", 3, {KERAS, .has_states = true, .drops = 3}, 0, 0, 0});
    check_sizes((problem){"gru", 3, {LINEAR, .has_mask = true, .drops = 1}, 0, 0, 0});
    check_sizes((problem){"gru", 3, {KERAS, .reset_after = true, .drops = 3}, 0, 0, 0});
}

static void simple_rnns(void **state) {
    (void)state;
    check_sizes((problem){"simple_rnn", 1, {KERAS}, 0, 0, 0});
    check_sizes((problem){"simple_rnn", 1, {KERAS, .has_states = true, .has_mask = true}, 0, 0, 0});
    check_sizes((problem){"simple_rnn", 1, {LINEAR, .has_states = true, .drops = 1}, 0, 0, 0});
}

/* How many tiles the rounds of a recurrence have: none where it is cut by rows. */
static int64_t shares(int64_t batch, int64_t units) {
    const kfi_array in[] = {{KF_FLOAT32, KFI_SHAPE(batch, 9, 4 * units), NULL},
                            {KF_FLOAT32, KFI_SHAPE(units, 4 * units), NULL}};
    const kfi_array out[] = {{KF_FLOAT32, KFI_SHAPE(batch, 9, units), NULL}};
    const kfi_call call = {.attributes = &(kfi_recurrence){KERAS}, .n_in = 2, .in = in, .out = out};
    return find_op("lstm")->stages[1].tiles(&call);
}

static void cuts(void **state) {
    (void)state;
    if (getenv("KF_RECURRENT")) return;
    assert_int_equal(shares(32, 32), 0);
    assert_int_equal(shares(64, 64), 0);
    assert_int_equal(shares(32, 256), 0);
    assert_true(shares(4, 256) > 1);
    assert_true(shares(1, 1024) > 1);
    assert_true(shares(64, 512) > 1);
    assert_int_equal(shares(0, 512), 0);
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("few rows and wide layers are cut by units", cuts),
        SENTENCE("an lstm is its steps, and so are its derivatives", lstms),
        SENTENCE("a gru is its steps, the reset before or after", grus),
        SENTENCE("a simple_rnn is its steps", simple_rnns),
    };
    kfi_ops_enter_thread(); /* as every thread that runs kernels */
    const int failed = run_sentences(tests);
    kfi_ops_leave_thread();
    return failed;
}

int main(void) {
    static const char *const cuts[] = {"rows", "units"};
    unsetenv("KF_RECURRENT");
    int failed = at_each_level(run);
    for (int i = 0; i < 2; i++) {
        setenv("KF_RECURRENT", cuts[i], 1);
        failed |= at_each_level(run);
    }
    return failed;
}
