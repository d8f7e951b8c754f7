/* Shapes of the models in ../model_bench, beyond the examples of the ops: convolutions in three
 * directions, recurrent layers with all that belongs to a pass, dense layers, optimizers. What a
 * row times is one op or several, one after the other. */
#ifndef BENCH_REFERENCE_H
#define BENCH_REFERENCE_H

#include "ops/attributes.h"
#include "ops/op.h"

typedef enum bench_pass { BENCH_FORWARD, BENCH_DATA_GRADIENT, BENCH_WEIGHT_GRADIENT } bench_pass;

typedef struct bench_conv {
    const char *name;
    int64_t batch, side, in, out, window;
    kfi_padding padding;
} bench_conv;

typedef struct bench_lstm {
    const char *name;
    int64_t batch, steps, in, units;
} bench_lstm;

enum { BENCH_MOST_PARTS = 4 };

/* One row. conv or lstm are set where oneDNN has the same. */
typedef struct bench_row {
    const char *op; /* what it is listed under */
    char shape[64];
    int32_t n_parts;
    struct {
        const char *op;
        kfi_example example;
    } parts[BENCH_MOST_PARTS];
    bool in_place;
    const bench_conv *conv;
    const bench_lstm *lstm;
    bench_pass pass; /* of an LSTM: forward, or else all of the way back */
} bench_row;

/* A convolution or one of its gradients. The row points to `conv` and `attributes`. */
void bench_make_conv(const bench_conv *conv, bench_pass pass, kfi_conv *attributes, bench_row *row);

/* Row number `index`; false past the end. What its examples point to is static or in `attributes`,
 * the caller's. */
typedef struct bench_attributes {
    kfi_conv conv;
    kfi_matmul matmul[BENCH_MOST_PARTS];
} bench_attributes;
bool bench_reference(int32_t index, bench_attributes *attributes, bench_row *row);

#endif
