/* Where a fit stands: all it needs to go on, besides weights and optimizer, as if it had never been
 * broken off. Epoch, batch, sums, history, the states of callbacks and of stateful layers. */
#ifndef KFI_TRAIN_STANDING_H
#define KFI_TRAIN_STANDING_H

#include "core/train/callbacks/callback.h"
#include "core/train/fitting.h"

typedef struct kfi_standing {
    kfi_variant *fit;                      /* a dict */
    kfi_numbers numbers[KF_MAX_CALLBACKS]; /* of the callbacks that fit lists */
    kfi_numbers states;                    /* of stateful layers */
} kfi_standing;

kf_status kfi_standing_of(const kfi_fitting *fit, kfi_standing **made);

/* Puts a fit that is about to begin there. NULL: leaves it at its beginning. */
kf_status kfi_standing_apply(const kfi_standing *standing, kfi_fitting *fit);

void kfi_standing_free(kfi_standing *standing); /* accepts NULL */

/* What the stateful layers of a model keep, to be put back; no values where there are none. */
kf_status kfi_states_keep(const kf_model *model, kfi_numbers *states);
kf_status kfi_states_restore(kf_model *model, const kfi_numbers *states);

/* A number in a dict; those that are not finite, which JSON does not have, as texts. */
kfi_variant *kfi_standing_number(double value);
double kfi_standing_value(const kfi_variant *number);

#endif
