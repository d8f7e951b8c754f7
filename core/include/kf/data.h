/* Data: datasets that models train on and predict from, and files of them. */
#ifndef KF_DATA_H
#define KF_DATA_H

#include "kf/tensor.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A dataset has a number of samples and named fields, each with one array per sample. Fields are
 * matched to a model's inputs and outputs by name. A dataset is the caller's: free it after the
 * last use. Makers return NULL when they fail (kf_last_error tells why). */
typedef struct kf_dataset kf_dataset;

/* Arrays in the caller's memory, which must stay as it is; every array has the samples axis first
 * and the same length there. Arrays without a name stand, in their order, for the model's inputs
 * and then its outputs. */
KF_API kf_dataset *kf_dataset_arrays(const kf_array *arrays, int32_t n_arrays);

/* The datasets of an HDF5 file, read in place, never loaded whole. A field's name is its path in
 * the file without the first slash. */
typedef struct kf_dataset_options {
    size_t size;
    const char *group; /* take the datasets of this group only, by their names inside it          */
    /* "field=dataset" pairs ended by NULL: the model's name, the file's; "x=images[100:200]" takes
     * those rows of that dataset alone. */
    const char *const *map;
    int64_t start, end; /* rows of every field; end 0: to the last                              */
} kf_dataset_options;
KF_API kf_dataset *kf_dataset_open_with(const char *path, const kf_dataset_options *options);
#define kf_dataset_open(...) KF_DATASET_OPEN_CALL(__VA_ARGS__, .size = sizeof(kf_dataset_options))
#define KF_DATASET_OPEN_CALL(path, ...)                                                            \
    kf_dataset_open_with((path), &(kf_dataset_options){__VA_ARGS__})

/* The same data with every value of one field times `factor` (pixels by 1/255), as float32. Takes
 * `inner` over and frees it with itself; on failure (NULL: no such field) `inner` stays the
 * caller's.
 */
KF_API kf_dataset *kf_dataset_scaled(kf_dataset *inner, const char *field, float factor);

enum { KF_MAX_CHANNELS = 8 }; /* for which a preparation has numbers */

/* The same data with one field prepared, as float32, in one of these ways; a field may be prepared
 * again. What is random depends on the seed, the epoch and the number of the row, not on who reads
 * it when. It happens where a model is trained; kf_evaluate, kf_predict, validation and
 * kf_dataset_read see images as they are, or the middle part of them. Ownership as
 * kf_dataset_scaled. */
typedef struct kf_preparation {
    size_t size;
    double factor;          /* value * factor; KF_ZERO: 0 */
    double mean, deviation; /* (value - mean) / deviation; 0 and 1 */
    int64_t classes;        /* a number below it becomes a row of so many, 1 at its place */
    int64_t length;         /* sequences of this length: cut, or filled with `fill`, in front … */
    bool at_end;            /* … or at the end */
    bool flip;              /* images: left and right change places, half of the time, … */
    int64_t shift;          /* … they move by up to so many pixels, `fill` comes in, … */
    int64_t crop[2]; /* … and a part of so many rows and columns is taken; one number: of both */
    double fill;     /* 0 */
    uint64_t seed;
    /* By channel, the last axis: (value - means[c]) / deviations[c]. Without deviations 1. */
    double means[KF_MAX_CHANNELS], deviations[KF_MAX_CHANNELS];
} kf_preparation;
KF_API kf_dataset *kf_dataset_prepare_with(kf_dataset *inner, const char *field,
                                           const kf_preparation *how);
#define kf_dataset_prepare(...) KF_DATASET_PREPARE_CALL(__VA_ARGS__, .size = sizeof(kf_preparation))
#define KF_DATASET_PREPARE_CALL(inner, field, ...)                                                 \
    kf_dataset_prepare_with((inner), (field), &(kf_preparation){__VA_ARGS__})

/* The same from a text: "scale(1/255)", "standardise(mean=0.5, deviation=0.2)",
 * "standardise(means=(0.5, 0.4, 0.3), deviations=(0.2, 0.2, 0.1))", "one_hot(10)",
 * "pad(100, at_end=True)", "augment(flip=True, shift=2, crop=(24, 24), seed=7)". */
