#include "tests/conformance/callbacks.h"

#include "core/base/fields.h"
#include "core/base/memory.h"
#include "core/base/status.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- schedules -------------------------------------------------------------------------------- */

/* sum = product {(+|-) product}, product = power {(*|/) power}, power = value [** power],
 * value = number | epoch | ( sum ). */
typedef struct reader {
    const char *at;
    double epoch;
} reader;

static double read_sum(reader *in, int depth);

static double read_value(reader *in, int depth) {
    in->at += strspn(in->at, " ");
    if (strncmp(in->at, "epoch", 5) == 0) return in->at += 5, in->epoch;
    if (*in->at != '(') {
        char *end;
        const double value = strtod(in->at, &end);
        if (end == in->at) return (double)NAN;
        in->at = end;
        return value;
    }
    in->at++;
    const double value = depth < 16 ? read_sum(in, depth + 1) : (double)NAN;
    in->at += strspn(in->at, " ");
    if (*in->at == ')') in->at++;
    return value;
}

static double read_power(reader *in, int depth) {
    const double base = read_value(in, depth);
    in->at += strspn(in->at, " ");
    if (strncmp(in->at, "**", 2) != 0) return base;
    in->at += 2;
    return pow(base, depth < 16 ? read_power(in, depth + 1) : (double)NAN);
}

static double read_product(reader *in, int depth) {
    double value = read_power(in, depth);
    for (;;) {
        in->at += strspn(in->at, " ");
        const char operation = *in->at;
        if (operation != '*' && operation != '/') return value;
        in->at++;
        const double right = read_power(in, depth);
        value = operation == '*' ? value * right : value / right;
    }
}

static double read_sum(reader *in, int depth) {
    double value = read_product(in, depth);
    for (;;) {
        in->at += strspn(in->at, " ");
        const char operation = *in->at;
        if (operation != '+' && operation != '-') return value;
        in->at++;
        const double right = read_product(in, depth);
        value = operation == '+' ? value + right : value - right;
    }
}

/* The context is the expression, in the case's JSON. */
static double scheduled(void *context, int32_t epoch, double lr) {
    (void)lr;
    return read_sum(&(reader){.at = context, .epoch = epoch}, 0);
}

/* --- making ----------------------------------------------------------------------------------- */

static kf_callback *make_by_name(const char *name, const kfi_variant *about) {
    kfi_variant *arguments = kfi_variant_dict();
    char *text = NULL;
    kf_status status = arguments ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < kfi_variant_count(about) && status == KF_OK; i++) {
        const char *key = kfi_variant_key_at(about, i);
        if (strcmp(key, "class_name") != 0)
            status =
                kfi_variant_put(arguments, key, kfi_variant_copy(kfi_variant_value_at(about, i)));
    }
    if (status == KF_OK) status = kfi_object_print(name, arguments, &text);
    kf_callback *made = status == KF_OK ? kf_callback_named(text) : NULL;
    kfi_variant_free(arguments);
    kfi_free(text);
    return made;
}

kf_status callbacks_make(const kfi_variant *list, kf_callback **made) {
    const int64_t n = kfi_variant_count(list);
    if (n > KF_MAX_CALLBACKS)
        return kfi_fail(KF_INVALID, "the case has %lld callbacks", (long long)n);
    for (int64_t i = 0; i < n; i++) {
        const kfi_variant *about = kfi_variant_at(list, i);
        const char *name = kfi_variant_text(kfi_variant_get(about, "class_name"), "");
        const char *schedule = kfi_variant_text(kfi_variant_get(about, "schedule"), NULL);
        made[i] = schedule ? kf_learning_rate_scheduler(.schedule = scheduled,
                                                        .context = (char *)schedule)
                           : make_by_name(name, about);
        if (!made[i]) return kf_last_status();
        if (kf_callback_error(made[i]) != KF_OK) return kf_callback_error(made[i]);
    }
    return KF_OK;
}

void callbacks_free(kf_callback **made) {
    for (int i = 0; i < KF_MAX_CALLBACKS; i++) kf_callback_free(made[i]);
}
