#include "core/base/shape.h"

#include <stdio.h>
#include <string.h>

static const struct {
    size_t size;
    const char *name;
} dtypes[KF_N_DTYPES] = {
    [KF_FLOAT32] = {4, "float32"}, [KF_INT32] = {4, "int32"},     [KF_UINT8] = {1, "uint8"},
    [KF_INT64] = {8, "int64"},     [KF_FLOAT64] = {8, "float64"}, [KF_INT8] = {1, "int8"},
    [KF_INT16] = {2, "int16"},     [KF_UINT16] = {2, "uint16"},   [KF_UINT32] = {4, "uint32"},
};

static bool known(kf_dtype dtype) { return (unsigned)dtype < KF_N_DTYPES; }

size_t kf_dtype_size(kf_dtype dtype) { return known(dtype) ? dtypes[dtype].size : 0; }

const char *kf_dtype_name(kf_dtype dtype) { return known(dtype) ? dtypes[dtype].name : "unknown"; }

int64_t kfi_shape_count(const kf_shape *shape) {
    int64_t count = 1;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] < 0) return -1;
        if (__builtin_mul_overflow(count, shape->dims[i], &count)) return -1;
    }
    return count > INT64_MAX / 16 ? -1 : count;
}

int64_t kfi_shape_product(const kf_shape *shape, int first, int last) {
    int64_t product = 1;
    for (int i = first; i < last; i++) product *= shape->dims[i];
    return product;
}

bool kfi_shape_equal(const kf_shape *a, const kf_shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i]) return false;
    return true;
}

bool kfi_shape_fits(const kf_shape *a, const kf_shape *b) {
    if (a->rank != b->rank) return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i] && a->dims[i] >= 0 && b->dims[i] >= 0) return false;
    return true;
}

int kfi_axis(int64_t axis, int rank) {
    if (axis < 0) axis += rank;
    return axis >= 0 && axis < rank ? (int)axis : -1;
}

kfi_shape_text kfi_shape_print(const kf_shape *shape) {
    kfi_shape_text result;
    char *at = result.text, *const end = at + sizeof result.text;
    at += snprintf(at, (size_t)(end - at), "(");
    for (int i = 0; i < shape->rank; i++) {
        const char *separator = i + 1 < shape->rank ? ", " : shape->rank == 1 ? "," : "";
        if (shape->dims[i] < 0)
            at += snprintf(at, (size_t)(end - at), "None%s", separator);
        else
            at += snprintf(at, (size_t)(end - at), "%lld%s", (long long)shape->dims[i], separator);
    }
    snprintf(at, (size_t)(end - at), ")");
    return result;
}
