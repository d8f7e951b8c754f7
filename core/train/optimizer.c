/* Optimizers: found by name, made from options or text, and their state for a model's weights. */
#include "core/train/optimizer.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/model/model.h"

#include <string.h>
#include <strings.h>

#define KFI_OPTIMIZER(symbol) extern const kfi_optimizer_class kfi_optimizer_##symbol;
#include "core/train/optimizer_list.h"
#undef KFI_OPTIMIZER

#define KFI_OPTIMIZER(symbol) &kfi_optimizer_##symbol,
static const kfi_optimizer_class *const classes[] = {
#include "core/train/optimizer_list.h"
};
#undef KFI_OPTIMIZER

const kfi_optimizer_class *kfi_optimizer_at(int32_t index) {
    return index >= 0 && (size_t)index < sizeof classes / sizeof *classes ? classes[index] : NULL;
}

/* Stands for every optimizer that could not be allocated. */
static kf_optimizer out_of_memory = {.status = KF_MEMORY};

/* As Keras: the case of the letters does not count. */
static const kfi_optimizer_class *find_class(const char *name) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcasecmp(classes[i]->name, name) == 0) return classes[i];
    return NULL;
}

/* --- making ----------------------------------------------------------------------------------- */

static kf_optimizer *poisoned(kf_status status) {
    kf_optimizer *optimizer = kfi_alloc(1, sizeof *optimizer);
    if (!optimizer) return &out_of_memory;
    optimizer->status = status;
    optimizer->message = kfi_strdup(kf_last_error());
    return optimizer;
}

static kf_status check(const kf_optimizer *optimizer) {
    const kfi_optimizer_options *common = optimizer->options;
    if (!(common->clipnorm >= 0) || !(common->clipvalue >= 0))
        return kfi_fail(KF_INVALID, "%s: clipnorm and clipvalue must not be negative",
                        optimizer->class->name);
    return optimizer->class->check ? optimizer->class->check(optimizer->options) : KF_OK;
}

/* An instance whose options are still to be filled in; NULL when memory is gone. */
static kf_optimizer *allocate(const kfi_optimizer_class *class) {
    kf_optimizer *optimizer = kfi_alloc(1, sizeof *optimizer);
    if (!optimizer) return NULL;
    optimizer->class = class;
    optimizer->options = kfi_alloc(1, class->options_size);
    if (!optimizer->options) {
        kfi_free(optimizer);
        return NULL;
    }
    return optimizer;
}

/* Hands out the optimizer after its options were filled in, or one that stands for the failure. */
static kf_optimizer *finish(kf_optimizer *optimizer, kf_status status) {
    if (status == KF_OK) status = check(optimizer);
    if (status == KF_OK) return optimizer;
    kf_optimizer_free(optimizer);
    return poisoned(status);
}

kf_optimizer *kfi_optimizer_new(const kfi_optimizer_class *class, const void *options) {
    kf_optimizer *optimizer = allocate(class);
    if (!optimizer) return &out_of_memory;
    const kfi_optimizer_options *common = options;
    const kf_status status =
        kfi_fields_copy(class->fields, options, common ? common->size : 0, optimizer->options);
    return finish(optimizer, kfi_within(status, "%s: ", class->name));
}

/* The arguments under the names the class knows them by, without those that are None. */
static kfi_variant *usual_arguments(const kfi_variant *arguments) {
    kfi_variant *usual = kfi_variant_dict();
    for (int64_t i = 0; usual && i < kfi_variant_count(arguments); i++) {
        const char *key = kfi_variant_key_at(arguments, i);
        const kfi_variant *value = kfi_variant_value_at(arguments, i);
        if (kfi_variant_is(value, KFI_NULL)) continue;
        if (strcmp(key, "learning_rate") == 0) key = "lr";
        if (kfi_variant_put(usual, key, kfi_variant_copy(value)) != KF_OK) {
            kfi_variant_free(usual);
            return NULL;
        }
    }
    return usual;
}

