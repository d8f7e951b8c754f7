/* What training hangs on a model: how it was compiled, the plans made for it, the run under way. */
#ifndef KFI_TRAIN_TRAINING_H
#define KFI_TRAIN_TRAINING_H

#include "core/base/random.h"
#include "core/base/variant.h"
#include "core/graph/plan.h"
#include "core/model/model.h"
#include "core/train/measure.h"
#include "core/train/optimizer.h"
#include "kf/train.h"

#include <stdatomic.h>

/* What one output is trained for. */
typedef struct kfi_target {
    const kfi_measure *loss; /* NULL: not trained, takes no target */
    float loss_weight;
    bool is_temporal; /* its weights are by timestep */
    const kfi_measure **metrics;
    int32_t n_metrics, n_weighted; /* of all, the last are weighted_metrics */
} kfi_target;

/* A model's compilation, whole or not there at all. */
typedef struct kfi_compiled {
    kf_optimizer *optimizer;
    kfi_target *targets; /* by output */
    int32_t n_outputs;
    kf_weight **weights; /* the trained ones, each once */
    int32_t n_weights;
    char **names; /* metrics_names: loss, losses of the outputs, metrics */
    int32_t n_names;
    /* As they were given, for saving; NULL: null. */
    kfi_variant *loss, *metrics, *weighted_metrics, *loss_weights, *sample_weight_mode;
} kfi_compiled;

/* What a fit, evaluate or predict under way is doing, for the progress callback. */
typedef struct kfi_progress_state {
    int64_t samples, validation_samples;
    int32_t epochs;
    bool counts_steps; /* samples are batches: nobody knows how many rows will come */
} kfi_progress_state;

typedef struct kfi_pass kfi_pass; /* pass.h */

typedef struct kfi_training {
    kf_model *model;
    kfi_compiled *compiled; /* NULL: not yet */
    /* What a Sequential was compiled with before it was built (deferred.h); NULL: nothing. */
    struct kfi_compile_arguments *waiting;
    kfi_pass *passes;       /* most recently used first */
    kfi_arena arena;        /* of all passes: they never run at the same time */
    size_t memory_limit;    /* kf_compile's; 0: what the machine has free */
    bool exact_convolution; /* as kf_compile was told */
    int64_t runs;           /* of the training phase so far: each has its own random numbers */
    atomic_int stop;        /* set by kf_stop_training from any thread or signal handler */
    kfi_progress_state progress;
    bool has_seed;
    uint64_t seed;         /* of random numbers, if has_seed: not the graph's but a file's */
    struct kfi_logs *logs; /* of the epoch under way; NULL: none */
    const struct kfi_fitting *fit; /* under way; NULL: none */
    struct kfi_standing *standing; /* where the last fit stood; NULL: there was none */
} kfi_training;

/* The values of kfi_training.stop. */
enum { KFI_GO = 0, KFI_STOP, KFI_SUSPEND };

/* The stream of the training's random numbers. */
kfi_random kfi_training_random(const kfi_training *training);

/* The model's training state, made at the first call. Fails if the model is poisoned. */
kf_status kfi_training_begin(kf_model *model, kfi_training **training);
/* The same of a model that is built, compiled by now if it was compiled before that. */
kf_status kfi_training_of(kf_model *model, kfi_training **training);
/* The same, and fails with Keras's words unless the model is compiled. */
kf_status kfi_training_compiled(kf_model *model, kfi_training **training);

void kfi_compiled_free(kfi_compiled *compiled); /* accepts NULL */

/* Names for a message: "'main_output', 'aux_output'"; cut where there is no more room. */
typedef struct kfi_name_list {
    char text[512];
} kfi_name_list;
void kfi_name_list_add(kfi_name_list *list, const char *name);

/* Copies an options struct of the caller's, however old, over zeros. */
void kfi_options_copy(void *to, size_t to_bytes, const void *from);

/* What Keras's compile takes, as it looks in JSON: loss a string, list or dict; metrics and
 * weighted_metrics a list or dict; loss_weights a list or dict; sample_weight_mode a string, list
 * or dict. Each but the optimizer may be NULL. */
typedef struct kfi_compile_arguments {
    kf_optimizer *optimizer;
    kfi_variant *loss, *metrics, *weighted_metrics, *loss_weights, *sample_weight_mode;
} kfi_compile_arguments;

/* A compilation of which nothing is resolved yet. */
kfi_compiled kfi_compiled_as_given(const kfi_compile_arguments *arguments);

/* Compiles as Keras does. Takes everything over, also on failure; on failure the model stays as it
 * was. */
kf_status kfi_compile_with(kf_model *model, const kfi_compile_arguments *arguments);

/* The same with what a file knows: weighted_metrics are not saved. */
kf_status kfi_compile(kf_model *model, kf_optimizer *optimizer, kfi_variant *loss,
                      kfi_variant *metrics, kfi_variant *loss_weights,
                      kfi_variant *sample_weight_mode);

#endif
