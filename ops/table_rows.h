/* Rows of a table by number. Ids are int32, or float32 and cut to whole numbers. They are checked
 * before a run where they are fed; where they are computed, one outside of the table gives NaN and
 * receives no gradient. */
#ifndef KFI_OPS_TABLE_ROWS_H
#define KFI_OPS_TABLE_ROWS_H

#include "ops/shape_rules.h"
#include "ops/tiles.h"

#include <math.h>
#include <string.h>

static inline kf_status kfi_check_ids(const kfi_shaping *s, int input) {
    return s->in[input].dtype == KF_FLOAT32 ? KF_OK : kfi_expect_dtype(s, input, KF_INT32);
}

/* Row i asks for, or -1 if it is not in the table. */
static inline int64_t kfi_id_at(const kfi_array *ids, int64_t i, int64_t rows) {
    if (ids->dtype == KF_INT32) {
        const int32_t id = ((const int32_t *)ids->data)[i];
        return id >= 0 && id < rows ? id : -1;
    }
    const float id = ((const float *)ids->data)[i];
    return id > -1 && id < (float)rows ? (int64_t)id : -1;
}

/* Columns of row `id` of a table; NaN if there is no such row. */
static inline void kfi_copy_row(const float *table, int64_t width, int64_t id, kfi_range columns,
                                float *to) {
    const int64_t n = columns.last - columns.first;
    if (id >= 0)
        memcpy(to, table + id * width + columns.first, (size_t)n * sizeof *to);
    else
        for (int64_t k = 0; k < n; k++) to[k] = NAN;
}

#endif
