/* pad(x): y[i] = x[i - before] where that lies inside of x, else 0, on every axis. With negative
 * numbers it takes elements away. Its derivative is itself with all numbers negated. */
#include "ops/attributes.h"
#include "ops/checks.h"
#include "ops/tiles.h"

static kf_status infer(kfi_shaping *s) {
    const kfi_pad *a = s->attributes;
    const kf_status status = kfi_expect_floats(s, 1);
    if (status) return status;
    const kf_shape *x = &s->in[0].shape;
    s->n_out = 1;
    s->out[0].shape = *x;
    for (int i = 0; i < x->rank; i++) {
        int64_t *size = &s->out[0].shape.dims[i];
        if (*size == KF_ANY || (!a->before[i] && !a->after[i])) continue;
        *size += a->before[i] + a->after[i];
        if (*size < 1)
            return kfi_fail(KF_INVALID, "an axis of %lld cannot lose %lld elements",
                            (long long)x->dims[i], (long long)(x->dims[i] - *size));
    }
    return KF_OK;
}

/* The axes, innermost first. All that lies within the last axis that changes is part of it, and
 * further axes that do not change are merged. */
typedef struct frame {
    int rank;
    int64_t x[KF_MAX_RANK], y[KF_MAX_RANK], before[KF_MAX_RANK];
} frame;

static void add_axis(frame *f, int64_t x, int64_t y, int64_t before) {
    f->x[f->rank] = x;
    f->y[f->rank] = y;
    f->before[f->rank++] = before;
}

static frame frame_of(const kfi_call *call) {
    const kfi_pad *a = call->attributes;
    const kf_shape *x = &call->in[0].shape, *y = &call->out[0].shape;
    frame f = {0};
    int64_t within = 1;
    bool changed = true; /* the axis added last */
    for (int i = x->rank - 1; i >= 0; i--) {
        const bool changes = a->before[i] || a->after[i];
        const int last = f.rank - 1;
        if (f.rank == 0 && !changes)
            within *= x->dims[i];
        else if (!changes && !changed)
            f.x[last] *= x->dims[i], f.y[last] *= x->dims[i];
        else
            add_axis(&f, x->dims[i] * within, y->dims[i] * within, a->before[i] * within);
        if (f.rank) within = 1, changed = changes;
    }
    if (f.rank == 0) add_axis(&f, within, within, 0);
    return f;
}

/* The row of x that stands in row `row` of y; -1: none. */
static int64_t source_row(const frame *f, int64_t row) {
    int64_t source = 0, step = 1;
    for (int i = 1; i < f->rank; i++) {
        const int64_t at = row % f->y[i] - f->before[i];
        if (at < 0 || at >= f->x[i]) return -1;
        source += at * step;
        step *= f->x[i];
        row /= f->y[i];
    }
    return source;
}

/* The columns `part` of a row of y, of which `x` is the row of x. */
static void copy_row(const frame *f, const float *x, kfi_range part, float *y) {
    const int64_t low = kfi_clamp(f->before[0], part.first, part.last);
    const int64_t high = kfi_clamp(f->before[0] + f->x[0], low, part.last);
    memset(y + part.first, 0, (size_t)(low - part.first) * sizeof *y);
    if (high > low) memcpy(y + low, x + (low - f->before[0]), (size_t)(high - low) * sizeof *y);
    memset(y + high, 0, (size_t)(part.last - high) * sizeof *y);
}

static void pad(const kfi_call *call, int64_t tile, void *local) {
    (void)local;
    const frame f = frame_of(call);
    const kfi_span span = kfi_element_span(call, tile);
    for (int64_t at = span.begin; at < span.end;) {
        const int64_t row = at / f.y[0], start = row * f.y[0];
        const kfi_range part = {at - start, kfi_smaller(span.end - start, f.y[0])};
        const int64_t source = source_row(&f, row);
        float *y = kfi_out(call, 0) + start;
        if (source < 0)
            memset(y + part.first, 0, (size_t)(part.last - part.first) * sizeof *y);
        else
            copy_row(&f, kfi_in(call, 0) + source * f.x[0], part, y);
        at = start + part.last;
    }
}

static kf_status gradient(kfi_derivation *d) {
    const kfi_pad *a = d->attributes;
    kfi_pad back;
    for (int i = 0; i < KF_MAX_RANK; i++)
        back.before[i] = -a->before[i], back.after[i] = -a->after[i];
    d->din[0] = kfi_derive(d, "pad", &back, d->dout[0]);
    return KF_OK;
}

static const kfi_example examples[] = {
    {.name = "rows and columns",
     .attributes = &(const kfi_pad){.before = {0, 1, 0}, .after = {0, 2, 3}},
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 4, 2}}}}},
    {.name = "cropped",
     .attributes = &(const kfi_pad){.before = {0, -1, -2}, .after = {0, 0, -1}},
     .n_in = 1,
     .in = {{.shape = {4, {2, 3, 5, 2}}}}},
    {.name = "moved along the last axis",
     .attributes = &(const kfi_pad){.before = {1, -2}, .after = {0, 2}},
     .n_in = 1,
     .in = {{.shape = {2, {3, 5}}}}},
    {.name = "nothing to do",
     .attributes = &(const kfi_pad){{0}, {0}},
     .n_in = 1,
     .in = {{.shape = {2, {3, 5}}}}},
    {.name = "first of two axes apart",
     .attributes = &(const kfi_pad){.before = {0, 2, 0, 1}, .after = {0, -1, 0, 1}},
     .n_in = 1,
     .in = {{.shape = {5, {2, 3, 2, 2, 3}}}}},
    {.name = "large",
     .attributes = &(const kfi_pad){.before = {0, 1, 1}, .after = {0, 1, 1}},
     .n_in = 1,
     .large = true,
     .in = {{.shape = {4, {3, 61, 67, 11}}}}},
    {0},
};

const kfi_op KFI_OP(pad) = {
    .name = "pad",
    .attributes_size = sizeof(kfi_pad),
    .infer = infer,
    .stages = {{pad, kfi_element_tiles}},
    .gradient = gradient,
    .cost = kfi_copy_cost,
    .examples = KFI_EXAMPLES(examples),
};
