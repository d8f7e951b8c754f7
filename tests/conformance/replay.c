/* Replays one golden case through the public API and compares what it gives. */
#include "tests/conformance/replay.h"

#include "core/base/memory.h"
#include "core/base/shape.h"
#include "core/model/model.h"
#include "core/train/training.h"
#include "kf.h"
#include "tests/conformance/callbacks.h"
#include "tests/conformance/golden.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct replay {
    golden_case golden;
    kf_graph *graph;
    kf_model *model;
    golden_list inputs, targets, weights;
    kf_class_weight classes[GOLDEN_MAX];
    kf_class_weighting class_weight[GOLDEN_MAX + 1];
    int32_t n_classes, n_weighted; /* of classes, of class_weight */
    kfi_variant *class_weights;    /* what `classes` names outputs by */
    kfi_variant *names;            /* of the outputs, in the order of the model */
    bool agrees;                   /* everything compared so far */
} replay;

/* --- feeding ---------------------------------------------------------------------------------- */

/* Rows [first, first + rows) of the lists, of which some may be NULL. An output that stands twice
 * has the keys name and name#1: then all goes by position. */
static int32_t arrays_of(const golden_list *const lists[3], int64_t first, int64_t rows,
                         kf_array *arrays) {
    int32_t n = 0;
    bool repeated = false;
    for (int32_t i = 0; lists[1] && i < lists[1]->n; i++)
        repeated = repeated || strchr(lists[1]->items[i].name, '#');
    for (int l = 0; l < 3; l++)
        for (int32_t i = 0; lists[l] && i < lists[l]->n; i++) {
            const golden_array *from = &lists[l]->items[i];
            const int64_t row = from->shape.dims[0] ? from->count / from->shape.dims[0] : 0;
            arrays[n] = (kf_array){.name = repeated ? NULL : from->name,
                                   .data = (const char *)from->data +
                                           (size_t)(first * row) * kf_dtype_size(from->dtype),
                                   .dtype = from->dtype,
                                   .shape = from->shape};
            arrays[n++].shape.dims[0] = rows;
        }
    return n;
}

static int64_t rows_of(const replay *run) {
    return run->inputs.n ? run->inputs.items[0].shape.dims[0] : 0;
}

enum { MAX_ARRAYS = 3 * GOLDEN_MAX };

static int32_t some_arrays(const replay *run, int64_t first, int64_t rows, kf_array *arrays) {
    const golden_list *const lists[] = {&run->inputs, &run->targets, &run->weights};
    return arrays_of(lists, first, rows, arrays);
}

static int32_t all_arrays(const replay *run, bool targets, kf_array *arrays) {
    const golden_list *const inputs[] = {&run->inputs, NULL, NULL};
    return targets ? some_arrays(run, 0, rows_of(run), arrays)
                   : arrays_of(inputs, 0, rows_of(run), arrays);
}

/* Weights of samples under the names that kf finds them by. */
static kf_status read_weights(const golden_case *golden, const char *group, golden_list *list) {
    kf_status status = golden_read(golden, group, NULL, list);
    for (int32_t i = 0; status == KF_OK && i < list->n; i++) {
        char *name = kfi_format("%s_sample_weight", list->items[i].name);
        if (!name) return KF_MEMORY;
        kfi_free(list->items[i].name);
        list->items[i].name = name;
    }
    return status;
}

/* {"0": 0.5, …} */
static kf_status add_classes(replay *run, const kfi_variant *dict, const char *output) {
    const kf_class_weight *items = &run->classes[run->n_classes];
    for (int64_t i = 0; i < kfi_variant_count(dict); i++) {
        if (run->n_classes == GOLDEN_MAX) return kfi_fail(KF_INVALID, "too many classes");
        run->classes[run->n_classes++] =
            (kf_class_weight){(int32_t)strtol(kfi_variant_key_at(dict, i), NULL, 10),
                              (float)kfi_variant_to_real(kfi_variant_value_at(dict, i), 1)};
    }
    run->class_weight[run->n_weighted++] =
        (kf_class_weighting){output, items, (int32_t)kfi_variant_count(dict)};
    return KF_OK;
}

