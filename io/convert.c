/* Converting between element types, checked where an integer could lose its value. The commonest
 * pair, pictures to floats, is direct; all others go through blocks of int64 or double. */
#include "io/dataset.h"

#include "core/base/status.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BLOCK = 256 }; /* elements: 2 KiB, well inside the first-level cache */

typedef struct block {
    bool whole; /* integers in `integer`, else reals in `real` */
    int64_t integer[BLOCK];
    double real[BLOCK];
} block;

static const struct limits {
    int64_t least, most;
} limits[KF_N_DTYPES] = {
    [KF_INT8] = {INT8_MIN, INT8_MAX},    [KF_UINT8] = {0, UINT8_MAX},
    [KF_INT16] = {INT16_MIN, INT16_MAX}, [KF_UINT16] = {0, UINT16_MAX},
    [KF_INT32] = {INT32_MIN, INT32_MAX}, [KF_UINT32] = {0, UINT32_MAX},
    [KF_INT64] = {INT64_MIN, INT64_MAX},
};

static bool is_real(kf_dtype dtype) { return dtype == KF_FLOAT32 || dtype == KF_FLOAT64; }

static void load(block *b, const void *from, kf_dtype dtype, int count) {
    b->whole = !is_real(dtype);
    int64_t *const whole = b->integer;
    switch (dtype) {
    case KF_FLOAT32:
        for (int i = 0; i < count; i++) b->real[i] = (double)((const float *)from)[i];
        break;
    case KF_FLOAT64:
        for (int i = 0; i < count; i++) b->real[i] = ((const double *)from)[i];
        break;
    case KF_INT8:
        for (int i = 0; i < count; i++) whole[i] = ((const int8_t *)from)[i];
        break;
    case KF_UINT8:
        for (int i = 0; i < count; i++) whole[i] = ((const uint8_t *)from)[i];
        break;
    case KF_INT16:
        for (int i = 0; i < count; i++) whole[i] = ((const int16_t *)from)[i];
        break;
    case KF_UINT16:
        for (int i = 0; i < count; i++) whole[i] = ((const uint16_t *)from)[i];
        break;
    case KF_INT32:
        for (int i = 0; i < count; i++) whole[i] = ((const int32_t *)from)[i];
        break;
    case KF_UINT32:
        for (int i = 0; i < count; i++) whole[i] = ((const uint32_t *)from)[i];
        break;
    case KF_INT64:
        memcpy(whole, from, (size_t)count * sizeof *whole);
        break;
    case KF_N_DTYPES:
        break;
    }
}

static void store(const block *b, void *to, kf_dtype dtype, int count) {
    const int64_t *const whole = b->integer;
    switch (dtype) {
    case KF_FLOAT32:
        for (int i = 0; i < count; i++)
            ((float *)to)[i] = b->whole ? (float)whole[i] : (float)b->real[i];
        break;
    case KF_FLOAT64:
        for (int i = 0; i < count; i++)
            ((double *)to)[i] = b->whole ? (double)whole[i] : b->real[i];
        break;
    case KF_INT8:
    case KF_UINT8:
        for (int i = 0; i < count; i++) ((uint8_t *)to)[i] = (uint8_t)whole[i];
        break;
    case KF_INT16:
    case KF_UINT16:
        for (int i = 0; i < count; i++) ((uint16_t *)to)[i] = (uint16_t)whole[i];
        break;
    case KF_INT32:
    case KF_UINT32:
        for (int i = 0; i < count; i++) ((uint32_t *)to)[i] = (uint32_t)whole[i];
        break;
    case KF_INT64:
        memcpy(to, whole, (size_t)count * sizeof *whole);
        break;
    case KF_N_DTYPES:
        break;
    }
}

/* The first element that `dtype` cannot hold; `count` if all fit. Reals that fit become integers
 * on the way. 2^63 is compared as a double, because INT64_MAX is none. */
static int first_misfit(block *b, kf_dtype dtype, int count) {
    const struct limits limit = limits[dtype];
    for (int i = 0; i < count; i++) {
        if (!b->whole) {
            const double x = b->real[i];
            if (!(x >= -0x1p63 && x < 0x1p63) || x != trunc(x)) return i;
            b->integer[i] = (int64_t)x;
        }
        if (b->integer[i] < limit.least || b->integer[i] > limit.most) return i;
    }
    b->whole = true;
    return count;
}

static kf_status misfit(const block *b, int i, kf_dtype dtype, int64_t row, const char *what) {
    char value[40];
    if (b->whole)
        snprintf(value, sizeof value, "%lld", (long long)b->integer[i]);
    else
        snprintf(value, sizeof value, "%g", b->real[i]);
    return kfi_fail(KF_INVALID,
                    "%s: row %lld holds %s, which is not a whole number of %s (%lld … %lld)", what,
                    (long long)row, value, kf_dtype_name(dtype), (long long)limits[dtype].least,
                    (long long)limits[dtype].most);
}

static void pictures_to_floats(const uint8_t *from, float *to, int64_t count) {
    for (int64_t i = 0; i < count; i++) to[i] = from[i];
}

kf_status kfi_convert(const void *from, kf_dtype from_dtype, void *to, kf_dtype to_dtype,
                      int64_t count, int64_t per_row, int64_t first_row, const char *what) {
    const size_t from_size = kf_dtype_size(from_dtype), to_size = kf_dtype_size(to_dtype);
    if (!from_size || !to_size) return kfi_fail(KF_USAGE, "%s: unknown element type", what);
    if (from_dtype == to_dtype) {
        if (from != to && count) memmove(to, from, (size_t)count * from_size);
        return KF_OK;
    }
    if (from_dtype == KF_UINT8 && to_dtype == KF_FLOAT32) {
        pictures_to_floats(from, to, count);
        return KF_OK;
    }
    block b;
    for (int64_t done = 0; done < count; done += BLOCK) {
        const int n = count - done < BLOCK ? (int)(count - done) : BLOCK;
        load(&b, (const char *)from + (size_t)done * from_size, from_dtype, n);
        const int bad = is_real(to_dtype) ? n : first_misfit(&b, to_dtype, n);
        if (bad < n) {
            const int64_t row = first_row + (per_row ? (done + bad) / per_row : 0);
            return misfit(&b, bad, to_dtype, row, what);
        }
        store(&b, (char *)to + (size_t)done * to_size, to_dtype, n);
    }
    return KF_OK;
}
