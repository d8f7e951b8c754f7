/* Adagrad: a' = a + g^2,  w' = w - lr g / (sqrt(a') + epsilon). Keras does not save its iterations,
 * so that a decay starts again after loading. */
#include "core/train/optimizer.h"

static const kfi_field fields[] = {
    KFI_FIELD(kf_adagrad_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0.0",
              .position = 4, .quiet = true, .help = "cuts the norm of all gradients together"),
    KFI_FIELD(kf_adagrad_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0.0",
              .position = 5, .quiet = true, .help = "cuts each element of the gradients"),
    KFI_FIELD(kf_adagrad_options, lr, "lr", kfi_field_float32, .otherwise = "0.01", .position = 1,
              .help = "learning rate"),
    KFI_FIELD(kf_adagrad_options, decay, "decay", kfi_field_float32, .otherwise = "0",
              .position = 3, .help = "of the learning rate: lr / (1 + decay * iterations)"),
    KFI_FIELD(kf_adagrad_options, epsilon, "epsilon", kfi_field_real, .otherwise = "1e-07",
              .position = 2, .help = "keeps the divisor from 0"),
    KFI_FIELDS_END,
};

static void update(const kfi_update_site *site) {
    const kf_adagrad_options *options = site->options;
    kfi_value sum;
    const kfi_value in[] = {kfi_weight_value(site->formula, site->weight), site->gradient,
                            site->hyper, kfi_weight_value(site->formula, site->slots[0])};
    const kfi_value weight =
        kfi_emit_list(site->formula, "adagrad_update",
                      &(kfi_update){.epsilon = (float)options->epsilon}, in, 4, &sum);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    kfi_assign(site->formula, site->slots[0], sum);
}

const kfi_optimizer_class kfi_optimizer_adagrad = {
    .name = "Adagrad",
    .fields = fields,
    .options_size = sizeof(kf_adagrad_options),
    .n_slots = 1,
    .rate = kfi_decayed_rate,
    .update = update,
    .keras3_slots = {"accumulator"},
};

kf_optimizer *kf_adagrad_create(const kf_adagrad_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_adagrad, options);
}
