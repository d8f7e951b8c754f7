/* What the tests of models share: small models of the tutorials, configs in files, comparisons. */
#ifndef KF_TESTS_MODEL_SUPPORT_H
#define KF_TESTS_MODEL_SUPPORT_H

#include "core/base/memory.h"
#include "core/model/model.h"
#include "io/json.h"

#include "tests/base/sentences.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 784-64-64-10, the first example of the tutorials. */
static inline kf_model *make_mlp(kf_graph *g) {
    kf_tensor *in = kf_input(g, {784});
    kf_tensor *x = kf_apply(kf_dense(64, .activation = "relu"), in);
    x = kf_apply(kf_dense(64, .activation = "relu"), x);
    kf_tensor *out = kf_apply(kf_dense(10, .activation = "softmax"), x);
    return kf_model_new(.inputs = kf_list(in), .outputs = kf_list(out));
}

static inline void assert_good(const kf_model *model) {
    if (kf_model_error(model) != KF_OK) fail_msg("%s", kf_last_error());
}

static inline void assert_shape(kf_shape shape, const char *text) {
    assert_string_equal(kfi_shape_string(&shape), text);
}

/* The layers' names, separated by spaces. */
static inline void assert_layers(const kf_model *model, const char *names) {
    char text[1024] = "";
    for (int32_t i = 0; i < kf_model_layers(model); i++) {
        strcat(text, i ? " " : "");
        strcat(text, kf_layer_name(kf_model_layer_at(model, i)));
    }
    assert_string_equal(text, names);
}

/* The message holds these words. */
static inline void assert_says(const char *words) {
    if (!strstr(kf_last_error(), words))
        fail_msg("expected \"%s\" in \"%s\"", words, kf_last_error());
}

static inline void assert_fails(const kf_model *model, kf_status status, const char *words) {
    assert_non_null(model);
    assert_int_equal(kf_model_error(model), status);
    assert_says(words);
}

/* A file of the folder configs, without its final newline; freed by the caller. */
static inline char *read_config(const char *name) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/model/configs/%s.json", KF_TEST_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("cannot open %s", path);
    fseek(file, 0, SEEK_END);
    const long bytes = ftell(file);
    rewind(file);
    char *text = calloc((size_t)bytes + 1, 1);
    assert_int_equal(fread(text, 1, (size_t)bytes, file), bytes);
    fclose(file);
    text[strcspn(text, "\n")] = '\0';
    return text;
}

/* The model's config as text; freed with kfi_free. */
static inline char *print_config(const kf_model *model) {
    char *text = NULL;
    kfi_variant *config = kfi_model_config(model);
    assert_non_null(config);
    assert_int_equal(kfi_json_print(config, &text), KF_OK);
    kfi_variant_free(config);
    return text;
}

#endif
