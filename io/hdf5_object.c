/* Walking paths: only hard links are followed, so that nothing outside the file and nothing twice
 * in it can be reached. */
#include "io/hdf5_internal.h"

#include "core/base/memory.h"

#include <string.h>

enum {
    MAX_NAME_BYTES = 1024, /* of one part of a path                                          */
    MAX_NAMES = 1 << 20,   /* in one list                                                    */
    MAX_DEPTH = 32,        /* groups in groups, where all are visited                        */
};

kfi_strings *kfi_strings_new(const char *const *strings, int64_t count) {
    size_t bytes = sizeof(kfi_strings) + (size_t)count * sizeof(char *);
    for (int64_t i = 0; i < count; i++) bytes += strlen(strings[i]) + 1;
    kfi_strings *list = kfi_alloc(bytes, 1);
    if (!list) return NULL;
    list->count = count;
    char *at = (char *)&list->items[count];
    for (int64_t i = 0; i < count; i++) {
        list->items[i] = at;
        at = stpcpy(at, strings[i]) + 1;
    }
    return list;
}

static const char *link_name(H5L_type_t type) {
    if (type == H5L_TYPE_SOFT) return "a soft link";
    return type == H5L_TYPE_EXTERNAL ? "an external link" : "a user-defined link";
}

/* The next part of a path into `name`; the rest is returned, NULL where there is none. */
static const char *next_part(const char *path, char name[MAX_NAME_BYTES]) {
    path += strspn(path, "/");
    const size_t bytes = strcspn(path, "/");
    if (!bytes || bytes >= MAX_NAME_BYTES) return NULL;
    memcpy(name, path, bytes);
    name[bytes] = '\0';
    return path + bytes;
}

static kf_status step(kfi_hdf5 *file, const char *path, const char *end, const char *name,
                      hid_t group, hid_t *next) {
    const int shown = (int)(end - path);
    H5L_info_t link;
    if (kfi_h5.Iget_type(group) != H5I_GROUP ||
        kfi_h5.Lget_info(group, name, &link, H5P_DEFAULT) < 0)
        return kfi_fail(KF_INVALID, "%s: there is no '%.*s' in the file", file->path, shown, path);
    if (link.type != H5L_TYPE_HARD)
        return kfi_fail(KF_INVALID, "%s: '%.*s' is %s, which is not followed", file->path, shown,
                        path, link_name(link.type));
    *next = kfi_h5.Oopen(group, name, H5P_DEFAULT);
    return *next < 0 ? kfi_hdf5_refused(file, path, "open it") : KF_OK;
}

kf_status kfi_hdf5_find(kfi_hdf5 *file, const char *path, hid_t *object) {
    if (file->id < 0) return kfi_fail(KF_USAGE, "%s: the file is closed", file->path);
    *object = kfi_h5.Oopen(file->id, "/", H5P_DEFAULT);
    if (*object < 0) return kfi_hdf5_refused(file, "/", "open it");
    char name[MAX_NAME_BYTES];
    const char *at = path;
    for (const char *end; (end = next_part(at, name)); at = end) {
        hid_t next = H5I_INVALID_HID;
        const kf_status status = step(file, path, end, name, *object, &next);
        kfi_h5.Oclose(*object);
        *object = next;
        if (status != KF_OK) return status;
    }
    if (!at[strspn(at, "/")]) return KF_OK;
    kfi_h5.Oclose(*object);
    *object = H5I_INVALID_HID;
    return kfi_fail(KF_INVALID, "%s: a name is longer than %d bytes", file->path,
                    MAX_NAME_BYTES - 1);
}

