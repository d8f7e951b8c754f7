/* One table of fields says all there is to know about the options of a layer, an optimizer, a
 * callback: names, types, offsets, defaults, ranges. Defaults, checks, copies, Keras's JSON,
 * keyword arguments, help texts and error messages are all read from it. */
#ifndef KFI_BASE_FIELDS_H
#define KFI_BASE_FIELDS_H

#include "core/base/variant.h"

typedef struct kfi_field kfi_field;

/* A type of field: how a member of the struct becomes a variant and back. */
typedef struct kfi_field_type {
    const char *name;  /* for messages and help: "an integer" */
    const char *holds; /* the member in C, where it is one value: "int64_t"; else NULL */
    /* Checks `value` and stores it into the member; strings are copied (freed by release). The
     * message says what was expected and got, without the field's name. */
    kf_status (*store)(const kfi_field *field, void *member, const kfi_variant *value);
    kfi_variant *(*load)(const kfi_field *field, const void *member);
    bool (*is_unset)(const kfi_field *field, const void *member); /* zero: the default is meant */
    void (*release)(const kfi_field *field, void *member);        /* NULL: owns nothing */
    size_t (*size)(const kfi_field *field);                       /* bytes of the member */
    /* What a user would have typed for the member, where load says more. NULL: load. */
    kfi_variant *(*typed)(const kfi_field *field, const void *member);
} kfi_field_type;

/* A kind of objects that fields name: initializers, activations … Their room has the descriptor;
 * fields only ask it for Keras's JSON of "name(arguments)". */
typedef struct kfi_object_kind {
    const char *name; /* "initializer" */
    /* *config: the object as Keras's JSON has it, defaults filled in. Unknown names and arguments
     * fail with a message; one that begins with "must be" goes on after the field's name. */
    kf_status (*config)(const char *name, const kfi_variant *arguments, kfi_variant **config);
} kfi_object_kind;

/* Types. In C: int64_t, double (KF_ZERO means 0), bool, bool named for its negation, const char *,
 * const char * out of `choices`, int64_t[count] of which one number stands for all, int64_t[] ended
 * by 0, and const char * naming an object "name(argument=value)" of a registry (activations are
 * plain names in JSON, initializers {"class_name", "config"} dicts: `choices` names the registry,
 * `objects` has it). kfi_field_float32 is a double that Keras rounds to
 * float32, so that its JSON has the digits of that; kfi_field_shape is dims in which KF_ANY is
 * None. An integer whose default is None holds KFI_NO_INTEGER for it. kfi_field_int32 is an
 * int32_t, kfi_field_seed a uint64_t, kfi_field_reals a double[count] of which the rest is 0. */
extern const kfi_field_type kfi_field_integer, kfi_field_real, kfi_field_bool, kfi_field_not,
    kfi_field_string, kfi_field_choice, kfi_field_sizes, kfi_field_dims, kfi_field_object,
    kfi_field_float32, kfi_field_shape, kfi_field_int32, kfi_field_seed, kfi_field_reals;

/* The number that a user meant by a double: one that is a float stands for the shortest decimal
 * that is this float, as 0.1f does for 0.1. */
double kfi_as_typed(double value);

#define KFI_NO_INTEGER INT64_MIN

struct kfi_field {
    const char *name; /* Keras's argument: "use_bias" */
    const kfi_field_type *type;
    size_t offset;
    const char *otherwise; /* the default as text: "1", "valid", "None"; NULL: required */
    double low, high;      /* range of numbers, inclusive; both 0: any; high below low: no end */
    int32_t count;         /* numbers in sizes; at most, in reals and dims (0: KF_MAX_RANK) */
    const char *choices;   /* "valid|same|causal" */
    const char *help;      /* one line for --help */
    const kfi_object_kind *objects; /* of a kfi_field_object; NULL: any name is taken */
    int32_t position; /* among positional arguments, from 1; 0: its place in the table. What
                         Keras has and we have not is a gap, and refused by position */
    bool quiet;       /* not in the config while it has its default: Keras never writes it */
    bool unsaved;     /* Keras takes it but leaves it out of its configuration */
};

#define KFI_FIELD(struct_type, member, field_name, field_type, ...)                                \
    {                                                                                              \
        .name = (field_name), .type = &(field_type), .offset = offsetof(struct_type, member),      \
        __VA_ARGS__                                                                                \
    }
#define KFI_FIELDS_END                                                                             \
    { .name = NULL }

/* Fills `to` from the user's struct: members beyond from_size and zero ones get their defaults, the
 * rest is checked and copied. Messages: "padding must be one of valid, same; got 'sme'". On failure
 * `to` can still be released. */
kf_status kfi_fields_copy(const kfi_field *fields, const void *from, size_t from_size, void *to);

/* The same from keyword arguments (a dict, or NULL for none). Unknown keys fail, naming the known
 * ones, unless `unknown` is given: then it is called with each (to warn, or to accept a dialect).
 */
kf_status kfi_fields_parse(const kfi_field *fields, const kfi_variant *arguments, void *to,
                           void (*unknown)(void *context, const char *key), void *context);

/* Whether what is given in the user's struct could be copied: messages as above. */
kf_status kfi_fields_check(const kfi_field *fields, const void *from);

/* All fields that are saved as a dict in the table's order, as Keras's get_config gives it. */
kfi_variant *kfi_fields_config(const kfi_field *fields, const void *from);

void kfi_fields_release(const kfi_field *fields, void *options); /* frees what fields own */

/* Text forms, as typed by a user or in C: `Name`, `Name(0.5)`, `Name(stddev=0.01, seed=3)`; values
 * as in Python: 1, -2.5e-3, True, None, 'text', (1, 2), [1, 2], bare words as strings; objects
 * nest. *name is freed by the caller; *arguments is a dict, positional ones under the keys "0", "1"
 * …. */
kf_status kfi_object_parse(const char *text, char **name, kfi_variant **arguments);
kf_status kfi_arguments_parse(const char *text, kfi_variant **arguments); /* without Name( ) */
kf_status kfi_object_print(const char *name, const kfi_variant *arguments, char **text);

/* One value as text. Printing fills `buffer` up to `size` bytes (cut, always ended) and returns the
 * length of the whole, as snprintf does. */
kf_status kfi_value_parse(const char *text, kfi_variant **value);
size_t kfi_value_print(const kfi_variant *value, char *buffer, size_t size);

#endif
