/* What stands in a file, told rather than refused: for those who look a file over. */
#include "io/hdf5_file.h"
#include "io/keras_file.h"

#include "core/base/memory.h"
#include "kf/data.h"

#include <stdio.h>
#include <string.h>

/* --- data ------------------------------------------------------------------------------------- */

/* Only a lack of memory ends the tour. */
static kf_status note_refusal(kf_status status, char **why) {
    if (status == KF_OK || status == KF_MEMORY) return status;
    *why = kfi_strdup(kf_last_error());
    return *why ? KF_OK : KF_MEMORY;
}

static kf_status visit_entry(kfi_hdf5 *file, const char *group, const char *name,
                             kf_inspector visit, void *context) {
    char *path = kfi_format("%s%s%s", group, group[1] ? "/" : "", name), *why = NULL;
    if (!path) return KF_MEMORY;
    kf_data_entry entry = {.name = name, .filters = ""};
    kfi_hdf5_storage storage;
    kf_status status = kfi_hdf5_describe(file, path, &entry.dtype, &entry.shape);
    if (status == KF_OK) status = kfi_hdf5_storage_of(file, path, &storage);
    if (status == KF_OK) {
        entry.is_data = entry.shape.rank > 0;
        entry.chunk = storage.chunk;
        entry.filters = storage.filters;
        entry.stored_bytes = storage.bytes;
    } else {
        status = note_refusal(status, &why);
        entry.refused = why;
        /* datasets of other things are no data; what cannot be opened may be */
        entry.is_data = kfi_hdf5_is_numeric(file, path) || !kfi_hdf5_exists(file, path);
    }
    if (status == KF_OK) status = visit(context, &entry);
    kfi_free(why);
    kfi_free(path);
    return status;
}

kf_status kf_data_inspect(const char *path, const char *group, kf_inspector visit, void *context) {
    if (!path) return kfi_fail(KF_USAGE, "kf_data_inspect: the path is NULL");
    kfi_hdf5 *file = NULL;
    kfi_strings *names = NULL;
    char *root = kfi_format("/%s", group ? group + strspn(group, "/") : "");
    kf_status status = root ? kfi_hdf5_open(path, &file) : KF_MEMORY;
    if (status == KF_OK) status = kfi_hdf5_list_everything(file, root, &names);
    for (int64_t i = 0; names && i < names->count && status == KF_OK; i++)
        status = visit_entry(file, root, names->items[i], visit, context);
    kfi_free(names);
    kfi_hdf5_close(file);
    kfi_free(root);
    return status;
}

/* --- Keras's files ---------------------------------------------------------------------------- */

static bool says_weights(kfi_hdf5 *file) {
    return kfi_hdf5_has_attribute(file, "/", "layer_names") ||
           kfi_hdf5_has_attribute(file, "/", "layer_names0") ||
           kfi_hdf5_has_attribute(file, "/", "nb_layers");
}

static kf_status kind_of(const char *path, kf_file_kind *kind) {
    kfi_hdf5 *file = NULL;
    const kf_status status = kfi_hdf5_open(path, &file);
    if (status != KF_OK) return status;
    *kind = kfi_hdf5_has_attribute(file, "/", "model_config")               ? KF_FILE_MODEL
            : says_weights(file) || kfi_hdf5_exists(file, "/model_weights") ? KF_FILE_WEIGHTS
                                                                            : KF_FILE_DATA;
    kfi_hdf5_close(file);
    return KF_OK;
}

kf_status kf_file_look(const char *path, kf_file_about *about) {
    if (!path) return kfi_fail(KF_USAGE, "kf_file_look: the path is NULL");
    *about = (kf_file_about){.kind = KF_FILE_DATA};
    kf_status status = kind_of(path, &about->kind);
    if (status != KF_OK || about->kind == KF_FILE_DATA) return status;
    kfi_keras_file *file = NULL;
    status = kfi_keras_open(path, &file);
    if (status != KF_OK) return status;
    about->layers = file->n_layers;
    for (int64_t i = 0; i < file->n_layers; i++) about->weights += file->layers[i].n_weights;
    if (file->keras_version)
        snprintf(about->keras_version, sizeof about->keras_version, "%s", file->keras_version);
    if (file->backend) snprintf(about->backend, sizeof about->backend, "%s", file->backend);
    kfi_keras_close(file);
    return KF_OK;
}
