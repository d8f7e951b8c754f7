/* Values and objects as text that object_parse.c reads back as the same. */
#include "core/base/fields.h"
#include "core/base/memory.h"
#include "core/base/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest decimal that reads back as the same number. */
static void print_real(double value, char text[static 40]) {
    const locale_t callers = kfi_enter_c_locale();
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, 38, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    uselocale(callers);
    if (!strpbrk(text, ".einf")) strcat(text, ".0");
}

/* Counts what it would write, and writes what has room. */
typedef struct writer {
    char *buffer;
    size_t size, length;
} writer;

static void put_char(writer *out, char c) {
    if (out->length + 1 < out->size) out->buffer[out->length] = c;
    out->length++;
}

static void put_text(writer *out, const char *text) {
    while (*text) put_char(out, *text++);
}

static void put_quoted(writer *out, const char *text) {
    put_char(out, '\'');
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') put_char(out, '\\');
        if (*text == '\n')
            put_text(out, "\\n");
        else
            put_char(out, *text);
    }
    put_char(out, '\'');
}

/* Keys that reading gives back: "0", "1" … first, then names. */
static bool are_arguments(const kfi_variant *dict) {
    bool named = false;
    for (int64_t i = 0; i < kfi_variant_count(dict); i++) {
        const char *key = kfi_variant_key_at(dict, i);
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)i);
        named = named || strcmp(key, number) != 0;
        if (named && !kfi_is_word(key)) return false;
    }
    return true;
}

static bool is_object(const kfi_variant *value) {
    const kfi_variant *config = kfi_variant_get(value, "config");
    return kfi_variant_count(value) == 2 && kfi_variant_is(config, KFI_DICT) &&
           are_arguments(config) &&
           kfi_is_word(kfi_variant_text(kfi_variant_get(value, "class_name"), ""));
}

/* Values hold arguments, arguments hold values: the grammar again. */
static void put_value(writer *out, const kfi_variant *value);

static void put_object(writer *out, const char *name, const kfi_variant *arguments,
                       bool always_parentheses) {
    put_text(out, name);
    const int64_t count = kfi_variant_count(arguments);
    if (!count && !always_parentheses) return;
    put_char(out, '(');
    for (int64_t i = 0; i < count; i++) {
        const char *key = kfi_variant_key_at(arguments, i);
        if (i) put_text(out, ", ");
        if (kfi_begins_word(*key)) {
            put_text(out, key);
            put_char(out, '=');
        }
        put_value(out, kfi_variant_value_at(arguments, i));
    }
    put_char(out, ')');
}

static void put_dict(writer *out, const kfi_variant *dict) {
    if (is_object(dict)) {
        put_object(out, kfi_variant_text(kfi_variant_get(dict, "class_name"), ""),
                   kfi_variant_get(dict, "config"), true);
        return;
    }
    put_char(out, '{');
    for (int64_t i = 0; i < kfi_variant_count(dict); i++) {
        if (i) put_text(out, ", ");
        put_quoted(out, kfi_variant_key_at(dict, i));
        put_text(out, ": ");
        put_value(out, kfi_variant_value_at(dict, i));
    }
    put_char(out, '}');
}

static void put_list(writer *out, const kfi_variant *list) {
    put_char(out, '[');
    for (int64_t i = 0; i < kfi_variant_count(list); i++) {
        if (i) put_text(out, ", ");
        put_value(out, kfi_variant_at(list, i));
    }
    put_char(out, ']');
}

static void put_value(writer *out, const kfi_variant *value) {
    char number[40];
    switch (kfi_variant_kind_of(value)) {
    case KFI_NULL:
        put_text(out, "None");
        return;
    case KFI_BOOL:
        put_text(out, kfi_variant_truth(value, false) ? "True" : "False");
        return;
    case KFI_INTEGER:
        snprintf(number, sizeof number, "%lld", (long long)kfi_variant_to_integer(value, 0));
        put_text(out, number);
        return;
    case KFI_REAL:
        print_real(kfi_variant_to_real(value, 0), number);
        put_text(out, number);
        return;
    case KFI_STRING:
        put_quoted(out, kfi_variant_text(value, ""));
        return;
    case KFI_LIST:
        put_list(out, value);
        return;
    case KFI_DICT:
        put_dict(out, value);
        return;
    }
}

static void put_end(writer *out) {
    if (out->size) out->buffer[out->length < out->size ? out->length : out->size - 1] = '\0';
}

size_t kfi_value_print(const kfi_variant *value, char *buffer, size_t size) {
    writer out = {buffer, size, 0};
    put_value(&out, value);
    put_end(&out);
    return out.length;
}

kf_status kfi_object_print(const char *name, const kfi_variant *arguments, char **text) {
    *text = NULL;
    if (!kfi_is_word(name))
        return kfi_fail(KF_INVALID, "'%.80s' is not the name of an object", name);
    if (!are_arguments(arguments))
        return kfi_fail(KF_INVALID, "an argument of %.80s has a name that is not a word", name);
    writer out = {NULL, 0, 0};
    put_object(&out, name, arguments, false);
    char *made = kfi_alloc(out.length + 1, 1);
    if (!made) return KF_MEMORY;
    out = (writer){made, out.length + 1, 0};
    put_object(&out, name, arguments, false);
    put_end(&out);
    *text = made;
    return KF_OK;
}
