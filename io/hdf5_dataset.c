/* Datasets. What a file declares is checked against what it stores before anyone allocates room
 * for it: a few bytes can declare petabytes. */
#include "io/hdf5_internal.h"

#include "core/base/memory.h"

#include <stdio.h>
#include <string.h>

enum {
    DEFLATE_RATIO = 1032,        /* the most that deflate can compress (zlib's technical notes)   */
    MOST_CACHE_BYTES = 64 << 20, /* chunks kept decompressed for one dataset                   */
};

hid_t kfi_hdf5_native_type(kf_dtype dtype) {
    switch (dtype) {
    case KF_FLOAT32:
        return *kfi_h5.T_NATIVE_FLOAT_g;
    case KF_FLOAT64:
        return *kfi_h5.T_NATIVE_DOUBLE_g;
    case KF_INT8:
        return *kfi_h5.T_NATIVE_INT8_g;
    case KF_UINT8:
        return *kfi_h5.T_NATIVE_UINT8_g;
    case KF_INT16:
        return *kfi_h5.T_NATIVE_INT16_g;
    case KF_UINT16:
        return *kfi_h5.T_NATIVE_UINT16_g;
    case KF_INT32:
        return *kfi_h5.T_NATIVE_INT32_g;
    case KF_UINT32:
        return *kfi_h5.T_NATIVE_UINT32_g;
    case KF_INT64:
        return *kfi_h5.T_NATIVE_INT64_g;
    case KF_N_DTYPES:
        break;
    }
    return H5I_INVALID_HID;
}

/* The kf_dtype of a type in a file, KF_N_DTYPES if there is none. */
static kf_dtype integer_dtype(hid_t type, bool *is_uint64) {
    const bool is_signed = kfi_h5.Tget_sign(type) != H5T_SGN_NONE;
    const size_t size = kfi_h5.Tget_size(type);
    if (kfi_h5.Tget_precision(type) != 8 * size) return KF_N_DTYPES;
    switch (size) {
    case 1:
        return is_signed ? KF_INT8 : KF_UINT8;
    case 2:
        return is_signed ? KF_INT16 : KF_UINT16;
    case 4:
        return is_signed ? KF_INT32 : KF_UINT32;
    case 8:
        *is_uint64 = !is_signed;
        return KF_INT64;
    default:
        return KF_N_DTYPES;
    }
}

/* Half floats (numpy's float16) widen to float32 without loss. */
static bool is_half(hid_t type) {
    size_t sign, exponent, exponent_bits, mantissa, mantissa_bits;
    return kfi_h5.Tget_size(type) == 2 &&
           kfi_h5.Tget_fields(type, &sign, &exponent, &exponent_bits, &mantissa, &mantissa_bits) >=
               0 &&
           sign == 15 && exponent == 10 && exponent_bits == 5 && mantissa == 0 &&
           mantissa_bits == 10;
}

static kf_dtype real_dtype(hid_t type) {
    if (kfi_h5.Tequal(type, *kfi_h5.T_IEEE_F32LE_g) > 0 ||
        kfi_h5.Tequal(type, *kfi_h5.T_IEEE_F32BE_g) > 0)
        return KF_FLOAT32;
    if (kfi_h5.Tequal(type, *kfi_h5.T_IEEE_F64LE_g) > 0 ||
        kfi_h5.Tequal(type, *kfi_h5.T_IEEE_F64BE_g) > 0)
        return KF_FLOAT64;
    return is_half(type) ? KF_FLOAT32 : KF_N_DTYPES;
}

/* h5py writes numpy's bool as an enumeration of FALSE and TRUE over int8. */
static bool is_bool(hid_t type) {
    int8_t value = 0;
    return kfi_h5.Tget_size(type) == 1 && kfi_h5.Tget_nmembers(type) == 2 &&
           kfi_h5.Tenum_valueof(type, "FALSE", &value) >= 0 && value == 0 &&
           kfi_h5.Tenum_valueof(type, "TRUE", &value) >= 0 && value == 1;
}

