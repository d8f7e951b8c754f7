/* What a new weight holds: a class of Keras with options, given as text ("he_normal(seed=3)"). */
#ifndef KFI_LAYERS_INITIALIZER_H
#define KFI_LAYERS_INITIALIZER_H

#include "core/base/fields.h"
#include "core/base/random.h"
#include "core/base/shape.h"

/* One weight to be filled. */
typedef struct kfi_filling {
    const void *options;
    const kf_shape *shape;
    kfi_random stream;
    float *out;
    int64_t count;
} kfi_filling;

typedef struct kfi_initializer {
    const char *name; /* Keras's class: "RandomNormal" */
    const kfi_field *fields;
    bool random; /* the options start with int64_t seed; KFI_NO_INTEGER: the graph's stream */
    kf_status (*fill)(const kfi_filling *filling);
} kfi_initializer;

enum { KFI_INITIALIZER_MAX_OPTIONS = 64 }; /* bytes of an options struct */

/* Fills a weight of this (fixed) shape. NULL arguments of `seed` take the stream given. */
kf_status kfi_initialize(const char *text, kfi_random stream, const kf_shape *shape, float *out);

/* For fields: .objects = &kfi_initializers. {"class_name", "config"} in JSON, aliases resolved. */
extern const kfi_object_kind kfi_initializers;

#define KFI_INITIALIZER_FIELD(struct_type, member, initializer)                                    \
    KFI_FIELD(struct_type, member, #member, kfi_field_object, .choices = "initializer",            \
              .objects = &kfi_initializers, .otherwise = initializer,                              \
              .help = "zeros, ones, glorot_uniform, he_normal(seed=1) …")

#endif