static H5I_type_t kind_at(kfi_hdf5 *file, const char *path) {
    hid_t object;
    kfi_hdf5_enter();
    H5I_type_t type = H5I_BADID;
    if (kfi_hdf5_find(file, path, &object) == KF_OK) {
        type = kfi_h5.Iget_type(object);
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    return type;
}

bool kfi_hdf5_exists(kfi_hdf5 *file, const char *path) {
    const H5I_type_t type = kind_at(file, path);
    return type == H5I_GROUP || type == H5I_DATASET;
}

bool kfi_hdf5_is_group(kfi_hdf5 *file, const char *path) {
    return kind_at(file, path) == H5I_GROUP;
}

/* Names gathered while the library iterates. */
typedef struct gathering {
    kfi_hdf5 *file;
    const char *group;
    char **names;
    int64_t count, capacity;
    kf_status status;
} gathering;

static herr_t keep(gathering *all, const char *name) {
    if (all->count == MAX_NAMES)
        all->status = kfi_fail(KF_INVALID, "%s: '%s' has more than %d members", all->file->path,
                               all->group, MAX_NAMES);
    if (all->status != KF_OK) return -1;
    void *names = all->names;
    all->status = kfi_reserve(&names, &all->capacity, all->count, sizeof *all->names);
    all->names = names;
    char *copy = all->status == KF_OK ? kfi_strdup(name) : NULL;
    if (!copy) all->status = KF_MEMORY;
    if (copy) all->names[all->count++] = copy;
    return copy ? 0 : -1;
}

static herr_t keep_hard_link(hid_t group, const char *name, const H5L_info_t *link, void *data) {
    (void)group;
    return link->type == H5L_TYPE_HARD ? keep(data, name) : 0;
}

static bool too_deep(const char *name) {
    int depth = 0;
    for (; *name; name++) depth += *name == '/';
    return depth >= MAX_DEPTH;
}

/* What there is, whether it can be opened or not. */
static herr_t keep_all(hid_t group, const char *name, const H5L_info_t *link, void *data) {
    gathering *all = data;
    H5O_info_t about;
    const bool is_group =
        link->type == H5L_TYPE_HARD &&
        kfi_h5.Oget_info_by_name2(group, name, &about, H5O_INFO_BASIC, H5P_DEFAULT) >= 0 &&
        about.type == H5O_TYPE_GROUP;
    return is_group && !too_deep(name) ? 0 : keep(all, name);
}

/* HDF5 goes through every group once, whatever circles its links make. */
static herr_t keep_dataset(hid_t group, const char *name, const H5L_info_t *link, void *data) {
    gathering *all = data;
    if (link->type != H5L_TYPE_HARD)
        all->status = kfi_fail(KF_INVALID,
                               "%s: '%s' in '%s' is %s, which is not followed; choose datasets by "
                               "name or group instead",
                               all->file->path, name, all->group, link_name(link->type));
    else if (too_deep(name))
        all->status = kfi_fail(KF_INVALID, "%s: '%s' has groups more than %d deep", all->file->path,
                               all->group, MAX_DEPTH);
    if (all->status != KF_OK) return -1;
    const hid_t object = kfi_h5.Oopen(group, name, H5P_DEFAULT);
    if (object < 0) {
        all->status = kfi_hdf5_refused(all->file, name, "open it");
        return -1;
    }
    const H5I_type_t type = kfi_h5.Iget_type(object);
    kfi_h5.Oclose(object);
    return type == H5I_DATASET ? keep(all, name) : 0;
}

/* `keep_link` goes through the groups below, too; NULL: hard links of this group alone. */
static kf_status gather(gathering *all, H5L_iterate_t keep_link, kfi_strings **names) {
    hid_t object;
    kf_status status = kfi_hdf5_find(all->file, all->group, &object);
    if (status != KF_OK) return status;
    if (kfi_h5.Iget_type(object) != H5I_GROUP)
        status = kfi_fail(KF_INVALID, "%s: '%s' is not a group", all->file->path, all->group);
    const herr_t done =
        status != KF_OK ? 0
        : keep_link
            ? kfi_h5.Lvisit(object, H5_INDEX_NAME, H5_ITER_INC, keep_link, all)
            : kfi_h5.Literate(object, H5_INDEX_NAME, H5_ITER_INC, NULL, keep_hard_link, all);
    if (status == KF_OK) status = all->status;
    if (status == KF_OK && done < 0) status = kfi_hdf5_refused(all->file, all->group, "list it");
    if (status == KF_OK) *names = kfi_strings_new((const char *const *)all->names, all->count);
    kfi_h5.Oclose(object);
    return status == KF_OK && !*names ? KF_MEMORY : status;
}

static kf_status gather_all(kfi_hdf5 *file, const char *group, H5L_iterate_t keep_link,
                            kfi_strings **names) {
    *names = NULL;
    gathering all = {.file = file, .group = group};
    kfi_hdf5_enter();
    const kf_status status = gather(&all, keep_link, names);
    kfi_hdf5_leave();
    for (int64_t i = 0; i < all.count; i++) kfi_free(all.names[i]);
    kfi_free(all.names);
    return status;
}

kf_status kfi_hdf5_list(kfi_hdf5 *file, const char *group, kfi_strings **names) {
    return gather_all(file, group, NULL, names);
}

kf_status kfi_hdf5_list_datasets(kfi_hdf5 *file, const char *group, kfi_strings **names) {
    return gather_all(file, group, keep_dataset, names);
}

kf_status kfi_hdf5_list_everything(kfi_hdf5 *file, const char *group, kfi_strings **names) {
    return gather_all(file, group, keep_all, names);
}

/* Without times of creation, so that the same content gives the same bytes. */
static hid_t make_one(hid_t parent, const char *name) {
    const hid_t creation = kfi_h5.Pcreate(*kfi_h5.P_CLS_GROUP_CREATE_ID_g);
    if (creation < 0 || kfi_h5.Pset_obj_track_times(creation, false) < 0) return H5I_INVALID_HID;
    const hid_t group = kfi_h5.Gcreate2(parent, name, H5P_DEFAULT, creation, H5P_DEFAULT);
    kfi_h5.Pclose(creation);
    return group;
}

/* The groups along `path`, also the last one if `whole`. */
static kf_status make_groups(kfi_hdf5 *file, const char *path, bool whole) {
    kf_status status = kfi_hdf5_check_writing(file);
    if (status != KF_OK) return status;
    hid_t group = kfi_h5.Oopen(file->id, "/", H5P_DEFAULT);
    char name[MAX_NAME_BYTES];
    const char *at = path;
    for (const char *end; group >= 0 && (end = next_part(at, name)); at = end) {
        if (!whole && !end[strspn(end, "/")]) break;
        const hid_t next = kfi_h5.Lexists(group, name, H5P_DEFAULT) > 0
                               ? kfi_h5.Gopen2(group, name, H5P_DEFAULT)
                               : make_one(group, name);
        kfi_h5.Oclose(group);
        group = next;
    }
    if (group < 0) return kfi_hdf5_refused(file, path, "make the group");
    kfi_h5.Oclose(group);
    return kfi_hdf5_check_disk(file);
}

kf_status kfi_hdf5_make_parents(kfi_hdf5 *file, const char *path) {
    return make_groups(file, path, false);
}

kf_status kfi_hdf5_make_group(kfi_hdf5 *file, const char *path) {
    kfi_hdf5_enter();
    const kf_status status = make_groups(file, path, true);
    kfi_hdf5_leave();
    return status;
}
