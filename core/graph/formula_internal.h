/* What a formula is made of: for the files that write it, differentiate it, and plan it. */
#ifndef KFI_GRAPH_FORMULA_INTERNAL_H
#define KFI_GRAPH_FORMULA_INTERNAL_H

#include "core/graph/formula.h"

typedef struct kfi_formula_value {
    kfi_array type;    /* no data */
    int32_t node;      /* that makes it; -1 for a source or a weight */
    char *source;      /* its name, of a source */
    kf_weight *weight; /* of a weight           */
} kfi_formula_value;

/* Nodes [first, last). */
typedef struct kfi_node_range {
    int64_t first, last;
} kfi_node_range;

/* One application of an op. */
typedef struct kfi_formula_node {
    const kfi_op *op;
    kfi_node_range after; /* it runs when these are done, whose values it need not read */
    kfi_scope scope;
    int32_t n_in, n_out;
    kfi_value *in, *out;
    void *attributes;
    void *block; /* holds in, out and attributes */
} kfi_formula_node;

/* While a segment is written, or its derivative: what is read from outside has to wait. */
typedef struct kfi_hold {
    kfi_node_range after; /* empty: nothing is held */
    int64_t inside;       /* nodes from here on wait already */
} kfi_hold;

typedef struct kfi_assignment {
    kf_weight *weight;
    kfi_value value;
} kfi_assignment;

/* What stands for an op of a derivative if there is something simpler (simplify.c), else KFI_NONE.
 */
kfi_value kfi_simplified(kfi_formula *formula, const char *op, const void *attributes,
                         const kfi_value *in, int n_in);

/* The value whose memory a value shows: itself, or what a chain of views looks at. */
int32_t kfi_viewed(const kfi_formula *formula, int32_t value);

/* Has a node make its output by another op, which takes the same attributes, from other inputs. */
kf_status kfi_formula_rewrite(kfi_formula *formula, int64_t node, const char *op,
                              const kfi_value *in, int n_in);

/* Has a node make all these values by another op, one without attributes. */
kf_status kfi_formula_join(kfi_formula *formula, int64_t node, const char *op, const kfi_value *in,
                           int n_in, const kfi_value *out, int n_out);

struct kfi_formula {
    bool symbolic, exact;
    bool mutes_activity;
    bool training, training_run; /* what is written next; the run as a whole */
    kfi_scope scope;
    kfi_formula_value *values;
    int64_t n_values, values_capacity;
    kfi_formula_node *nodes; /* in the order written: every input comes before */
    int64_t n_nodes, nodes_capacity;
    kfi_assignment *assignments;
    int64_t n_assignments, assignments_capacity;
    kfi_value *losses;
    int64_t n_losses, losses_capacity;
    const void **keys; /* of kfi_formula_once */
    int64_t n_keys, keys_capacity;
    bool economical, in_segment;
    bool unchained; /* each node is a step of its own: for tests of chains */
    kfi_node_range *segments;
    int64_t n_segments, segments_capacity;
    kfi_hold hold;
    kfi_value random_state;
    uint32_t n_streams;
    kf_status status; /* the first failure */
    char message[1024];
};

#endif
