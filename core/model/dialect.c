/* Layers as other versions of Keras call them: classes and arguments of Keras 1, cuDNN's recurrent
 * layers, and what tf.keras spells differently, brought to the words of Keras 2.2.4. Keras 2 takes
 * the old arguments too (its legacy interfaces), so the keys decide, not the file's version. */
#include "core/model/dialect.h"

#include "core/base/memory.h"

#include <string.h>

/* Makes the new value of an argument; NULL when memory is gone. */
typedef kfi_variant *(*convert_value)(const kfi_variant *old);

typedef struct rename {
    const char *old, *now;
    convert_value convert; /* NULL: the value stays */
} rename;

/* Arguments that are one now: nb_row and nb_col are kernel_size. */
typedef struct gathering {
    const char *old[3];
    const char *now;
} gathering;

typedef struct translation {
    const char *old, *now;    /* classes; the same for classes that kept their name */
    const rename *renames[3]; /* tables, ended by NULL */
    const gathering *gather;  /* NULL: none */
} translation;

/* --- values ----------------------------------------------------------------------------------- */

/* Puts into a dict that may be NULL already; takes both over. */
static kfi_variant *with(kfi_variant *dict, const char *key, kfi_variant *value) {
    if (kfi_variant_put(dict, key, value) == KF_OK) return dict;
    kfi_variant_free(dict);
    return NULL;
}

static kfi_variant *make_object(const char *class_name, kfi_variant *config) {
    kfi_variant *object = with(kfi_variant_dict(), "class_name", kfi_variant_string(class_name));
    return with(object, "config", config);
}

static kfi_variant *data_format(const kfi_variant *old) {
    const char *text = kfi_variant_text(old, "");
    if (strcmp(text, "th") == 0) return kfi_variant_string("channels_first");
    if (strcmp(text, "tf") == 0) return kfi_variant_string("channels_last");
    return kfi_variant_null();
}

static kfi_variant *number(const kfi_variant *dict, const char *key, double otherwise) {
    const kfi_variant *value = kfi_variant_get(dict, key);
    return value ? kfi_variant_copy(value) : kfi_variant_real(otherwise);
}

/* {"name": "WeightRegularizer", "l1": …, "l2": …} */
static kfi_variant *regularizer(const kfi_variant *old) {
    if (!kfi_variant_is(old, KFI_DICT) || kfi_variant_get(old, "class_name"))
        return kfi_variant_copy(old);
    kfi_variant *config = with(kfi_variant_dict(), "l1", number(old, "l1", 0));
    return make_object("L1L2", with(config, "l2", number(old, "l2", 0)));
}

/* {"name": "MaxNorm", "m": 2, "axis": 0} */
static kfi_variant *constraint(const kfi_variant *old) {
    const char *name = kfi_variant_text(kfi_variant_get(old, "name"), NULL);
    if (!name || kfi_variant_get(old, "class_name")) return kfi_variant_copy(old);
    kfi_variant *config = kfi_variant_dict();
    if (kfi_variant_get(old, "m")) config = with(config, "max_value", number(old, "m", 2));
    if (kfi_variant_get(old, "axis")) config = with(config, "axis", number(old, "axis", 0));
    return make_object(name, config);
}

static kfi_variant *is_one(const kfi_variant *old) {
    const char *text = kfi_variant_text(old, "");
    return kfi_variant_bool(strcmp(text, "one") == 0 || strcmp(text, "ones") == 0);
}

static kfi_variant *implementation(const kfi_variant *old) {
    return kfi_variant_integer(strcmp(kfi_variant_text(old, ""), "gpu") == 0 ? 2 : 1);
}

/* tf.keras writes a single axis as a list. */
static kfi_variant *single(const kfi_variant *old) {
    const bool list = kfi_variant_is(old, KFI_LIST) && kfi_variant_count(old) == 1;
    return kfi_variant_copy(list ? kfi_variant_at(old, 0) : old);
}

/* --- arguments -------------------------------------------------------------------------------- */

