/* A formula is a list of ops on values, in the order they were written: what layers, losses,
 * derivatives and optimizers write, and what a plan is made from. Values are assigned once; a
 * weight changes by kfi_assign, which takes effect when everybody who reads the old value is done.
 */
#ifndef KFI_GRAPH_FORMULA_H
#define KFI_GRAPH_FORMULA_H

#include "core/graph/weight.h"
#include "ops/attributes.h"
#include "ops/op.h"

typedef struct kfi_formula kfi_formula;

/* What a value stands for. Steps carry it into profiles: which call of which layer, which way. */
typedef struct kfi_scope {
    const char *name; /* of the layer, loss …; lives as long as the graph */
    int32_t call;     /* which call (node) of it                          */
    enum kfi_direction { KFI_FORWARD = 0, KFI_BACKWARD, KFI_UPDATE } direction;
} kfi_scope;

/* A symbolic formula only works out shapes (the batch axis may be KF_ANY). */
kf_status kfi_formula_new(bool symbolic, bool training, kfi_formula **formula);
void kfi_formula_free(kfi_formula *formula);
bool kfi_formula_training(const kfi_formula *formula);
/* Whether what is written next acts as in training, whatever the run is for: Keras's
 * layer(x, training=True). Returns what held before, to be put back. */
bool kfi_formula_set_training(kfi_formula *formula, bool training);
/* Whether the run is for training, so that moving averages move. */
bool kfi_formula_training_run(const kfi_formula *formula);
bool kfi_formula_symbolic(const kfi_formula *formula);
/* Whether convolutions written from now on must be exact (kf_compile's exact_convolution). */
void kfi_formula_be_exact(kfi_formula *formula);
bool kfi_formula_is_exact(const kfi_formula *formula);

/* The first failure in this formula (its message restored into kf_last_error), or KF_OK. After a
 * failure all functions give KFI_NONE, so writers need no checks in between. */
kf_status kfi_formula_status(const kfi_formula *formula);
/* Records a failure found by a writer itself: `return kfi_formula_fail(f, kfi_fail(…));` */
kf_status kfi_formula_fail(kfi_formula *formula, kf_status status);

/* The scope of what is written next; returns the one before, to be put back. */
kfi_scope kfi_formula_scope(kfi_formula *formula, kfi_scope scope);

/* Shape and dtype of a value (of rank 0 for KFI_NONE). Valid until the next value is made. */
const kfi_array *kfi_type(const kfi_formula *formula, kfi_value value);

/* Values from outside. A source is fed before each run (its name is for messages). */
kfi_value kfi_source(kfi_formula *formula, const char *name, kf_dtype dtype, const kf_shape *shape);
/* A weight's value at this point: what was last assigned to it, else its value before the run. */
kfi_value kfi_weight_value(kfi_formula *formula, kf_weight *weight);
kfi_value kfi_random_state(kfi_formula *formula); /* int64 (2): {seed, step}, fed by the trainer */
bool kfi_formula_is_random(const kfi_formula *formula); /* somebody has asked for it */
uint32_t kfi_random_stream(kfi_formula *formula);       /* a number of its own for each dropout */

/* kfi_emit(f, "matmul", &(kfi_matmul){0}, x, kernel): the (first) output of an op. Attributes are
 * copied; NULL for none. */
#define kfi_emit(formula, op, attributes, ...)                                                     \
    kfi_emit_list((formula), (op), (attributes), (const kfi_value[]){__VA_ARGS__},                 \
                  (int)(sizeof((kfi_value[]){__VA_ARGS__}) / sizeof(kfi_value)), NULL)
/* more (may be NULL) receives the second and further outputs. */
kfi_value kfi_emit_list(kfi_formula *formula, const char *op, const void *attributes,
                        const kfi_value *in, int n_in, kfi_value *more);

/* Shorthands that many writers need. */
kfi_value kfi_fill(kfi_formula *formula, const kf_shape *shape, float value);
kfi_value kfi_reshape(kfi_formula *formula, kfi_value x, const kf_shape *shape); /* one KF_ANY */

/* When the run ends, the weight has this value (same shape). A later assignment replaces it. */
void kfi_assign(kfi_formula *formula, kf_weight *weight, kfi_value value);

/* Forgets all assignments so far: for a forward pass of the training phase that changes nothing. */
void kfi_drop_assignments(kfi_formula *formula);

/* Whether it is the first time that this formula is asked for this key (an address): for what must
 * be written once, however often its layer is called. */
bool kfi_formula_once(kfi_formula *formula, const void *key);

/* Penalties on outputs are not counted while this is true: inside wrappers. Returns what held
 * before, to be put back. */
bool kfi_formula_mute_activity(kfi_formula *formula, bool mute);
bool kfi_formula_mutes_activity(const kfi_formula *formula);

/* Adds a scalar to the loss: penalties of regularizers. */
void kfi_add_loss(kfi_formula *formula, kfi_value scalar);
int32_t kfi_added_losses(const kfi_formula *formula, const kfi_value **losses);

/* Bytes of all that ops make in one run of this formula (views apart), if every value were kept. */
int64_t kfi_formula_bytes(const kfi_formula *formula);

/* A segment is what is written between begin and end: a part of a batch on its way through a model,
 * which reads few values from outside and hands few on. Segments do not nest. In an economical
 * formula, for when memory is short, segments run one after the other, and the derivative computes
 * a segment's values again when it comes to it, so that nothing within is kept from the way forward
 * to the way back. The results are the same to the last bit. */
void kfi_formula_economize(kfi_formula *formula); /* before the first segment */
void kfi_segment_begin(kfi_formula *formula);
void kfi_segment_end(kfi_formula *formula);
bool kfi_formula_in_segment(const kfi_formula *formula);
bool kfi_formula_has_segments(const kfi_formula *formula);

/* Writes the derivative of the scalar `loss` with respect to each of `wrt` (KFI_NONE where none
 * flows) as further ops. Contributions to one value are added in a fixed order. */
kf_status kfi_differentiate(kfi_formula *formula, kfi_value loss, const kfi_value *wrt,
                            int32_t n_wrt, kfi_value *gradients);

#endif
