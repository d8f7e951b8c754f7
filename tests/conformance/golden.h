/* One golden case: an ordinary Keras model file with a group /case that says what real Keras 2.2.4
 * computed from it. README.md beside this file has the layout. */
#ifndef KF_TESTS_GOLDEN_H
#define KF_TESTS_GOLDEN_H

#include "core/base/variant.h"
#include "io/hdf5_file.h"
#include "kf/tensor.h"

enum { GOLDEN_MAX = 64 };

/* A dataset of the case, read whole; floats unless the file has integers. */
typedef struct golden_array {
    char *name;
    kf_dtype dtype; /* KF_FLOAT32, KF_INT32 or KF_FLOAT64 */
    kf_shape shape;
    int64_t count;
    void *data;
} golden_array;

typedef struct golden_list {
    int32_t n;
    golden_array items[GOLDEN_MAX];
} golden_list;

typedef struct golden_case {
    const char *path;
    kfi_hdf5 *file;
    kfi_variant *conditioning; /* group -> float32_vs_float64 */
} golden_case;

kf_status golden_open(const char *path, golden_case *golden);
void golden_close(golden_case *golden);

bool golden_has(const golden_case *golden, const char *path);

/* A JSON attribute; NULL variant if it is absent. */
kf_status golden_json(const golden_case *golden, const char *object, const char *name,
                      kfi_variant **value);

/* The datasets of a group in the order of its attribute `order` (a JSON list of names); with
 * order NULL all of it, by name. A group that is absent gives an empty list. */
kf_status golden_read(const golden_case *golden, const char *group, const char *order,
                      golden_list *list);
kf_status golden_read_one(const golden_case *golden, const char *path, golden_array *array);
void golden_free(golden_list *list);
void golden_free_array(golden_array *array);

/* |x - golden| <= tolerance * max(max|golden|, 1e-3), tolerance = max(1e-5, 10
 * conditioning[group]). Prints what is wrong and returns false if not. */
bool golden_agrees(const golden_case *golden, const char *group, const golden_array *expected,
                   const void *got, kf_dtype got_dtype);

#endif
