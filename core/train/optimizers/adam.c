/* Adam: m' = beta_1 m + (1 - beta_1) g,  v' = beta_2 v + (1 - beta_2) g^2,
 * w' = w - lr_t m' / (sqrt(v') + epsilon),  lr_t = lr sqrt(1 - beta_2^t) / (1 - beta_1^t).
 * Kingma & Ba, "Adam: a method for stochastic optimization", 2014; epsilon as Keras has it. */
#include "core/base/status.h"
#include "core/train/optimizer.h"

#include <math.h>

static const kfi_field fields[] = {
    KFI_FIELD(kf_adam_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0"),
    KFI_FIELD(kf_adam_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0"),
    KFI_FIELD(kf_adam_options, lr, "lr", kfi_field_real, .otherwise = "0.001",
              .help = "learning rate"),
    KFI_FIELD(kf_adam_options, beta_1, "beta_1", kfi_field_real, .otherwise = "0.9",
              .help = "share of the old mean"),
    KFI_FIELD(kf_adam_options, beta_2, "beta_2", kfi_field_real, .otherwise = "0.999",
              .help = "share of the old mean of squares"),
    KFI_FIELD(kf_adam_options, decay, "decay", kfi_field_real, .otherwise = "0",
              .help = "of the learning rate: lr / (1 + decay * iterations)"),
    KFI_FIELD(kf_adam_options, epsilon, "epsilon", kfi_field_real, .otherwise = "1e-07",
              .help = "keeps the divisor from 0"),
    KFI_FIELD(kf_adam_options, amsgrad, "amsgrad", kfi_field_bool, .otherwise = "False",
              .help = "the AMSGrad variant"),
    KFI_FIELDS_END,
};

static kf_status check(const void *options) {
    const kf_adam_options *adam = options;
    if (!adam->amsgrad) return KF_OK;
    return kfi_fail(KF_INVALID, "Adam: amsgrad=True is not supported");
}

static float rate(const void *options, int64_t iterations) {
    const kf_adam_options *adam = options;
    const float t = (float)iterations + 1;
    return kfi_decayed_rate(options, iterations) *
           (sqrtf(1 - powf(adam->beta_2, t)) / (1 - powf(adam->beta_1, t)));
}

static void update(const kfi_update_site *site) {
    const kf_adam_options *options = site->options;
    kfi_value moments[2];
    const kfi_value in[] = {kfi_weight_value(site->formula, site->weight), site->gradient,
                            site->hyper, kfi_weight_value(site->formula, site->slots[0]),
                            kfi_weight_value(site->formula, site->slots[1])};
    const kfi_value weight = kfi_emit_list(site->formula, "adam_update",
                                           &(kfi_update){.momentum = options->beta_1,
                                                         .beta_2 = options->beta_2,
                                                         .epsilon = options->epsilon},
                                           in, 5, moments);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    kfi_assign(site->formula, site->slots[0], moments[0]);
    kfi_assign(site->formula, site->slots[1], moments[1]);
}

const kfi_optimizer_class kfi_optimizer_adam = {
    .name = "Adam",
    .iterations_name = "Adam/iterations:0",
    .fields = fields,
    .options_size = sizeof(kf_adam_options),
    .n_slots = 2,
    .n_empty_slots = 1,
    .check = check,
    .rate = rate,
    .update = update,
};

kf_optimizer *kf_adam_create(const kf_adam_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_adam, options);
}
