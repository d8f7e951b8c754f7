/* Sums over the taps of a window, channel by channel: for a place they are a list of (vector of
 * channels, vector of weights), whose products are added in registers. From place to place along a
 * row the list stays the same and moves on, but at the borders. */
#ifndef KFI_OPS_TAP_LISTS_H
#define KFI_OPS_TAP_LISTS_H

#include "ops/taps.h"
#include "ops/vectors.h"

enum { KFI_LIST_TAPS = 64 }; /* more taps than these are added list by list */

typedef struct kfi_tap_list {
    int n;
    const float *from[KFI_LIST_TAPS], *w[KFI_LIST_TAPS];
} kfi_tap_list;

/* The vector of channels at `o`; `which`, where not NULL, says where each one is read. */
static inline kfi_vector kfi_load_channels(const float *from, const int32_t *which, int64_t o) {
    if (!which) return kfi_load(from + o);
    kfi_vector value;
    for (int lane = 0; lane < KFI_LANES; lane++) value[lane] = from[which[o + lane]];
    return value;
}

/* to (+)= the sums of `vectors` vectors of channels from `o` on. */
KFI_INLINE void kfi_add_list_at(const int vectors, const kfi_tap_list *list, const int32_t *which,
                                bool add, int64_t o, float *to) {
    kfi_vector sum[KFI_VECTORS];
    for (int v = 0; v < vectors; v++)
        sum[v] = add ? kfi_load(to + o + v * KFI_LANES) : (kfi_vector){0};
    for (int i = 0; i < list->n; i++)
        for (int v = 0; v < vectors; v++) {
            const int64_t at = o + v * KFI_LANES;
            sum[v] += kfi_load_channels(list->from[i], which, at) * kfi_load(list->w[i] + at);
        }
    for (int v = 0; v < vectors; v++) kfi_store(to + o + v * KFI_LANES, sum[v]);
}

/* The last channels, too few for a vector. */
static inline void kfi_add_list_rest(const kfi_tap_list *list, const int32_t *which, bool add,
                                     kfi_range channels, float *to) {
    for (int64_t o = channels.first; o < channels.last; o++) {
        float sum = add ? to[o] : 0;
        for (int i = 0; i < list->n; i++)
            sum += list->from[i][which ? which[o] : o] * list->w[i][o];
        to[o] = sum;
    }
}

KFI_INLINE void kfi_add_list_of(const kfi_tap_list *list, const int32_t *which, bool add,
                                int64_t channels, float *to) {
    enum { WIDE = KFI_VECTORS * KFI_LANES };
    int64_t o = 0;
    for (; o + WIDE <= channels; o += WIDE) kfi_add_list_at(KFI_VECTORS, list, which, add, o, to);
    for (; o + KFI_LANES <= channels; o += KFI_LANES) kfi_add_list_at(1, list, which, add, o, to);
    kfi_add_list_rest(list, which, add, (kfi_range){o, channels}, to);
}

/* to (channels) = or += the sums of the list. */
static inline void kfi_add_list(const kfi_tap_list *list, const int32_t *which, bool add,
                                int64_t channels, float *to) {
    if (which)
        kfi_add_list_of(list, which, add, channels, to);
    else
        kfi_add_list_of(list, NULL, add, channels, to);
}

/* which[o] = o / m, the channel of x behind each of y, where each is behind m (c->out) of them;
 * NULL where m is 1. */
static inline const int32_t *kfi_find_which(const kfi_convolution *c, int32_t *which) {
    if (c->out == 1) return NULL;
    for (int64_t i = 0; i < c->in; i++)
        for (int64_t j = i * c->out; j < (i + 1) * c->out; j++) which[j] = (int32_t)i;
    return which;
}

static inline size_t kfi_which_bytes(const kfi_convolution *c) {
    return c->out > 1 ? (size_t)(c->in * c->out) * sizeof(float) : 0;
}

/* The sums of channels of y, added up by the channel of x behind them. */
static inline void kfi_fold_channels(const kfi_convolution *c, const float *sums, float *dx) {
    for (int64_t i = 0; i < c->in; i++) {
        float sum = 0;
        for (int64_t j = 0; j < c->out; j++) sum += sums[i * c->out + j];
        dx[i] = sum;
    }
}

/* --- sums of one place (or pixel) after the other --------------------------------------------- */

typedef struct kfi_tap_sum {
    const float *from, *w;
    int64_t from_width, out; /* floats of a place (or pixel) that is read; channels of y */
    const int32_t *which;    /* the channel of x behind each of y; NULL: the same        */
    kfi_tap_list list;
    float *to;
    bool added; /* an earlier, full list */
} kfi_tap_sum;

static inline void kfi_begin_list(kfi_tap_sum *s) {
    s->list.n = 0;
    s->added = false;
}

static inline void kfi_list_tap(kfi_tap_sum *s, int64_t at, int64_t tap) {
    if (s->list.n == KFI_LIST_TAPS) {
        kfi_add_list(&s->list, s->which, s->added, s->out, s->to);
        s->added = true;
        s->list.n = 0;
    }
    s->list.from[s->list.n] = s->from + at * s->from_width;
    s->list.w[s->list.n++] = s->w + tap * s->out;
}

static inline void kfi_list_pixel(const kfi_convolution *c, kfi_touch at, void *context) {
    (void)c;
    kfi_list_tap(context, at.pixel, at.tap);
}

static inline void kfi_list_place(const kfi_convolution *c, kfi_touch at, void *context) {
    (void)c;
    kfi_list_tap(context, at.place, at.tap);
}

/* The same taps, so many floats further. */
static inline void kfi_move_list(kfi_tap_sum *s, int64_t step) {
    for (int i = 0; i < s->list.n; i++) s->list.from[i] += step;
}

/* Whether the list of the neighbour before `at` on the last axis, if it is kept whole, needs but be
 * moved: `inside` are those that all taps touch. */
static inline bool kfi_list_can_move(const kfi_convolution *c, kfi_range inside, int64_t at) {
    return at > inside.first && at < inside.last && kfi_count_taps(c) <= KFI_LIST_TAPS;
}

/* What is listed, to s->to; the list stays, for the next. */
static inline void kfi_add_listed(kfi_tap_sum *s) {
    kfi_add_list(&s->list, s->which, s->added, s->out, s->to);
    s->added = false;
}

/* The positions of a window whose tap lies inside of the axis. */
static inline kfi_range kfi_tap_positions(const kfi_window *w, int64_t tap) {
    const int64_t first = tap * w->dilation - w->before; /* under position 0 */
    const int64_t room = w->size - 1 - first;
    const int64_t low = first >= 0 ? 0 : kfi_divide_up(-first, w->stride);
    const int64_t high = room < 0 ? 0 : kfi_smaller(room / w->stride + 1, w->positions);
    return (kfi_range){low, kfi_larger(high, low)};
}

#endif
