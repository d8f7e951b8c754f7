/* The dataset over an HDF5 file, read in place.
 * Without a map every numeric array of the file (or group) is a field. Fields that are used
 * together must be equally long; where a file holds arrays of several lengths (train and test,
 * say), `group` or `map` chooses, and the message says so. */
#include "io/dataset.h"
#include "io/hdf5_file.h"

#include "core/base/memory.h"

#include <stdio.h>
#include <string.h>

enum { MAX_FIELDS = 4096 };

typedef struct hdf5_dataset {
    kf_dataset base;
    kfi_hdf5 *file;
    char **paths;    /* of each field, in the file */
    int64_t *firsts; /* of each field: the row that its own slice begins with */
    int64_t start;
} hdf5_dataset;

static kf_status read_rows(kf_dataset *base, const kfi_request *what, void *out) {
    hdf5_dataset *dataset = (hdf5_dataset *)base;
    return kfi_hdf5_read(dataset->file, dataset->paths[what->field],
                         dataset->firsts[what->field] + dataset->start + what->start, what->rows,
                         what->as, out);
}

static void free_dataset(kf_dataset *base) {
    hdf5_dataset *dataset = (hdf5_dataset *)base;
    for (int32_t i = 0; i < base->n_fields; i++) {
        kfi_free((char *)base->fields[i].name);
        kfi_free(dataset->paths[i]);
    }
    kfi_free(base->fields);
    kfi_free(dataset->paths);
    kfi_free(dataset->firsts);
    kfi_hdf5_close(dataset->file);
    kfi_free(dataset);
}

static kf_status check_length(const hdf5_dataset *dataset, const char *name, int64_t length) {
    const kf_dataset *base = &dataset->base;
    if (base->n_fields == 0 || length == base->samples) return KF_OK;
    return kfi_fail(KF_INVALID,
                    "%s: '%s' has %lld rows but '%s' has %lld; choose the fields that belong "
                    "together by group or map",
                    kfi_hdf5_path(dataset->file), base->fields[0].name, (long long)base->samples,
                    name, (long long)length);
}

static kf_status make_room(hdf5_dataset *dataset) {
    kf_dataset *base = &dataset->base;
    if (base->n_fields == MAX_FIELDS)
        return kfi_fail(KF_INVALID, "%s: more than %d datasets", kfi_hdf5_path(dataset->file),
                        MAX_FIELDS);
    const size_t count = (size_t)base->n_fields + 1;
    kfi_field_info *fields = kfi_realloc(base->fields, count, sizeof *fields);
    if (fields) base->fields = fields;
    char **paths = fields ? kfi_realloc(dataset->paths, count, sizeof *paths) : NULL;
    if (paths) dataset->paths = paths;
    int64_t *firsts = paths ? kfi_realloc(dataset->firsts, count, sizeof *firsts) : NULL;
    if (firsts) dataset->firsts = firsts;
    return firsts ? KF_OK : KF_MEMORY;
}

static kf_status add_field(hdf5_dataset *dataset, const char *name, size_t name_bytes,
                           const char *path, kf_dtype dtype, const kf_shape *shape, int64_t first) {
    kf_dataset *base = &dataset->base;
    kf_status status = make_room(dataset);
    if (status != KF_OK) return status;
    char *own = kfi_format("%.*s", (int)name_bytes, name), *own_path = kfi_strdup(path);
    status = own && own_path ? KF_OK : KF_MEMORY;
    if (status == KF_OK && kfi_dataset_find(base, own) >= 0)
        status = kfi_fail(KF_USAGE, "%s: the field '%s' is mapped twice",
                          kfi_hdf5_path(dataset->file), own);
    if (status == KF_OK) status = check_length(dataset, own, shape->dims[0]);
    if (status != KF_OK) {
        kfi_free(own);
        kfi_free(own_path);
        return status;
    }
    kfi_field_info *info = &base->fields[base->n_fields];
    *info = (kfi_field_info){.name = own, .dtype = dtype, .shape = {.rank = shape->rank - 1}};
    memcpy(info->shape.dims, shape->dims + 1, (size_t)info->shape.rank * sizeof(int64_t));
    dataset->firsts[base->n_fields] = first;
    dataset->paths[base->n_fields++] = own_path;
    const int64_t chunk_rows = kfi_hdf5_chunk_rows(dataset->file, own_path);
    if (chunk_rows > base->chunk_rows) base->chunk_rows = chunk_rows;
    base->samples = shape->dims[0];
    return KF_OK;
}

/* Both may begin with a slash or not. */
static char *join(const char *group, const char *name) {
    name += strspn(name, "/");
    if (!group) return kfi_format("/%s", name);
    return kfi_format("/%s/%s", group + strspn(group, "/"), name);
}

