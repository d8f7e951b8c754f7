#include "core/train/standing.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/train/history.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void kfi_standing_free(kfi_standing *standing) {
    if (!standing) return;
    for (int i = 0; i < KF_MAX_CALLBACKS; i++) kfi_free(standing->numbers[i].values);
    kfi_free(standing->states.values);
    kfi_variant_free(standing->fit);
    kfi_free(standing);
}

kfi_variant *kfi_standing_number(double value) {
    if (isnan(value)) return kfi_variant_string("nan");
    if (isinf(value)) return kfi_variant_string(value > 0 ? "inf" : "-inf");
    return kfi_variant_real(value);
}

double kfi_standing_value(const kfi_variant *number) {
    const char *text = kfi_variant_text(number, NULL);
    if (!text) return kfi_variant_to_real(number, 0);
    return strcmp(text, "inf") == 0    ? (double)INFINITY
           : strcmp(text, "-inf") == 0 ? -(double)INFINITY
                                       : (double)NAN;
}

/* --- states of layers ------------------------------------------------------------------------- */

kf_status kfi_states_keep(const kf_model *model, kfi_numbers *states) {
    *states = (kfi_numbers){.count = kfi_model_count_states(model)};
    if (states->count == 0) return KF_OK;
    states->values = kfi_alloc((size_t)states->count, sizeof *states->values);
    if (!states->values) return KF_MEMORY;
    kfi_model_get_states(model, states->values);
    return KF_OK;
}

kf_status kfi_states_restore(kf_model *model, const kfi_numbers *states) {
    if (!states->values) return KF_OK;
    const int64_t count = kfi_model_count_states(model);
    if (states->count != count)
        return kfi_fail(KF_INVALID,
                        "the saved run does not fit the model: its layers keep %lld states, the "
                        "run has %lld",
                        (long long)count, (long long)states->count);
    kfi_model_set_states(model, states->values);
    return KF_OK;
}

/* --- out -------------------------------------------------------------------------------------- */

static kf_status put_integer(kfi_variant *dict, const char *key, int64_t value) {
    return kfi_variant_put(dict, key, kfi_variant_integer(value));
}

static kf_status put_sums(kfi_variant *dict, const kfi_fitting *fit) {
    kfi_variant *sums = kfi_variant_list();
    for (int32_t i = 0; sums && i < fit->n_names; i++)
        if (kfi_variant_append(sums, kfi_standing_number(fit->sums[i])) != KF_OK) {
            kfi_variant_free(sums);
            return KF_MEMORY;
        }
    return kfi_variant_put(dict, "sums", sums);
}

static kf_status put_logs(kfi_variant *dict, const kfi_fitting *fit) {
    kfi_variant *logs = kfi_variant_dict();
    for (int32_t i = 0; logs && fit->ended && i < fit->logs.n; i++)
        if (kfi_variant_put(logs, fit->logs.items[i].name,
                            kfi_standing_number(fit->logs.items[i].value)) != KF_OK) {
            kfi_variant_free(logs);
            return KF_MEMORY;
        }
    return kfi_variant_put(dict, "logs", logs);
}

static kfi_variant *describe(const kfi_own_callback *own) {
    kfi_variant *about = kfi_variant_dict();
    if (about &&
        kfi_variant_put(about, "class_name", kfi_variant_string(own->class->name)) == KF_OK &&
        kfi_variant_put(about, "state", kfi_fields_config(own->class->state_fields, own->state)) ==
            KF_OK)
        return about;
    kfi_variant_free(about);
    return NULL;
}

static kf_status copy_numbers(const kfi_numbers *from, kfi_numbers *to) {
    if (!from->values) return KF_OK;
    to->values = kfi_alloc((size_t)from->count, sizeof *to->values);
    if (!to->values) return KF_MEMORY;
    to->count = from->count;
    memcpy(to->values, from->values, (size_t)from->count * sizeof *to->values);
    return KF_OK;
}

static kf_status put_callbacks(kfi_standing *standing, const kfi_fitting *fit) {
    kfi_variant *list = kfi_variant_list();
    kf_status status = list ? KF_OK : KF_MEMORY;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        const kfi_own_callback *own = kfi_callback_own(fit->callbacks.items[i]);
        if (!own || !own->class || !own->class->state_fields) continue;
        const int64_t place = kfi_variant_count(list);
        status = kfi_variant_append(list, describe(own));
        if (status == KF_OK) status = copy_numbers(&own->numbers, &standing->numbers[place]);
    }
    if (status == KF_OK) return kfi_variant_put(standing->fit, "callbacks", list);
    kfi_variant_free(list);
    return status;
}

