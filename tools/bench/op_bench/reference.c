#include "reference.h"

#include <stdio.h>

#define COUNT(array) ((int32_t)(sizeof(array) / sizeof *(array)))

/* --- convolutions ----------------------------------------------------------------------------- */

static const bench_conv convs[] = {
    {"3x3 64-64 @256", 1, 256, 64, 64, 3, KFI_SAME},
    {"5x5 64-64 @256", 1, 256, 64, 64, 5, KFI_SAME},
    {"3x3 64-64 @25", 16, 25, 64, 64, 3, KFI_VALID},
    {"3x3 128-128 @111", 1, 111, 128, 128, 3, KFI_VALID},
    {"3x3 256-256 @54", 1, 54, 256, 256, 3, KFI_VALID},
    {"3x3 32-64 @26", 16, 26, 32, 64, 3, KFI_VALID},
    {"3x3 3-64 @224", 1, 224, 3, 64, 3, KFI_SAME},
    {"3x3 1-64 @27", 16, 27, 1, 64, 3, KFI_VALID},
    {"3x3 3-3 @256", 1, 256, 3, 3, 3, KFI_SAME},
    {"1x1 3-64 @256", 1, 256, 3, 64, 1, KFI_SAME},
};
static const char *const conv_ops[] = {"conv", "conv_data_gradient", "conv_weight_gradient"};

void bench_make_conv(const bench_conv *conv, bench_pass pass, kfi_conv *attributes,
                     bench_row *row) {
    const int64_t lost = conv->padding == KFI_SAME ? 0 : conv->window - 1;
    const int64_t seen = conv->side - lost;
    const kf_shape x = {4, {conv->batch, conv->side, conv->side, conv->in}};
    const kf_shape w = {4, {conv->window, conv->window, conv->in, conv->out}};
    const kf_shape y = {4, {conv->batch, seen, seen, conv->out}};
    const int64_t size = pass == BENCH_WEIGHT_GRADIENT ? conv->window : conv->side;
    *attributes = (kfi_conv){.spatial = 2,
                             .stride = {1, 1},
                             .dilation = {1, 1},
                             .padding = conv->padding,
                             .size = {size, size}};
    *row = (bench_row){.op = conv_ops[pass], .n_parts = 1, .conv = conv, .pass = pass};
    snprintf(row->shape, sizeof row->shape, "%s, batch %d", conv->name, (int)conv->batch);
    row->parts[0].op = row->op;
    row->parts[0].example = (kfi_example){
        .attributes = attributes,
        .n_in = 2,
        .in = {{.shape = pass == BENCH_DATA_GRADIENT ? y : x},
               {.shape = pass == BENCH_WEIGHT_GRADIENT ? y : w}},
    };
}

/* --- products --------------------------------------------------------------------------------- */

/* (m, k) x (k, n), operands stored as `how` says. */
static void add_product(bench_row *row, kfi_matmul *attributes, kfi_matmul how, int64_t m,
                        int64_t k, int64_t n) {
    *attributes = how;
    row->parts[row->n_parts].op = "matmul";
    row->parts[row->n_parts++].example = (kfi_example){
        .attributes = attributes,
        .n_in = 2,
        .in = {{.shape = {2, {how.transpose_a ? k : m, how.transpose_a ? m : k}}},
               {.shape = {2, {how.transpose_b ? n : k, how.transpose_b ? k : n}}}},
    };
}

typedef struct dense {
    int64_t batch, in, out;
} dense;

static const dense denses[] = {{32, 784, 64},     {128, 784, 64},       {32, 64, 64},
                               {128, 9216, 128},  {3200, 512, 128},     {4480, 256, 256},
                               {4, 160256, 1000}, {8, 160000, 4 * 256}, {512, 512, 512}};

static void make_dense(const dense *layer, bench_attributes *attributes, bench_row *row) {
    *row = (bench_row){.op = "matmul"};
    snprintf(row->shape, sizeof row->shape, "%d x %d x %d", (int)layer->batch, (int)layer->in,
             (int)layer->out);
    add_product(row, &attributes->matmul[0], (kfi_matmul){0}, layer->batch, layer->in, layer->out);
}

/* --- recurrent layers ------------------------------------------------------------------------- */

static const bench_lstm lstms[] = {{"512-32", 32, 100, 512, 32},
                                   {"256-64", 64, 140, 256, 64},
                                   {"256-256", 4, 100, 256, 256},
                                   {"512-512", 1, 50, 512, 512},
                                   {"1024-1024", 8, 25, 1024, 1024}};

static const kfi_recurrence keras = {.activation = KFI_TANH, .gate_activation = KFI_HARD_SIGMOID};

