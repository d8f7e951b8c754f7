/* EarlyStopping: an epoch is better if its value is beyond the best one by more than min_delta;
 * after `patience` epochs that are not, training stops. */
#include "core/train/callbacks/callback.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/model/model.h"

#include <math.h>
#include <string.h>

typedef kf_early_stopping_options early_stopping;

/* A number whose default is None, held as NaN. */
static kf_status store_baseline(const kfi_field *field, void *member, const kfi_variant *value) {
    if (!kfi_variant_is(value, KFI_NULL)) return kfi_field_real.store(field, member, value);
    *(double *)member = (double)NAN;
    return KF_OK;
}

static kfi_variant *load_baseline(const kfi_field *field, const void *member) {
    return isnan(*(const double *)member) ? kfi_variant_null() : kfi_field_real.load(field, member);
}

static bool baseline_is_unset(const kfi_field *field, const void *member) {
    return kfi_field_real.is_unset(field, member);
}

static size_t baseline_size(const kfi_field *field) { return kfi_field_real.size(field); }

static const kfi_field_type optional = {.name = "a number or None",
                                        .store = store_baseline,
                                        .load = load_baseline,
                                        .is_unset = baseline_is_unset,
                                        .size = baseline_size};

static const kfi_field fields[] = {
    KFI_MONITOR_FIELD(early_stopping),
    KFI_FIELD(early_stopping, min_delta, "min_delta", kfi_field_real, .otherwise = "0",
              .help = "what counts as an improvement"),
    KFI_FIELD(early_stopping, patience, "patience", kfi_field_integer, .otherwise = "0", .low = 0,
              .high = -1, .help = "epochs without improvement"),
    KFI_MONITOR_MODE_FIELD(early_stopping, 5),
    KFI_FIELD(early_stopping, baseline, "baseline", optional, .otherwise = "None", .position = 6,
              .help = "to be beaten from the start"),
    KFI_FIELD(early_stopping, restore_best_weights, "restore_best_weights", kfi_field_bool,
              .otherwise = "False", .position = 7, .help = "go back to the best epoch's weights"),
    KFI_FIELDS_END,
};

typedef struct watch {
    bool has_best;
    double best;
    int64_t wait;
} watch;

static const kfi_field state_fields[] = {
    KFI_FIELD(watch, has_best, "has_best", kfi_field_bool, .otherwise = "False"),
    KFI_FIELD(watch, best, "best", kfi_field_real, .otherwise = "0"),
    KFI_FIELD(watch, wait, "wait", kfi_field_integer, .otherwise = "0"),
    KFI_FIELDS_END,
};

static kf_status train_begin(kf_callback *callback, kf_model *model) {
    (void)model;
    kfi_own_callback *own = kfi_callback_own(callback);
    const early_stopping *options = own->options;
    if (own->goes_on) return own->goes_on = false, KF_OK;
    kfi_free(own->numbers.values);
    own->numbers = (kfi_numbers){0};
    *(watch *)own->state = (watch){0};
    if (!isnan(options->baseline)) *(watch *)own->state = (watch){true, options->baseline, 0};
    return KF_OK;
}

static int64_t count_weights(const kf_model *model) {
    int64_t count = 0;
    for (int32_t i = 0; i < kf_model_weights(model); i++) {
        const kf_shape shape = kf_weight_shape(kf_model_weight(model, i));
        count += kfi_shape_count(&shape);
    }
    return count;
}

static kf_status keep_weights(kfi_numbers *numbers, const kf_model *model) {
    if (!numbers->values) {
        numbers->count = count_weights(model);
        numbers->values = kfi_alloc((size_t)numbers->count, sizeof(float));
    }
    kf_status status = numbers->values ? KF_OK : KF_MEMORY;
    float *at = numbers->values;
    for (int32_t i = 0; i < kf_model_weights(model) && status == KF_OK; i++) {
        const kf_weight *weight = kf_model_weight(model, i);
        const kf_shape shape = kf_weight_shape(weight);
        status = kf_weight_get(weight, at, kfi_shape_count(&shape));
        at += kfi_shape_count(&shape);
    }
    return status;
}

/* Nothing was ever better than the baseline: then there is nothing to go back to. */
static kf_status restore_weights(const kfi_numbers *numbers, kf_model *model) {
    if (!numbers->values) return KF_OK;
    if (numbers->count != count_weights(model))
        return kfi_fail(KF_INVALID, "EarlyStopping: the weights kept are of another model");
    kf_status status = KF_OK;
    const float *at = numbers->values;
    for (int32_t i = 0; i < kf_model_weights(model) && status == KF_OK; i++) {
        kf_weight *weight = kf_model_weight(model, i);
        const kf_shape shape = kf_weight_shape(weight);
        status = kf_weight_set(weight, at, kfi_shape_count(&shape));
        at += kfi_shape_count(&shape);
    }
    return status;
}

static bool is_better(const early_stopping *options, const watch *seen, double value) {
    if (!seen->has_best) return !isnan(value) && !isinf(value);
    if (kfi_wants_more(options->mode, options->monitor))
        return value - options->min_delta > seen->best;
    return value + options->min_delta < seen->best;
}

static kf_status epoch_end(kf_callback *callback, kf_model *model, int32_t epoch,
                           const kf_log *logs, int32_t n_logs) {
    (void)epoch;
    kfi_own_callback *own = kfi_callback_own(callback);
    const early_stopping *options = own->options;
    watch *seen = own->state;
    bool found;
    const double value = kfi_log_value(logs, n_logs, options->monitor, &found);
    if (!found) {
        kfi_callback_warn(model, "Early stopping", options->monitor, logs, n_logs);
        return KF_OK;
    }
    if (is_better(options, seen, value)) {
        *seen = (watch){true, value, 0};
        return options->restore_best_weights ? keep_weights(&own->numbers, model) : KF_OK;
    }
    if (++seen->wait < options->patience) return KF_OK;
    kf_stop_training(model);
    return options->restore_best_weights ? restore_weights(&own->numbers, model) : KF_OK;
}

const kfi_callback_class kfi_callback_early_stopping = {
    .name = "EarlyStopping",
    .typed_name = "early_stopping",
    .fields = fields,
    .options_size = sizeof(early_stopping),
    .state_fields = state_fields,
    .state_size = sizeof(watch),
    .hooks = {.on_train_begin = train_begin, .on_epoch_end = epoch_end},
};

kf_callback *kf_early_stopping_create(const kf_early_stopping_options *options) {
    return kfi_callback_new(&kfi_callback_early_stopping, options);
}