/* Or such a dict for each output. */
static kf_status add_outputs(replay *run, const kfi_variant *dict) {
    kf_status status = KF_OK;
    for (int64_t i = 0; i < kfi_variant_count(dict) && i < GOLDEN_MAX && status == KF_OK; i++)
        status = add_classes(run, kfi_variant_value_at(dict, i), kfi_variant_key_at(dict, i));
    return status;
}

static kf_status read_classes(replay *run) {
    if (!golden_has(&run->golden, "/case/train")) return KF_OK;
    const kf_status status =
        golden_json(&run->golden, "/case/train", "class_weight", &run->class_weights);
    if (status != KF_OK || !kfi_variant_count(run->class_weights)) return status;
    return kfi_variant_is(kfi_variant_value_at(run->class_weights, 0), KFI_DICT)
               ? add_outputs(run, run->class_weights)
               : add_classes(run, run->class_weights, NULL);
}

static kf_batch_options batch_options(const replay *run) {
    return (kf_batch_options){.size = sizeof(kf_batch_options), .class_weight = run->class_weight};
}

/* --- comparing -------------------------------------------------------------------------------- */

static void check(replay *run, const char *group, const golden_array *expected, const void *got,
                  kf_dtype dtype) {
    if (!golden_agrees(&run->golden, group, expected, got, dtype)) run->agrees = false;
}

/* Room for the arrays of a list, one buffer each. */
static kf_status make_buffers(const golden_list *like, float **buffers) {
    for (int32_t i = 0; i < like->n; i++) {
        buffers[i] = kfi_alloc((size_t)like->items[i].count, sizeof(float));
        if (!buffers[i]) return KF_MEMORY;
    }
    return KF_OK;
}

static void free_buffers(float **buffers) {
    for (int i = 0; i < GOLDEN_MAX; i++) kfi_free(buffers[i]);
}

typedef kf_status (*forward)(kf_model *, const kf_array *, int32_t, float *const *);

static kf_status check_outputs(replay *run, const char *group, forward run_forward) {
    char *path = kfi_format("/case/%s", group);
    if (!path) return KF_MEMORY;
    golden_list expected = {0};
    kf_status status = KF_OK;
    for (int64_t i = 0;
         status == KF_OK && golden_has(&run->golden, path) && i < kfi_variant_count(run->names);
         i++) {
        char *item = kfi_format("%s/%s", path, kfi_variant_text(kfi_variant_at(run->names, i), ""));
        status =
            item ? golden_read_one(&run->golden, item, &expected.items[expected.n++]) : KF_MEMORY;
        kfi_free(item);
    }
    float *got[GOLDEN_MAX] = {NULL};
    kf_array arrays[MAX_ARRAYS];
    if (status == KF_OK && expected.n) status = make_buffers(&expected, got);
    if (status == KF_OK && expected.n)
        status = run_forward(run->model, arrays, all_arrays(run, false, arrays), got);
    for (int32_t i = 0; status == KF_OK && i < expected.n; i++)
        check(run, group, &expected.items[i], got[i], KF_FLOAT32);
    free_buffers(got);
    golden_free(&expected);
    kfi_free(path);
    return status;
}

/* Stateful layers: what the second and third prediction give, and one after a reset. Training, the
 * test before it and the predictions after it start from zeros again. */
static kf_status check_stateful(replay *run) {
    kf_status status = check_outputs(run, "outputs_call2", kf_predict_on_batch);
    if (status == KF_OK) status = check_outputs(run, "outputs_call3", kf_predict_on_batch);
    if (status == KF_OK) status = kf_model_reset_states(run->model);
    if (status == KF_OK) status = check_outputs(run, "outputs_reset", kf_predict_on_batch);
    return status == KF_OK ? kf_model_reset_states(run->model) : status;
}

