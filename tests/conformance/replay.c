/* Replays one golden case through the public API and compares what it gives. */
#include "tests/conformance/replay.h"

#include "core/base/memory.h"
#include "core/model/model.h"
#include "tests/conformance/replaying.h"

#include <stdio.h>
#include <string.h>

/* --- comparing -------------------------------------------------------------------------------- */

void replay_check(replay *run, const char *group, const golden_array *expected, const void *got,
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
    kf_array arrays[REPLAY_MAX_ARRAYS];
    if (status == KF_OK && expected.n) status = make_buffers(&expected, got);
    if (status == KF_OK && expected.n)
        status = run_forward(run->model, arrays, replay_all_arrays(run, false, arrays), got);
    for (int32_t i = 0; status == KF_OK && i < expected.n; i++)
        replay_check(run, group, &expected.items[i], got[i], KF_FLOAT32);
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
    kf_array arrays[REPLAY_MAX_ARRAYS];
    if (status == KF_OK && expected.count != kf_metrics(run->model))
        status = kfi_fail(KF_INVALID, "%d numbers reported, Keras reports %lld",
                          kf_metrics(run->model), (long long)expected.count);
    if (status == KF_OK)
        status = kf_test_on_batch(run->model, arrays, replay_all_arrays(run, true, arrays), got);
    if (status == KF_OK) replay_check(run, "test_on_batch", &expected, got, KF_FLOAT64);
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
    kf_array arrays[REPLAY_MAX_ARRAYS];
    if (status == KF_OK) status = make_buffers(&by_weight, weight_got);
    if (status == KF_OK) status = make_buffers(&by_input, input_got);
    if (status == KF_OK && by_weight.n + by_input.n > 0) {
        for (int32_t i = 0; i < by_input.n; i++)
            inputs[input_index(run->model, by_input.items[i].name)] = input_got[i];
        const kf_batch_options options = replay_batch_options(run);
        status = kf_gradients_with(run->model, arrays, replay_all_arrays(run, true, arrays),
                                   weight_got, inputs, &options);
        for (int32_t i = 0; status == KF_OK && i < by_weight.n; i++)
            replay_check(run, "grads", &by_weight.items[i], weight_got[i], KF_FLOAT32);
        for (int32_t i = 0; status == KF_OK && i < by_input.n; i++)
            replay_check(run, "input_grads", &by_input.items[i], input_got[i], KF_FLOAT32);
    }
    free_buffers(weight_got);
    free_buffers(input_got);
    golden_free(&by_weight);
    golden_free(&by_input);
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
        if (status == KF_OK)
            replay_check(run, "weights_after", &expected.items[i], got, KF_FLOAT32);
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
            replay_check(run, "optimizer_weights_after", &expected.items[i], got, KF_FLOAT32);
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
    if (status == KF_OK) status = replay_read_targets(run, "/case/targets", &run->targets);
    if (status == KF_OK) status = replay_read_weights(run, "/case/sample_weights", &run->weights);
    if (status == KF_OK) status = replay_read_classes(run);
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
        kf_array arrays[REPLAY_MAX_ARRAYS];
        const int32_t n_arrays = replay_all_arrays(run, true, arrays);
        status = kf_train_on_batch(run->model, arrays, n_arrays, got + i);
    }
    if (status == KF_OK) replay_check(run, "resume", &expected, got, KF_FLOAT64);
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
    status = replay_compile(run);
    if (status == KF_OK) status = check_test_on_batch(run);
    if (status == KF_OK) status = kf_model_reset_states(run->model);
    if (status == KF_OK) status = check_gradients(run);
    if (status == KF_OK) status = replay_train(run);
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
