/* The options of kf_fit and kf_compile as tables, for checks and for whoever asks. */
#ifndef KFI_TRAIN_FIT_FIELDS_H
#define KFI_TRAIN_FIT_FIELDS_H

#include "core/base/fields.h"

/* Those that are single values; of data, callbacks, history and class_weight the header tells. */
extern const kfi_field kfi_fit_fields[];

/* Of kf_evaluate and kf_predict. */
extern const kfi_field kfi_run_fields[];

/* What compile takes has forms of its own (compile_options.c): the table says only what there is.
 */
extern const kfi_field kfi_compile_fields[];

#endif
