/* The callbacks of a golden case, as JSON names them: [{"class_name": "EarlyStopping", "patience":
 * 2}]; a LearningRateScheduler's schedule is an expression of epoch: "0.5/(epoch+1)". */
#ifndef KF_TESTS_CONFORMANCE_CALLBACKS_H
#define KF_TESTS_CONFORMANCE_CALLBACKS_H

#include "core/base/variant.h"
#include "kf/callbacks.h"

/* Fills `made` (KF_MAX_CALLBACKS), which callbacks_free frees also after a failure. */
kf_status callbacks_make(const kfi_variant *list, kf_callback **made);
void callbacks_free(kf_callback **made);

#endif
