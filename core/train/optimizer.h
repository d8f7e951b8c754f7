/* An optimizer is a class (its options and its update rule), an instance with options, and the
 * state it keeps for each weight of the model it is compiled with. */
#ifndef KFI_TRAIN_OPTIMIZER_H
#define KFI_TRAIN_OPTIMIZER_H

#include "core/base/fields.h"
#include "core/graph/formula.h"
#include "kf/train.h"

enum { KFI_OPTIMIZER_MAX_SLOTS = 3, KFI_HYPER_COUNT = 4 };

/* What every options struct starts with. */
typedef struct kfi_optimizer_options {
    KF_OPTIMIZER_OPTIONS;
} kfi_optimizer_options;

/* One weight's update while it is being written as ops: the rule assigns weight and slots. */
typedef struct kfi_update_site {
    kfi_formula *formula;
    const void *options;
    kf_weight *weight;
    kf_weight *slots[KFI_OPTIMIZER_MAX_SLOTS];
    kfi_value gradient;
    kfi_value hyper; /* float32 (4); [0] is the learning rate of this step */
} kfi_update_site;

typedef struct kfi_optimizer_class {
    const char *name;            /* Keras's class: "SGD" */
    const char *iterations_name; /* "SGD/iterations:0"; NULL: Keras does not save them */
    const kfi_field *fields;
    size_t options_size;
    int32_t n_slots;       /* arrays of each weight's shape that the rule keeps */
    int32_t n_empty_slots; /* further ones of shape (1), which Keras saves for nothing */
    bool (*fills_empty_slots)(
        const void *options);                /* then they have the weight's shape; NULL: no */
    kf_status (*check)(const void *options); /* NULL: nothing to check */
    /* The learning rate of step `iterations` (from 0), in Keras's float32 arithmetic. */
    float (*rate)(const void *options, int64_t iterations);
    /* Further numbers of the next step into hyper[1 …]; NULL: none. */
    void (*hyper)(const kf_optimizer *optimizer, float *hyper);
    /* `schedule` after the next step; NULL: it stays. */
    float (*schedule)(const kf_optimizer *optimizer);
    void (*update)(const kfi_update_site *site);
    /* What Keras 3 calls the slots; it saves those of one weight together, or slot by slot. */
    const char *keras3_slots[KFI_OPTIMIZER_MAX_SLOTS];
    bool keras3_slot_by_slot;
} kfi_optimizer_class;

const kfi_optimizer_class *kfi_optimizer_at(int32_t index); /* NULL: no more */

struct kf_optimizer {
    const kfi_optimizer_class *class;
    void *options;
    kf_status status; /* why it cannot be used */
    char *message;
    int64_t iterations; /* steps done */
    float schedule;     /* Nadam: the product of the momenta so far; Keras does not save it */
    bool started;       /* has state worth saving: a step was done, or state was loaded */
    int32_t n_weights;  /* of the model */
    int32_t n_slots;    /* all: those of shape (1) come last */
    kf_weight **slots;  /* slot s of weight w at [s * n_weights + w] */
};

/* For the kf_x_create functions: never NULL. */
kf_optimizer *kfi_optimizer_new(const kfi_optimizer_class *class, const void *options);

/* {"class_name": "SGD", "config": {…}} and back. Keys that the class does not have are ignored, and
 * "learning_rate" is read as "lr"; kfi_dialect_optimizer says what later Keras versions mean. */
kfi_variant *kfi_optimizer_config(const kf_optimizer *optimizer);
kf_optimizer *kfi_optimizer_from_config(const kfi_variant *config);

/* KF_OK, or why the optimizer cannot be used. */
kf_status kfi_optimizer_status(const kf_optimizer *optimizer);

/* Makes the state for these weights, zeroed; any state before is gone. */
kf_status kfi_optimizer_attach(kf_optimizer *optimizer, kf_weight *const *weights,
                               int32_t n_weights);

/* Slots that have the weights' shapes: the others are of shape (1). */
int32_t kfi_optimizer_full_slots(const kf_optimizer *optimizer);

/* Writes the update of weight `index` as ops. */
void kfi_optimizer_write(kf_optimizer *optimizer, kfi_formula *formula, kf_weight *weight,
                         int32_t index, kfi_value gradient, kfi_value hyper);

/* What clipnorm and clipvalue make of the gradients, in place; KFI_NONE stays. */
void kfi_optimizer_clip(const kf_optimizer *optimizer, kfi_formula *formula, kfi_value *gradients,
                        int32_t n);

/* A step is done: counts it. */
void kfi_optimizer_advance(kf_optimizer *optimizer);

/* The hyper source's values for the next step. */
void kfi_optimizer_hyper(const kf_optimizer *optimizer, float hyper[KFI_HYPER_COUNT]);

/* lr / (1 + decay * iterations), Keras's `if self.initial_decay > 0`. */
float kfi_decayed_rate(const void *options, int64_t iterations);

#endif
