/* Adamax: m' = beta_1 m + (1 - beta_1) g,  u' = max(beta_2 u, |g|),
 * w' = w - lr_t m' / (u' + epsilon),  lr_t = lr / (1 - beta_1^t).
 * Kingma & Ba, "Adam: a method for stochastic optimization", 2014, section 7. */
#include "core/train/optimizer.h"

#include <math.h>

static const kfi_field fields[] = {
    KFI_FIELD(kf_adamax_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0.0",
              .position = 6, .quiet = true, .help = "cuts the norm of all gradients together"),
    KFI_FIELD(kf_adamax_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0.0",
              .position = 7, .quiet = true, .help = "cuts each element of the gradients"),
    KFI_FIELD(kf_adamax_options, lr, "lr", kfi_field_float32, .otherwise = "0.002", .position = 1,
              .help = "learning rate"),
    KFI_FIELD(kf_adamax_options, beta_1, "beta_1", kfi_field_float32, .otherwise = "0.9",
              .position = 2, .help = "share of the old mean"),
    KFI_FIELD(kf_adamax_options, beta_2, "beta_2", kfi_field_float32, .otherwise = "0.999",
              .position = 3, .help = "share of the old largest gradient"),
    KFI_FIELD(kf_adamax_options, decay, "decay", kfi_field_float32, .otherwise = "0", .position = 5,
              .help = "of the learning rate: lr / (1 + decay * iterations)"),
    KFI_FIELD(kf_adamax_options, epsilon, "epsilon", kfi_field_real, .otherwise = "1e-07",
              .position = 4, .help = "keeps the divisor from 0"),
    KFI_FIELDS_END,
};

static float rate(const void *options, int64_t iterations) {
    const kf_adamax_options *adamax = options;
    const float t = (float)iterations + 1;
    return kfi_decayed_rate(options, iterations) / (1 - powf((float)adamax->beta_1, t));
}

static void update(const kfi_update_site *site) {
    const kf_adamax_options *options = site->options;
    kfi_value slots[2];
    const kfi_value in[] = {kfi_weight_value(site->formula, site->weight), site->gradient,
                            site->hyper, kfi_weight_value(site->formula, site->slots[0]),
                            kfi_weight_value(site->formula, site->slots[1])};
    const kfi_update by = {.momentum = (float)options->beta_1,
                           .beta_2 = (float)options->beta_2,
                           .epsilon = (float)options->epsilon};
    const kfi_value weight = kfi_emit_list(site->formula, "adamax_update", &by, in, 5, slots);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    kfi_assign(site->formula, site->slots[0], slots[0]);
    kfi_assign(site->formula, site->slots[1], slots[1]);
}

const kfi_optimizer_class kfi_optimizer_adamax = {
    .name = "Adamax",
    .iterations_name = "Adamax/iterations:0",
    .fields = fields,
    .options_size = sizeof(kf_adamax_options),
    .n_slots = 2,
    .rate = rate,
    .update = update,
    .keras3_slots = {"momentum", "norm"},
};

kf_optimizer *kf_adamax_create(const kf_adamax_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_adamax, options);
}
