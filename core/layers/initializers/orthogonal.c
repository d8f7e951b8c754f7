/* Orthogonal: a random matrix with orthonormal rows or columns, whichever are fewer; a kernel of
 * higher rank is (all axes but the last, the last one) for this. Saxe et al. 2013.
 *
 * Gaussian vectors made orthogonal by Gram-Schmidt are uniform among all orthogonal matrices
 * (the diagonal of R is positive). In double, modified Gram-Schmidt is far more exact than the
 * float32 the result is kept in. */
#include "core/base/memory.h"
#include "core/layers/initializers/initializer.h"

#include <math.h>

enum { LANES = 8 }; /* partial sums of a dot product: vectors for the compiler, and a fixed order */

typedef struct orthogonal_options {
    int64_t seed;
    double gain;
} orthogonal_options;

static const kfi_field fields[] = {
    KFI_FIELD(orthogonal_options, gain, "gain", kfi_field_real, .otherwise = "1.0"),
    KFI_FIELD(orthogonal_options, seed, "seed", kfi_field_integer, .otherwise = "None"),
    KFI_FIELDS_END,
};

static double dot(const double *x, const double *y, int64_t n) {
    double lane[LANES] = {0};
    const int64_t whole = n - n % LANES;
    for (int64_t i = 0; i < whole; i += LANES)
        for (int j = 0; j < LANES; j++) lane[j] += x[i + j] * y[i + j];
    for (int64_t i = whole; i < n; i++) lane[0] += x[i] * y[i];
    double sum = 0;
    for (int j = 0; j < LANES; j++) sum += lane[j];
    return sum;
}

/* v: `count` vectors of n numbers, count <= n. */
static void orthonormalize(double *v, int64_t count, int64_t n) {
    for (int64_t i = 0; i < count; i++) {
        double *const unit = v + i * n;
        const double length = sqrt(dot(unit, unit, n));
        for (int64_t k = 0; k < n; k++) unit[k] /= length;
        for (int64_t j = i + 1; j < count; j++) {
            double *const other = v + j * n;
            const double part = dot(unit, other, n);
            for (int64_t k = 0; k < n; k++) other[k] -= part * unit[k];
        }
    }
}

static kf_status fill(const kfi_filling *filling) {
    const orthogonal_options *options = filling->options;
    const kf_shape *shape = filling->shape;
    const int64_t columns = shape->rank > 0 ? shape->dims[shape->rank - 1] : 1;
    const int64_t rows = columns > 0 ? filling->count / columns : 0;
    const bool by_rows = rows <= columns;
    const int64_t count = by_rows ? rows : columns, n = by_rows ? columns : rows;
    double *v = kfi_alloc((size_t)filling->count, sizeof *v);
    if (!v) return KF_MEMORY;
    kfi_random_normal(filling->stream, 0, 1, 0, filling->out, filling->count);
    for (int64_t i = 0; i < filling->count; i++) v[i] = filling->out[i];
    orthonormalize(v, count, n);
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < n; k++)
            filling->out[by_rows ? i * columns + k : k * columns + i] =
                (float)(options->gain * v[i * n + k]);
    kfi_free(v);
    return KF_OK;
}

const kfi_initializer kfi_initializer_orthogonal = {
    .name = "Orthogonal",
    .fields = fields,
    .random = true,
    .fill = fill,
};
