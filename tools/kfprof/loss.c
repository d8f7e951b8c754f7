#include "loss.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Past the string that starts at the quote `text`. */
static const char *skip_string(const char *text) {
    for (text++; *text != '\0' && *text != '"'; text++)
        if (*text == '\\' && text[1] != '\0') text++;
    return *text == '"' ? text + 1 : text;
}

/* The end of the object or list that starts at `text`. */
static const char *skip_nested(const char *text) {
    int depth = 0;
    while (*text != '\0') {
        if (*text == '"') {
            text = skip_string(text);
            continue;
        }
        if (*text == '{' || *text == '[') depth++;
        if ((*text == '}' || *text == ']') && --depth == 0) return text + 1;
        text++;
    }
    return text;
}

/* If `text` is at the key `key` with a string value: where the value starts, behind its quote. */
static const char *string_value(const char *text, const char *key) {
    const size_t length = strlen(key);
    if (strncmp(text + 1, key, length) != 0 || text[1 + length] != '"') return NULL;
    text += length + 2;
    text += strspn(text, " \t\r\n");
    if (*text != ':') return NULL;
    text++;
    text += strspn(text, " \t\r\n");
    return *text == '"' ? text + 1 : NULL;
}

static bool is_word(const char *value, const char *word) {
    const size_t length = strlen(word);
    return strncmp(value, word, length) == 0 && value[length] == '"';
}

/* Inside of one layer's object: its last "activation", which for a nested model is that of its
 * last layer. The text is well formed: the library wrote it. */
static const char *last_activation(const char *object, const char *end) {
    const char *found = NULL;
    for (const char *at = object; at < end;) {
        if (*at != '"') {
            at++;
            continue;
        }
        const char *value = string_value(at, "activation");
        if (value != NULL) found = value;
        at = skip_string(at);
    }
    return found;
}

/* The object of the list "layers" whose config has that name comes to hold the last activation. */
static const char *find_activation(const char *json, const char *layer) {
    const char *layers = strstr(json, "\"layers\"");
    const char *at = layers != NULL ? strchr(layers, '[') : NULL;
    if (at == NULL) return NULL;
    const char *list_end = skip_nested(at);
    for (at = strchr(at, '{'); at != NULL && at < list_end; at = strchr(at, '{')) {
        const char *end = skip_nested(at);
        for (const char *inside = at; inside < end;) {
            if (*inside != '"') {
                inside++;
                continue;
            }
            const char *name = string_value(inside, "name");
            if (name != NULL && is_word(name, layer)) return last_activation(at, end);
            inside = skip_string(inside);
        }
        at = end;
    }
    return NULL;
}

static bool has_labels(const kf_dataset *data, const char *output) {
    for (int32_t i = 0; data != NULL && i < kf_dataset_fields(data); i++) {
        if (strcmp(kf_dataset_field_name(data, i), output) != 0) continue;
        const kf_shape shape = kf_dataset_field_shape(data, i);
        return shape.rank == 0 || (shape.rank == 1 && shape.dims[0] == 1);
    }
    return false;
}

const char *kfprof_choose_loss(const kf_model *model, int32_t output, const char *json,
                               const kf_dataset *data) {
    const char *name = kf_model_output_name(model, output);
    const char *activation = find_activation(json, name);
    if (activation != NULL && is_word(activation, "softmax"))
        return has_labels(data, name) ? "sparse_categorical_crossentropy"
                                      : "categorical_crossentropy";
    if (activation != NULL && is_word(activation, "sigmoid")) return "binary_crossentropy";
    return "mean_squared_error";
}
