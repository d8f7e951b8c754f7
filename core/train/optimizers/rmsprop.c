/* RMSprop: a' = rho a + (1 - rho) g^2,  w' = w - lr g / (sqrt(a') + epsilon). Keras does not save
 * its iterations, so that a decay starts again after loading. */
#include "core/train/optimizer.h"

static const kfi_field fields[] = {
    KFI_FIELD(kf_rmsprop_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0.0",
              .position = 5, .quiet = true, .help = "cuts the norm of all gradients together"),
    KFI_FIELD(kf_rmsprop_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0.0",
              .position = 6, .quiet = true, .help = "cuts each element of the gradients"),
    KFI_FIELD(kf_rmsprop_options, lr, "lr", kfi_field_float32, .otherwise = "0.001", .position = 1,
              .help = "learning rate"),
    KFI_FIELD(kf_rmsprop_options, rho, "rho", kfi_field_float32, .otherwise = "0.9", .position = 2,
              .help = "share of the old mean of squares"),
    KFI_FIELD(kf_rmsprop_options, decay, "decay", kfi_field_float32, .otherwise = "0",
              .position = 4, .help = "of the learning rate: lr / (1 + decay * iterations)"),
    KFI_FIELD(kf_rmsprop_options, epsilon, "epsilon", kfi_field_real, .otherwise = "1e-07",
              .position = 3, .help = "keeps the divisor from 0"),
    KFI_FIELDS_END,
};

static void update(const kfi_update_site *site) {
    const kf_rmsprop_options *options = site->options;
    kfi_value mean;
    const kfi_value in[] = {kfi_weight_value(site->formula, site->weight), site->gradient,
                            site->hyper, kfi_weight_value(site->formula, site->slots[0])};
    const kfi_value weight = kfi_emit_list(
        site->formula, "rmsprop_update",
        &(kfi_update){.momentum = (float)options->rho, .epsilon = (float)options->epsilon}, in, 4,
        &mean);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    kfi_assign(site->formula, site->slots[0], mean);
}

const kfi_optimizer_class kfi_optimizer_rmsprop = {
    .name = "RMSprop",
    .fields = fields,
    .options_size = sizeof(kf_rmsprop_options),
    .n_slots = 1,
    .rate = kfi_decayed_rate,
    .update = update,
    .keras3_slots = {"velocity"},
};

kf_optimizer *kf_rmsprop_create(const kf_rmsprop_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_rmsprop, options);
}