static kf_optimizer *from_arguments(const char *name, const kfi_variant *arguments,
                                    void (*unknown)(void *context, const char *key)) {
    const kfi_optimizer_class *class = find_class(name);
    if (!class) return poisoned(kfi_fail(KF_INVALID, "Unknown optimizer: %s", name));
    kf_optimizer *optimizer = allocate(class);
    kfi_variant *usual = usual_arguments(arguments);
    if (!optimizer || !usual) {
        kf_optimizer_free(optimizer);
        kfi_variant_free(usual);
        return &out_of_memory;
    }
    const kf_status status =
        kfi_fields_parse(class->fields, usual, optimizer->options, unknown, NULL);
    kfi_variant_free(usual);
    return finish(optimizer, kfi_within(status, "%s: ", class->name));
}

kf_optimizer *kf_optimizer_named(const char *text) {
    char *name = NULL;
    kfi_variant *arguments = NULL;
    const kf_status status = kfi_object_parse(text, &name, &arguments);
    kf_optimizer *optimizer =
        status == KF_OK ? from_arguments(name, arguments, NULL) : poisoned(status);
    kfi_free(name);
    kfi_variant_free(arguments);
    return optimizer;
}

static void ignore(void *context, const char *key) { (void)context, (void)key; }

kf_optimizer *kfi_optimizer_from_config(const kfi_variant *config) {
    const char *name = kfi_variant_text(kfi_variant_get(config, "class_name"), NULL);
    const kfi_variant *arguments = kfi_variant_get(config, "config");
    if (!name) return poisoned(kfi_fail(KF_INVALID, "optimizer_config has no class_name"));
    if (arguments && !kfi_variant_is(arguments, KFI_DICT))
        return poisoned(kfi_fail(KF_INVALID, "%s: 'config' must be a dict; got %s", name,
                                 kfi_variant_kind_name(arguments)));
    return from_arguments(name, arguments, ignore);
}

static void free_slots(kf_optimizer *optimizer) {
    for (int32_t i = 0; optimizer->slots && i < optimizer->n_slots * optimizer->n_weights; i++)
        kfi_weight_free(optimizer->slots[i]);
    kfi_free(optimizer->slots);
    optimizer->slots = NULL;
    optimizer->n_slots = optimizer->n_weights = 0;
}

void kf_optimizer_free(kf_optimizer *optimizer) {
    if (!optimizer || optimizer == &out_of_memory) return;
    free_slots(optimizer);
    if (optimizer->options) kfi_fields_release(optimizer->class->fields, optimizer->options);
    kfi_free(optimizer->options);
    kfi_free(optimizer->message);
    kfi_free(optimizer);
}

kf_status kfi_optimizer_status(const kf_optimizer *optimizer) {
    if (optimizer->status == KF_OK) return KF_OK;
    return kfi_fail(optimizer->status, "%s",
                    optimizer->message ? optimizer->message : "out of memory");
}

/* --- configuration ---------------------------------------------------------------------------- */

kfi_variant *kfi_optimizer_config(const kf_optimizer *optimizer) {
    kfi_variant *config = kfi_fields_config(optimizer->class->fields, optimizer->options);
    kfi_variant *whole = kfi_variant_dict();
    kf_status status = config && whole ? KF_OK : KF_MEMORY;
    if (status == KF_OK)
        status = kfi_variant_put(whole, "class_name", kfi_variant_string(optimizer->class->name));
    if (status == KF_OK) {
        status = kfi_variant_put(whole, "config", config);
        config = NULL;
    }
    if (status == KF_OK) return whole;
    kfi_variant_free(config);
    kfi_variant_free(whole);
    return NULL;
}

/* --- state ------------------------------------------------------------------------------------ */

/* As TensorFlow numbers Keras's variables: training/Adam/Variable:0, Variable_1:0 … */
static kf_status new_slot(const kf_optimizer *optimizer, int32_t number, const kf_shape *shape,
                          kf_weight **slot) {
    char *name = number ? kfi_format("training/%s/Variable_%d:0", optimizer->class->name, number)
                        : kfi_format("training/%s/Variable:0", optimizer->class->name);
    const kf_status status = name ? kfi_weight_new(name, shape, slot) : KF_MEMORY;
    kfi_free(name);
    return status;
}

int32_t kfi_optimizer_full_slots(const kf_optimizer *optimizer) {
    const kfi_optimizer_class *class = optimizer->class;
    const bool all = class->fills_empty_slots && class->fills_empty_slots(optimizer->options);
    return class->n_slots + (all ? class->n_empty_slots : 0);
}

