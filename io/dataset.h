/* What every kind of dataset answers: how many samples, which fields, and "fill these rows". */
#ifndef KFI_IO_DATASET_H
#define KFI_IO_DATASET_H

#include "kf/data.h"

typedef struct kfi_field_info {
    const char *name; /* NULL: by position */
    kf_dtype dtype;
    kf_shape shape; /* of one sample */
} kfi_field_info;

/* What is read: rows [start, start + rows) of one field as `as`. What a preparation does at random
 * depends on the epoch of training; KF_ANY: no training, nothing is random. */
typedef struct kfi_request {
    int32_t field;
    int64_t start, rows;
    kf_dtype as;
    int64_t epoch;
} kfi_request;

/* A kind of dataset is this struct with its own data behind it. Reads may come from several threads
 * at once. */
struct kf_dataset {
    int64_t samples;
    int32_t n_fields;
    kfi_field_info *fields;
    kf_status (*read)(kf_dataset *dataset, const kfi_request *what, void *out); /* densely */
    void (*free)(kf_dataset *dataset);
    int64_t chunk_rows; /* rows that a file stores, and reads, together; 0: any */
};

/* The field of that name; -1 if there is none. */
int32_t kfi_dataset_find(const kf_dataset *dataset, const char *name);

/* As kf_dataset_read, which asks for no epoch. */
kf_status kfi_dataset_read(kf_dataset *dataset, const kfi_request *what, void *out);

/* Rows rows[0 … what->rows - 1] of a field, in that order, whatever what->start says; runs of
 * neighbours are read together. */
kf_status kfi_dataset_gather(kf_dataset *dataset, const kfi_request *what, const int64_t *rows,
                             void *out);

/* Converts `count` elements; KF_INVALID with index, value and range for a value that does not fit
 * an integer type or is not whole. Element i belongs to row first_row + i / per_row in the message.
 * `from` may be the last count elements' bytes of `to`'s own memory, if `to`'s type is not smaller:
 * conversion goes from first to last. */
kf_status kfi_convert(const void *from, kf_dtype from_dtype, void *to, kf_dtype to_dtype,
                      int64_t count, int64_t per_row, int64_t first_row, const char *what);

#endif