static const rename weights[] = {
    {"init", "kernel_initializer", NULL},
    {"W_regularizer", "kernel_regularizer", regularizer},
    {"b_regularizer", "bias_regularizer", regularizer},
    {"activity_regularizer", "activity_regularizer", regularizer},
    {"W_constraint", "kernel_constraint", constraint},
    {"b_constraint", "bias_constraint", constraint},
    {"bias", "use_bias", NULL},
    {0},
};
static const rename dense[] = {{"output_dim", "units", NULL}, {0}};
static const rename convolution[] = {
    {"nb_filter", "filters", NULL},         {"border_mode", "padding", NULL},
    {"subsample", "strides", NULL},         {"dim_ordering", "data_format", data_format},
    {"filter_length", "kernel_size", NULL}, {"subsample_length", "strides", NULL},
    {"atrous_rate", "dilation_rate", NULL}, {0},
};
static const rename separable[] = {
    {"depthwise_init", "depthwise_initializer", NULL},
    {"pointwise_init", "pointwise_initializer", NULL},
    {0},
};
static const rename pooling[] = {
    {"border_mode", "padding", NULL},
    {"dim_ordering", "data_format", data_format},
    {"pool_length", "pool_size", NULL},
    {"stride", "strides", NULL},
    {0},
};
static const rename spatial[] = {
    {"dim_ordering", "data_format", data_format},
    {"length", "size", NULL},
    {0},
};
static const rename dropout[] = {
    {"p", "rate", NULL},
    {"dim_ordering", "data_format", data_format},
    {0},
};
static const rename noise[] = {{"sigma", "stddev", NULL}, {0}};
static const rename recurrent[] = {
    {"output_dim", "units", NULL},
    {"inner_init", "recurrent_initializer", NULL},
    {"inner_activation", "recurrent_activation", NULL},
    {"U_regularizer", "recurrent_regularizer", regularizer},
    {"dropout_W", "dropout", NULL},
    {"dropout_U", "recurrent_dropout", NULL},
    {"consume_less", "implementation", implementation},
    {"forget_bias_init", "unit_forget_bias", is_one},
    {0},
};
static const rename embedding[] = {
    {"init", "embeddings_initializer", NULL},
    {"W_regularizer", "embeddings_regularizer", regularizer},
    {"W_constraint", "embeddings_constraint", constraint},
    {"input_dtype", "dtype", NULL},
    {0},
};
static const rename normalisation[] = {
    {"gamma_init", "gamma_initializer", NULL},
    {"beta_init", "beta_initializer", NULL},
    {"gamma_regularizer", "gamma_regularizer", regularizer},
    {"beta_regularizer", "beta_regularizer", regularizer},
    {"axis", "axis", single},
    {0},
};
/* Classes that Keras 2 has kept as they were; their dicts are those of the file all the same. */
static const rename legacy[] = {
    {"W_regularizer", "W_regularizer", regularizer},
    {"b_regularizer", "b_regularizer", regularizer},
    {"activity_regularizer", "activity_regularizer", regularizer},
    {"W_constraint", "W_constraint", constraint},
    {"b_constraint", "b_constraint", constraint},
    {0},
};
static const rename prelu[] = {{"init", "alpha_initializer", NULL}, {0}};

static const gathering kernel_2d = {{"nb_row", "nb_col"}, "kernel_size"};
static const gathering kernel_3d = {{"kernel_dim1", "kernel_dim2", "kernel_dim3"}, "kernel_size"};

