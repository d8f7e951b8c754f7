/* Embedding: y[…, :] = embeddings[x[…], :], rows of a table by number. With mask_zero the steps
 * whose number is 0 do not count. Numbers that arrive as floats are cut to whole ones, as Keras
 * casts them. */
#include "core/layers/options.h"
#include "core/layers/rules.h"

#include <string.h>

typedef kf_embedding_options embedding_options;

/* Keras's config has a shape and a type of the input, whether or not it is a model's first layer.
 */
static const kfi_field fields[] = {
    KFI_FIELD(embedding_options, batch_input_shape, "batch_input_shape", kfi_field_shape,
              .otherwise = "None", .position = 8, .help = "of the input"),
    KFI_FIELD(embedding_options, dtype, "dtype", kfi_field_string, .otherwise = "float32",
              .position = 9, .help = "Keras's name for the input's type"),
    KFI_FIELD(embedding_options, input_dim, "input_dim", kfi_field_integer, .low = 1, .position = 1,
              .help = "rows of the table"),
    KFI_FIELD(embedding_options, output_dim, "output_dim", kfi_field_integer, .low = 1,
              .position = 2, .help = "columns of the table"),
    KFI_FIELD(embedding_options, embeddings_initializer, "embeddings_initializer", kfi_field_object,
              .choices = "initializer", .objects = &kfi_initializers, .otherwise = "uniform",
              .position = 3, .help = "uniform, normal …"),
    KFI_FIELD(embedding_options, embeddings_regularizer, "embeddings_regularizer", kfi_field_object,
              .otherwise = "None", .choices = "regularizer", .objects = &kfi_regularizers,
              .position = 4, .help = "on the table"),
    KFI_FIELD(embedding_options, activity_regularizer, "activity_regularizer", kfi_field_object,
              .otherwise = "None", .choices = "regularizer", .objects = &kfi_regularizers,
              .position = 5, .help = "on the output"),
    KFI_FIELD(embedding_options, embeddings_constraint, "embeddings_constraint", kfi_field_object,
              .otherwise = "None", .choices = "constraint", .objects = &kfi_constraints,
              .position = 6, .help = "on the table"),
    KFI_FIELD(embedding_options, mask_zero, "mask_zero", kfi_field_bool, .otherwise = "False",
              .position = 7, .help = "0 stands for no step"),
    KFI_FIELD(embedding_options, input_length, "input_length", kfi_field_integer,
              .otherwise = "None", .help = "of the sequences"),
    KFI_FIELDS_END,
};

/* The shape that Keras makes up: (None, input_length). */
static kf_status check(const kf_layer *layer) {
    embedding_options *options = layer->options;
    if (options->batch_input_shape[0]) return KF_OK;
    options->batch_input_shape[0] = KF_ANY;
    options->batch_input_shape[1] =
        options->input_length == KFI_NO_INTEGER ? KF_ANY : options->input_length;
    return KF_OK;
}

static kf_status build(kf_layer *layer, const kfi_array *in, int32_t n_in) {
    (void)in, (void)n_in;
    const embedding_options *options = layer->options;
    return kfi_layer_add_weight(
        layer, "embeddings", &KFI_SHAPE(options->input_dim, options->output_dim),
        &(kfi_weight_options){options->embeddings_initializer, options->embeddings_regularizer,
                              options->embeddings_constraint, false});
}

static kf_status check_length(const embedding_options *options, const kf_shape *shape) {
    if (options->input_length == KFI_NO_INTEGER) return KF_OK;
    if (shape->rank == 2 && (shape->dims[1] == KF_ANY || shape->dims[1] == options->input_length))
        return KF_OK;
    return kfi_fail(KF_INVALID, "\"input_length\" is %lld, but received input has shape %s",
                    (long long)options->input_length, kfi_shape_string(shape));
}

static kfi_value nonzero_steps(kfi_formula *f, kfi_value x, kf_shape shape) {
    shape.dims[shape.rank++] = 1;
    const kfi_shaped zero = {.value = 0};
    return kfi_emit(f, "any_not_equal", &zero, kfi_reshape_free(f, x, &shape));
}

static kf_status call(kfi_layer_call *call) {
    const embedding_options *options = call->layer->options;
    kfi_formula *f = call->formula;
    const kf_shape shape = kfi_input_shape(call, 0);
    const kf_status status = check_length(options, &shape);
    if (status != KF_OK) return status;
    if (shape.rank >= KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "the input has %d axes, at most %d are possible", shape.rank,
                        KF_MAX_RANK - 1);
    call->out[0] = kfi_emit(f, "gather", NULL, kfi_layer_weight_value(call, 0), call->in[0]);
    call->out_mask[0] = options->mask_zero ? nonzero_steps(f, call->in[0], shape) : KFI_NONE;
    return KF_OK;
}

const kfi_layer_class kfi_layer_embedding = {
    .name = "Embedding",
    .fields = fields,
    .options_size = sizeof(embedding_options),
    .supports_masking = true,
    .check = check,
    .build = build,
    .call = call,
};

kf_layer *kf_embedding_create(const kf_embedding_options *options) {
    return kfi_layer_new(&kfi_layer_embedding, options);
}
