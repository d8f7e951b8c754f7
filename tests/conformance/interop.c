/* Files that Keras 0.x to 3.x wrote, found in public repositories: kf-conformance --interop DIR. */
#include "tests/conformance/interop.h"

#include "core/base/memory.h"
#include "kf.h"
#include "tests/conformance/golden.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What must be refused, and a word of the reason. Weights alone are no model. */
static const struct {
    const char *file, *reason;
} refused[] = {
    {"a3c_breakout_actor.h5", "No model found"},
    {"attention_2.11.h5", "Attention"},
    {"deepfm_2.2.4tf.h5", "Lambda"},
    {"dragonn_keras0.h5", "No model found"},
    {"keras2cpp_weights.h5", "No model found"},
    {"lambda_model_2.0.9.h5", "Lambda"},
    {"music_crnn_tf.h5", "No model found"},
    {"qkeras_weights.h5", "No model found"},
    {"tfk_tfoplayer.h5", "TensorFlowOpLayer"},
};

static const char *reason_to_refuse(const char *file) {
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (strcmp(refused[i].file, file) == 0) return refused[i].reason;
    return NULL;
}

/* --- predictions ------------------------------------------------------------------------------ */

static int32_t output_index(const kf_model *model, const char *name) {
    for (int32_t i = 0; i < kf_model_outputs(model); i++)
        if (strcmp(kf_model_output_name(model, i), name) == 0) return i;
    return 0;
}

static kf_status predict(kf_model *model, const golden_case *io, const golden_list *inputs,
                         const golden_list *expected, bool *agrees) {
    kf_array arrays[GOLDEN_MAX];
    float *got[GOLDEN_MAX] = {NULL};
    kf_status status = KF_OK;
    for (int32_t i = 0; i < inputs->n; i++)
        arrays[i] = (kf_array){.data = inputs->items[i].data,
                               .dtype = inputs->items[i].dtype,
                               .shape = inputs->items[i].shape};
    for (int32_t i = 0; i < expected->n && status == KF_OK; i++) {
        const int32_t at = output_index(model, expected->items[i].name);
        got[at] = kfi_alloc((size_t)expected->items[i].count, sizeof(float));
        if (!got[at]) status = KF_MEMORY;
    }
    if (status == KF_OK) status = kf_predict_on_batch(model, arrays, inputs->n, got);
    for (int32_t i = 0; i < expected->n && status == KF_OK; i++)
        if (!golden_agrees(io, "predictions", &expected->items[i],
                           got[output_index(model, expected->items[i].name)], KF_FLOAT32))
            *agrees = false;
    for (int32_t i = 0; i < GOLDEN_MAX; i++) kfi_free(got[i]);
    return status;
}

/* NAME.io.h5 beside NAME.h5, if it is there. */
static kf_status check_predictions(kf_model *model, const char *path, bool *agrees) {
    char *io_path = kfi_format("%.*s.io.h5", (int)(strlen(path) - strlen(".h5")), path);
    if (!io_path) return KF_MEMORY;
    golden_case io = {.path = io_path};
    golden_list inputs = {0}, expected = {0};
    kf_status status = KF_OK;
    FILE *there = fopen(io_path, "rb");
    if (there) {
        fclose(there);
        status = kfi_hdf5_open(io_path, &io.file);
        if (status == KF_OK) status = golden_read(&io, "/inputs", NULL, &inputs);
        if (status == KF_OK) status = golden_read(&io, "/predictions", NULL, &expected);
        if (status == KF_OK) status = predict(model, &io, &inputs, &expected, agrees);
    }
    golden_free(&inputs);
    golden_free(&expected);
    kfi_hdf5_close(io.file);
    kfi_free(io_path);
    return status;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool check_file(const char *folder, const char *file) {
    char *path = kfi_format("%s/%s", folder, file);
    kf_graph *graph = kf_graph_new();
    const char *reason = reason_to_refuse(file);
    kf_model *model = kf_load(graph, path);
    bool good = true;
    kf_status status = kf_model_error(model);
    if (reason)
        good = status != KF_OK && strstr(kf_last_error(), reason);
    else if (status == KF_OK)
        status = check_predictions(model, path, &good);
    if (!reason && status != KF_OK) good = false;
    if (!good)
        printf("FAILED %s: %s\n", file,
               status == KF_OK ? reason ? "was not refused" : "predicts otherwise"
                               : kf_last_error());
    kf_graph_free(graph);
    kfi_free(path);
    return good;
}

static int is_model(const struct dirent *entry) {
    const char *end = strstr(entry->d_name, ".h5");
    return end && strcmp(end, ".h5") == 0 && !strstr(entry->d_name, ".io.");
}

int interop_folder(const char *folder) {
    struct dirent **entries = NULL;
    const int n = scandir(folder, &entries, is_model, alphasort);
    int failed = 0;
    for (int i = 0; i < n; i++) {
        failed += !check_file(folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    printf("%d files of other versions of Keras: %d as they should, %d not\n", n < 0 ? 0 : n,
           n < 0 ? 0 : n - failed, failed);
    return n > 0 ? failed : 1;
}
