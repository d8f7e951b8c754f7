/* What is in a data file: all its arrays, whatever their lengths, without reading them. */
#include "io/dataset.h"
#include "io/hdf5_file.h"

#include "core/base/memory.h"

#include <string.h>

static kf_status visit_one(kfi_hdf5 *file, const char *group, const char *name, kf_lister visit,
                           void *context) {
    char *path = kfi_format("%s%s%s", group, group[1] ? "/" : "", name);
    if (!path) return KF_MEMORY;
    kf_status status = KF_OK;
    if (kfi_hdf5_is_numeric(file, path)) {
        kf_dtype dtype;
        kf_shape shape;
        status = kfi_hdf5_describe(file, path, &dtype, &shape);
        if (status == KF_OK && shape.rank > 0) status = visit(context, name, dtype, &shape);
    }
    kfi_free(path);
    return status;
}

kf_status kf_data_list(const char *path, const char *group, kf_lister visit, void *context) {
    kfi_hdf5 *file = NULL;
    kfi_strings *names = NULL;
    char *root = kfi_format("/%s", group ? group + strspn(group, "/") : "");
    kf_status status = root ? kfi_hdf5_open(path, &file) : KF_MEMORY;
    if (status == KF_OK) status = kfi_hdf5_list_datasets(file, root, &names);
    for (int64_t i = 0; names && i < names->count && status == KF_OK; i++)
        status = visit_one(file, root, names->items[i], visit, context);
    kfi_free(names);
    kfi_hdf5_close(file);
    kfi_free(root);
    return status;
}