static const char *class_name(H5T_class_t class) {
    switch (class) {
    case H5T_INTEGER:
        return "integers of an unusual size";
    case H5T_FLOAT:
        return "floats of an unusual format";
    case H5T_STRING:
        return "strings";
    case H5T_COMPOUND:
        return "compound records";
    case H5T_REFERENCE:
        return "references";
    case H5T_ENUM:
        return "an enumeration that is not a bool";
    case H5T_VLEN:
        return "lists of varying length";
    case H5T_ARRAY:
        return "arrays as elements";
    default:
        return "elements of an unknown kind";
    }
}

static kf_dtype dtype_of(hid_t type, bool *is_uint64) {
    const H5T_class_t class = kfi_h5.Tget_class(type);
    if (class == H5T_INTEGER) return integer_dtype(type, is_uint64);
    if (class == H5T_FLOAT) return real_dtype(type);
    return class == H5T_ENUM && is_bool(type) ? KF_UINT8 : KF_N_DTYPES;
}

bool kfi_hdf5_is_numeric(kfi_hdf5 *file, const char *path) {
    hid_t object;
    bool is_uint64, numeric = false;
    kfi_hdf5_enter();
    if (kfi_hdf5_find(file, path, &object) == KF_OK) {
        const hid_t type =
            kfi_h5.Iget_type(object) == H5I_DATASET ? kfi_h5.Dget_type(object) : H5I_INVALID_HID;
        numeric = type >= 0 && dtype_of(type, &is_uint64) != KF_N_DTYPES;
        if (type >= 0) kfi_h5.Tclose(type);
        kfi_h5.Oclose(object);
    }
    kfi_hdf5_leave();
    return numeric;
}

static kf_status read_type(kfi_hdf5 *file, hid_t type, kfi_hdf5_dataset *dataset) {
    const H5T_class_t class = kfi_h5.Tget_class(type);
    dataset->dtype = dtype_of(type, &dataset->is_uint64);
    if (dataset->dtype == KF_N_DTYPES)
        return kfi_fail(KF_INVALID, "%s: '%s' holds %s, not numbers that kf can read", file->path,
                        dataset->path, class_name(class));
    dataset->memory_type =
        kfi_h5.Tcopy(class == H5T_ENUM    ? type
                     : dataset->is_uint64 ? *kfi_h5.T_NATIVE_UINT64_g
                                          : kfi_hdf5_native_type(dataset->dtype));
    return dataset->memory_type < 0 ? kfi_hdf5_refused(file, dataset->path, "read its type")
                                    : KF_OK;
}

static kf_status read_shape(kfi_hdf5 *file, hid_t space, kfi_hdf5_dataset *dataset) {
    const int rank = kfi_h5.Sget_simple_extent_ndims(space);
    if (kfi_h5.Sget_simple_extent_type(space) == H5S_NULL)
        return kfi_fail(KF_INVALID, "%s: '%s' holds no array", file->path, dataset->path);
    if (rank < 0) return kfi_hdf5_refused(file, dataset->path, "read its shape");
    if (rank > KF_MAX_RANK)
        return kfi_fail(KF_INVALID, "%s: '%s' has %d axes, more than %d", file->path, dataset->path,
                        rank, KF_MAX_RANK);
    hsize_t dims[KF_MAX_RANK];
    kfi_h5.Sget_simple_extent_dims(space, dims, NULL);
    dataset->shape.rank = rank;
    for (int i = 0; i < rank; i++)
        dataset->shape.dims[i] = dims[i] > INT64_MAX ? INT64_MAX : (int64_t)dims[i];
    if (kfi_shape_count(&dataset->shape) >= 0) return KF_OK;
    return kfi_fail(KF_INVALID, "%s: '%s' declares an absurd shape %s", file->path, dataset->path,
                    kfi_shape_string(&dataset->shape));
}