static kf_status check_test_on_batch(replay *run) {
    if (!golden_has(&run->golden, "/case/test_on_batch")) return KF_OK;
    golden_array expected;
    kf_status status = golden_read_one(&run->golden, "/case/test_on_batch", &expected);
    double got[GOLDEN_MAX];
    kf_array arrays[MAX_ARRAYS];
    if (status == KF_OK && expected.count != kf_metrics(run->model))
        status = kfi_fail(KF_INVALID, "%d numbers reported, Keras reports %lld",
                          kf_metrics(run->model), (long long)expected.count);
    if (status == KF_OK)
        status = kf_test_on_batch(run->model, arrays, all_arrays(run, true, arrays), got);
    if (status == KF_OK) check(run, "test_on_batch", &expected, got, KF_FLOAT64);
    golden_free_array(&expected);
    return status;
}

/* Golden input gradients by name of input; kf gives them by position. */
static int32_t input_index(const kf_model *model, const char *name) {
    for (int32_t i = 0; i < kf_model_inputs(model); i++)
        if (strcmp(kf_model_input_name(model, i), name) == 0) return i;
    return 0;
}

static kf_status check_gradients(replay *run) {
    golden_list by_weight = {0}, by_input = {0};
    kf_status status = golden_read(&run->golden, "/case/grads", "weight_names", &by_weight);
    if (status == KF_OK) status = golden_read(&run->golden, "/case/input_grads", NULL, &by_input);
    float *weight_got[GOLDEN_MAX] = {NULL}, *input_got[GOLDEN_MAX] = {NULL};
    float *inputs[GOLDEN_MAX] = {NULL};
    kf_array arrays[MAX_ARRAYS];
    if (status == KF_OK) status = make_buffers(&by_weight, weight_got);
    if (status == KF_OK) status = make_buffers(&by_input, input_got);
    if (status == KF_OK && by_weight.n + by_input.n > 0) {
        for (int32_t i = 0; i < by_input.n; i++)
            inputs[input_index(run->model, by_input.items[i].name)] = input_got[i];
        const kf_batch_options options = batch_options(run);
        status = kf_gradients_with(run->model, arrays, all_arrays(run, true, arrays), weight_got,
                                   inputs, &options);
        for (int32_t i = 0; status == KF_OK && i < by_weight.n; i++)
            check(run, "grads", &by_weight.items[i], weight_got[i], KF_FLOAT32);
        for (int32_t i = 0; status == KF_OK && i < by_input.n; i++)
            check(run, "input_grads", &by_input.items[i], input_got[i], KF_FLOAT32);
    }
    free_buffers(weight_got);
    free_buffers(input_got);
    golden_free(&by_weight);
    golden_free(&by_input);
    return status;
}

/* --- training --------------------------------------------------------------------------------- */

static kfi_variant *copy_of(const kfi_variant *dict, const char *key) {
    const kfi_variant *value = kfi_variant_get(dict, key);
    return kfi_variant_is(value, KFI_NULL) ? NULL : kfi_variant_copy(value);
}

/* With the case's optimizer and the arguments that its compile had. */
static kf_status compile(replay *run) {
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
        const int64_t n = rows_of(run), first = s * batch_size % n;
        const int64_t rows = first + batch_size <= n ? batch_size : n - first;
        kf_array arrays[MAX_ARRAYS];
        const int32_t n_arrays = some_arrays(run, first, rows, arrays);
        const kf_batch_options options = batch_options(run);
        status = kf_train_on_batch_with(run->model, arrays, n_arrays, got + s * n_values, &options);
    }
    if (status == KF_OK) check(run, "loss_history", &history, got, KF_FLOAT64);
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
            check(run, "history", &expected.items[i], got, KF_FLOAT64);
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
            options->validation_split = (float)kfi_variant_to_real(value, 0);
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
    kf_array arrays[MAX_ARRAYS], held_out[MAX_ARRAYS];
    kf_dataset *data = kf_dataset_arrays(arrays, all_arrays(run, true, arrays));
    kf_status status = golden_json(&run->golden, "/case/train", "fit", &arguments);
    if (status == KF_OK) status = golden_json(&run->golden, "/case/train", "callbacks", &callbacks);
    if (status == KF_OK) status = callbacks_make(callbacks, options.callbacks);
    if (status == KF_OK) status = read_fit(arguments, &options);
    if (status == KF_OK)
        status = golden_read(&run->golden, "/case/validation/inputs", NULL, &inputs);
    if (status == KF_OK)
        status = golden_read(&run->golden, "/case/validation/targets", NULL, &targets);
    if (status == KF_OK)
        status = read_weights(&run->golden, "/case/validation/sample_weights", &weights);
    if (status == KF_OK && inputs.n)
        options.validation_data = kf_dataset_arrays(
            held_out, arrays_of(lists, 0, inputs.items[0].shape.dims[0], held_out));
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

