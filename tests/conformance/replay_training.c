/* How a golden case is compiled and trained. */
#include "tests/conformance/replaying.h"

#include "core/base/memory.h"
#include "core/train/training.h"
#include "tests/conformance/callbacks.h"

#include <string.h>

static kfi_variant *copy_of(const kfi_variant *dict, const char *key) {
    const kfi_variant *value = kfi_variant_get(dict, key);
    return kfi_variant_is(value, KFI_NULL) ? NULL : kfi_variant_copy(value);
}

/* With the case's optimizer and the arguments that its compile had. */
kf_status replay_compile(replay *run) {
    kfi_variant *arguments = NULL, *optimizer = NULL;
    kf_status status = golden_json(&run->golden, "/case/train", "compile", &arguments);
    if (status == KF_OK) status = golden_json(&run->golden, "/case/train", "optimizer", &optimizer);
    if (status == KF_OK)
        status = kfi_compile_with(
            run->model, &(kfi_compile_arguments){
                            .optimizer = kfi_optimizer_from_config(optimizer),
                            .loss = copy_of(arguments, "loss"),
                            .metrics = copy_of(arguments, "metrics"),
                            .weighted_metrics = copy_of(arguments, "weighted_metrics"),
                            .loss_weights = copy_of(arguments, "loss_weights"),
                            .sample_weight_mode = copy_of(arguments, "sample_weight_mode")});
    kfi_variant_free(optimizer);
    kfi_variant_free(arguments);
    return status;
}

static kf_status train_on_batches(replay *run) {
    int64_t steps = 0, batch_size = 0;
    golden_array history = {0};
    kf_status status = kfi_hdf5_read_integer(run->golden.file, "/case/train", "steps", &steps);
    if (status == KF_OK)
        status = kfi_hdf5_read_integer(run->golden.file, "/case/train", "batch_size", &batch_size);
    if (status == KF_OK)
        status = golden_read_one(&run->golden, "/case/train/loss_history", &history);
    const int64_t n_values = kf_metrics(run->model);
    if (status == KF_OK && history.count != steps * n_values)
        status = kfi_fail(KF_INVALID, "loss_history has %lld numbers, expected %lld",
                          (long long)history.count, (long long)(steps * n_values));
    double *got = kfi_alloc((size_t)history.count, sizeof *got);
    if (!got) status = KF_MEMORY;
    for (int64_t s = 0; status == KF_OK && s < steps; s++) {
        const int64_t n = replay_rows(run), first = s * batch_size % n;
        const int64_t rows = first + batch_size <= n ? batch_size : n - first;
        kf_array arrays[REPLAY_MAX_ARRAYS];
        const int32_t n_arrays = replay_some_arrays(run, first, rows, arrays);
        const kf_batch_options options = replay_batch_options(run);
        status = kf_train_on_batch_with(run->model, arrays, n_arrays, got + s * n_values, &options);
    }
    if (status == KF_OK) replay_check(run, "loss_history", &history, got, KF_FLOAT64);
    kfi_free(got);
    golden_free_array(&history);
    return status;
}

static kf_status check_history(replay *run, const kf_history *history) {
    golden_list expected;
    kf_status status = golden_read(&run->golden, "/case/train/history", NULL, &expected);
    for (int32_t i = 0; status == KF_OK && i < expected.n; i++) {
        const double *got = kf_history_values(history, expected.items[i].name);
        if (!got || kf_history_epochs(history) != expected.items[i].count)
            status = kfi_fail(KF_INVALID, "the history has no %s of %lld epochs",
                              expected.items[i].name, (long long)expected.items[i].count);
        else
            replay_check(run, "history", &expected.items[i], got, KF_FLOAT64);
    }
    golden_free(&expected);
    return status;
}

/* fit's arguments that a case may have and this runner hands on. */
static kf_status read_fit(const kfi_variant *fit, kf_fit_options *options) {
    for (int64_t i = 0; i < kfi_variant_count(fit); i++) {
        const char *key = kfi_variant_key_at(fit, i);
        const kfi_variant *value = kfi_variant_value_at(fit, i);
        if (strcmp(key, "epochs") == 0)
            options->epochs = (int32_t)kfi_variant_to_integer(value, 1);
        else if (strcmp(key, "initial_epoch") == 0)
            options->initial_epoch = (int32_t)kfi_variant_to_integer(value, 0);
        else if (strcmp(key, "batch_size") == 0)
            options->batch_size = kfi_variant_to_integer(value, 32);
        else if (strcmp(key, "validation_split") == 0)
            options->validation_split = kfi_variant_to_real(value, 0);
        else if (strcmp(key, "shuffle") != 0 && strcmp(key, "verbose") != 0 &&
                 !kfi_variant_is(value, KFI_NULL))
            return kfi_fail(KF_INVALID, "fit(%s=…) is not supported", key);
    }
    return KF_OK;
}

static kf_status fit(replay *run) {
    kfi_variant *arguments = NULL, *callbacks = NULL;
    golden_list inputs = {0}, targets = {0}, weights = {0};
    const golden_list *const lists[] = {&inputs, &targets, &weights};
    kf_history *history = kf_history_new();
    kf_fit_options options = {.size = sizeof options,
                              .shuffle = "false",
                              .history = history,
                              .class_weight = run->class_weight};
    kf_array arrays[REPLAY_MAX_ARRAYS], held_out[REPLAY_MAX_ARRAYS];
    kf_dataset *data = kf_dataset_arrays(arrays, replay_all_arrays(run, true, arrays));
    kf_status status = golden_json(&run->golden, "/case/train", "fit", &arguments);
    if (status == KF_OK) status = golden_json(&run->golden, "/case/train", "callbacks", &callbacks);
    if (status == KF_OK) status = callbacks_make(callbacks, options.callbacks);
    if (status == KF_OK) status = read_fit(arguments, &options);
    if (status == KF_OK)
        status = golden_read(&run->golden, "/case/validation/inputs", NULL, &inputs);
    if (status == KF_OK) status = replay_read_targets(run, "/case/validation/targets", &targets);
    if (status == KF_OK)
        status = replay_read_weights(run, "/case/validation/sample_weights", &weights);
    if (status == KF_OK && inputs.n)
        options.validation_data = kf_dataset_arrays(
            held_out, replay_arrays_of(lists, 0, inputs.items[0].shape.dims[0], held_out));
    if (status == KF_OK) status = kf_fit_with(run->model, data, &options);
    if (status == KF_OK) status = check_history(run, history);
    kf_dataset_free(options.validation_data);
    kf_dataset_free(data);
    kf_history_free(history);
    golden_free(&inputs);
    golden_free(&targets);
    golden_free(&weights);
    kfi_variant_free(arguments);
    callbacks_free(options.callbacks);
    kfi_variant_free(callbacks);
    return status;
}

kf_status replay_train(replay *run) {
    char *mode = NULL;
    kf_status status = kfi_hdf5_read_string(run->golden.file, "/case/train", "mode", &mode);
    if (status == KF_OK && strcmp(mode, "fit") == 0)
        status = fit(run);
    else if (status == KF_OK)
        status = train_on_batches(run);
    kfi_free(mode);
    return status;
}
