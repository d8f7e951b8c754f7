/* A pass is the way of one batch through the model in one mode: forward only, or on through losses,
 * gradients and updates, as one plan. Passes are kept for the next batch of the same shapes. */
#ifndef KFI_TRAIN_PASS_H
#define KFI_TRAIN_PASS_H

#include "core/train/ports.h"

typedef struct kfi_mode kfi_mode;
struct kfi_writing; /* writing.h */

struct kfi_pass {
    kfi_pass *next;
    const kfi_mode *mode;
    int64_t rows;
    kfi_ports ports; /* with the shapes of the data it is for */
    kfi_plan *plan;
    kfi_value sources[KFI_MAX_BATCH_FIELDS]; /* by port */
    kfi_value hyper, random;                 /* KFI_NONE where the mode needs none */
    int32_t *results;  /* KFI_GRADIENTS: by weight, then by input, the plan's result; -1: none */
    int32_t n_results; /* of the plan */
    bool has_segments; /* so the plan can be one that needs less memory */
};

/* What a pass is for. */
struct kfi_mode {
    const char *name;
    bool training; /* the training phase: dropout, batch statistics */
    bool targets;  /* a batch brings targets                        */
    bool updates;  /* weights change                                */
    void (*write)(struct kfi_writing *writing);
};

extern const kfi_mode kfi_mode_train;     /* results: metrics_names' values, before the update */
extern const kfi_mode kfi_mode_test;      /* the same */
extern const kfi_mode kfi_mode_predict;   /* results: the outputs */
extern const kfi_mode kfi_mode_forward;   /* the same, in the training phase */
extern const kfi_mode kfi_mode_gradients; /* results: see kfi_pass.results */

/* The pass for batches of `rows` samples of these shapes, kept or made. */
kf_status kfi_pass_for(kfi_training *training, const kfi_mode *mode, const kfi_ports *ports,
                       int64_t rows, kfi_pass **pass);

/* Frees all kept passes: before weights or losses change. */
void kfi_passes_free(kfi_training *training);

/* One run: data by port, `rows` for messages. An index out of range and weights that are all 0 are
 * found before anything changes. */
kf_status kfi_pass_run(kfi_training *training, kfi_pass *pass, void *const *data,
                       const kfi_rows *rows, const kfi_run_options *options);

/* Result i as a number (a loss or metric). */
double kfi_pass_value(const kfi_pass *pass, int32_t index);

/* Writes the losses once without sizes, to find what is wrong with them at compile time. */
kf_status kfi_pass_check(kfi_training *training);

#endif
