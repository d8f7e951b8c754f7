/* What the tests of the tutorials' statements share. Their names are the rows of the project's
 * table of statements: s01 is the first. */
#ifndef KF_TESTS_STATEMENTS_SUPPORT_H
#define KF_TESTS_STATEMENTS_SUPPORT_H

#include "kf.h"

#include "core/base/shape.h"
#include "tests/base/sentences.h"

#include <stdio.h>
#include <string.h>

static inline void ok(kf_status status) {
    if (status != KF_OK) fail_msg("status %d: %s", (int)status, kf_last_error());
}

static inline void says(const char *message) { assert_string_equal(kf_last_error(), message); }

static inline void says_of(const char *words) {
    if (!strstr(kf_last_error(), words))
        fail_msg("expected \"%s\" in \"%s\"", words, kf_last_error());
}

static inline void has_shape(const kf_tensor *tensor, const char *text) {
    const kf_shape shape = kf_tensor_shape(tensor);
    assert_string_equal(kfi_shape_string(&shape), text);
}

/* Floats that are not all the same. */
static inline void fill(float *values, int64_t count, uint32_t seed) {
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)((((uint64_t)i + seed) * 2654435761u) % 1000) / 1000.0f - 0.5f;
}

#define ROWS(array_name, values, ...)                                                              \
    ((kf_array){.name = (array_name),                                                              \
                .data = (values),                                                                  \
                .dtype = KF_FLOAT32,                                                               \
                .shape = {sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}})

#endif
