/* Winograd's minimal filtering with six points (Lavin and Gray, "Fast algorithms for convolutional
 * neural networks", 2015): m outputs of a filter of r taps, m + r - 1 = 6, are polynomials that
 * multiply at the points 0, 1, -1, 2, -2 and infinity. In two dimensions, for a tile of 6 x 6:
 *   y = AT [(G w GT) (BT x B)] A        dw = GT [(BT x B) (A dy AT)] G
 * with products element by element, so 36 matrix products over channels do the work of m m r r.
 * m = 4 for 3 taps, m = 2 for 5; BT is the same for both.
 *
 * Here are the six small transforms, of vectors of channels; `step` is the distance of elements. */
#ifndef KFI_OPS_WINOGRAD_H
#define KFI_OPS_WINOGRAD_H

#include "ops/elements.h"
#include "ops/vectors.h"

enum { KFI_POINTS = 6, KFI_POINT_PAIRS = KFI_POINTS * KFI_POINTS };

/* BT: six values to six. */
KFI_INLINE void kfi_winograd_input(const kfi_vector *d, int step, kfi_vector *to, int to_step) {
    const kfi_vector d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    const kfi_vector even = d4 - d2 * 4.0f, odd = d3 - d1 * 4.0f;
    const kfi_vector far_even = d4 - d2, far_odd = (d3 - d1) * 2.0f;
    to[0] = d[0] * 4.0f - d2 * 5.0f + d4;
    to[to_step] = even + odd;
    to[2 * to_step] = even - odd;
    to[3 * to_step] = far_even + far_odd;
    to[4 * to_step] = far_even - far_odd;
    to[5 * to_step] = d1 * 4.0f - d3 * 5.0f + d[5 * step];
}

/* AT: six values to m outputs. */
KFI_INLINE void kfi_winograd_output(int m, const kfi_vector *v, int step, kfi_vector *to,
                                    int to_step) {
    const kfi_vector near_sum = v[step] + v[2 * step], near_difference = v[step] - v[2 * step];
    const kfi_vector far_sum = v[3 * step] + v[4 * step];
    const kfi_vector far_difference = v[3 * step] - v[4 * step];
    to[0] = v[0] + near_sum + far_sum;
    to[to_step] = near_difference + far_difference * 2.0f;
    if (m == 4) {
        to[2 * to_step] = near_sum + far_sum * 4.0f;
        to[3 * to_step] = near_difference + far_difference * 8.0f;
    }
    to[(m - 1) * to_step] += v[5 * step];
}

/* A: m values of dy to six. */
KFI_INLINE void kfi_winograd_output_gradient(int m, const kfi_vector *d, int step, kfi_vector *to,
                                             int to_step) {
    const kfi_vector zero = {0};
    const kfi_vector d2 = m == 4 ? d[2 * step] : zero, d3 = m == 4 ? d[3 * step] : zero;
    const kfi_vector near_even = d[0] + d2, near_odd = d[step] + d3;
    const kfi_vector far_even = d[0] + d2 * 4.0f, far_odd = (d[step] + d3 * 4.0f) * 2.0f;
    to[0] = d[0];
    to[to_step] = near_even + near_odd;
    to[2 * to_step] = near_even - near_odd;
    to[3 * to_step] = far_even + far_odd;
    to[4 * to_step] = far_even - far_odd;
    to[5 * to_step] = d[(m - 1) * step];
}

/* G: r taps to six. At a point p: (1, p, p^2 ...) over the product of its distances to the others.
 */
static const float kfi_winograd_taps[KFI_POINTS - 1][5] = {
    {1 / 4.0f, 0, 0, 0, 0},
    {-1 / 6.0f, -1 / 6.0f, -1 / 6.0f, -1 / 6.0f, -1 / 6.0f},
    {-1 / 6.0f, 1 / 6.0f, -1 / 6.0f, 1 / 6.0f, -1 / 6.0f},
    {1 / 24.0f, 2 / 24.0f, 4 / 24.0f, 8 / 24.0f, 16 / 24.0f},
    {1 / 24.0f, -2 / 24.0f, 4 / 24.0f, -8 / 24.0f, 16 / 24.0f},
};

KFI_INLINE void kfi_winograd_filter(int r, const kfi_vector *w, int step, kfi_vector *to,
                                    int to_step) {
    for (int p = 0; p < KFI_POINTS - 1; p++) {
        kfi_vector sum = w[0] * kfi_winograd_taps[p][0];
        for (int t = 1; t < r; t++) sum += w[t * step] * kfi_winograd_taps[p][t];
        to[p * to_step] = sum;
    }
    to[(KFI_POINTS - 1) * to_step] = w[(r - 1) * step];
}

/* GT: six values to r taps. */
KFI_INLINE void kfi_winograd_filter_gradient(int r, const kfi_vector *v, int step, kfi_vector *to,
                                             int to_step) {
    for (int t = 0; t < r; t++) {
        kfi_vector sum = v[0] * kfi_winograd_taps[0][t];
        for (int p = 1; p < KFI_POINTS - 1; p++) sum += v[p * step] * kfi_winograd_taps[p][t];
        if (t == r - 1) sum += v[(KFI_POINTS - 1) * step];
        to[t * to_step] = sum;
    }
}

#endif