static const translation translations[] = {
    {"Dense", "Dense", {weights, dense}, NULL},
    {"TimeDistributedDense", "Dense", {weights, dense}, NULL},
    {"Convolution1D", "Conv1D", {weights, convolution}, NULL},
    {"AtrousConvolution1D", "Conv1D", {weights, convolution}, NULL},
    {"Convolution2D", "Conv2D", {weights, convolution}, &kernel_2d},
    {"AtrousConvolution2D", "Conv2D", {weights, convolution}, &kernel_2d},
    {"Deconvolution2D", "Conv2DTranspose", {weights, convolution}, &kernel_2d},
    {"SeparableConvolution2D", "SeparableConv2D", {weights, convolution, separable}, &kernel_2d},
    {"Convolution3D", "Conv3D", {weights, convolution}, &kernel_3d},
    {"LocallyConnected1D", "LocallyConnected1D", {weights, convolution}, NULL},
    {"LocallyConnected2D", "LocallyConnected2D", {weights, convolution}, &kernel_2d},
    {"MaxPooling1D", "MaxPooling1D", {pooling}, NULL},
    {"MaxPooling2D", "MaxPooling2D", {pooling}, NULL},
    {"MaxPooling3D", "MaxPooling3D", {pooling}, NULL},
    {"AveragePooling1D", "AveragePooling1D", {pooling}, NULL},
    {"AveragePooling2D", "AveragePooling2D", {pooling}, NULL},
    {"AveragePooling3D", "AveragePooling3D", {pooling}, NULL},
    {"GlobalMaxPooling2D", "GlobalMaxPooling2D", {spatial}, NULL},
    {"GlobalMaxPooling3D", "GlobalMaxPooling3D", {spatial}, NULL},
    {"GlobalAveragePooling2D", "GlobalAveragePooling2D", {spatial}, NULL},
    {"GlobalAveragePooling3D", "GlobalAveragePooling3D", {spatial}, NULL},
    {"UpSampling1D", "UpSampling1D", {spatial}, NULL},
    {"UpSampling2D", "UpSampling2D", {spatial}, NULL},
    {"UpSampling3D", "UpSampling3D", {spatial}, NULL},
    {"ZeroPadding2D", "ZeroPadding2D", {spatial}, NULL},
    {"ZeroPadding3D", "ZeroPadding3D", {spatial}, NULL},
    {"Cropping2D", "Cropping2D", {spatial}, NULL},
    {"Cropping3D", "Cropping3D", {spatial}, NULL},
    {"Dropout", "Dropout", {dropout}, NULL},
    {"SpatialDropout1D", "SpatialDropout1D", {dropout}, NULL},
    {"SpatialDropout2D", "SpatialDropout2D", {dropout}, NULL},
    {"SpatialDropout3D", "SpatialDropout3D", {dropout}, NULL},
    {"GaussianDropout", "GaussianDropout", {dropout}, NULL},
    {"GaussianNoise", "GaussianNoise", {noise}, NULL},
    {"SimpleRNN", "SimpleRNN", {weights, recurrent}, NULL},
    {"GRU", "GRU", {weights, recurrent}, NULL},
    {"LSTM", "LSTM", {weights, recurrent}, NULL},
    {"CuDNNGRU", "GRU", {NULL}, NULL},
    {"CuDNNLSTM", "LSTM", {NULL}, NULL},
    {"ConvLSTM2D", "ConvLSTM2D", {weights, recurrent, convolution}, &kernel_2d},
    {"Embedding", "Embedding", {embedding}, NULL},
    {"BatchNormalization", "BatchNormalization", {normalisation}, NULL},
    {"BatchNormalizationV1", "BatchNormalization", {normalisation}, NULL},
    {"PReLU", "PReLU", {prelu}, NULL},
    {"MaxoutDense", "MaxoutDense", {legacy}, NULL},
    {"Highway", "Highway", {legacy}, NULL},
};

/* What was taken over is nothing any more, so that nobody asks after it. */
static kf_status clear(kfi_variant *config, const char *old) {
    return kfi_variant_get(config, old) ? kfi_variant_put(config, old, kfi_variant_null()) : KF_OK;
}

static kf_status rename_arguments(kfi_variant *config, const rename *renames) {
    kf_status status = KF_OK;
    for (; renames && renames->old && status == KF_OK; renames++) {
        const kfi_variant *old = kfi_variant_get(config, renames->old);
        if (!old) continue;
        kfi_variant *now = renames->convert ? renames->convert(old) : kfi_variant_copy(old);
        if (now && kfi_variant_is(now, KFI_NULL) && renames->convert == data_format)
            kfi_variant_free(now); /* dim_ordering="default" */
        else
            status = kfi_variant_put(config, renames->now, now);
        if (status == KF_OK && strcmp(renames->old, renames->now) != 0)
            status = clear(config, renames->old);
    }
    return status;
}

static kf_status gather_arguments(kfi_variant *config, const gathering *by) {
    if (!by || !kfi_variant_get(config, by->old[0])) return KF_OK;
    kfi_variant *list = kfi_variant_list();
    kf_status status = list ? KF_OK : KF_MEMORY;
    for (int i = 0; i < 3 && by->old[i] && status == KF_OK; i++) {
        const kfi_variant *item = kfi_variant_get(config, by->old[i]);
        status = kfi_variant_append(list, item ? kfi_variant_copy(item) : kfi_variant_null());
    }
    for (int i = 0; i < 3 && by->old[i] && status == KF_OK; i++) status = clear(config, by->old[i]);
    if (status == KF_OK) return kfi_variant_put(config, by->now, list);
    kfi_variant_free(list);
    return status;
}

