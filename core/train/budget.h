/* The memory that a pass may take: kf_compile's memory_limit_bytes, or what the machine has free.
 */
#ifndef KFI_TRAIN_BUDGET_H
#define KFI_TRAIN_BUDGET_H

#include "core/train/training.h"

typedef struct kfi_budget {
    bool given;   /* a limit was given, which must hold; else it is a wish */
    size_t limit; /* of everything: passes, weights, the optimizer's state */
    size_t kept;  /* weights and the optimizer's state                     */
    size_t pass;  /* what is left for a pass                               */
} kfi_budget;

/* What a model keeps between steps, in bytes. */
typedef struct kfi_kept {
    size_t weights, optimizer;
} kfi_kept;
kf_status kfi_kept_of(const kfi_training *training, kfi_kept *kept);

kf_status kfi_budget_of(const kfi_training *training, kfi_budget *budget);

/* What a run of the plan takes: its arena and the workers' scratch. */
size_t kfi_budget_need(const kfi_plan *plan);

/* Fails, saying what is needed and what is allowed, if a limit was given and a pass of `mode` for
 * `rows` samples that needs this much exceeds it. */
kf_status kfi_budget_check(const kfi_budget *budget, const char *mode, int64_t rows, size_t need);

#endif