/* How many times bigger than stored the data may be: 1 without compression. */
static kf_status read_filters(kfi_hdf5 *file, hid_t creation, const char *path, int64_t *ratio) {
    *ratio = 1;
    const int n_filters = kfi_h5.Pget_nfilters(creation);
    for (int i = 0; i < n_filters; i++) {
        char name[64] = "";
        size_t n_values = 0;
        unsigned flags, config;
        const H5Z_filter_t filter = kfi_h5.Pget_filter2(creation, (unsigned)i, &flags, &n_values,
                                                        NULL, sizeof name, name, &config);
        if (filter == H5Z_FILTER_DEFLATE && *ratio == 1)
            *ratio = DEFLATE_RATIO;
        else if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
            return kfi_fail(KF_INVALID,
                            "%s: '%s' is stored through filter %d (%s); kf reads gzip, shuffle and "
                            "fletcher32, gzip once",
                            file->path, path, (int)filter, name[0] ? name : "unnamed");
    }
    return KF_OK;
}

static kf_status too_little(kfi_hdf5 *file, const kfi_hdf5_dataset *dataset, int64_t stored) {
    return kfi_fail(
        KF_INVALID, "%s: '%s' declares the shape %s but the file stores only %lld bytes for it",
        file->path, dataset->path, kfi_shape_string(&dataset->shape), (long long)stored);
}

/* Every declared byte must stand in the file, or come out of gzip at a ratio it can reach. */
static kf_status check_storage(kfi_hdf5 *file, hid_t creation, size_t element_bytes,
                               const kfi_hdf5_dataset *dataset) {
    const char *path = dataset->path;
    const H5D_layout_t layout = kfi_h5.Pget_layout(creation);
    if (layout == H5D_VIRTUAL || kfi_h5.Pget_external_count(creation) > 0)
        return kfi_fail(KF_INVALID, "%s: '%s' has its data in other files, which are not read",
                        file->path, path);
    int64_t ratio;
    const kf_status status = read_filters(file, creation, path, &ratio);
    if (status != KF_OK) return status;
    const int64_t declared = kfi_shape_count(&dataset->shape) * (int64_t)element_bytes;
    if (declared == 0) return KF_OK;
    const hsize_t stored = kfi_h5.Dget_storage_size(dataset->id);
    if (stored > (hsize_t)file->disk.bytes || stored * (hsize_t)ratio < (hsize_t)declared)
        return too_little(file, dataset, stored > INT64_MAX ? 0 : (int64_t)stored);
    if (layout == H5D_CONTIGUOUS) {
        const haddr_t offset = kfi_h5.Dget_offset(dataset->id);
        if (offset > (haddr_t)file->disk.bytes || stored > (hsize_t)file->disk.bytes - offset)
            return too_little(file, dataset, 0);
    }
    hsize_t chunk[KF_MAX_RANK], chunk_bytes = element_bytes;
    if (layout != H5D_CHUNKED) return KF_OK;
    kfi_h5.Pget_chunk(creation, KF_MAX_RANK, chunk);
    for (int i = 0; i < dataset->shape.rank; i++) chunk_bytes *= chunk[i]; /* HDF5: below 4 GiB */
    return chunk_bytes > stored * (hsize_t)ratio ? too_little(file, dataset, (int64_t)stored)
                                                 : KF_OK;
}

/* Room for the chunks that one range of rows goes through, so that the next range finds the last
 * of them still decompressed. */
