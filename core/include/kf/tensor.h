/* Element types, shapes, and arrays in memory: what data looks like everywhere in kf. */
#ifndef KF_TENSOR_H
#define KF_TENSOR_H

#include "kf/status.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Models compute in float32 and take int32 indices; the other types are for data at rest. */
typedef enum kf_dtype {
    KF_FLOAT32 = 0,
    KF_INT32,
    KF_UINT8,
    KF_INT64,
    KF_FLOAT64,
    KF_INT8,
    KF_INT16,
    KF_UINT16,
    KF_UINT32,
    KF_N_DTYPES
} kf_dtype;

KF_API size_t kf_dtype_size(kf_dtype dtype);      /* bytes of one element            */
KF_API const char *kf_dtype_name(kf_dtype dtype); /* numpy's name: "float32", "int32" */

#define KF_MAX_RANK 8
#define KF_ANY      (-1) /* a dimension that is not fixed, such as the batch axis: Keras's None */

/* Row-major (C order); dims[0] is the outermost axis. A scalar has rank 0. */
typedef struct kf_shape {
    int32_t rank;
    int64_t dims[KF_MAX_RANK];
} kf_shape;

/* An array in the caller's memory: row-major, dense, never copied or freed by kf. */
typedef struct kf_array {
    const char *name; /* of the input or output it belongs to; NULL: by position */
    const void *data;
    kf_dtype dtype;
    kf_shape shape; /* with the samples axis first */
} kf_array;

#ifdef __cplusplus
}
#endif
#endif
