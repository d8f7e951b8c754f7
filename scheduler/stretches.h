/* What virtual workers have done: stretches of work, and which one let which other start. */
#ifndef KFI_SCHEDULER_STRETCHES_H
#define KFI_SCHEDULER_STRETCHES_H

#include "kf/status.h"

#include <stdint.h>

/* A stretch of work on one worker, and the one whose end let it start when it did; KFI_NONE: none
 * did. */
typedef struct kfi_stretch {
    int32_t number, cause;
    double start, end;
} kfi_stretch;

/* All zero: an empty one. */
typedef struct kfi_stretches {
    kfi_stretch *list;
    int64_t n, capacity;
    kf_status status; /* KF_MEMORY if there was no room for some */
} kfi_stretches;

/* Returns its number; KFI_NONE if there is no room. */
int32_t kfi_stretches_add(kfi_stretches *all, const kfi_stretch *added);

/* The end of a stretch; 0 for KFI_NONE. */
double kfi_stretches_end(const kfi_stretches *all, int32_t stretch);

/* The stretch that ended last; KFI_NONE if there is none. */
int32_t kfi_stretches_last(const kfi_stretches *all);

void kfi_stretches_clear(kfi_stretches *all);

#endif