static hid_t access_for(hid_t creation, const kf_shape *shape, size_t element_bytes) {
    hsize_t chunk[KF_MAX_RANK];
    const hid_t access = kfi_h5.Pcreate(*kfi_h5.P_CLS_DATASET_ACCESS_ID_g);
    if (access < 0 || kfi_h5.Pget_layout(creation) != H5D_CHUNKED) return access;
    const int rank = kfi_h5.Pget_chunk(creation, KF_MAX_RANK, chunk);
    double bytes = 2.0 * (double)element_bytes * (rank > 0 ? (double)chunk[0] : 1);
    for (int i = 1; i < rank; i++)
        bytes *= (double)((shape->dims[i] + (int64_t)chunk[i] - 1) / (int64_t)chunk[i]) *
                 (double)chunk[i];
    if (bytes > (1 << 20) && bytes <= MOST_CACHE_BYTES)
        kfi_h5.Pset_chunk_cache(access, 12421, (size_t)bytes,
                                1.0); /* slots: a prime of HDF5's manual */
    return access;
}

static void close_dataset(kfi_hdf5_dataset *dataset) {
    if (dataset->path && dataset->memory_type >= 0) kfi_h5.Tclose(dataset->memory_type);
    if (dataset->path && dataset->id >= 0) kfi_h5.Dclose(dataset->id);
    kfi_free(dataset->path);
    *dataset = (kfi_hdf5_dataset){0};
}

void kfi_hdf5_close_datasets(kfi_hdf5 *file) {
    for (int i = 0; i < KFI_OPEN_DATASETS; i++) close_dataset(&file->datasets[i]);
}

/* What kf needs to know of an open dataset; the caller closes the handles it gets. */
static kf_status inspect(kfi_hdf5 *file, kfi_hdf5_dataset *dataset, hid_t type, hid_t space,
                         hid_t creation) {
    if (type < 0 || space < 0 || creation < 0)
        return kfi_hdf5_refused(file, dataset->path, "read its description");
    kf_status status = read_type(file, type, dataset);
    if (status == KF_OK) status = read_shape(file, space, dataset);
    if (status == KF_OK && !file->writing)
        status = check_storage(file, creation, kfi_h5.Tget_size(type), dataset);
    hsize_t chunk[KF_MAX_RANK];
    if (status == KF_OK && kfi_h5.Pget_layout(creation) == H5D_CHUNKED &&
        kfi_h5.Pget_chunk(creation, KF_MAX_RANK, chunk) > 0)
        dataset->chunk_rows = (int64_t)chunk[0];
    return status;
}

/* Opened a second time where the default chunk cache is too small, with the first still open, so
 * it must be closed first. */
static kf_status reopen(kfi_hdf5 *file, kfi_hdf5_dataset *dataset, hid_t creation) {
    const size_t bytes = kfi_h5.Tget_size(dataset->memory_type);
    const hid_t access = access_for(creation, &dataset->shape, bytes);
    kfi_h5.Dclose(dataset->id);
    dataset->id = access < 0 ? H5I_INVALID_HID : kfi_h5.Dopen2(file->id, dataset->path, access);
    if (access >= 0) kfi_h5.Pclose(access);
    return dataset->id < 0 ? kfi_hdf5_refused(file, dataset->path, "open it") : KF_OK;
}

static kf_status fill_in(kfi_hdf5 *file, kfi_hdf5_dataset *dataset) {
    dataset->memory_type = H5I_INVALID_HID;
    kf_status status = kfi_hdf5_find(file, dataset->path, &dataset->id);
    if (status != KF_OK) return status;
    if (kfi_h5.Iget_type(dataset->id) != H5I_DATASET) {
        kfi_h5.Oclose(dataset->id);
        dataset->id = H5I_INVALID_HID;
        return kfi_fail(KF_INVALID, "%s: '%s' is not a dataset", file->path, dataset->path);
    }
    const hid_t type = kfi_h5.Dget_type(dataset->id), space = kfi_h5.Dget_space(dataset->id);
    const hid_t creation = kfi_h5.Dget_create_plist(dataset->id);
    status = inspect(file, dataset, type, space, creation);
    if (status == KF_OK && dataset->chunk_rows) status = reopen(file, dataset, creation);
    if (type >= 0) kfi_h5.Tclose(type);
    if (space >= 0) kfi_h5.Sclose(space);
    if (creation >= 0) kfi_h5.Pclose(creation);
    return status;
}

