/* Marking segments while a formula is written. What they are for is in differentiate.c. */
#include "core/base/memory.h"
#include "core/graph/formula_internal.h"

#include <assert.h>

int64_t kfi_formula_bytes(const kfi_formula *formula) {
    int64_t bytes = 0;
    for (int64_t v = 0; v < formula->n_values; v++) {
        const kfi_formula_value *value = &formula->values[v];
        if (value->node < 0 || formula->nodes[value->node].op->is_view) continue;
        bytes += kfi_shape_count(&value->type.shape) * (int64_t)kf_dtype_size(value->type.dtype);
    }
    return bytes;
}

void kfi_formula_economize(kfi_formula *formula) { formula->economical = true; }
bool kfi_formula_in_segment(const kfi_formula *formula) { return formula->in_segment; }
bool kfi_formula_has_segments(const kfi_formula *formula) { return formula->n_segments > 0; }

/* In an economical formula a segment waits for the one before. */
void kfi_segment_begin(kfi_formula *formula) {
    assert(!formula->in_segment);
    const kf_status status = kfi_reserve((void **)&formula->segments, &formula->segments_capacity,
                                         formula->n_segments, sizeof *formula->segments);
    if (kfi_formula_fail(formula, status) != KF_OK) return;
    const int64_t now = formula->n_nodes, before = formula->n_segments - 1;
    if (formula->economical && before >= 0)
        formula->hold = (kfi_hold){.after = formula->segments[before], .inside = now};
    formula->segments[formula->n_segments++] = (kfi_node_range){now, now};
    formula->in_segment = true;
}

void kfi_segment_end(kfi_formula *formula) {
    if (!formula->in_segment) return;
    formula->segments[formula->n_segments - 1].last = formula->n_nodes;
    formula->in_segment = false;
    formula->hold = (kfi_hold){{0, 0}, 0};
}
