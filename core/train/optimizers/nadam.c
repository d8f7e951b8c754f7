/* Nadam: Adam with Nesterov's momentum and a schedule for it,
 *     mu_t = beta_1 (1 - 0.96^(t schedule_decay) / 2),  M_t = mu_1 mu_2 ... mu_t,
 *     m' = beta_1 m + (1 - beta_1) g,  v' = beta_2 v + (1 - beta_2) g^2,
 *     w' = w - lr ((1 - mu_t) / (1 - M_t) g + mu_(t+1) / (1 - M_(t+1)) m')
 *              / (sqrt(v' / (1 - beta_2^t)) + epsilon)
 * Keras does not save M: after loading it is 1 again. It has no decay of the learning rate.
 * Dozat, "Incorporating Nesterov momentum into Adam", 2016. */
#include "core/train/optimizer.h"

#include <math.h>

static const kfi_field fields[] = {
    KFI_FIELD(kf_nadam_options, clipnorm, "clipnorm", kfi_field_real, .otherwise = "0.0",
              .position = 6, .quiet = true, .help = "cuts the norm of all gradients together"),
    KFI_FIELD(kf_nadam_options, clipvalue, "clipvalue", kfi_field_real, .otherwise = "0.0",
              .position = 7, .quiet = true, .help = "cuts each element of the gradients"),
    KFI_FIELD(kf_nadam_options, lr, "lr", kfi_field_float32, .otherwise = "0.002", .position = 1,
              .help = "learning rate"),
    KFI_FIELD(kf_nadam_options, beta_1, "beta_1", kfi_field_float32, .otherwise = "0.9",
              .position = 2, .help = "share of the old mean"),
    KFI_FIELD(kf_nadam_options, beta_2, "beta_2", kfi_field_float32, .otherwise = "0.999",
              .position = 3, .help = "share of the old mean of squares"),
    KFI_FIELD(kf_nadam_options, epsilon, "epsilon", kfi_field_real, .otherwise = "1e-07",
              .position = 4, .help = "keeps the divisor from 0"),
    KFI_FIELD(kf_nadam_options, schedule_decay, "schedule_decay", kfi_field_real,
              .otherwise = "0.004", .position = 5, .help = "how fast the momentum grows to beta_1"),
    KFI_FIELDS_END,
};

static float rate(const void *options, int64_t iterations) {
    (void)iterations;
    return (float)((const kf_nadam_options *)options)->lr;
}

static float momentum_of(const kf_nadam_options *options, float t) {
    return (float)options->beta_1 * (1 - 0.5f * powf(0.96f, t * (float)options->schedule_decay));
}

static float schedule(const kf_optimizer *optimizer) {
    const float t = (float)optimizer->iterations + 1;
    return optimizer->schedule * momentum_of(optimizer->options, t);
}

/* What nadam_update calls a, b and c. */
static void hyper(const kf_optimizer *optimizer, float *hyper) {
    const kf_nadam_options *options = optimizer->options;
    const float t = (float)optimizer->iterations + 1;
    const float now = momentum_of(options, t), next = momentum_of(options, t + 1);
    const float product = schedule(optimizer);
    hyper[1] = (1 - now) / (1 - product);
    hyper[2] = next / (1 - product * next);
    hyper[3] = 1 - powf((float)options->beta_2, t);
}

static void update(const kfi_update_site *site) {
    const kf_nadam_options *options = site->options;
    kfi_value slots[2];
    const kfi_value in[] = {kfi_weight_value(site->formula, site->weight), site->gradient,
                            site->hyper, kfi_weight_value(site->formula, site->slots[0]),
                            kfi_weight_value(site->formula, site->slots[1])};
    const kfi_update by = {.momentum = (float)options->beta_1,
                           .beta_2 = (float)options->beta_2,
                           .epsilon = (float)options->epsilon};
    const kfi_value weight = kfi_emit_list(site->formula, "nadam_update", &by, in, 5, slots);
    if (kfi_is_none(weight)) return;
    kfi_assign(site->formula, site->weight, weight);
    kfi_assign(site->formula, site->slots[0], slots[0]);
    kfi_assign(site->formula, site->slots[1], slots[1]);
}

const kfi_optimizer_class kfi_optimizer_nadam = {
    .name = "Nadam",
    .iterations_name = "Nadam/iterations:0",
    .fields = fields,
    .options_size = sizeof(kf_nadam_options),
    .n_slots = 2,
    .rate = rate,
    .hyper = hyper,
    .schedule = schedule,
    .update = update,
    .keras3_slots = {"momentum", "velocity"},
    .keras3_slot_by_slot = true,
};

kf_optimizer *kf_nadam_create(const kf_nadam_options *options) {
    return kfi_optimizer_new(&kfi_optimizer_nadam, options);
}
