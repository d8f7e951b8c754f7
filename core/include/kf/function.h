/* Functions of your own, run as one step of the model: a name, what it computes and, if training is
 * to go through it, its derivative. */
#ifndef KF_FUNCTION_H
#define KF_FUNCTION_H

#include "kf/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KF_FUNCTION_MAX_INPUTS 4

/* The callbacks run on kf's threads, several calls at once, and must not call kf. A status other
 * than KF_OK ends the run, which returns it; `message` (256 bytes) says why. */
typedef struct kf_function {
    size_t size;
    const char *name;
    int32_t n_inputs; /* 0: 1; at most KF_FUNCTION_MAX_INPUTS */
    /* Whether masks pass; else a masked input is refused. */
    bool supports_masking;
    /* The output's shape, with the batch axis; dimensions may be KF_ANY. NULL: that of input 0. */
    kf_status (*shape)(void *context, const kf_shape *in, kf_shape *out, char *message);
    /* out = f(in), float32. Inputs are float32, or int32 where the tensor is. */
    kf_status (*forward)(void *context, const kf_array *in, const kf_shape *shape, float *out,
                         char *message);
    /* din[i] = d loss / d in[i] for each that is not NULL, from dout. NULL: no gradient flows. */
    kf_status (*gradient)(void *context, const kf_array *in, const kf_shape *shape,
                          const float *out, const float *dout, float *const *din, char *message);
    void *context; /* the caller's, for as long as the graph */
} kf_function;

/* Makes a function known to a graph, copied, for kf_lambda and for models that are loaded into it.
 * A name that is taken is an error. */
KF_API kf_status kf_graph_add_function(kf_graph *graph, const kf_function *function);

#ifdef __cplusplus
}
#endif
#endif
