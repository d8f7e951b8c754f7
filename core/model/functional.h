/* A functional model while it is read: its layers, their calls, and what each call reads from.
 * from_functional.c makes all of that; functional_calls.c knows what the file says about calls. */
#ifndef KFI_MODEL_FUNCTIONAL_H
#define KFI_MODEL_FUNCTIONAL_H

#include "core/model/reading.h"

/* One layer of the file and its calls, which stand together among all calls. An InputLayer has one
 * call that is made already. */
typedef struct kfi_saved_layer {
    const char *name;
    const kfi_variant *config; /* its item of 'layers' */
    kf_layer *layer;
    int64_t first_call, n_calls;
    int64_t first_node; /* number of its first call in the file and in the layer */
} kfi_saved_layer;

/* An output of a call: what the file writes as [name, call, output]. */
typedef struct kfi_reference {
    int64_t call;
    int64_t output;
} kfi_reference;

typedef enum kfi_progress { KFI_WAITING, KFI_BEGUN, KFI_MADE } kfi_progress;

typedef struct kfi_saved_call {
    int64_t entry;
    int64_t first_input, n_inputs; /* among all references */
    int64_t next_need;             /* which of the calls it waits for is looked at next */
    kfi_arguments arguments;
    kf_tensor *output; /* the first, once made */
    kfi_progress progress;
} kfi_saved_call;

typedef struct kfi_named {
    const char *name;
    int64_t entry;
} kfi_named;

typedef struct kfi_functional {
    kfi_reading *reading;
    const kfi_variant *config;
    kfi_saved_layer *entries;
    int64_t n_entries;
    kfi_named *by_name; /* entries in the order of names */
    kfi_saved_call *calls;
    int64_t n_calls;
    kfi_reference *references;
    int64_t n_references, references_capacity;
} kfi_functional;

/* So that layers can be found by name; no two may have the same. */
kf_status kfi_functional_sort_names(kfi_functional *all);

/* [name, call, output, {keyword arguments}], the last of which Keras leaves out at the ends; `key`
 * says in messages where it stands. */
kf_status kfi_functional_reference(const kfi_functional *all, const kfi_variant *item,
                                   const char *key, kfi_reference *read);

/* The calls of all layers, with references and arguments; none is made yet. */
kf_status kfi_functional_read_calls(kfi_functional *all);

#endif
