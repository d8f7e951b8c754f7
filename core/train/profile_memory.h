/* The part of a profile that tells what a step takes. */
#ifndef KFI_TRAIN_PROFILE_MEMORY_H
#define KFI_TRAIN_PROFILE_MEMORY_H

#include "core/train/sample_batch.h"
#include "kf/profile.h"

typedef struct kfi_profile_memory {
    kf_profile_memory total;
    kf_profile_stretch *stretches; /* names are their own copies */
    int32_t n_stretches;
} kfi_profile_memory;

/* By kfi_scope.direction. */
extern const char *const kfi_direction_names[];

/* Freed also on failure. */
kf_status kfi_profile_memory_find(kfi_profile_memory *memory, const kfi_training *training,
                                  const kfi_plan *plan, const kfi_sample_batch *batch,
                                  int32_t workers);
void kfi_profile_memory_free(kfi_profile_memory *memory);

#endif
