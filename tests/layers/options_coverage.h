/* Which options of which layers some row sets to something else than the default. The registry and
 * the field tables say what there is, so a new layer or option without a row is a failure. */
#ifndef KF_TESTS_LAYERS_OPTIONS_COVERAGE_H
#define KF_TESTS_LAYERS_OPTIONS_COVERAGE_H

#include "tests/layers/options_run.h"

enum { MAX_CLASSES = 128, MAX_FIELDS = 40, MAX_TEXT = 4000 };

static bool has_row[MAX_CLASSES], is_set[MAX_CLASSES][MAX_FIELDS];

/* Options that no formula could show, and why. */
static const struct {
    const char *class, *option, *why;
} exempt[] = {
    {"InputLayer", "batch_input_shape", "kf_input makes it: every row has one"},
    {"InputLayer", "dtype", "kf_input makes it: the rows of Embedding have int32"},
    {"InputLayer", "sparse", "only False is taken"},
    {"Embedding", "batch_input_shape", "is only written into files"},
    {"Embedding", "dtype", "is only written into files"},
    {"RNN", "num_constants", "kf_call sets it, for cells that take constants"},
    {"ConvRNN2D", "num_constants", "kf_call sets it, for cells that take constants"},
    {"ConvRNN2D", "unroll", "only one value is taken"},
    {"Bidirectional", "num_constants", "kf_call sets it, for cells that take constants"},
    {"LocallyConnected1D", "padding", "only one value is taken"},
    {"LocallyConnected2D", "padding", "only one value is taken"},
    {"ConvLSTM2D", "unroll", "only one value is taken"},
    {"Lambda", "function_type", "only one value is taken"},
    {"Lambda", "output_shape", "only one value is taken"},
    {"Lambda", "output_shape_type", "only one value is taken"},
    {"Lambda", "arguments", "only one value is taken"},
};

static bool is_exempt(const char *class, const char *option) {
    for (size_t i = 0; i < sizeof exempt / sizeof *exempt; i++)
        if (strcmp(exempt[i].class, class) == 0 && strcmp(exempt[i].option, option) == 0)
            return true;
    return false;
}

static int32_t index_of_class(const kfi_layer_class *class) {
    int32_t i = 0;
    while (kfi_layer_class_at(i) != class) i++;
    assert_true(i < MAX_CLASSES);
    return i;
}

/* What a field holds once this value is stored in it, as text. */
static void stored_text(const kfi_field *field, const kfi_variant *value, char *text) {
    void *member = calloc(1, field->type->size(field) + 1);
    assert_non_null(member);
    check(field->type->store(field, member, value));
    kfi_variant *loaded = field->type->load(field, member);
    assert_non_null(loaded);
    kfi_value_print(loaded, text, MAX_TEXT);
    kfi_variant_free(loaded);
    if (field->type->release) field->type->release(field, member);
    free(member);
}

static bool is_default(const kfi_field *field, const kfi_variant *value) {
    static char given[MAX_TEXT], otherwise[MAX_TEXT];
    if (!field->otherwise) return false;
    kfi_variant *parsed;
    check(kfi_value_parse(field->otherwise, &parsed));
    stored_text(field, parsed, otherwise);
    kfi_variant_free(parsed);
    stored_text(field, value, given);
    return strcmp(given, otherwise) == 0;
}

static void note_option(const kfi_layer_class *class, const char *key, const kfi_variant *value) {
    if (strcmp(key, "trainable") == 0 || (class->wraps && strcmp(key, class->wraps) == 0)) return;
    for (int32_t i = 0; class->fields && class->fields[i].name; i++) {
        if (strcmp(class->fields[i].name, key) != 0) continue;
        assert_true(i < MAX_FIELDS);
        if (!is_default(&class->fields[i], value)) is_set[index_of_class(class)][i] = true;
        return;
    }
    fail_msg("rows have options by name: %s has no %s", class->name, key);
}

/* Options may be layers or lists of layers: TimeDistributed's, an RNN's cell, the cells of a stack.
 */
static void note_layer(const char *name, const kfi_variant *arguments) {
    const kfi_layer_class *class = kfi_layer_class_find(name);
    if (!class) fail_msg("there is no layer %s", name);
    has_row[index_of_class(class)] = true;
    for (int64_t i = 0; i < kfi_variant_count(arguments); i++) {
        const kfi_variant *value = kfi_variant_value_at(arguments, i);
        const bool is_list = kfi_variant_is(value, KFI_LIST);
        for (int64_t k = 0; k < (is_list ? kfi_variant_count(value) : 1); k++) {
            const kfi_variant *item = is_list ? kfi_variant_at(value, k) : value;
            const char *inner = kfi_variant_text(kfi_variant_get(item, "class_name"), NULL);
            if (inner && kfi_layer_class_find(inner))
                note_layer(inner, kfi_variant_get(item, "config"));
        }
        note_option(class, kfi_variant_key_at(arguments, i), value);
    }
}

static void note_row(const option_row *row) {
    kfi_variant *arguments;
    check(kfi_arguments_parse(row->arguments, &arguments));
    note_layer(row->class, arguments);
    kfi_variant_free(arguments);
}

/* All that lacks a row, at once. */
static void expect_all_covered(void) {
    int32_t missing = 0;
    has_row[index_of_class(kfi_layer_class_find("InputLayer"))] = true;
    for (int32_t c = 0; kfi_layer_class_at(c); c++) {
        const kfi_layer_class *class = kfi_layer_class_at(c);
        if (!has_row[c]) print_error("no row has a %s\n", class->name);
        missing += !has_row[c];
        for (int32_t i = 0; class->fields && class->fields[i].name; i++) {
            const char *option = class->fields[i].name;
            if (is_set[c][i] || is_exempt(class->name, option)) continue;
            print_error("no row sets %s of %s\n", option, class->name);
            missing++;
        }
    }
    if (missing) fail_msg("%d layers or options lack a row", missing);
}

#endif
