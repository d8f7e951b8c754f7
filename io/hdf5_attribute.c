/* Attributes: texts, lists of names, integers. Keras's files need no others. */
#include "io/hdf5_internal.h"

#include "core/base/memory.h"

#include <stdlib.h>
#include <string.h>

enum {
    /* Keras's HDF5_OBJECT_HEADER_LIMIT: what is larger does not fit an object's header */
    FIXED_BYTES = 64512,
    MOST_BYTES = 64 << 20,   /* of one attribute as the file holds it                 */
    MOST_POINTERS = 1 << 16, /* strings in one attribute of variable-length strings; h5py writes no
                                more than FIXED_BYTES of them                         */
    MOST_PARTS = 1 << 14,    /* name0, name1 …                                        */
};

/* An attribute being read. */
typedef struct opened {
    hid_t id, type, space;
    int64_t count;  /* elements */
    char *fixed;    /* the bytes of fixed-length strings … */
    char **varying; /* … or a copy of each of varying length */
} opened;

static void close_opened(opened *attribute) {
    for (int64_t i = 0; attribute->varying && i < attribute->count; i++)
        kfi_free(attribute->varying[i]);
    kfi_free(attribute->varying);
    kfi_free(attribute->fixed);
    if (attribute->space >= 0) kfi_h5.Sclose(attribute->space);
    if (attribute->type >= 0) kfi_h5.Tclose(attribute->type);
    if (attribute->id >= 0) kfi_h5.Aclose(attribute->id);
}

static kf_status check_size(kfi_hdf5 *file, const opened *attribute, const char *name) {
    const hsize_t stored = kfi_h5.Aget_storage_size(attribute->id);
    const bool varying = kfi_h5.Tis_variable_str(attribute->type) > 0;
    const hsize_t most = file->writing || file->disk.bytes > MOST_BYTES ? (hsize_t)MOST_BYTES
                                                                        : (hsize_t)file->disk.bytes;
    if (attribute->count >= 0 && stored <= most && (!varying || attribute->count <= MOST_POINTERS))
        return KF_OK;
    return kfi_fail(KF_INVALID,
                    "%s: the attribute '%s' is absurdly large (%lld elements, %lld bytes)",
                    file->path, name, (long long)attribute->count, (long long)stored);
}

static kf_status open_attribute(kfi_hdf5 *file, hid_t object, const char *name, opened *attribute) {
    *attribute = (opened){H5I_INVALID_HID, H5I_INVALID_HID, H5I_INVALID_HID, 0, NULL, NULL};
    attribute->id = kfi_h5.Aopen(object, name, H5P_DEFAULT);
    if (attribute->id >= 0) attribute->type = kfi_h5.Aget_type(attribute->id);
    if (attribute->id >= 0) attribute->space = kfi_h5.Aget_space(attribute->id);
    if (attribute->type < 0 || attribute->space < 0)
        return kfi_hdf5_refused(file, name, "read this attribute");
    attribute->count = kfi_h5.Sget_simple_extent_npoints(attribute->space);
    return check_size(file, attribute, name);
}

static kf_status load_strings(kfi_hdf5 *file, const char *name, opened *attribute) {
    if (kfi_h5.Tget_class(attribute->type) != H5T_STRING)
        return kfi_fail(KF_INVALID, "%s: the attribute '%s' is no text", file->path, name);
    if (kfi_h5.Tis_variable_str(attribute->type) > 0) {
        attribute->varying = kfi_alloc((size_t)attribute->count, sizeof(char *));
        if (!attribute->varying) return KF_MEMORY;
        return kfi_hdf5_read_varying(file, attribute->id, attribute->type, name, attribute->count,
                                     attribute->varying);
    }
    attribute->fixed = kfi_alloc((size_t)attribute->count, kfi_h5.Tget_size(attribute->type));
    if (!attribute->fixed) return KF_MEMORY;
    return kfi_h5.Aread(attribute->id, attribute->type, attribute->fixed) < 0
               ? kfi_hdf5_refused(file, name, "read this attribute")
               : KF_OK;
}

