/* Adam: m' = beta_1 m + (1 - beta_1) g,  v' = beta_2 v + (1 - beta_2) g^2,
 * w' = w - lr_t m' / (sqrt(v') + epsilon),  lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t).
 * Kingma & Ba, "Adam: a method for stochastic optimization", 2014; epsilon as Keras has it. */
#include "core/train/optimizer.h"

#include <math.h>

static const kfi_field fields[] = {
    KFI_FIELD(kf_adam_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0.0",
              .position = 7, .quiet = true, .help = "cuts the norm of all gradients together"),
    KFI_FIELD(kf_adam_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0.0",
              .position = 8, .quiet = true, .help = "cuts each element of the gradients"),
    KFI_FIELD(kf_adam_options, lr, "lr", kfi_field_float32, .otherwise = "0.001", .position = 1,
              .help = "learning rate"),
    KFI_FIELD(kf_adam_options, beta_1, "beta_1", kfi_field_float32, .otherwise = "0.9",
              .position = 2, .help = "share of the old mean"),
    KFI_FIELD(kf_adam_options, beta_2, "beta_2", kfi_field_float32, .otherwise = "0.999",
              .position = 3, .help = "share of the old mean of squares"),
    KFI_FIELD(kf_adam_options, decay, "decay", kfi_field_float32, .otherwise = "0", .position = 5,
              .help = "of the learning rate: lr / (1 + decay * iterations)"),
    KFI_FIELD(kf_adam_options, epsilon, "epsilon", kfi_field_real, .otherwise = "1e-07",
              .position = 4, .help = "keeps the divisor from 0"),
    KFI_FIELD(kf_adam_options, amsgrad, "amsgrad", kfi_field_bool, .otherwise = "False",
              .position = 6, .help = "the AMSGrad variant"),
    KFI_FIELDS_END,
};

static bool fills_empty_slots(const void *options) {
    return ((const kf_adam_options *)options)->amsgrad;
}

static float rate(const void *options, int64_t iterations) {
    const kf_adam_options *adam = options;
    const float t = (float)iterations + 1;
    return kfi_decayed_rate(options, iterations) *
           (sqrtf(1 - powf((float)adam->beta_2, t)) / (1 - powf((float)adam->beta_1, t)));
}

/* m, v and, with amsgrad, the largest v so far. */
static void update(const kfi_update_site *site) {
    const kf_adam_options *options = site->options;
    const int32_t n_slots = options->amsgrad ? 3 : 2;
    kfi_value slots[3],
        in[6] = {kfi_weight_value(site->formula, site->weight), site->gradient, site->hyper};
    for (int32_t i = 0; i < n_slots; i++)
        in[3 + i] = kfi_weight_value(site->formula, site->slots[i]);
    const kfi_update by = {.momentum = (float)options->beta_1,
                           .beta_2 = (float)options->beta_2,
                           .epsilon = (float)options->epsilon};
    const kfi_value weight =
        kfi_emit_list(site->formula, options->amsgrad ? "amsgrad_update" : "adam_update", &by, in,
                      3 + n_slots, slots);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    for (int32_t i = 0; i < n_slots; i++) kfi_assign(site->formula, site->slots[i], slots[i]);
}

const kfi_optimizer_class kfi_optimizer_adam = {
    .name = "Adam",
    .iterations_name = "Adam/iterations:0",
    .fields = fields,
    .options_size = sizeof(kf_adam_options),
    .n_slots = 2,
    .n_empty_slots = 1,
    .fills_empty_slots = fills_empty_slots,
    .rate = rate,
    .update = update,
    .keras3_slots = {"momentum", "velocity", "velocity_hat"},
};

kf_optimizer *kf_adam_create(const kf_adam_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_adam, options);
}
