/* Initializers by name: Keras's classes, their lower-case aliases, and the aliases that are a
 * VarianceScaling with fixed arguments and take a seed only. */
#include "core/base/memory.h"
#include "core/layers/initializers/initializer.h"

#include <stdio.h>
#include <string.h>

#define KFI_INITIALIZER_LINE(symbol) extern const kfi_initializer kfi_initializer_##symbol;
#include "core/layers/initializers/initializer_list.h"
#undef KFI_INITIALIZER_LINE

static const kfi_initializer *const initializers[] = {
#define KFI_INITIALIZER_LINE(symbol) &kfi_initializer_##symbol,
#include "core/layers/initializers/initializer_list.h"
#undef KFI_INITIALIZER_LINE
};

typedef struct alias {
    const char *name, *class;
    const char *arguments; /* the fixed ones; NULL: none, the class under another name */
} alias;

#define UNIFORM "distribution='uniform'"
#define NORMAL  "distribution='normal'"

static const alias aliases[] = {
    {"zero", "Zeros", NULL},
    {"zeros", "Zeros", NULL},
    {"one", "Ones", NULL},
    {"ones", "Ones", NULL},
    {"constant", "Constant", NULL},
    {"normal", "RandomNormal", NULL},
    {"random_normal", "RandomNormal", NULL},
    {"uniform", "RandomUniform", NULL},
    {"random_uniform", "RandomUniform", NULL},
    {"truncated_normal", "TruncatedNormal", NULL},
    {"variance_scaling", "VarianceScaling", NULL},
    {"orthogonal", "Orthogonal", NULL},
    {"identity", "Identity", NULL},
    {"lecun_uniform", "VarianceScaling", "scale=1.0, mode='fan_in', " UNIFORM},
    {"lecun_normal", "VarianceScaling", "scale=1.0, mode='fan_in', " NORMAL},
    {"glorot_uniform", "VarianceScaling", "scale=1.0, mode='fan_avg', " UNIFORM},
    {"glorot_normal", "VarianceScaling", "scale=1.0, mode='fan_avg', " NORMAL},
    {"he_uniform", "VarianceScaling", "scale=2.0, mode='fan_in', " UNIFORM},
    {"he_normal", "VarianceScaling", "scale=2.0, mode='fan_in', " NORMAL},
    /* class names that TensorFlow 2 writes */
    {"LecunUniform", "VarianceScaling", "scale=1.0, mode='fan_in', " UNIFORM},
    {"LecunNormal", "VarianceScaling", "scale=1.0, mode='fan_in', " NORMAL},
    {"GlorotUniform", "VarianceScaling", "scale=1.0, mode='fan_avg', " UNIFORM},
    {"GlorotNormal", "VarianceScaling", "scale=1.0, mode='fan_avg', " NORMAL},
    {"HeUniform", "VarianceScaling", "scale=2.0, mode='fan_in', " UNIFORM},
    {"HeNormal", "VarianceScaling", "scale=2.0, mode='fan_in', " NORMAL},
};

enum {
    N_INITIALIZERS = sizeof initializers / sizeof *initializers,
    N_ALIASES = sizeof aliases / sizeof *aliases
};

static const kfi_initializer *find_class(const char *name) {
    for (int i = 0; i < N_INITIALIZERS; i++)
        if (strcmp(initializers[i]->name, name) == 0) return initializers[i];
    return NULL;
}

static const alias *find_alias(const char *name) {
    for (int i = 0; i < N_ALIASES; i++)
        if (strcmp(aliases[i].name, name) == 0) return &aliases[i];
    return NULL;
}

static kf_status refuse(const char *name) {
    char known[800];
    size_t length = 0;
    for (int i = 0; i < N_INITIALIZERS && length < sizeof known; i++)
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s", i ? ", " : "",
                                   initializers[i]->name);
    for (int i = 0; i < N_ALIASES && length < sizeof known; i++)
        length += (size_t)snprintf(known + length, sizeof known - length, ", %s", aliases[i].name);
    return kfi_fail(KF_INVALID, "must be one of %s; got '%.80s'", known, name);
}

/* --- options ---------------------------------------------------------------------------------- */

typedef struct seed_only {
    int64_t seed;
} seed_only;

static const kfi_field seed_fields[] = {
    KFI_FIELD(seed_only, seed, "seed", kfi_field_integer, .otherwise = "None"),
    KFI_FIELDS_END,
};