/* Element `index` and its length, without the padding of fixed-length strings. */
static const char *string_at(const opened *attribute, int64_t index, size_t *bytes) {
    const char *text = "";
    *bytes = 0;
    if (attribute->varying) {
        if (attribute->varying[index]) text = attribute->varying[index];
        *bytes = strlen(text);
        return text;
    }
    const size_t size = kfi_h5.Tget_size(attribute->type);
    text = attribute->fixed + (size_t)index * size;
    *bytes = strnlen(text, size);
    if (kfi_h5.Tget_strpad(attribute->type) == H5T_STR_SPACEPAD)
        while (*bytes && text[*bytes - 1] == ' ') --*bytes;
    return text;
}

static char *copy_string(const opened *attribute, int64_t index) {
    size_t bytes;
    const char *text = string_at(attribute, index, &bytes);
    char *copy = kfi_alloc(bytes + 1, 1);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

static kf_status read_string(kfi_hdf5 *file, hid_t object, const char *name, char **text) {
    opened attribute;
    kf_status status = open_attribute(file, object, name, &attribute);
    if (status == KF_OK && attribute.count != 1)
        status = kfi_fail(KF_INVALID, "%s: the attribute '%s' has %lld elements, not one text",
                          file->path, name, (long long)attribute.count);
    if (status == KF_OK) status = load_strings(file, name, &attribute);
    if (status == KF_OK) *text = copy_string(&attribute, 0);
    if (status == KF_OK && !*text) status = KF_MEMORY;
    close_opened(&attribute);
    return status;
}

/* `object` found, and `missing` told if it has no such attribute. */
static kf_status find_with(kfi_hdf5 *file, const char *path, const char *name, hid_t *object) {
    const kf_status status = kfi_hdf5_find(file, path, object);
    if (status != KF_OK || kfi_h5.Aexists(*object, name) > 0) return status;
    kfi_h5.Oclose(*object);
    return kfi_fail(KF_INVALID, "%s: '%s' has no attribute '%s'", file->path, path, name);
}

bool kfi_hdf5_has_attribute(kfi_hdf5 *file, const char *path, const char *name) {
    hid_t object;
    kfi_hdf5_enter();
    bool has = kfi_hdf5_find(file, path, &object) == KF_OK;
    if (has) {
        has = kfi_h5.Aexists(object, name) > 0;
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    return has;
}

kf_status kfi_hdf5_read_string(kfi_hdf5 *file, const char *path, const char *name, char **text) {
    hid_t object;
    *text = NULL;
    kfi_hdf5_enter();
    kf_status status = find_with(file, path, name, &object);
    if (status == KF_OK) {
        status = kfi_within(read_string(file, object, name, text), "%s: ", path);
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    return status;
}

/* Names gathered from one attribute or from several parts. */
typedef struct names {
    char **items;
    int64_t count, capacity;
} names;

static kf_status add_names(kfi_hdf5 *file, hid_t object, const char *name, names *all) {
    opened attribute;
    kf_status status = open_attribute(file, object, name, &attribute);
    /* an empty list has whatever type: h5py makes it float64 */
    if (status == KF_OK && attribute.count > 0) status = load_strings(file, name, &attribute);
    for (int64_t i = 0; i < attribute.count && status == KF_OK; i++) {
        void *items = all->items;
        status = kfi_reserve(&items, &all->capacity, all->count, sizeof *all->items);
        all->items = items;
        char *copy = status == KF_OK ? copy_string(&attribute, i) : NULL;
        if (copy) all->items[all->count++] = copy;
        if (!copy) status = KF_MEMORY;
    }
    close_opened(&attribute);
    return status;
}

static kf_status add_parts(kfi_hdf5 *file, hid_t object, const char *path, const char *name,
                           names *all) {
    kf_status status = KF_OK;
    for (int part = 0; part < MOST_PARTS && status == KF_OK; part++) {
        char *part_name = kfi_format("%s%d", name, part);
        if (!part_name) return KF_MEMORY;
        const bool there = kfi_h5.Aexists(object, part_name) > 0;
        if (there) status = add_names(file, object, part_name, all);
        kfi_free(part_name);
        if (!there && part == 0)
            return kfi_fail(KF_INVALID, "%s: '%s' has no attribute '%s'", file->path, path, name);
        if (!there) break;
    }
    return status;
}

kf_status kfi_hdf5_read_strings(kfi_hdf5 *file, const char *path, const char *name,
                                kfi_strings **strings) {
    *strings = NULL;
    hid_t object;
    names all = {0};
    kfi_hdf5_enter();
    kf_status status = kfi_hdf5_find(file, path, &object);
    if (status == KF_OK) {
        status = kfi_h5.Aexists(object, name) > 0 ? add_names(file, object, name, &all)
                                                  : add_parts(file, object, path, name, &all);
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    if (status == KF_OK) *strings = kfi_strings_new((const char *const *)all.items, all.count);
    for (int64_t i = 0; i < all.count; i++) kfi_free(all.items[i]);
    kfi_free(all.items);
    return status == KF_OK && !*strings ? KF_MEMORY : status;
}

kf_status kfi_hdf5_read_integer(kfi_hdf5 *file, const char *path, const char *name,
                                int64_t *value) {
    hid_t object;
    opened attribute;
    kfi_hdf5_enter();
    kf_status status = find_with(file, path, name, &object);
    if (status == KF_OK) {
        status = open_attribute(file, object, name, &attribute);
        const bool integer = kfi_h5.Tget_class(attribute.type) == H5T_INTEGER &&
                             kfi_h5.Tget_size(attribute.type) <= 8 && attribute.count == 1;
        if (status == KF_OK && !integer)
            status = kfi_fail(KF_INVALID, "%s: the attribute '%s' of '%s' is not one integer",
                              file->path, name, path);
        if (status == KF_OK && kfi_h5.Aread(attribute.id, *kfi_h5.T_NATIVE_INT64_g, value) < 0)
            status = kfi_hdf5_refused(file, name, "read this attribute");
        close_opened(&attribute);
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    return status;
}

static bool is_ascii(const char *text) {
    for (; *text; text++)
        if ((unsigned char)*text > 127) return false;
    return true;
}

/* Strings of `bytes` each, NULLPAD; H5T_VARIABLE: of any length. */
static hid_t string_type(size_t bytes, bool ascii) {
    const hid_t type = kfi_h5.Tcopy(*kfi_h5.T_C_S1_g);
    if (type < 0) return type;
    if (kfi_h5.Tset_size(type, bytes) >= 0 &&
        kfi_h5.Tset_strpad(type, bytes == H5T_VARIABLE ? H5T_STR_NULLTERM : H5T_STR_NULLPAD) >= 0 &&
        kfi_h5.Tset_cset(type, ascii ? H5T_CSET_ASCII : H5T_CSET_UTF8) >= 0)
        return type;
    kfi_h5.Tclose(type);
    return H5I_INVALID_HID;
}

/* Takes over type and space. */
static kf_status write_attribute(kfi_hdf5 *file, hid_t object, const char *name, hid_t type,
                                 hid_t space, const void *data) {
    hid_t id = H5I_INVALID_HID;
    if (type >= 0 && space >= 0)
        id = kfi_h5.Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool written = id >= 0 && (!data || kfi_h5.Awrite(id, type, data) >= 0);
    const kf_status status =
        written ? kfi_hdf5_check_disk(file) : kfi_hdf5_refused(file, name, "write this attribute");
    if (id >= 0) kfi_h5.Aclose(id);
    if (type >= 0) kfi_h5.Tclose(type);
    if (space >= 0) kfi_h5.Sclose(space);
    return status;
}

static kf_status write_string(kfi_hdf5 *file, hid_t object, const char *name, const char *text) {
    const size_t bytes = strlen(text);
    const bool fits = bytes <= FIXED_BYTES;
    const size_t size = fits ? bytes + !bytes : H5T_VARIABLE; /* HDF5 has no strings of 0 bytes */
    return write_attribute(file, object, name, string_type(size, is_ascii(text)),
                           kfi_h5.Screate(H5S_SCALAR), fits ? (const void *)text : &text);
}

kf_status kfi_hdf5_write_string(kfi_hdf5 *file, const char *path, const char *name,
                                const char *text) {
    hid_t object;
    kfi_hdf5_enter();
    kf_status status = kfi_hdf5_check_writing(file);
    if (status == KF_OK) status = kfi_hdf5_find(file, path, &object);
    if (status == KF_OK) {
        status = kfi_within(write_string(file, object, name, text), "%s: ", path);
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    return status;
}

typedef struct name_list {
    const char *const *items;
    int64_t count;
    size_t longest;
    bool ascii;
} name_list;

static kf_status write_list(kfi_hdf5 *file, hid_t object, const char *name, name_list list) {
    const hsize_t dims[1] = {(hsize_t)list.count};
    const hid_t space = kfi_h5.Screate_simple(1, dims, NULL);
    if (list.count == 0)
        return write_attribute(file, object, name, kfi_h5.Tcopy(*kfi_h5.T_IEEE_F64LE_g), space,
                               NULL);
    char *bytes = kfi_alloc((size_t)list.count, list.longest);
    if (!bytes) {
        if (space >= 0) kfi_h5.Sclose(space);
        return KF_MEMORY;
    }
    for (int64_t i = 0; i < list.count; i++)
        memcpy(bytes + (size_t)i * list.longest, list.items[i], strlen(list.items[i]));
    const kf_status status =
        write_attribute(file, object, name, string_type(list.longest, list.ascii), space, bytes);
    kfi_free(bytes);
    return status;
}

/* numpy's array_split: the first count % parts parts are one longer. */
static kf_status write_part(kfi_hdf5 *file, hid_t object, const char *name, name_list list,
                            int64_t part, int64_t parts) {
    const int64_t least = list.count / parts, longer = list.count % parts;
    name_list slice = list;
    slice.items += part * least + (part < longer ? part : longer);
    slice.count = least + (part < longer);
    char *part_name = kfi_format("%s%lld", name, (long long)part);
    if (!part_name) return KF_MEMORY;
    const kf_status status = write_list(file, object, part_name, slice);
    kfi_free(part_name);
    return status;
}

static kf_status write_lists(kfi_hdf5 *file, hid_t object, const char *name, name_list list) {
    int64_t parts = 1;
    while ((size_t)((list.count + parts - 1) / parts) * list.longest > FIXED_BYTES) parts++;
    if (parts == 1) return write_list(file, object, name, list);
    kf_status status = KF_OK;
    for (int64_t part = 0; part < parts && status == KF_OK; part++)
        status = write_part(file, object, name, list, part, parts);
    return status;
}

kf_status kfi_hdf5_write_strings(kfi_hdf5 *file, const char *path, const char *name,
                                 const char *const *strings, int64_t count) {
    name_list list = {strings, count, 1, true};
    for (int64_t i = 0; i < count; i++) {
        const size_t bytes = strlen(strings[i]);
        if (bytes > FIXED_BYTES)
            return kfi_fail(KF_INVALID, "%s: a name in '%s' is longer than %d bytes", file->path,
                            name, FIXED_BYTES);
        if (bytes > list.longest) list.longest = bytes;
        list.ascii = list.ascii && is_ascii(strings[i]);
    }
    hid_t object;
    kfi_hdf5_enter();
    kf_status status = kfi_hdf5_check_writing(file);
    if (status == KF_OK) status = kfi_hdf5_find(file, path, &object);
    if (status == KF_OK) {
        status = kfi_within(write_lists(file, object, name, list), "%s: ", path);
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    return status;
}