KF_API kf_dataset *kf_dataset_prepare_named(kf_dataset *inner, const char *field, const char *text);

/* Calls `visit` for every array of numbers in the file (or group), in name order, whatever their
 * lengths; the shape has the samples axis first. Stops at the first status that is not KF_OK. */
typedef kf_status (*kf_lister)(void *context, const char *name, kf_dtype dtype,
                               const kf_shape *shape);
KF_API kf_status kf_data_list(const char *path, const char *group, kf_lister visit, void *context);

/* All that stands in the file or group, also what kf does not read: datasets pass over what is no
 * data, and fail with what is refused. */
typedef struct kf_data_entry {
    const char *name;    /* its path, inside the group if there is one */
    const char *refused; /* why kf does not read it; NULL: it does, and knows what follows */
    bool is_data;        /* an array of numbers; not a single value, text, records */
    kf_dtype dtype;
    kf_shape shape;      /* with the samples axis first */
    kf_shape chunk;      /* rank 0: stored in one piece */
    const char *filters; /* "shuffle, gzip"; "": none */
    int64_t stored_bytes;
} kf_data_entry;
typedef kf_status (*kf_inspector)(void *context, const kf_data_entry *entry);
KF_API kf_status kf_data_inspect(const char *path, const char *group, kf_inspector visit,
                                 void *context);

/* What an HDF5 file is, and for Keras's files what they say of themselves. A file that is Keras's
 * but does not hold what it lists is KF_INVALID. */
typedef enum kf_file_kind { KF_FILE_DATA = 0, KF_FILE_MODEL, KF_FILE_WEIGHTS } kf_file_kind;
typedef struct kf_file_about {
    kf_file_kind kind;
    int64_t layers, weights;             /* layers that are listed, and their arrays */
    char keras_version[32], backend[32]; /* "": not said */
} kf_file_about;
KF_API kf_status kf_file_look(const char *path, kf_file_about *about);

KF_API void kf_dataset_free(kf_dataset *dataset); /* accepts NULL */

KF_API int64_t kf_dataset_samples(const kf_dataset *dataset);
KF_API int32_t kf_dataset_fields(const kf_dataset *dataset);
KF_API const char *kf_dataset_field_name(const kf_dataset *dataset, int32_t field);
KF_API kf_dtype kf_dataset_field_dtype(const kf_dataset *dataset, int32_t field);
KF_API kf_shape kf_dataset_field_shape(const kf_dataset *dataset, int32_t field); /* one sample */

/* Rows [start, start + rows) of a field, converted to `dtype`, into `out`. */
KF_API kf_status kf_dataset_read(kf_dataset *dataset, int32_t field, int64_t start, int64_t rows,
                                 kf_dtype dtype, void *out);
/* The same as training sees them in an epoch (from 0), with what preparations do at random. */
KF_API kf_status kf_dataset_read_epoch(kf_dataset *dataset, int32_t field, int64_t start,
                                       int64_t rows, kf_dtype dtype, int64_t epoch, void *out);

/* Writes an HDF5 file of named fields, rows at a time. The file appears under its name, whole, at
 * kf_writer_close; kf_writer_free without it leaves no trace. */
typedef struct kf_writer kf_writer;
KF_API kf_writer *kf_writer_new(const char *path);
KF_API kf_status kf_writer_add_field(kf_writer *writer, const char *name, kf_dtype dtype,
                                     const kf_shape *sample_shape);
KF_API kf_status kf_writer_append(kf_writer *writer, int32_t field, int64_t rows, const void *data);
KF_API kf_status kf_writer_close(kf_writer *writer);
KF_API void kf_writer_free(kf_writer *writer); /* accepts NULL */

/* Converts idx files (the format of MNIST; plain or gzip) into fields of one HDF5 file. Image
 * fields of three axes (samples, rows, columns) get a fourth of one channel if `add_channel`. */
typedef struct kf_idx_field {
    const char *name; /* the dataset to make, "train/image" say */
    const char *path; /* the idx file                         */
    int32_t add_channel;
} kf_idx_field;
KF_API kf_status kf_import_idx(const char *output, const kf_idx_field *fields, int32_t n_fields);

#ifdef __cplusplus
}
#endif
#endif
