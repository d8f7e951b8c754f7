/* What the tests of ops share: guarded arrays, running an op as an executor would (stage by stage,
 * tile by tile, in any order), and formulas of ops run at once, so that a derivative can be tested
 * without a graph. Each test program includes this once. */
#ifndef KF_TESTS_OPS_SUPPORT_H
#define KF_TESTS_OPS_SUPPORT_H

#include "ops/attributes.h"
#include "ops/op.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, size)   ((void)(at), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(at, size) ((void)(at), (void)(size))
#endif

/* ---- memory between canaries, given back at the end of each test or by release() ---- */

enum { GUARD = 64, CANARY = 0xA5, MAX_BLOCKS = 8192 };

static struct {
    unsigned char *base;
    size_t bytes;
} blocks[MAX_BLOCKS];
static int n_blocks;

/* Bit patterns of NaNs that no kernel computes. */
static const uint32_t unwritten = 0x7fc0dead, garbage = 0xffc0beef;

static inline void *guarded(size_t bytes, uint32_t word) {
    assert_true(n_blocks < MAX_BLOCKS);
    const size_t padded = (bytes + 63) / 64 * 64;
    unsigned char *base = aligned_alloc(64, GUARD + padded + GUARD);
    assert_non_null(base);
    memset(base, CANARY, GUARD + padded + GUARD);
    for (size_t i = 0; i + sizeof word <= bytes; i += sizeof word)
        memcpy(base + GUARD + i, &word, sizeof word);
    ASAN_POISON_MEMORY_REGION(base, GUARD);
    ASAN_POISON_MEMORY_REGION(base + GUARD + bytes, padded - bytes + GUARD);
    blocks[n_blocks].base = base;
    blocks[n_blocks++].bytes = bytes;
    return base + GUARD;
}

/* Frees all memory taken since n_blocks was `mark`; fails if a canary has been written over. */
static inline void release(int mark) {
    bool intact = true;
    for (; n_blocks > mark; n_blocks--) {
        unsigned char *base = blocks[n_blocks - 1].base;
        const size_t bytes = blocks[n_blocks - 1].bytes;
        const size_t all = GUARD + (bytes + 63) / 64 * 64 + GUARD;
        ASAN_UNPOISON_MEMORY_REGION(base, all);
        for (size_t i = 0; i < all; i++)
            if ((i < GUARD || i >= GUARD + bytes) && base[i] != CANARY) intact = false;
        free(base);
    }
    if (!intact) fail_msg("written beyond the ends of an array");
}

static inline int release_all(void **state) {
    (void)state;
    release(0);
    return 0;
}

/* ---- arrays ---- */

static inline size_t bytes_of(const kfi_array *array) {
    return (size_t)kfi_shape_count(&array->shape) * kf_dtype_size(array->dtype);
}

static inline kfi_array array_filled(kf_dtype dtype, kf_shape shape, uint32_t word) {
    kfi_array array = {.dtype = dtype, .shape = shape};
    array.data = guarded(bytes_of(&array), word);
    return array;
}

static inline kfi_array floats(kf_shape shape, const float *values) {
    const kfi_array array = array_filled(KF_FLOAT32, shape, unwritten);
    memcpy(array.data, values, bytes_of(&array));
    return array;
}

static inline kfi_array integers(kf_shape shape, const int32_t *values) {
    const kfi_array array = array_filled(KF_INT32, shape, unwritten);
    memcpy(array.data, values, bytes_of(&array));
    return array;
}

static inline kfi_array uniform(kf_shape shape, float low, float high, uint64_t seed) {
    const kfi_array array = array_filled(KF_FLOAT32, shape, unwritten);
    kfi_random_uniform((kfi_random){seed, 77}, low, high, array.data, kfi_shape_count(&shape));
    return array;
}

static inline kfi_array copy_of(const kfi_array *array) {
    const kfi_array copy = array_filled(array->dtype, array->shape, unwritten);
    memcpy(copy.data, array->data, bytes_of(array));
    return copy;
}

/* ---- running ops ---- */

typedef enum tile_order { FORWARD, REVERSE, SHUFFLED } tile_order;

/* The call as it is when only shapes are known. */
static inline kfi_call without_data(const kfi_call *call, kfi_array *storage) {
    kfi_call shapes = *call;
    for (int i = 0; i < call->n_in + call->n_out; i++) {
        storage[i] = i < call->n_in ? call->in[i] : call->out[i - call->n_in];
        storage[i].data = NULL;
    }
    shapes.in = storage;
    shapes.out = storage + call->n_in;
    return shapes;
}

static inline void run_stage(const kfi_stage *stage, const kfi_call *call, int64_t first,
                             int64_t tiles, size_t local_bytes, tile_order order) {
    const int mark = n_blocks;
    int64_t *tile = calloc((size_t)tiles + 1, sizeof *tile);
    assert_non_null(tile);
    kfi_random_permutation((kfi_random){(uint64_t)tiles, 3}, tile, tiles);
    for (int64_t i = 0; i < tiles; i++) {
        void *local = local_bytes ? guarded(local_bytes, garbage) : NULL;
        const int64_t which = order == FORWARD ? i : order == REVERSE ? tiles - 1 - i : tile[i];
        stage->kernel(call, first + which, local);
        release(mark);
    }
    free(tile);
}

