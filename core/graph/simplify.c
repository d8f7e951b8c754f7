/* Ops of a derivative that need not be written as they are asked for:
 *     slice(broadcast_to(x)) = broadcast_to(slice(x)),  or broadcast_to(x) along an axis that is
 * repeated (the pieces of a concatenation whose gradient is the same everywhere, below a global
 * pooling: the large array that all of them are cut from is never made). The numbers are the same
 * to the bit;
 *     gather_gradient(dy wT, ids) = gathered_product_gradient(dy, w, ids)  where a product reads
 * rows of a table: rows of dy are shorter than those of the table, and fewer of them are multiplied
 * once those of the same row are added up. */
#include "core/graph/formula_internal.h"

#include <string.h>

static const kfi_formula_node *maker_of(const kfi_formula *formula, kfi_value value,
                                        const char *op) {
    const int32_t node = formula->values[value.id].node;
    if (node < 0 || strcmp(formula->nodes[node].op->name, op) != 0) return NULL;
    return &formula->nodes[node];
}

static kfi_value slice_of_broadcast(kfi_formula *formula, const kfi_slice *part, kfi_value in) {
    const kfi_formula_node *broadcast = maker_of(formula, in, "broadcast_to");
    if (!broadcast) return KFI_NONE;
    kfi_value x = broadcast->in[0]; /* emitting moves the nodes */
    const kf_shape from = kfi_type(formula, x)->shape;
    kfi_shaped to = {.shape = kfi_type(formula, in)->shape};
    const int axis = part->axis - (to.shape.rank - from.rank);
    if (axis >= 0 && from.dims[axis] == to.shape.dims[part->axis]) {
        const kfi_slice narrow = {axis, part->start, part->size, part->total};
        x = kfi_emit(formula, "slice", &narrow, x);
    }
    to.shape.dims[part->axis] = part->size;
    return kfi_emit(formula, "broadcast_to", &to, x);
}

/* Rows of dy are no longer than those of the table, which bounds what a tile keeps of them; shorter
 * ones than a vector are not worth it. */
static bool is_product_of_rows(const kfi_formula *formula, const kfi_formula_node *product,
                               const kf_shape *table) {
    const kfi_matmul *by = product->attributes;
    const kf_shape *dy = &kfi_type(formula, product->in[0])->shape;
    const kf_shape *made = &kfi_type(formula, product->out[0])->shape;
    return !by->transpose_a && by->transpose_b && made->dims[0] <= INT32_MAX &&
           made->dims[1] == table->dims[1] && dy->dims[1] <= table->dims[1] && dy->dims[1] >= 16;
}

static kfi_value gather_gradient_of_product(kfi_formula *formula, const kfi_shaped *table,
                                            kfi_value rows, kfi_value ids) {
    const kfi_value shown = {kfi_viewed(formula, rows.id)};
    const kfi_formula_node *product = maker_of(formula, shown, "matmul");
    if (!product || !is_product_of_rows(formula, product, &table->shape)) return KFI_NONE;
    return kfi_emit(formula, "gathered_product_gradient", table, product->in[0], product->in[1],
                    ids);
}

kfi_value kfi_simplified(kfi_formula *formula, const char *op, const void *attributes,
                         const kfi_value *in, int n_in) {
    if (formula->status != KF_OK || n_in < 1 || kfi_is_none(in[0])) return KFI_NONE;
    if (strcmp(op, "slice") == 0) return slice_of_broadcast(formula, attributes, in[0]);
    if (strcmp(op, "gather_gradient") == 0)
        return gather_gradient_of_product(formula, attributes, in[0], in[1]);
    return KFI_NONE;
}
