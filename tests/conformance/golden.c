#include "tests/conformance/golden.h"

#include "core/base/memory.h"
#include "core/base/shape.h"
#include "io/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

bool golden_has(const golden_case *golden, const char *path) {
    return kfi_hdf5_exists(golden->file, path);
}

kf_status golden_json(const golden_case *golden, const char *object, const char *name,
                      kfi_variant **value) {
    *value = NULL;
    if (!kfi_hdf5_has_attribute(golden->file, object, name)) return KF_OK;
    char *text = NULL;
    kf_status status = kfi_hdf5_read_string(golden->file, object, name, &text);
    if (status == KF_OK) status = kfi_json_parse(text, strlen(text), name, value);
    kfi_free(text);
    return status;
}

kf_status golden_open(const char *path, golden_case *golden) {
    *golden = (golden_case){.path = path};
    kf_status status = kfi_hdf5_open(path, &golden->file);
    if (status == KF_OK && !golden_has(golden, "/case"))
        status = kfi_fail(KF_INVALID, "%s: no group /case", path);
    if (status == KF_OK)
        status = golden_json(golden, "/case", "float32_vs_float64", &golden->conditioning);
    return status;
}

void golden_close(golden_case *golden) {
    kfi_variant_free(golden->conditioning);
    kfi_hdf5_close(golden->file);
    *golden = (golden_case){0};
}

/* --- arrays ----------------------------------------------------------------------------------- */

void golden_free_array(golden_array *array) {
    kfi_free(array->name);
    kfi_free(array->data);
    *array = (golden_array){0};
}

void golden_free(golden_list *list) {
    for (int32_t i = 0; i < list->n; i++) golden_free_array(&list->items[i]);
    list->n = 0;
}

/* float64 histories stay float64; every other float is float32, every integer int32. */
static kf_dtype as_read(kf_dtype stored) {
    if (stored == KF_FLOAT64 || stored == KF_FLOAT32) return stored;
    return KF_INT32;
}

kf_status golden_read_one(const golden_case *golden, const char *path, golden_array *array) {
    *array = (golden_array){0};
    kf_dtype stored;
    kf_status status = kfi_hdf5_describe(golden->file, path, &stored, &array->shape);
    if (status != KF_OK) return status;
    array->dtype = as_read(stored);
    array->count = kfi_shape_count(&array->shape);
    array->name = kfi_strdup(strrchr(path, '/') + 1);
    array->data = kfi_alloc((size_t)array->count, kf_dtype_size(array->dtype));
    if (!array->name || !array->data) return KF_MEMORY;
    const int64_t rows = array->shape.rank ? array->shape.dims[0] : 1;
    return kfi_hdf5_read(golden->file, path, 0, rows, array->dtype, array->data);
}

/* Dataset names hold '|' where weight names hold '/'. */
static kf_status read_named(const golden_case *golden, const char *group, const char *name,
                            golden_list *list) {
    if (list->n == GOLDEN_MAX)
        return kfi_fail(KF_INVALID, "%s: more than %d arrays", group, GOLDEN_MAX);
    char *path = kfi_format("%s/%s", group, name);
    if (!path) return KF_MEMORY;
    for (char *at = path + strlen(group) + 1; *at; at++)
        if (*at == '/') *at = '|';
    const kf_status status = golden_read_one(golden, path, &list->items[list->n++]);
    kfi_free(path);
    return status;
}

kf_status golden_read(const golden_case *golden, const char *group, const char *order,
                      golden_list *list) {
    *list = (golden_list){0};
    if (!golden_has(golden, group)) return KF_OK;
    kf_status status = KF_OK;
    if (order) {
        kfi_variant *names = NULL;
        status = golden_json(golden, group, order, &names);
        for (int64_t i = 0; status == KF_OK && i < kfi_variant_count(names); i++)
            status =
                read_named(golden, group, kfi_variant_text(kfi_variant_at(names, i), ""), list);
        kfi_variant_free(names);
    } else {
        kfi_strings *names = NULL;
        status = kfi_hdf5_list(golden->file, group, &names);
        for (int64_t i = 0; status == KF_OK && i < names->count; i++)
            status = read_named(golden, group, names->items[i], list);
        kfi_free(names);
    }
    return status;
}

/* --- comparing -------------------------------------------------------------------------------- */

static double value_at(const void *data, kf_dtype dtype, int64_t i) {
    if (dtype == KF_FLOAT64) return ((const double *)data)[i];
    if (dtype == KF_INT32) return ((const int32_t *)data)[i];
    return ((const float *)data)[i];
}

bool golden_agrees(const golden_case *golden, const char *group, const golden_array *expected,
                   const void *got, kf_dtype got_dtype) {
    const double conditioning =
        kfi_variant_to_real(kfi_variant_get(golden->conditioning, group), 0);
    double largest = 1e-3, worst = 0;
    int64_t where = -1;
    for (int64_t i = 0; i < expected->count; i++)
        largest = fmax(largest, fabs(value_at(expected->data, expected->dtype, i)));
    for (int64_t i = 0; i < expected->count; i++) {
        const double difference =
            fabs(value_at(expected->data, expected->dtype, i) - value_at(got, got_dtype, i));
        if (where >= 0 && !(difference > worst) && !isnan(difference)) continue;
        worst = difference, where = i;
        if (isnan(difference)) break;
    }
    const double allowed = fmax(1e-5, 10 * conditioning) * largest;
    if (where < 0 || worst <= allowed) return true;
    printf("  %s %s[%lld]: expected %.9g, got %.9g; off by %.3g, allowed %.3g\n", group,
           expected->name, (long long)where, value_at(expected->data, expected->dtype, where),
           value_at(got, got_dtype, where), worst, allowed);
    return false;
}