enum { MAX_OPERANDS = 32 };

static inline void run_op(const kfi_op *op, kfi_call call, tile_order order) {
    kfi_array storage[MAX_OPERANDS];
    assert_true(call.n_in + call.n_out <= MAX_OPERANDS);
    const kfi_call shapes = without_data(&call, storage);
    const int mark = n_blocks;
    if (op->scratch) call.scratch = guarded(op->scratch(&shapes), garbage);
    const size_t local_bytes = op->tile_scratch ? op->tile_scratch(&shapes) : 0;
    for (int i = 0; i < KFI_OP_MAX_STAGES && op->stages[i].kernel; i++) {
        const int64_t tiles = op->stages[i].tiles ? op->stages[i].tiles(&shapes) : 1;
        if (tiles < (i == 0)) fail_msg("%s: stage %d has %d tiles", op->name, i, (int)tiles);
        const bool repeats = i + 1 == KFI_OP_MAX_STAGES || !op->stages[i + 1].kernel;
        const int64_t rounds = op->rounds && repeats && tiles ? op->rounds(&shapes) : 1;
        for (int64_t r = 0; r < rounds; r++)
            run_stage(&op->stages[i], &call, r * tiles, tiles, local_bytes, order);
    }
    release(mark);
}

/* The outputs' types and shapes; fails the test if the op refuses its inputs. */
static inline int infer_op(const kfi_op *op, const void *attributes, const kfi_array *in, int n_in,
                           kfi_array *out) {
    kfi_shaping shaping = {.attributes = attributes, .n_in = n_in, .in = in};
    if (op->infer(&shaping)) fail_msg("%s refuses: %s", op->name, kf_last_error());
    if (shaping.n_out < 1 || shaping.n_out > KFI_OP_MAX_OUTPUTS)
        fail_msg("%s: %d outputs", op->name, shaping.n_out);
    memcpy(out, shaping.out, (size_t)shaping.n_out * sizeof *out);
    return shaping.n_out;
}

/* Applies an op to arrays; out[] receives new arrays, prefilled with `word`. */
static inline int apply_op(const kfi_op *op, const void *attributes, const kfi_array *in, int n_in,
                           kfi_array *out, uint32_t word, tile_order order) {
    const int n_out = infer_op(op, attributes, in, n_in, out);
    if (op->is_view) {
        assert_int_equal(bytes_of(&in[0]), bytes_of(&out[0]));
        out[0].data = in[0].data;
        return n_out;
    }
    for (int i = 0; i < n_out; i++) out[i] = array_filled(out[i].dtype, out[i].shape, word);
    const kfi_call call = {
        .attributes = attributes, .n_in = n_in, .n_out = n_out, .in = in, .out = out};
    run_op(op, call, order);
    return n_out;
}

static const kfi_op *find_op(const char *name) {
    const kfi_op *op = kfi_op_find(name);
    if (!op) fail_msg("there is no op %s", name);
    return op;
}

/* apply(out, "add", NULL, a, b): out[] receives the outputs. */
#define apply(out, name, attributes, ...)                                                          \
    apply_op(find_op(name), (attributes), (const kfi_array[]){__VA_ARGS__},                        \
             sizeof((kfi_array[]){__VA_ARGS__}) / sizeof(kfi_array), (out), unwritten, FORWARD)

/* The op refuses inputs of these shapes and types, with a message that has `part` in it. */
static inline void expect_refusal(const char *name, const void *attributes, const kfi_array *in,
                                  int n_in, const char *part) {
    kfi_shaping shaping = {.attributes = attributes, .n_in = n_in, .in = in};
    if (find_op(name)->infer(&shaping) == KF_OK) fail_msg("%s accepts its inputs", name);
    if (!strstr(kf_last_error(), part))
        fail_msg("\"%s\" does not say \"%s\"", kf_last_error(), part);
}

#define refuses(name, attributes, part, ...)                                                       \
    expect_refusal((name), (attributes), (const kfi_array[]){__VA_ARGS__},                         \
                   sizeof((kfi_array[]){__VA_ARGS__}) / sizeof(kfi_array), (part))

/* The shape that an op infers, as text: inputs may have dimensions of KF_ANY. */
static inline void expect_shape(const char *name, const void *attributes, const kfi_array *in,
                                int n_in, const char *expected) {
    kfi_array out[KFI_OP_MAX_OUTPUTS];
    infer_op(find_op(name), attributes, in, n_in, out);
    assert_string_equal(kfi_shape_string(&out[0].shape), expected);
}

#define infers(name, attributes, expected, ...)                                                    \
    expect_shape((name), (attributes), (const kfi_array[]){__VA_ARGS__},                           \
                 sizeof((kfi_array[]){__VA_ARGS__}) / sizeof(kfi_array), (expected))