/* cuDNN's layers have no choice of activations, and its GRU resets after the product. */
static kf_status add_cudnn(kfi_variant *config, const char *class_name) {
    if (strncmp(class_name, "CuDNN", 5) != 0) return KF_OK;
    kf_status status =
        kfi_variant_put(config, "recurrent_activation", kfi_variant_string("sigmoid"));
    if (status == KF_OK && strcmp(class_name, "CuDNNGRU") == 0)
        status = kfi_variant_put(config, "reset_after", kfi_variant_bool(true));
    return status;
}

/* --- merges ----------------------------------------------------------------------------------- */

/* Keras 1's Merge(mode, concat_axis, dot_axes). */
static kf_status translate_merge(const kfi_variant *config, const char **class_name,
                                 kfi_variant *now) {
    static const struct {
        const char *mode, *class_name, *old, *now;
    } modes[] = {
        {"sum", "Add", NULL, NULL},
        {"mul", "Multiply", NULL, NULL},
        {"ave", "Average", NULL, NULL},
        {"max", "Maximum", NULL, NULL},
        {"dot", "Dot", "dot_axes", "axes"},
        {"cos", "Dot", "dot_axes", "axes"},
        {"concat", "Concatenate", "concat_axis", "axis"},
    };
    static const char *const words[] = {"mode",        "concat_axis",      "dot_axes",
                                        "mode_type",   "output_shape",     "output_shape_type",
                                        "output_mask", "output_mask_type", "arguments"};
    const char *mode = kfi_variant_text(kfi_variant_get(config, "mode"), "");
    if (strcmp(kfi_variant_text(kfi_variant_get(config, "mode_type"), "raw"), "raw") != 0)
        return kfi_fail(KF_INVALID, "a Merge by a Python function is not supported");
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(modes[i].mode, mode) != 0) continue;
        *class_name = modes[i].class_name;
        const kfi_variant *argument = modes[i].old ? kfi_variant_get(config, modes[i].old) : NULL;
        kf_status status = KF_OK;
        for (size_t k = 0; k < sizeof words / sizeof *words && status == KF_OK; k++)
            status = clear(now, words[k]);
        if (status == KF_OK && argument)
            status = kfi_variant_put(now, modes[i].now, kfi_variant_copy(argument));
        if (status == KF_OK && strcmp(mode, "cos") == 0)
            status = kfi_variant_put(now, "normalize", kfi_variant_bool(true));
        return status;
    }
    return kfi_fail(KF_INVALID, "unknown merge mode '%.40s'", mode);
}

/* --- layers ----------------------------------------------------------------------------------- */

static const translation *find(const char *class_name) {
    for (size_t i = 0; i < sizeof translations / sizeof *translations; i++)
        if (strcmp(translations[i].old, class_name) == 0) return &translations[i];
    return NULL;
}

static kf_status translate(const translation *by, kfi_variant *config) {
    kf_status status = gather_arguments(config, by->gather);
    for (int i = 0; i < 3 && status == KF_OK; i++)
        status = rename_arguments(config, by->renames[i]);
    return status == KF_OK ? add_cudnn(config, by->old) : status;
}

/* Keras saves a Lambda as the bytecode of its function: [code, defaults, closure], or a dict of
 * that. A name is another matter: it may be a function of the graph. */
static kf_status refuse_python(const kfi_variant *config) {
    const kfi_variant *function = kfi_variant_get(config, "function");
    if (!kfi_variant_is(function, KFI_LIST) && !kfi_variant_is(function, KFI_DICT)) return KF_OK;
    return kfi_fail(KF_INVALID, "a Lambda of Python code is not supported: it is not run");
}

kf_status kfi_dialect_translate(const kfi_variant *config, const char **class_name,
                                kfi_variant **translated) {
    *translated = NULL;
    if (strcmp(*class_name, "Lambda") == 0) return refuse_python(config);
    const bool merge = strcmp(*class_name, "Merge") == 0;
    const translation *by = find(*class_name);
    if (!by && !merge) return KF_OK;
    kfi_variant *copy = kfi_variant_copy(config);
    if (!copy) return KF_MEMORY;
    const kf_status status =
        merge ? translate_merge(config, class_name, copy) : translate(by, copy);
    if (status != KF_OK) {
        kfi_variant_free(copy);
        return status;
    }
    if (by) *class_name = by->now;
    *translated = copy;
    return KF_OK;
}