/* The product of all inputs, then all steps. */
static void make_lstm_forward(const bench_lstm *l, bench_attributes *attributes, bench_row *row) {
    const int64_t gates = 4 * l->units, rows = l->batch * l->steps;
    add_product(row, &attributes->matmul[0], (kfi_matmul){0}, rows, l->in, gates);
    row->parts[row->n_parts].op = "lstm";
    row->parts[row->n_parts++].example =
        (kfi_example){.attributes = &keras,
                      .n_in = 2,
                      .in = {{.shape = {3, {l->batch, l->steps, gates}}},
                             {.shape = {2, {l->units, gates}}, .low = -0.1f, .high = 0.1f}}};
}

/* All steps back, then what arrives at the inputs and at both weights. */
static void make_lstm_backward(const bench_lstm *l, bench_attributes *attributes, bench_row *row) {
    const int64_t gates = 4 * l->units, rows = l->batch * l->steps;
    const kfi_example_input states = {.shape = {3, {l->batch, l->steps, l->units}}};
    row->parts[0].op = "lstm_gradient";
    row->parts[0].example =
        (kfi_example){.attributes = &keras,
                      .n_in = 4,
                      .in = {states,
                             {.shape = {3, {l->batch, l->steps, gates}}, .low = 0, .high = 1},
                             states,
                             {.shape = {2, {l->units, gates}}, .low = -0.1f, .high = 0.1f}}};
    row->n_parts = 1;
    const kfi_matmul first = {.transpose_a = true}, second = {.transpose_b = true};
    add_product(row, &attributes->matmul[1], second, rows, gates, l->in);
    add_product(row, &attributes->matmul[2], first, l->in, rows, gates);
    add_product(row, &attributes->matmul[3], first, l->units, rows, gates);
}

static void make_lstm(const bench_lstm *l, bool backward, bench_attributes *attributes,
                      bench_row *row) {
    *row = (bench_row){.op = backward ? "lstm_gradient" : "lstm",
                       .lstm = l,
                       .pass = backward ? BENCH_DATA_GRADIENT : BENCH_FORWARD};
    snprintf(row->shape, sizeof row->shape, "%s and products, %d steps, batch %d", l->name,
             (int)l->steps, (int)l->batch);
    if (backward)
        make_lstm_backward(l, attributes, row);
    else
        make_lstm_forward(l, attributes, row);
}

/* --- optimizers ------------------------------------------------------------------------------- */

/* Weights, gradient, hyperparameters, and so many averages; far beyond the caches. */
enum { PARAMETERS = 16 << 20 };
typedef struct optimizer {
    const char *op;
    int32_t averages;
} optimizer;
static const optimizer optimizers[] = {
    {"sgd_update", 0}, {"rmsprop_update", 1}, {"adam_update", 2}, {"adadelta_update", 2}};
static const kfi_update usual = {.momentum = 0.9f, .beta_2 = 0.999f, .epsilon = 1e-7f};
static const kfi_update plain = {.epsilon = 1e-7f};

static void make_update(const optimizer *chosen, bench_row *row) {
    *row = (bench_row){.op = chosen->op, .n_parts = 1, .in_place = true};
    snprintf(row->shape, sizeof row->shape, "%d weights, in place", (int)PARAMETERS);
    row->parts[0].op = chosen->op;
    kfi_example *example = &row->parts[0].example;
    example->attributes = chosen->averages > 0 ? &usual : &plain;
    example->n_in = 3 + chosen->averages;
    for (int32_t i = 0; i < example->n_in; i++)
        example->in[i] = (kfi_example_input){.shape = {1, {PARAMETERS}}, .low = 1e-3f, .high = 1};
    example->in[2] = (kfi_example_input){.shape = {1, {4}}, .low = 1e-6f, .high = 1e-5f};
}

/* --- all -------------------------------------------------------------------------------------- */

bool bench_reference(int32_t index, bench_attributes *attributes, bench_row *row) {
    if (index < 3 * COUNT(convs)) {
        bench_make_conv(&convs[index / 3], (bench_pass)(index % 3), &attributes->conv, row);
        return true;
    }
    index -= 3 * COUNT(convs);
    if (index < 2 * COUNT(lstms)) {
        make_lstm(&lstms[index / 2], index % 2 == 1, attributes, row);
        return true;
    }
    index -= 2 * COUNT(lstms);
    if (index < COUNT(denses)) {
        make_dense(&denses[index], attributes, row);
        return true;
    }
    index -= COUNT(denses);
    if (index >= COUNT(optimizers)) return false;
    make_update(&optimizers[index], row);
    return true;
}
