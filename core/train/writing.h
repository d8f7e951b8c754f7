/* A pass while it is being written as ops: from sources for inputs and targets to results. */
#ifndef KFI_TRAIN_WRITING_H
#define KFI_TRAIN_WRITING_H

#include "core/train/pass.h"

struct kfi_writing {
    const kfi_training *training;
    const kfi_mode *mode;
    kfi_formula *formula;
    const kfi_ports *ports;
    int64_t rows;                            /* KF_ANY in a symbolic formula */
    kfi_value sources[KFI_MAX_BATCH_FIELDS]; /* by port */
    kfi_value *out, *out_mask, *y_true;      /* by output */
    kfi_value *weights;                      /* by output; KFI_NONE: all 1 */
    kfi_value hyper;
    kfi_value *results; /* room for all that any mode has */
    int32_t n_results;
    int32_t *places; /* what becomes kfi_pass.results */
};
typedef struct kfi_writing kfi_writing;

/* Writes inputs, model, targets and what the mode wants of them. Afterwards kfi_writing_free. */
kf_status kfi_writing_run(kfi_writing *writing);
void kfi_writing_free(kfi_writing *writing);

#endif