/* The arguments of an alias as those of its class: the fixed ones and the seed. */
static kf_status expand(const alias *known, const kfi_variant *given, kfi_variant **arguments) {
    seed_only own = {KFI_NO_INTEGER};
    kf_status status = kfi_fields_parse(seed_fields, given, &own, NULL, NULL);
    if (status == KF_OK) status = kfi_arguments_parse(known->arguments, arguments);
    if (status == KF_OK)
        status = kfi_variant_put(*arguments, "seed", kfi_field_integer.load(seed_fields, &own));
    return status;
}

/* TensorFlow 2 calls VarianceScaling's "normal" what it is; Keras 2.2.4 knows the old name only. */
static kfi_variant *in_words_of_224(const char *key, const kfi_variant *value) {
    const bool truncated = strcmp(kfi_variant_text(value, ""), "truncated_normal") == 0;
    return truncated && strcmp(key, "distribution") == 0 ? kfi_variant_string("normal")
                                                         : kfi_variant_copy(value);
}

/* It also adds a dtype to the configuration of an initializer; weights are float32 here. */
static kf_status without_dtype(const kfi_variant *given, kfi_variant **arguments) {
    kf_status status = (*arguments = kfi_variant_dict()) ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; status == KF_OK && i < kfi_variant_count(given); i++) {
        const char *key = kfi_variant_key_at(given, i);
        if (strcmp(key, "dtype") == 0) continue;
        status =
            kfi_variant_put(*arguments, key, in_words_of_224(key, kfi_variant_value_at(given, i)));
    }
    return status;
}

/* An initializer with its options, to be released. */
typedef struct parsed {
    const kfi_initializer *class;
    union {
        char bytes[KFI_INITIALIZER_MAX_OPTIONS];
        int64_t seed;
        double alignment;
    } options;
} parsed;

static void release(parsed *made) {
    if (made->class) kfi_fields_release(made->class->fields, &made->options);
}

static kf_status parse(const char *name, const kfi_variant *given, parsed *made) {
    memset(made, 0, sizeof *made);
    const alias *known = find_alias(name);
    const kfi_initializer *class = find_class(known ? known->class : name);
    if (!class) return refuse(name);
    kfi_variant *own = NULL, *expanded = NULL;
    kf_status status = without_dtype(given, &own);
    const bool fixed = known && known->arguments;
    if (status == KF_OK && fixed) status = expand(known, own, &expanded);
    made->class = class;
    if (status == KF_OK)
        status =
            kfi_fields_parse(class->fields, fixed ? expanded : own, &made->options, NULL, NULL);
    kfi_variant_free(own);
    kfi_variant_free(expanded);
    return status == KF_MEMORY ? status : kfi_within(status, "%s: ", name);
}

/* --- use -------------------------------------------------------------------------------------- */

static kf_status config(const char *name, const kfi_variant *arguments, kfi_variant **json) {
    parsed made;
    *json = NULL;
    kf_status status = parse(name, arguments, &made);
    kfi_variant *object = status == KF_OK ? kfi_variant_dict() : NULL;
    if (status == KF_OK)
        status = kfi_variant_put(object, "class_name", kfi_variant_string(made.class->name));
    if (status == KF_OK)
        status =
            kfi_variant_put(object, "config", kfi_fields_config(made.class->fields, &made.options));
    release(&made);
    if (status == KF_OK)
        *json = object;
    else
        kfi_variant_free(object);
    return status;
}

const kfi_object_kind kfi_initializers = {.name = "initializer", .config = config};

kf_status kfi_initialize(const char *text, kfi_random stream, const kf_shape *shape, float *out) {
    char *name;
    kfi_variant *arguments;
    kf_status status = kfi_object_parse(text, &name, &arguments);
    if (status != KF_OK) return status;
    parsed made;
    status = parse(name, arguments, &made);
    kfi_free(name);
    kfi_variant_free(arguments);
    if (status == KF_OK) {
        const bool seeded = made.class->random && made.options.seed != KFI_NO_INTEGER;
        if (seeded) stream = (kfi_random){.key = (uint64_t)made.options.seed};
        status = made.class->fill(
            &(kfi_filling){&made.options, shape, stream, out, kfi_shape_count(shape)});
    }
    release(&made);
    return status;
}
