/* kf: Keras's functional API in C, compiled to a dependency graph that a work-stealing scheduler
 * runs in parallel. This header is the whole public face; the parts may be included one by one. */
#ifndef KF_H
#define KF_H

#include "kf/callbacks.h"
#include "kf/data.h"
#include "kf/function.h"
#include "kf/generators.h"
#include "kf/graph.h"
#include "kf/layers.h"
#include "kf/model.h"
#include "kf/options.h"
#include "kf/profile.h"
#include "kf/status.h"
#include "kf/tensor.h"
#include "kf/train.h"

#ifdef __cplusplus
extern "C" {
#endif

#define KF_VERSION "0.1.0"

/* What runs: version, SIMD level, BLAS, executor, workers; one line, for reports. The text is
 * static. */
KF_API const char *kf_about(void);

#ifdef __cplusplus
}
#endif
#endif
