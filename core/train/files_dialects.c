#include "core/train/files_dialects.h"

#include "core/base/memory.h"
#include "core/base/status.h"

#include <ctype.h>
#include <string.h>

/* --- names of objects ------------------------------------------------------------------------- */

/* "SparseCategoricalCrossentropy" is sparse_categorical_crossentropy. */
static kfi_variant *snake_case(const char *class_name) {
    char *snake = kfi_alloc(2 * strlen(class_name) + 1, 1);
    if (!snake) return NULL;
    size_t n = 0;
    for (const char *at = class_name; *at; at++) {
        const bool starts =
            isupper((unsigned char)*at) && at > class_name && !isupper((unsigned char)at[-1]);
        if (starts) snake[n++] = '_';
        snake[n++] = (char)tolower((unsigned char)*at);
    }
    kfi_variant *text = kfi_variant_string(snake);
    kfi_free(snake);
    return text;
}

/* The config's name is what the user may have called it; the function is "fn" or the class. */
static kf_status name_object(const kfi_variant *object, kfi_variant **name) {
    const char *class_name = kfi_variant_text(kfi_variant_get(object, "class_name"), NULL);
    const kfi_variant *config = kfi_variant_get(object, "config");
    const char *function = kfi_variant_text(kfi_variant_get(config, "fn"), NULL);
    if (kfi_variant_truth(kfi_variant_get(config, "from_logits"), false))
        return kfi_fail(KF_INVALID, "%s(from_logits=True) is not supported", class_name);
    if (kfi_variant_to_real(kfi_variant_get(config, "label_smoothing"), 0) != 0)
        return kfi_fail(KF_INVALID, "%s(label_smoothing=…) is not supported", class_name);
    if (function)
        *name = kfi_variant_string(function);
    else if (strcmp(class_name, "Accuracy") == 0)
        *name = kfi_variant_string("accuracy");
    else
        *name = snake_case(class_name);
    return *name ? KF_OK : KF_MEMORY;
}

static bool is_object(const kfi_variant *saved) {
    return kfi_variant_is(saved, KFI_DICT) &&
           kfi_variant_text(kfi_variant_get(saved, "class_name"), NULL);
}

static kf_status copy_of(const kfi_variant *saved, kfi_variant **usual) {
    *usual = saved ? kfi_variant_copy(saved) : kfi_variant_null();
    return *usual ? KF_OK : KF_MEMORY;
}

/* --- losses ----------------------------------------------------------------------------------- */

static kf_status loss_of(const kfi_variant *saved, kfi_variant **usual) {
    return is_object(saved) ? name_object(saved, usual) : copy_of(saved, usual);
}

/* A name, or a list or dict of names. */
kf_status kfi_dialect_losses(const kfi_variant *saved, kfi_variant **usual) {
    const bool list = kfi_variant_is(saved, KFI_LIST);
    if (is_object(saved) || (!list && !kfi_variant_is(saved, KFI_DICT)))
        return loss_of(saved, usual);
    kfi_variant *all = list ? kfi_variant_list() : kfi_variant_dict();
    kf_status status = all ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < kfi_variant_count(saved) && status == KF_OK; i++) {
        kfi_variant *one = NULL;
        status = loss_of(list ? kfi_variant_at(saved, i) : kfi_variant_value_at(saved, i), &one);
        if (status == KF_OK && list) status = kfi_variant_append(all, one);
        if (status == KF_OK && !list)
            status = kfi_variant_put(all, kfi_variant_key_at(saved, i), one);
    }
    if (status == KF_OK)
        *usual = all;
    else
        kfi_variant_free(all);
    return status;
}

/* --- metrics ---------------------------------------------------------------------------------- */

/* Adds the metrics of one output, or one metric, to a list. */
static kf_status add_metrics(const kfi_variant *saved, kfi_variant *list) {
    if (kfi_variant_is(saved, KFI_NULL)) return KF_OK;
    if (kfi_variant_is(saved, KFI_LIST)) {
        kf_status status = KF_OK;
        for (int64_t i = 0; i < kfi_variant_count(saved) && status == KF_OK; i++)
            status = add_metrics(kfi_variant_at(saved, i), list);
        return status;
    }
    kfi_variant *one = NULL;
    const kf_status status = loss_of(saved, &one);
    return status == KF_OK ? kfi_variant_append(list, one) : status;
}

static bool holds_lists(const kfi_variant *list) {
    for (int64_t i = 0; i < kfi_variant_count(list); i++)
        if (kfi_variant_is(kfi_variant_at(list, i), KFI_LIST)) return true;
    return false;
}

/* tf.keras writes a list for each output; with one output, or the same for all, that is one list.
 */
static kf_status check_outputs(const kfi_variant *saved) {
    if (!holds_lists(saved) || kfi_variant_count(saved) == 1) return KF_OK;
    return kfi_fail(KF_INVALID, "metrics of several outputs as lists without their names are not "
                                "supported");
}

kf_status kfi_dialect_metrics(const kfi_variant *saved, kfi_variant **usual) {
    if (kfi_variant_is(saved, KFI_DICT) && !is_object(saved)) {
        kfi_variant *all = kfi_variant_dict();
        kf_status status = all ? KF_OK : KF_MEMORY;
        for (int64_t i = 0; i < kfi_variant_count(saved) && status == KF_OK; i++) {
            kfi_variant *list = kfi_variant_list();
            status = list ? add_metrics(kfi_variant_value_at(saved, i), list) : KF_MEMORY;
            if (status == KF_OK)
                status = kfi_variant_put(all, kfi_variant_key_at(saved, i), list);
            else
                kfi_variant_free(list);
        }
        if (status == KF_OK)
            *usual = all;
        else
            kfi_variant_free(all);
        return status;
    }
    if (!kfi_variant_is(saved, KFI_LIST)) return copy_of(saved, usual);
    kfi_variant *list = kfi_variant_list();
    kf_status status = list ? check_outputs(saved) : KF_MEMORY;
    if (status == KF_OK) status = add_metrics(saved, list);
    if (status == KF_OK)
        *usual = list;
    else
        kfi_variant_free(list);
    return status;
}

/* --- Keras 3 ---------------------------------------------------------------------------------- */

kfi_variant *kfi_dialect_3(kfi_variant *optimizer_config) {
    const kfi_variant *given = kfi_variant_get(optimizer_config, "config");
    const char *class_name = kfi_variant_text(kfi_variant_get(optimizer_config, "class_name"), "");
    kfi_variant *config = kfi_variant_dict();
    kf_status status = optimizer_config && config ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < kfi_variant_count(given) && status == KF_OK; i++) {
        const char *key = kfi_variant_key_at(given, i);
        if (strcmp(key, "decay") == 0 || strcmp(key, "schedule_decay") == 0) continue;
        status = kfi_variant_put(config, strcmp(key, "lr") == 0 ? "learning_rate" : key,
                                 kfi_variant_copy(kfi_variant_value_at(given, i)));
    }
    if (status == KF_OK && strcmp(class_name, "Adagrad") == 0) /* there it begins at 0.1 */
        status = kfi_variant_put(config, "initial_accumulator_value", kfi_variant_real(0));
    if (status == KF_OK) {
        status = kfi_variant_put(optimizer_config, "config", config);
        config = NULL;
    }
    kfi_variant_free(config);
    if (status == KF_OK) return optimizer_config;
    kfi_variant_free(optimizer_config);
    return NULL;
}