static kf_status train(replay *run) {
    char *mode = NULL;
    kf_status status = kfi_hdf5_read_string(run->golden.file, "/case/train", "mode", &mode);
    if (status == KF_OK && strcmp(mode, "fit") == 0)
        status = fit(run);
    else if (status == KF_OK)
        status = train_on_batches(run);
    kfi_free(mode);
    return status;
}

/* --- afterwards ------------------------------------------------------------------------------- */

static kf_status check_weights(replay *run, const char *group) {
    golden_list expected;
    kf_status status = golden_read(&run->golden, group, "weight_names", &expected);
    if (status == KF_OK && expected.n && expected.n != kf_model_weights(run->model))
        status = kfi_fail(KF_INVALID, "the model has %d weights, Keras's has %d",
                          kf_model_weights(run->model), expected.n);
    for (int32_t i = 0; status == KF_OK && i < expected.n; i++) {
        float *got = kfi_alloc((size_t)expected.items[i].count, sizeof *got);
        status = got ? kf_weight_get(kf_model_weight(run->model, i), got, expected.items[i].count)
                     : KF_MEMORY;
        if (status == KF_OK) check(run, "weights_after", &expected.items[i], got, KF_FLOAT32);
        kfi_free(got);
    }
    golden_free(&expected);
    return status;
}

static kf_status check_optimizer_after(replay *run) {
    golden_list expected;
    kf_status status =
        golden_read(&run->golden, "/case/optimizer_weights_after", "weight_names", &expected);
    if (status == KF_OK && expected.n && expected.n != kf_optimizer_weights(run->model))
        status = kfi_fail(KF_INVALID, "the optimizer has %d weights, Keras's has %d",
                          kf_optimizer_weights(run->model), expected.n);
    for (int32_t i = 0; status == KF_OK && i < expected.n; i++) {
        float *got = kfi_alloc((size_t)expected.items[i].count, sizeof *got);
        status =
            got ? kf_optimizer_weight_get(run->model, i, got, expected.items[i].count) : KF_MEMORY;
        if (status == KF_OK)
            check(run, "optimizer_weights_after", &expected.items[i], got, KF_FLOAT32);
        kfi_free(got);
    }
    golden_free(&expected);
    return status;
}

/* --- the whole -------------------------------------------------------------------------------- */

static kf_layer *find_deep(kf_layer *const *layers, int32_t n, const char *name) {
    for (int32_t i = 0; i < n; i++) {
        if (strcmp(layers[i]->name, name) == 0) return layers[i];
        kf_layer *const *inner;
        const int32_t n_inner = kfi_layer_inner(layers[i], &inner);
        kf_layer *found = find_deep(inner, n_inner, name);
        if (found) return found;
    }
    return NULL;
}

static kf_status freeze(replay *run) {
    kfi_variant *names = NULL;
    kf_status status = golden_json(&run->golden, "/case", "set_untrainable", &names);
    for (int64_t i = 0; status == KF_OK && i < kfi_variant_count(names); i++) {
        const char *name = kfi_variant_text(kfi_variant_at(names, i), "");
        kf_layer *layer = find_deep(run->model->layers, run->model->n_layers, name);
        if (layer)
            kf_layer_set_trainable(layer, false);
        else
            status = kfi_fail(KF_INVALID, "no layer %s to freeze", name);
    }
    kfi_variant_free(names);
    return status;
}

/* Kind weights_only: the file is what save_weights() wrote, the model stands in the case. */
static bool resumes(const replay *run) { return golden_has(&run->golden, "/case/resume"); }