kf_status kfi_standing_of(const kfi_fitting *fit, kfi_standing **made) {
    kfi_standing *standing = kfi_alloc(1, sizeof *standing);
    if (!standing) return KF_MEMORY;
    kfi_variant *dict = standing->fit = kfi_variant_dict();
    kf_status status = dict ? put_integer(dict, "epoch", fit->epoch) : KF_MEMORY;
    if (status == KF_OK) status = put_integer(dict, "batch", fit->batch);
    if (status == KF_OK) status = put_integer(dict, "seen", fit->seen);
    if (status == KF_OK) status = put_integer(dict, "callbacks_done", fit->callbacks_done);
    if (status == KF_OK) status = kfi_variant_put(dict, "ended", kfi_variant_bool(fit->ended));
    if (status == KF_OK) status = kfi_variant_put(dict, "stopped", kfi_variant_bool(fit->stopped));
    if (status == KF_OK) status = put_sums(dict, fit);
    if (status == KF_OK) status = put_logs(dict, fit);
    if (status == KF_OK)
        status = kfi_variant_put(dict, "history", kfi_history_variant(fit->history));
    if (status == KF_OK) status = put_callbacks(standing, fit);
    if (status == KF_OK) status = kfi_states_keep(fit->training->model, &standing->states);
    if (status == KF_OK)
        *made = standing;
    else
        kfi_standing_free(standing);
    return status;
}

/* --- and in ----------------------------------------------------------------------------------- */

static kf_status apply_logs(const kfi_variant *logs, kfi_fitting *fit) {
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(logs) && status == KF_OK; i++) {
        const char *name = kfi_variant_key_at(logs, i);
        const double value = kfi_standing_value(kfi_variant_value_at(logs, i));
        const char *known = kfi_fitting_name(fit, name);
        if (known && fit->logs.n < 2 * fit->n_names)
            fit->logs.items[fit->logs.n++] = (kf_log){known, value};
        else
            status = kfi_logs_put(&fit->logs, name, value);
    }
    return status;
}

static kf_status load_callback(kfi_own_callback *own, const kfi_variant *state,
                               const kfi_numbers *numbers) {
    kfi_fields_release(own->class->state_fields, own->state);
    memset(own->state, 0, own->class->state_size);
    kf_status status = kfi_fields_parse(own->class->state_fields, state, own->state, NULL, NULL);
    kfi_free(own->numbers.values);
    own->numbers = (kfi_numbers){0};
    if (status == KF_OK) status = copy_numbers(numbers, &own->numbers);
    own->goes_on = true;
    return kfi_within(status, "%s: ", own->class->name);
}

/* The first callback of that class that has not been told yet. */
static kfi_own_callback *find_callback(const kfi_fitting *fit, const char *name, const bool *loaded,
                                       int *place) {
    for (*place = 0; *place < KF_MAX_CALLBACKS; ++*place) {
        kfi_own_callback *own = kfi_callback_own(fit->callbacks.items[*place]);
        if (own && own->class && own->class->state_fields && !loaded[*place] &&
            strcmp(own->class->name, name) == 0)
            return own;
    }
    return NULL;
}

/* A callback that is new begins afresh; one that is gone is forgotten. */
static kf_status apply_callbacks(const kfi_standing *standing, kfi_fitting *fit) {
    const kfi_variant *list = kfi_variant_get(standing->fit, "callbacks");
    bool loaded[KF_MAX_CALLBACKS] = {false};
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(list) && i < KF_MAX_CALLBACKS; i++) {
        const kfi_variant *about = kfi_variant_at(list, i);
        int place;
        kfi_own_callback *own = find_callback(
            fit, kfi_variant_text(kfi_variant_get(about, "class_name"), ""), loaded, &place);
        if (!own || status != KF_OK) continue;
        loaded[place] = true;
        status = load_callback(own, kfi_variant_get(about, "state"), &standing->numbers[i]);
    }
    return status;
}

static int64_t count_in(const kfi_variant *dict, const char *key) {
    const int64_t value = kfi_variant_to_integer(kfi_variant_get(dict, key), -1);
    return value < 0 || value > INT32_MAX ? -1 : value;
}

kf_status kfi_standing_apply(const kfi_standing *standing, kfi_fitting *fit) {
    if (!standing || !standing->fit) return KF_OK;
    const kfi_variant *dict = standing->fit, *sums = kfi_variant_get(dict, "sums");
    const int64_t epoch = count_in(dict, "epoch"), batch = count_in(dict, "batch"),
                  seen = kfi_variant_to_integer(kfi_variant_get(dict, "seen"), -1),
                  done = count_in(dict, "callbacks_done");
    if (epoch < 0 || batch < 0 || seen < 0 || done < 0 || done > KF_MAX_CALLBACKS ||
        kfi_variant_count(sums) != fit->n_names)
        return kfi_fail(KF_INVALID, "the saved run does not fit how the model is compiled");
    fit->epoch = (int32_t)epoch;
    fit->batch = batch;
    fit->seen = seen;
    fit->callbacks_done = (int32_t)done;
    fit->ended = kfi_variant_truth(kfi_variant_get(dict, "ended"), false);
    fit->stopped = kfi_variant_truth(kfi_variant_get(dict, "stopped"), false);
    for (int32_t i = 0; i < fit->n_names; i++)
        fit->sums[i] = kfi_standing_value(kfi_variant_at(sums, i));
    kf_status status = kfi_history_load(fit->history, kfi_variant_get(dict, "history"));
    if (status == KF_OK) status = apply_logs(kfi_variant_get(dict, "logs"), fit);
    if (status == KF_OK) status = apply_callbacks(standing, fit);
    return status == KF_OK ? kfi_states_restore(fit->training->model, &standing->states) : status;
}
