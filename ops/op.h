/* An op is a formula on arrays: its shapes, its kernels, its derivative as a formula of ops.
 * This file is all that the graph knows of ops and all that ops know of the graph. */
#ifndef KFI_OPS_OP_H
#define KFI_OPS_OP_H

#include "core/base/random.h"
#include "core/base/shape.h"
#include "core/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KFI_OP_MAX_OUTPUTS = 4, KFI_OP_MAX_STAGES = 4, KFI_EXAMPLE_MAX_INPUTS = 8 };

typedef struct kfi_op kfi_op;

/* An operand: with data when a kernel runs, without when shapes are worked out. */
typedef struct kfi_array {
    kf_dtype dtype; /* KF_FLOAT32 or KF_INT32 (KF_INT64 for random state) */
    kf_shape shape;
    void *data;
} kfi_array;

/* The elements [begin, end) of a flat array. */
typedef struct kfi_span {
    int64_t begin, end;
} kfi_span;

/* One application of an op to arrays. Kernels see inputs as const, write outputs and scratch. */
typedef struct kfi_call {
    const void *attributes; /* the op's own attribute struct, NULL if it has none */
    int n_in, n_out;
    const kfi_array *in;
    const kfi_array *out;
    void *scratch; /* shared by all tiles and stages of this call: op->scratch bytes */
    kfi_span part; /* of an element-wise op: only these elements, whatever the tile; empty: all */
} kfi_call;

static inline const float *kfi_in(const kfi_call *call, int i) { return call->in[i].data; }
static inline const int32_t *kfi_in_int(const kfi_call *call, int i) { return call->in[i].data; }
static inline float *kfi_out(const kfi_call *call, int i) { return call->out[i].data; }

/* infer: given in[] and attributes, sets n_out and out[].shape (dtype is preset to KF_FLOAT32).
 * A dimension of an input may be KF_ANY (the batch, before it is known): then it goes through to
 * the output, never into arithmetic. Everything that can go wrong goes wrong here: kfi_fail with
 * what was expected and got; the caller puts the layer's name in front. */
typedef struct kfi_shaping {
    const void *attributes;
    int n_in, n_out;
    const kfi_array *in;
    kfi_array out[KFI_OP_MAX_OUTPUTS];
} kfi_shaping;

/* A stage: `tiles` independent tiles of one kernel. The partition depends on shapes alone. A kernel
 * is a pure function of (call, tile): it never allocates, fails, logs, blocks or starts threads.
 * `local` is op->tile_scratch bytes for this tile alone, undefined at the start, 64-byte aligned.
 */
typedef struct kfi_stage {
    void (*kernel)(const kfi_call *call, int64_t tile, void *local);
    int64_t (*tiles)(const kfi_call *call); /* NULL: one tile */
} kfi_stage;

/* Elements of output 0: `rows` runs of `width`, their beginnings `stride` apart. */
typedef struct kfi_region {
    int64_t first, rows, width, stride;
} kfi_region;

/* A value of a formula under construction; .id < 0 is "none". */
typedef struct kfi_value {
    int32_t id;
} kfi_value;
#define KFI_NONE ((kfi_value){-1})
static inline bool kfi_is_none(kfi_value value) { return value.id < 0; }

/* gradient: given dout (KFI_NONE where no gradient arrives; at least one is present), writes din
 * for each wanted input as formulas of ops, by kfi_derive. din is preset to KFI_NONE, which means
 * that no gradient flows there. */
typedef struct kfi_derivation kfi_derivation;
struct kfi_derivation {
    const void *attributes;
    int n_in, n_out;
    const kfi_value *in, *out, *dout;
    const kfi_array *in_type, *out_type; /* shapes and dtypes, all fixed; no data */
    const bool *wanted;                  /* by input                              */
    kfi_value *din;
    /* the graph's side: emits an op by name and returns its first output, the others in more[] */
    kfi_value (*emit)(kfi_derivation *derivation, const char *op, const void *attributes,
                      const kfi_value *in, int n_in, kfi_value *more);
    void *formula;
};

/* kfi_derive(d, "relu_gradient", NULL, dy, y): the value of an op applied in a derivative. After
 * the first failure every value is KFI_NONE and the graph reports it; gradients need no checks. */
#define kfi_derive(derivation, op, attributes, ...)                                                \
    ((derivation)                                                                                  \
         ->emit((derivation), (op), (attributes), (const kfi_value[]){__VA_ARGS__},                \
                sizeof((kfi_value[]){__VA_ARGS__}) / sizeof(kfi_value), NULL))

