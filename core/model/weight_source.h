/* Where a weight of a model comes from in a file: one array as it is, or, in files of other
 * versions of Keras, arrays that are turned around and put side by side. */
#ifndef KFI_MODEL_WEIGHT_SOURCE_H
#define KFI_MODEL_WEIGHT_SOURCE_H

#include "core/model/model.h"

enum { KFI_MAX_PARTS = 4 }; /* the gates of an LSTM */

typedef struct kfi_weight_source kfi_weight_source;

/* Brings one array of the file into the order it has in the weight. */
typedef void (*kfi_arrange)(const kfi_weight_source *source, const kf_shape *stored,
                            const float *from, float *to);

struct kfi_weight_source {
    kf_weight *weight;
    int32_t n_parts;
    const kfi_keras_weight *parts[KFI_MAX_PARTS]; /* stand side by side on the last axis */
    kfi_arrange arrange;                          /* NULL: nothing to bring into order */
    int32_t axes[KF_MAX_RANK];                    /* of arrange, where it swaps axes   */
    kf_shape shape;                               /* what all of it is, once arranged  */
    bool flipped;                                 /* all spatial axes run backwards    */
};

/* The sources of the n_weights weights of a layer (those inside it too), from what the file has
 * for it: as many sources as weights, or, if the numbers do not fit, none. Shapes are not compared
 * with the weights yet. */
kf_status kfi_weight_sources(const kfi_keras_file *file, const kfi_keras_layer *saved,
                             kf_weight *const *weights, int64_t n_weights,
                             kfi_weight_source *sources, int64_t *n_sources);

/* Reads a source whose shape fits into room for the whole weight. */
kf_status kfi_weight_source_read(kfi_keras_file *file, const kfi_weight_source *source,
                                 float *values);

#endif