kf_status kfi_hdf5_use(kfi_hdf5 *file, const char *path, kfi_hdf5_dataset **used) {
    kfi_hdf5_dataset *place = &file->datasets[0];
    for (int i = 0; i < KFI_OPEN_DATASETS; i++) {
        kfi_hdf5_dataset *dataset = &file->datasets[i];
        if (dataset->path && strcmp(dataset->path, path) == 0) {
            dataset->used = ++file->n_uses;
            *used = dataset;
            return KF_OK;
        }
        if (dataset->used < place->used) place = dataset;
    }
    close_dataset(place);
    place->path = kfi_strdup(path);
    place->id = H5I_INVALID_HID;
    const kf_status status = place->path ? fill_in(file, place) : KF_MEMORY;
    if (status != KF_OK) {
        close_dataset(place);
        return status;
    }
    place->used = ++file->n_uses;
    *used = place;
    return KF_OK;
}

kf_status kfi_hdf5_describe(kfi_hdf5 *file, const char *path, kf_dtype *dtype, kf_shape *shape) {
    kfi_hdf5_dataset *dataset;
    kfi_hdf5_enter();
    const kf_status status = kfi_hdf5_use(file, path, &dataset);
    if (status == KF_OK) *dtype = dataset->dtype, *shape = dataset->shape;
    kfi_hdf5_leave();
    return status;
}

int64_t kfi_hdf5_chunk_rows(kfi_hdf5 *file, const char *path) {
    kfi_hdf5_dataset *dataset;
    kfi_hdf5_enter();
    const int64_t rows = kfi_hdf5_use(file, path, &dataset) == KF_OK ? dataset->chunk_rows : 0;
    kfi_hdf5_leave();
    return rows;
}

static void name_filters(hid_t creation, char *names, size_t size) {
    for (int i = 0, n = kfi_h5.Pget_nfilters(creation); i < n; i++) {
        size_t n_values = 0;
        unsigned flags, config;
        const H5Z_filter_t filter =
            kfi_h5.Pget_filter2(creation, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &config);
        const char *name = filter == H5Z_FILTER_DEFLATE      ? "gzip"
                           : filter == H5Z_FILTER_FLETCHER32 ? "fletcher32"
                                                             : "shuffle"; /* no others are opened */
        const size_t used = strlen(names);
        snprintf(names + used, size - used, "%s%s", used ? ", " : "", name);
    }
}

kf_status kfi_hdf5_storage_of(kfi_hdf5 *file, const char *path, kfi_hdf5_storage *storage) {
    *storage = (kfi_hdf5_storage){.bytes = 0};
    kfi_hdf5_dataset *dataset;
    kfi_hdf5_enter();
    kf_status status = kfi_hdf5_use(file, path, &dataset);
    const hid_t creation =
        status == KF_OK ? kfi_h5.Dget_create_plist(dataset->id) : H5I_INVALID_HID;
    if (status == KF_OK && creation < 0) status = kfi_hdf5_refused(file, path, "read its storage");
    if (status == KF_OK) {
        hsize_t chunk[KF_MAX_RANK];
        storage->bytes = (int64_t)kfi_h5.Dget_storage_size(dataset->id);
        name_filters(creation, storage->filters, sizeof storage->filters);
        if (kfi_h5.Pget_layout(creation) == H5D_CHUNKED)
            storage->chunk.rank = kfi_h5.Pget_chunk(creation, KF_MAX_RANK, chunk);
        for (int32_t i = 0; i < storage->chunk.rank; i++)
            storage->chunk.dims[i] = (int64_t)chunk[i];
    }
    if (creation >= 0) kfi_h5.Pclose(creation);
    kfi_hdf5_leave();
    return status;
}