/* An operand without data. */
#define FLOATS(...)   ((kfi_array){.dtype = KF_FLOAT32, .shape = KFI_SHAPE(__VA_ARGS__)})
#define INTEGERS(...) ((kfi_array){.dtype = KF_INT32, .shape = KFI_SHAPE(__VA_ARGS__)})

/* ---- formulas, run as they are emitted ---- */

enum { MAX_VALUES = 256 };

typedef struct recording {
    kfi_array values[MAX_VALUES];
    int count;
} recording;

static inline kfi_value record(recording *to, kfi_array array) {
    assert_true(to->count < MAX_VALUES);
    to->values[to->count] = array;
    return (kfi_value){to->count++};
}

static inline kfi_value emit(kfi_derivation *derivation, const char *name, const void *attributes,
                             const kfi_value *in, int n_in, kfi_value *more) {
    recording *recorded = derivation->formula;
    kfi_array operands[MAX_OPERANDS], out[KFI_OP_MAX_OUTPUTS];
    assert_true(n_in <= MAX_OPERANDS);
    for (int i = 0; i < n_in; i++) {
        if (kfi_is_none(in[i])) fail_msg("%s is applied to no value", name);
        operands[i] = recorded->values[in[i].id];
    }
    const int n_out = apply_op(find_op(name), attributes, operands, n_in, out, unwritten, FORWARD);
    const kfi_value first = record(recorded, out[0]);
    for (int i = 1; i < n_out; i++) {
        const kfi_value other = record(recorded, out[i]);
        if (more) more[i - 1] = other;
    }
    return first;
}

/* din[i] for each wanted input, .data NULL where no gradient flows; dout[i] belongs to output i,
 * .data NULL where none comes. */
static inline void derive(const kfi_op *op, const void *attributes, const kfi_array *in, int n_in,
                          const kfi_array *out, int n_out, const kfi_array *dout,
                          const bool *wanted, kfi_array *din) {
    recording recorded = {.count = 0};
    kfi_value in_values[MAX_OPERANDS], out_values[KFI_OP_MAX_OUTPUTS];
    kfi_value dout_values[KFI_OP_MAX_OUTPUTS], din_values[MAX_OPERANDS];
    for (int i = 0; i < n_in; i++) in_values[i] = record(&recorded, in[i]);
    for (int i = 0; i < n_out; i++) out_values[i] = record(&recorded, out[i]);
    for (int i = 0; i < n_out; i++)
        dout_values[i] = dout[i].data ? record(&recorded, dout[i]) : KFI_NONE;
    for (int i = 0; i < n_in; i++) din_values[i] = KFI_NONE;
    kfi_derivation derivation = {.attributes = attributes,
                                 .n_in = n_in,
                                 .n_out = n_out,
                                 .in = in_values,
                                 .out = out_values,
                                 .dout = dout_values,
                                 .in_type = in,
                                 .out_type = out,
                                 .wanted = wanted,
                                 .din = din_values,
                                 .emit = emit,
                                 .formula = &recorded};
    if (op->gradient(&derivation)) fail_msg("%s: no gradient: %s", op->name, kf_last_error());
    for (int i = 0; i < n_in; i++) {
        din[i] = (kfi_array){0};
        if (!kfi_is_none(din_values[i])) din[i] = recorded.values[din_values[i].id];
    }
}

/* ---- comparing, and running at each SIMD level ---- */

static inline float at(const kfi_array *array, int64_t i) {
    return ((const float *)array->data)[i];
}

/* |got - expected| <= tolerance * max(1, |expected|), and NaN only where NaN is expected. */
static inline void expect_near(double got, double expected, double tolerance) {
    const double scale = fabs(expected) > 1 ? fabs(expected) : 1;
    const bool same = got == expected || (isnan(got) && isnan(expected));
    if (!same && !(fabs(got - expected) <= tolerance * scale))
        fail_msg("expected %.9g, got %.9g", expected, got);
}

#define run_sentences(tests)                                                                       \
    _cmocka_run_group_tests(kfi_simd_level(), (tests), sizeof(tests) / sizeof *(tests), NULL, NULL)
#define SENTENCE(sentence, test)                                                                   \
    { sentence, test, NULL, release_all, NULL }

/* A process for each level, since a process chooses its level once. */
static inline int at_each_level(int (*run)(void)) {
    static const char *const levels[] = {"portable", "v2", "v3", "v4"};
    int failed = 0;
    for (int i = 0; i < 4; i++) {
        fflush(NULL);
        const pid_t child = fork();
        if (child == 0) {
            setenv("KF_SIMD", levels[i], 1);
            /* a level that this machine lacks would only repeat another */
            exit(strcmp(kfi_simd_level(), levels[i]) == 0 ? run() : 0);
        }
        int status = 1;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            fprintf(stderr, "failed at SIMD level %s\n", levels[i]);
            failed = 1;
        }
    }
    return failed;
}

#endif