kf_status kfi_optimizer_attach(kf_optimizer *optimizer, kf_weight *const *weights,
                               int32_t n_weights) {
    free_slots(optimizer);
    optimizer->iterations = 0;
    optimizer->started = false;
    optimizer->schedule = 1;
    const int32_t full = kfi_optimizer_full_slots(optimizer);
    const int32_t n_slots = optimizer->class->n_slots + optimizer->class->n_empty_slots;
    optimizer->slots = kfi_alloc((size_t)n_slots * (size_t)n_weights, sizeof *optimizer->slots);
    if (!optimizer->slots) return KF_MEMORY;
    optimizer->n_slots = n_slots;
    optimizer->n_weights = n_weights;
    for (int32_t i = 0; i < n_slots * n_weights; i++) {
        const bool empty = i / n_weights >= full;
        const kf_shape *shape = empty ? &KFI_SHAPE(1) : &weights[i % n_weights]->shape;
        const kf_status status = new_slot(optimizer, i, shape, &optimizer->slots[i]);
        if (status != KF_OK) return status;
    }
    return KF_OK;
}

void kfi_optimizer_write(kf_optimizer *optimizer, kfi_formula *formula, kf_weight *weight,
                         int32_t index, kfi_value gradient, kfi_value hyper) {
    kfi_update_site site = {.formula = formula,
                            .options = optimizer->options,
                            .weight = weight,
                            .gradient = gradient,
                            .hyper = hyper};
    for (int32_t s = 0; s < kfi_optimizer_full_slots(optimizer); s++)
        site.slots[s] = optimizer->slots[s * optimizer->n_weights + index];
    optimizer->class->update(&site);
    kfi_layer_constrain(formula, weight);
}

void kfi_optimizer_hyper(const kf_optimizer *optimizer, float hyper[KFI_HYPER_COUNT]) {
    memset(hyper, 0, KFI_HYPER_COUNT * sizeof *hyper);
    hyper[0] = optimizer->class->rate(optimizer->options, optimizer->iterations);
    if (optimizer->class->hyper) optimizer->class->hyper(optimizer, hyper);
}

void kfi_optimizer_advance(kf_optimizer *optimizer) {
    if (optimizer->class->schedule) optimizer->schedule = optimizer->class->schedule(optimizer);
    optimizer->iterations++;
    optimizer->started = true;
}

/* The sum of the squares of all gradients there are. */
static kfi_value sum_of_squares(kfi_formula *formula, const kfi_value *gradients, int32_t n) {
    kfi_value *present = kfi_alloc((size_t)n, sizeof *present);
    if (!present) {
        kfi_formula_fail(formula, KF_MEMORY);
        return KFI_NONE;
    }
    int32_t count = 0;
    for (int32_t i = 0; i < n; i++)
        if (!kfi_is_none(gradients[i])) present[count++] = gradients[i];
    const kfi_value sum =
        count ? kfi_emit_list(formula, "sum_squares", NULL, present, count, NULL) : KFI_NONE;
    kfi_free(present);
    return sum;
}

void kfi_optimizer_clip(const kf_optimizer *optimizer, kfi_formula *formula, kfi_value *gradients,
                        int32_t n) {
    const kfi_optimizer_options *options = optimizer->options;
    const kfi_clip by = {.norm = (float)options->clipnorm, .value = (float)options->clipvalue};
    if (!(by.norm > 0) && !(by.value > 0)) return;
    const kfi_value total = by.norm > 0 ? sum_of_squares(formula, gradients, n) : KFI_NONE;
    for (int32_t i = 0; i < n; i++) {
        const kfi_value in[] = {gradients[i], total};
        if (!kfi_is_none(gradients[i]))
            gradients[i] =
                kfi_emit_list(formula, "clip_gradient", &by, in, kfi_is_none(total) ? 1 : 2, NULL);
    }
}

float kfi_decayed_rate(const void *options, int64_t iterations) {
    const kfi_optimizer_options *common = options;
    const float lr = (float)common->lr, decay = (float)common->decay;
    return decay > 0 ? lr * (1.0f / (1.0f + decay * (float)iterations)) : lr;
}
