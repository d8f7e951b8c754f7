/* A weight is an array that lives longer than a run: a layer's kernel, a moving average, an
 * optimizer's slot. */
#ifndef KFI_GRAPH_WEIGHT_H
#define KFI_GRAPH_WEIGHT_H

#include "core/base/shape.h"
#include "kf/graph.h"

struct kf_weight {
    char *name;      /* "dense_1/kernel:0" */
    kf_layer *layer; /* NULL for an optimizer's */
    kf_shape shape;
    int64_t count;
    float *data;
    bool trainable; /* as the layer made it; the layer's own trainable flag counts too */
    const char *regularizer, *constraint; /* objects as text, the layer's strings; NULL: none */
};

/* Zeroed. shape must be fixed. */
kf_status kfi_weight_new(const char *name, const kf_shape *shape, kf_weight **weight);
void kfi_weight_free(kf_weight *weight); /* accepts NULL */

#endif