static kf_status load_weights_only(replay *run) {
    char *config = NULL;
    kf_status status = kfi_hdf5_read_string(run->golden.file, "/case", "model_config", &config);
    if (status != KF_OK) return status;
    run->model = kf_model_from_json(run->graph, config);
    kfi_free(config);
    return kf_load_weights(run->model, run->golden.path);
}

static kf_status load_model(replay *run) {
    if (kfi_hdf5_has_attribute(run->golden.file, "/case", "model_config"))
        return load_weights_only(run);
    run->model = kf_load_with(
        run->graph, run->golden.path,
        &(kf_load_options){.size = sizeof(kf_load_options), .no_compile = !resumes(run)});
    return kf_model_error(run->model);
}

static kf_status load(replay *run) {
    run->graph = kf_graph_new();
    if (!run->graph) return KF_MEMORY;
    kf_status status = load_model(run);
    if (status == KF_OK) status = freeze(run);
    if (status == KF_OK) status = golden_read(&run->golden, "/case/inputs", "names", &run->inputs);
    if (status == KF_OK) status = golden_json(&run->golden, "/case/outputs", "keys", &run->names);
    if (status == KF_OK) status = golden_read(&run->golden, "/case/targets", NULL, &run->targets);
    if (status == KF_OK) status = read_weights(&run->golden, "/case/sample_weights", &run->weights);
    if (status == KF_OK) status = read_classes(run);
    return status;
}

/* The file was saved after the training; it is loaded and trained on. */
static kf_status replay_resume(replay *run) {
    golden_array expected = {0};
    kf_status status = check_weights(run, "/case/weights_after");
    if (status == KF_OK) status = check_optimizer_after(run);
    if (status == KF_OK) status = check_outputs(run, "outputs_after", kf_predict_on_batch);
    if (status == KF_OK)
        status = golden_read_one(&run->golden, "/case/resume/loss_history", &expected);
    const int64_t n_values = kf_metrics(run->model);
    double *got = kfi_alloc((size_t)expected.count, sizeof *got);
    if (!got) status = KF_MEMORY;
    for (int64_t i = 0; status == KF_OK && i + n_values <= expected.count; i += n_values) {
        kf_array arrays[MAX_ARRAYS];
        const int32_t n_arrays = all_arrays(run, true, arrays);
        status = kf_train_on_batch(run->model, arrays, n_arrays, got + i);
    }
    if (status == KF_OK) check(run, "resume", &expected, got, KF_FLOAT64);
    kfi_free(got);
    golden_free_array(&expected);
    return status == KF_OK ? check_weights(run, "/case/resume/weights_after") : status;
}

static kf_status replay_all(replay *run) {
    kf_status status = load(run);
    if (status == KF_OK && resumes(run)) return replay_resume(run);
    if (status == KF_OK) status = check_outputs(run, "outputs", kf_predict_on_batch);
    if (status == KF_OK) status = check_stateful(run);
    if (status == KF_OK) status = check_outputs(run, "outputs_train", kf_forward_on_batch);
    if (status != KF_OK || !golden_has(&run->golden, "/case/train")) return status;
    status = compile(run);
    if (status == KF_OK) status = check_test_on_batch(run);
    if (status == KF_OK) status = kf_model_reset_states(run->model);
    if (status == KF_OK) status = check_gradients(run);
    if (status == KF_OK) status = train(run);
    if (status == KF_OK) status = check_weights(run, "/case/weights_after");
    if (status == KF_OK) status = check_optimizer_after(run);
    if (status == KF_OK) status = kf_model_reset_states(run->model);
    if (status == KF_OK) status = check_outputs(run, "outputs_after", kf_predict_on_batch);
    return status;
}

bool replay_case(const char *path) {
    replay run = {.agrees = true};
    kf_status status = golden_open(path, &run.golden);
    if (status == KF_OK) status = replay_all(&run);
    if (status != KF_OK) printf("  %s\n", kf_last_error());
    golden_free(&run.inputs);
    golden_free(&run.targets);
    golden_free(&run.weights);
    kfi_variant_free(run.class_weights);
    kfi_variant_free(run.names);
    kf_graph_free(run.graph);
    golden_close(&run.golden);
    return status == KF_OK && run.agrees;
}
