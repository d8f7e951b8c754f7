/* The ways in which a field can be prepared: a class each, with the options of kf_preparation that
 * are its own. They know rows of floats, and no dataset. */
#ifndef KFI_IO_PREPARATION_H
#define KFI_IO_PREPARATION_H

#include "core/base/fields.h"
#include "kf/data.h"

/* A row on its way. */
typedef struct kfi_prepared_row {
    const kf_preparation *how;
    const kf_shape *before; /* of the row that comes in */
    int64_t row, epoch;     /* KF_ANY: no training, nothing is random */
} kfi_prepared_row;

typedef struct kfi_preparation_class {
    const char *name; /* "one_hot" */
    const char *help;
    const kfi_field *fields; /* of a kf_preparation */
    bool in_place;           /* `from` may be `to` */
    /* The shape of a sample before becomes the one after, or why it cannot. */
    kf_status (*shape)(const kf_preparation *how, kf_shape *shape);
    /* Whether the row can be prepared, since preparing cannot fail; NULL: any can. */
    kf_status (*check)(const kfi_prepared_row *row, const float *from);
    void (*prepare)(const kfi_prepared_row *row, const float *from, float *to);
} kfi_preparation_class;

/* The class whose options are given, and all its options with defaults filled in. */
kf_status kfi_preparation_choose(const kf_preparation *given, kf_preparation *how,
                                 const kfi_preparation_class **class);

/* The same from a text: "augment(flip=True, shift=2)". */
kf_status kfi_preparation_parse(const char *text, kf_preparation *how,
                                const kfi_preparation_class **class);

const kfi_preparation_class *kfi_preparation_at(int32_t index); /* NULL: no more */

#endif