typedef struct kfi_cost {
    double flops, bytes;
} kfi_cost;

/* Shapes that drive the tests (finite differences, 1-2-8 workers) and the op benchmark. */
typedef struct kfi_example_input {
    kf_shape shape;
    kf_dtype dtype;
    float low, high; /* uniform in [low, high), integers too; both 0: [-1, 1)             */
    bool distinct;   /* far apart from each other, where ties would break a derivative    */
    bool constant;   /* no finite-difference check against this input (a mask, a target)  */
} kfi_example_input;

typedef struct kfi_example {
    const char *name; /* NULL ends the list */
    const void *attributes;
    int n_in;
    kfi_example_input in[KFI_EXAMPLE_MAX_INPUTS];
    bool large; /* for the benchmark and the bit check only, too big for finite differences */
} kfi_example;

struct kfi_op {
    const char *name;
    size_t attributes_size; /* bytes that a graph copies; attributes hold no pointers */
    kf_status (*infer)(kfi_shaping *shaping);
    kfi_stage stages[KFI_OP_MAX_STAGES]; /* ends at a NULL kernel */
    /* How often the last stage runs, each time for all its tiles before the next time: steps that
     * wait for each other. Round r's tiles are numbered from r tiles on. NULL: once. */
    int64_t (*rounds)(const kfi_call *call);
    /* Runs instead of the only kernel, as one tile, where a step may fail. NULL: it cannot. */
    kf_status (*run)(const kfi_call *call);
    kf_status (*gradient)(kfi_derivation *derivation); /* NULL: no gradient flows to any input */
    size_t (*scratch)(const kfi_call *call);      /* NULL: none. Shapes only, data is not set */
    size_t (*tile_scratch)(const kfi_call *call); /* NULL: none. Shapes only                  */
    kfi_cost (*cost)(const kfi_call *call);
    const kfi_example *examples; /* by KFI_EXAMPLES; read by kfi_op_examples */

    /* The output is the input's memory under another shape: no step, no copy (reshape). */
    bool is_view;
    /* Output i may be written over input in_place[i] - 1, since element k of the output depends on
     * that input's element k only (0: it may not). */
    int8_t in_place[KFI_OP_MAX_OUTPUTS];
    /* Chains: what a tile of a stage leaves finished of output 0, which nothing reads or writes
     * again and no other tile writes. (rows of 0: nothing yet.) A graph may hand those elements,
     * while they are in the cache, to an element-wise op. NULL: it may not. */
    kfi_region (*region)(const kfi_call *call, int stage, int64_t tile);
    /* Element k of the outputs depends on element k only of each input of as many elements; the
     * one stage, which uses no scratch, does call->part alone if it is set. */
    bool element_wise;
    /* Input index_input - 1 holds indices in [0, dimension `index_axis` of input `index_of`), that
     * axis counted from the end if negative; the graph checks fed data against it before the step
     * runs. 0: none. */
    int8_t index_input, index_of, index_axis;
};

/* The op of that name at the SIMD level of this machine (KF_SIMD=portable|v2|v3|v4 forces one that
 * the machine has); NULL if there is none. */
const kfi_op *kfi_op_find(const char *name);
const char *kfi_simd_level(void);

/* Sets up a thread for running kernels (a BLAS that is called from tasks must not start threads of
 * its own; denormal numbers count as zero) and puts back what it was. Called by the scheduler's
 * threads. */
void kfi_ops_enter_thread(void);
void kfi_ops_leave_thread(void);
/* The BLAS that was loaded: its name, variant and core type. Static. */
const char *kfi_ops_blas(void);

/* All ops, for tests and benchmarks: NULL past the end. */
const kfi_op *kfi_op_at(int index);

/* An op's examples, of whatever level the op is: in kf_op_examples, a library for tests and
 * benchmarks only. */
const kfi_example *kfi_op_examples(const kfi_op *op);

/* Inside ops/: names of what is compiled once per SIMD level. KFI_OP(relu) is the symbol of the
 * descriptor; a file defines `const kfi_op KFI_OP(relu) = { .name = "relu", … };` for each of its
 * ops and op_list.h has one line each. */
#define KFI_PASTE2(a, b) a##_##b
#define KFI_PASTE(a, b)  KFI_PASTE2(a, b)
#define KFI_OP(symbol)   KFI_PASTE(kfi_op_##symbol, KFI_LEVEL)

/* The examples of a descriptor: left out where an op is compiled to be run. Their pointers, which
 * every process would set at its start, are 1.4 MB. */
#define KFI_EXAMPLES(list) (KFI_WITH_EXAMPLES ? (list) : NULL)

#endif
