/* Adadelta: steps as long as steps have been, in units of the gradients they came from:
 *     a' = rho a + (1 - rho) g^2,  u = g sqrt(d + epsilon) / sqrt(a' + epsilon),
 *     d' = rho d + (1 - rho) u^2,  w' = w - lr u
 * Keras does not save its iterations, so that a decay starts again after loading. */
#include "core/train/optimizer.h"

static const kfi_field fields[] = {
    KFI_FIELD(kf_adadelta_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0.0",
              .position = 5, .quiet = true, .help = "cuts the norm of all gradients together"),
    KFI_FIELD(kf_adadelta_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0.0",
              .position = 6, .quiet = true, .help = "cuts each element of the gradients"),
    KFI_FIELD(kf_adadelta_options, lr, "lr", kfi_field_float32, .otherwise = "1", .position = 1,
              .help = "learning rate"),
    KFI_FIELD(kf_adadelta_options, rho, "rho", kfi_field_real, .otherwise = "0.95", .position = 2,
              .help = "share of the old means of squares"),
    KFI_FIELD(kf_adadelta_options, decay, "decay", kfi_field_float32, .otherwise = "0",
              .position = 4, .help = "of the learning rate: lr / (1 + decay * iterations)"),
    KFI_FIELD(kf_adadelta_options, epsilon, "epsilon", kfi_field_real, .otherwise = "1e-07",
              .position = 3, .help = "keeps the divisor from 0"),
    KFI_FIELDS_END,
};

static void update(const kfi_update_site *site) {
    const kf_adadelta_options *options = site->options;
    kfi_value slots[2];
    const kfi_value in[] = {kfi_weight_value(site->formula, site->weight), site->gradient,
                            site->hyper, kfi_weight_value(site->formula, site->slots[0]),
                            kfi_weight_value(site->formula, site->slots[1])};
    const kfi_update by = {.momentum = (float)options->rho, .epsilon = (float)options->epsilon};
    const kfi_value weight = kfi_emit_list(site->formula, "adadelta_update", &by, in, 5, slots);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    kfi_assign(site->formula, site->slots[0], slots[0]);
    kfi_assign(site->formula, site->slots[1], slots[1]);
}

const kfi_optimizer_class kfi_optimizer_adadelta = {
    .name = "Adadelta",
    .fields = fields,
    .options_size = sizeof(kf_adadelta_options),
    .n_slots = 2,
    .rate = kfi_decayed_rate,
    .update = update,
    .keras3_slots = {"accumulated_grad", "accumulated_delta_var"},
};

kf_optimizer *kf_adadelta_create(const kf_adadelta_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_adadelta, options);
}
