/* Lines: patches (patches.h) that are not copied but pointed to. The values under neighbouring taps
 * of the last axis stand side by side in the source, so a patch is a few lines, and a table with a
 * pointer for each (line, place) is all that a product needs. Only lines that stick out over a
 * border are copied, with their zeros. */
#ifndef KFI_OPS_CONV_LINES_H
#define KFI_OPS_CONV_LINES_H

#include "ops/patches.h"

/* Whether a line holds all taps of the last axis; else, where they stand apart, one tap. */
static inline bool kfi_lines_hold_axis(const kfi_patches *p) {
    return p->axis[2].step == 1 || p->axis[2].taps == 1;
}

static inline int64_t kfi_line_count(const kfi_patches *p) {
    const int64_t lines = p->axis[0].taps * p->axis[1].taps;
    return kfi_lines_hold_axis(p) ? lines : lines * p->axis[2].taps;
}

static inline int64_t kfi_line_values(const kfi_patches *p) {
    return kfi_lines_hold_axis(p) ? p->axis[2].taps * p->channels : p->channels;
}

/* Values that the copies of `places` neighbouring places can take. */
static inline int64_t kfi_border_values(const kfi_patches *p, int64_t places) {
    const kfi_patch_axis *a = &p->axis[2];
    if (!kfi_lines_hold_axis(p) || a->taps < 2) return 0;
    const int64_t reach = (a->positions - 1) * a->stride + a->first + a->taps;
    const int64_t over = kfi_larger(-a->first, 0) + kfi_larger(reach - a->size, 0);
    const int64_t strips = kfi_divide_up(places, kfi_larger(a->positions, 1)) + 1;
    const int64_t copied = kfi_smaller(strips * kfi_smaller(over, a->positions), places);
    return copied * kfi_line_count(p) * kfi_line_values(p);
}

/* Where a table is filled: pointers[line * row + place]. */
typedef struct kfi_line_table {
    const float **pointers;
    int64_t row;
    const float *zeros; /* a line of them */
    float *borders;     /* the next free place for a copy */
} kfi_line_table;

/* The places of an axis whose taps are all inside of the source. */
static inline kfi_range kfi_inner_places(const kfi_patch_axis *a) {
    const int64_t room = a->size - a->taps - a->first;
    const int64_t low = kfi_divide_up(kfi_larger(-a->first, 0), a->stride);
    return (kfi_range){low, room < 0 ? 0 : room / a->stride + 1};
}

/* Places of the last axis, under the taps of one line: those of `inner` have them inside. */
static inline void kfi_point_strip(const kfi_patches *p, const kfi_patch_axis *a, kfi_range inner,
                                   const float *row, kfi_range places, const float **pointers,
                                   kfi_line_table *table) {
    const int64_t low = kfi_clamp(inner.first, places.first, places.last);
    const int64_t high = kfi_clamp(inner.last, low, places.last);
    for (int64_t i = places.first; i < places.last; i++) {
        const int64_t start = i * a->stride + a->first;
        if (i >= low && i < high) {
            const int64_t step = a->stride * p->channels;
            const float *from = row + start * p->channels;
            for (; i < high; i++, from += step) pointers[i - places.first] = from;
            i--;
        } else if (start + a->taps <= 0 || start >= a->size) {
            pointers[i - places.first] = table->zeros;
        } else {
            kfi_gather_taps(a, row, p->channels, i, table->borders);
            pointers[i - places.first] = table->borders;
            table->borders += a->taps * p->channels;
        }
    }
}

/* The lines of a strip in one row of the source, NULL outside of it: all taps, or one a line. */
static inline void kfi_point_row(const kfi_patches *p, kfi_range inner, const float *row,
                                 kfi_range places, const float **pointers, kfi_line_table *table) {
    kfi_patch_axis axis = p->axis[2];
    const int64_t lines = kfi_lines_hold_axis(p) ? 1 : axis.taps;
    if (lines > 1) axis.taps = 1;
    for (int64_t line = 0; line < lines; line++, pointers += table->row, axis.first += axis.step) {
        if (lines > 1) inner = kfi_inner_places(&axis);
        if (row) {
            kfi_point_strip(p, &axis, inner, row, places, pointers, table);
            continue;
        }
        for (int64_t i = 0; i < places.last - places.first; i++) pointers[i] = table->zeros;
    }
}

/* All lines of a strip: places of one row of the last axis. */
static inline void kfi_point_lines_of_strip(const kfi_patches *p, int64_t image,
                                            const int64_t at[2], kfi_range inner, kfi_range places,
                                            const float **pointers, kfi_line_table *table) {
    const kfi_patch_axis *a = p->axis;
    const int64_t step = (kfi_lines_hold_axis(p) ? 1 : a[2].taps) * table->row;
    for (int64_t t0 = 0; t0 < a[0].taps; t0++)
        for (int64_t t1 = 0; t1 < a[1].taps; t1++, pointers += step) {
            const int64_t y0 = at[0] * a[0].stride + a[0].first + t0 * a[0].step;
            const int64_t y1 = at[1] * a[1].stride + a[1].first + t1 * a[1].step;
            const bool there = y0 >= 0 && y0 < a[0].size && y1 >= 0 && y1 < a[1].size;
            const int64_t row = (image * a[0].size + y0) * a[1].size + y1;
            kfi_point_row(p, inner, there ? p->source + row * a[2].size * p->channels : NULL,
                          places, pointers, table);
        }
}

/* The lines of the places [rows.first, rows.last), counted through all images. */
static inline void kfi_point_lines(const kfi_patches *p, kfi_range rows, kfi_line_table *table) {
    const int64_t n1 = p->axis[1].positions, n2 = p->axis[2].positions;
    const int64_t per_image = kfi_patch_positions(p);
    const kfi_range inner = kfi_inner_places(&p->axis[2]);
    for (int64_t row = rows.first; row < rows.last;) {
        const int64_t inside = row % per_image, from = inside % n2;
        const int64_t count = kfi_smaller(n2 - from, rows.last - row);
        const int64_t at[2] = {inside / (n1 * n2), inside / n2 % n1};
        kfi_point_lines_of_strip(p, row / per_image, at, inner, (kfi_range){from, from + count},
                                 table->pointers + (row - rows.first), table);
        row += count;
    }
}

#endif