/* "dataset[10:20]" into its path and rows; a dataset that is really called so stays one. */
static kf_status take_slice(const hdf5_dataset *dataset, char *path, int64_t *first, int64_t *end) {
    char *bracket = strrchr(path, '[');
    long long from = 0, to = 0;
    int used = 0;
    *first = *end = 0;
    if (!bracket || kfi_hdf5_exists(dataset->file, path)) return KF_OK;
    const bool both = sscanf(bracket, "[%lld:%lld]%n", &from, &to, &used) == 2 && used > 0;
    if (!both && (sscanf(bracket, "[%lld:]%n", &from, &used) != 1 || used == 0)) return KF_OK;
    if (bracket[used]) return KF_OK;
    if (from < 0 || (both && to <= from))
        return kfi_fail(KF_USAGE, "%s: '%s' is no range of rows", kfi_hdf5_path(dataset->file),
                        bracket);
    *bracket = '\0';
    *first = from;
    *end = both ? to : 0;
    return KF_OK;
}

/* The shape with the slice's rows. */
static kf_status cut(const hdf5_dataset *dataset, const char *path, int64_t first, int64_t end,
                     kf_shape *shape) {
    const int64_t length = shape->dims[0];
    if (end == 0) end = length;
    if (first > end || end > length)
        return kfi_fail(KF_USAGE, "%s: rows %lld to %lld of '%s' were asked for, it has %lld",
                        kfi_hdf5_path(dataset->file), (long long)first, (long long)end, path,
                        (long long)length);
    shape->dims[0] = end - first;
    return KF_OK;
}

/* "field=dataset"; the first '=' divides, since dataset names may hold one too. */
static kf_status add_mapped(hdf5_dataset *dataset, const char *group, const char *pair) {
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair || !equals[1])
        return kfi_fail(KF_USAGE, "map: '%s' is not of the form field=dataset", pair);
    char *path = join(group, equals + 1);
    if (!path) return KF_MEMORY;
    kf_dtype dtype;
    kf_shape shape;
    int64_t first, end;
    kf_status status = take_slice(dataset, path, &first, &end);
    if (status == KF_OK) status = kfi_hdf5_describe(dataset->file, path, &dtype, &shape);
    if (status == KF_OK && shape.rank == 0)
        status = kfi_fail(KF_INVALID, "%s: '%s' is a single value, not rows of samples",
                          kfi_hdf5_path(dataset->file), path);
    if (status == KF_OK) status = cut(dataset, path, first, end, &shape);
    if (status == KF_OK)
        status = add_field(dataset, pair, (size_t)(equals - pair), path, dtype, &shape, first);
    kfi_free(path);
    return status;
}

/* Single values and what is not numeric are passed over: files often hold notes beside the data.
 * An array that is numeric but refused is an error here, not later. */
static kf_status add_found(hdf5_dataset *dataset, const char *group, const char *name) {
    char *path = join(group, name);
    if (!path) return KF_MEMORY;
    kf_dtype dtype;
    kf_shape shape = KFI_SCALAR;
    kf_status status = KF_OK;
    if (kfi_hdf5_is_numeric(dataset->file, path))
        status = kfi_hdf5_describe(dataset->file, path, &dtype, &shape);
    if (status == KF_OK && shape.rank > 0)
        status = add_field(dataset, name, strlen(name), path, dtype, &shape, 0);
    kfi_free(path);
    return status;
}

static kf_status add_all(hdf5_dataset *dataset, const char *group) {
    kfi_strings *names;
    char *path = join(group, "");
    kf_status status = path ? kfi_hdf5_list_datasets(dataset->file, path, &names) : KF_MEMORY;
    kfi_free(path);
    if (status != KF_OK) return status;
    for (int64_t i = 0; i < names->count && status == KF_OK; i++)
        status = add_found(dataset, group, names->items[i]);
    kfi_free(names);
    if (status == KF_OK && dataset->base.n_fields == 0)
        status = kfi_fail(KF_INVALID, "%s: no arrays of numbers in '/%s'",
                          kfi_hdf5_path(dataset->file), group ? group : "");
    return status;
}

static kf_status choose_rows(hdf5_dataset *dataset, int64_t start, int64_t end) {
    const int64_t length = dataset->base.samples;
    if (end == 0) end = length;
    if (start < 0 || end > length || start > end)
        return kfi_fail(KF_USAGE, "%s: rows %lld to %lld were asked for, but there are %lld",
                        kfi_hdf5_path(dataset->file), (long long)start, (long long)end,
                        (long long)length);
    dataset->start = start;
    dataset->base.samples = end - start;
    return KF_OK;
}

static kf_status open_all(hdf5_dataset *dataset, const char *path,
                          const kf_dataset_options *options) {
    kf_status status = kfi_hdf5_open(path, &dataset->file);
    for (const char *const *pair = options->map; pair && *pair && status == KF_OK; pair++)
        status = add_mapped(dataset, options->group, *pair);
    const bool mapped = options->map && options->map[0];
    if (status == KF_OK && !mapped) status = add_all(dataset, options->group);
    return status == KF_OK ? choose_rows(dataset, options->start, options->end) : status;
}

kf_dataset *kf_dataset_open_with(const char *path, const kf_dataset_options *options) {
    kf_dataset_options given = {.size = sizeof given};
    if (options) /* an older program's struct is shorter */
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    hdf5_dataset *dataset = kfi_alloc(1, sizeof *dataset);
    if (!dataset) return NULL;
    dataset->base = (kf_dataset){.read = read_rows, .free = free_dataset};
    if (open_all(dataset, path, &given) == KF_OK) return &dataset->base;
    free_dataset(&dataset->base);
    return NULL;
}
