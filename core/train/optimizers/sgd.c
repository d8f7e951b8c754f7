/* SGD: v' = momentum v - lr g,  w' = w + v', or with Nesterov's momentum w' = w + momentum v' - lr
 * g. Keras keeps and saves the moments v also where momentum is 0. */
#include "core/train/optimizer.h"

static const kfi_field fields[] = {
    KFI_FIELD(kf_sgd_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0.0",
              .position = 5, .quiet = true, .help = "cuts the norm of all gradients together"),
    KFI_FIELD(kf_sgd_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0.0",
              .position = 6, .quiet = true, .help = "cuts each element of the gradients"),
    KFI_FIELD(kf_sgd_options, lr, "lr", kfi_field_float32, .otherwise = "0.01", .position = 1,
              .help = "learning rate"),
    KFI_FIELD(kf_sgd_options, momentum, "momentum", kfi_field_float32, .otherwise = "0",
              .position = 2, .help = "share of the last step that goes on"),
    KFI_FIELD(kf_sgd_options, decay, "decay", kfi_field_float32, .otherwise = "0", .position = 3,
              .help = "of the learning rate: lr / (1 + decay * iterations)"),
    KFI_FIELD(kf_sgd_options, nesterov, "nesterov", kfi_field_bool, .otherwise = "False",
              .position = 4, .help = "Nesterov's momentum"),
    KFI_FIELDS_END,
};

static void update(const kfi_update_site *site) {
    const kf_sgd_options *options = site->options;
    kfi_value velocity;
    const kfi_value in[] = {kfi_weight_value(site->formula, site->weight), site->gradient,
                            site->hyper, kfi_weight_value(site->formula, site->slots[0])};
    const kfi_value weight = kfi_emit_list(
        site->formula, "sgd_update",
        &(kfi_update){.momentum = (float)options->momentum, .nesterov = options->nesterov}, in, 4,
        &velocity);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    kfi_assign(site->formula, site->slots[0], velocity);
}

const kfi_optimizer_class kfi_optimizer_sgd = {
    .name = "SGD",
    .iterations_name = "SGD/iterations:0",
    .fields = fields,
    .options_size = sizeof(kf_sgd_options),
    .n_slots = 1,
    .rate = kfi_decayed_rate,
    .update = update,
    .keras3_slots = {"momentum"},
};

kf_optimizer *kf_sgd_create(const kf_sgd_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_sgd, options);
}
