#include "core/train/files_state.h"
#include "core/train/standing.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FORMAT = 1 };

/* --- out -------------------------------------------------------------------------------------- */

static kfi_variant *state_of(const kfi_training *training, const kfi_standing *standing) {
    const kf_optimizer *optimizer = training->compiled->optimizer;
    const int64_t seed = (int64_t)kfi_training_random(training).key;
    kfi_variant *state = kfi_variant_dict();
    if (state && kfi_variant_put(state, "format", kfi_variant_integer(FORMAT)) == KF_OK &&
        kfi_variant_put(state, "seed", kfi_variant_integer(seed)) == KF_OK &&
        kfi_variant_put(state, "runs", kfi_variant_integer(training->runs)) == KF_OK &&
        kfi_variant_put(state, "iterations", kfi_variant_integer(optimizer->iterations)) == KF_OK &&
        kfi_variant_put(state, "schedule", kfi_variant_real((double)optimizer->schedule)) ==
            KF_OK &&
        kfi_variant_put(state, "fit",
                        standing ? kfi_variant_copy(standing->fit) : kfi_variant_null()) == KF_OK)
        return state;
    kfi_variant_free(state);
    return NULL;
}

static kf_status write_numbers(const kfi_standing *standing, kfi_hdf5 *file) {
    kf_status status = KF_OK;
    for (int i = 0; standing && i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        const kfi_numbers *numbers = &standing->numbers[i];
        if (!numbers->values) continue;
        char path[32];
        snprintf(path, sizeof path, "/kf/callbacks/%d", i);
        status =
            kfi_hdf5_write(file, path, KF_FLOAT32, &KFI_SHAPE(numbers->count), numbers->values);
    }
    if (status == KF_OK && standing && standing->states.values)
        status = kfi_hdf5_write(file, "/kf/states", KF_FLOAT32, &KFI_SHAPE(standing->states.count),
                                standing->states.values);
    return status;
}

static kf_status write_state(const kfi_training *training, const kfi_standing *standing,
                             kfi_hdf5 *file) {
    char *text = NULL;
    kfi_variant *state = state_of(training, standing);
    kf_status status = state ? kfi_json_print(state, &text) : KF_MEMORY;
    kfi_variant_free(state);
    if (status == KF_OK) status = kfi_hdf5_make_group(file, "/kf");
    if (status == KF_OK) status = kfi_hdf5_write_string(file, "/kf", "state", text);
    kfi_free(text);
    return status == KF_OK ? write_numbers(standing, file) : status;
}

/* In the middle of a fit that is where it stands; after it, where it stood. */
kf_status kfi_state_write(const kfi_training *training, kfi_hdf5 *file) {
    if (!training->fit) return write_state(training, training->standing, file);
    kfi_standing *now = NULL;
    kf_status status = kfi_standing_of(training->fit, &now);
    if (status == KF_OK) status = write_state(training, now, file);
    kfi_standing_free(now);
    return status;
}

/* --- and in ----------------------------------------------------------------------------------- */

/* The count is checked against the file's size by whoever reads it. */
static kf_status read_numbers(kfi_hdf5 *file, const char *path, kfi_numbers *numbers) {
    kf_dtype dtype;
    kf_shape shape;
    kf_status status = kfi_hdf5_describe(file, path, &dtype, &shape);
    if (status != KF_OK) return status;
    if (shape.rank != 1) return kfi_fail(KF_INVALID, "%s is not a list of numbers", path);
    numbers->count = shape.dims[0];
    numbers->values = kfi_alloc((size_t)numbers->count, sizeof *numbers->values);
    if (!numbers->values) return KF_MEMORY;
    return kfi_hdf5_read(file, path, 0, numbers->count, KF_FLOAT32, numbers->values);
}

static kf_status read_standing(kfi_training *training, const kfi_variant *fit, kfi_hdf5 *file) {
    if (!kfi_variant_is(fit, KFI_DICT)) return KF_OK;
    kfi_standing *standing = kfi_alloc(1, sizeof *standing);
    if (!standing) return KF_MEMORY;
    standing->fit = kfi_variant_copy(fit);
    kf_status status = standing->fit ? KF_OK : KF_MEMORY;
    for (int i = 0; i < KF_MAX_CALLBACKS && status == KF_OK; i++) {
        char path[32];
        snprintf(path, sizeof path, "/kf/callbacks/%d", i);
        if (kfi_hdf5_exists(file, path)) status = read_numbers(file, path, &standing->numbers[i]);
    }
    if (status == KF_OK && kfi_hdf5_exists(file, "/kf/states"))
        status = read_numbers(file, "/kf/states", &standing->states);
    if (status == KF_OK) {
        kfi_standing_free(training->standing);
        training->standing = standing;
    } else {
        kfi_standing_free(standing);
    }
    return status;
}

static kf_status use_state(kfi_training *training, const kfi_variant *state, kfi_hdf5 *file) {
    kf_optimizer *optimizer = training->compiled->optimizer;
    const int64_t format = kfi_variant_to_integer(kfi_variant_get(state, "format"), 0);
    const int64_t runs = kfi_variant_to_integer(kfi_variant_get(state, "runs"), -1);
    const int64_t iterations = kfi_variant_to_integer(kfi_variant_get(state, "iterations"), -1);
    const double schedule = kfi_variant_to_real(kfi_variant_get(state, "schedule"), (double)NAN);
    if (format != FORMAT)
        return kfi_fail(KF_INVALID, "the state in /kf is of format %lld, only %d is known",
                        (long long)format, FORMAT);
    if (runs < 0 || iterations < 0 || !isfinite(schedule))
        return kfi_fail(KF_INVALID, "the state in /kf is damaged");
    training->has_seed = true;
    training->seed = (uint64_t)kfi_variant_to_integer(kfi_variant_get(state, "seed"), 0);
    training->runs = runs;
    optimizer->iterations = iterations;
    optimizer->schedule = (float)schedule;
    return read_standing(training, kfi_variant_get(state, "fit"), file);
}

kf_status kfi_state_read(kfi_training *training, kfi_hdf5 *file) {
    if (!kfi_hdf5_exists(file, "/kf") || !kfi_hdf5_has_attribute(file, "/kf", "state"))
        return KF_OK;
    char *text = NULL;
    kfi_variant *state = NULL;
    kf_status status = kfi_hdf5_read_string(file, "/kf", "state", &text);
    if (status == KF_OK) status = kfi_json_parse(text, strlen(text), "the state in /kf", &state);
    if (status == KF_OK) status = use_state(training, state, file);
    kfi_free(text);
    kfi_variant_free(state);
    return status;
}
