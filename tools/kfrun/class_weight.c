#include "class_weight.h"

#include "../command/report.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OUTPUTS = KF_MAX_OUTPUTS, MOST_BYTES = 1 << 20 };

struct class_weights {
    kf_class_weighting list[MOST_OUTPUTS + 1]; /* the last one, of zeros, ends it */
    kf_class_weight *items[MOST_OUTPUTS];
    char *names[MOST_OUTPUTS]; /* NULL: the only output */
    int32_t n;
};

const kf_class_weighting *kfrun_class_weights_list(const class_weights *weights) {
    return weights->list;
}

void kfrun_class_weights_free(class_weights *weights) {
    if (weights == NULL) return;
    for (int32_t i = 0; i < MOST_OUTPUTS; i++) {
        free(weights->items[i]);
        free(weights->names[i]);
    }
    free(weights);
}

/* --- a text being read ------------------------------------------------------------------------ */

typedef struct reader {
    const char *text, *at;
    class_weights *into;
} reader;

static char next(reader *in) {
    while (isspace((unsigned char)*in->at)) in->at++;
    return *in->at;
}

static bool take(reader *in, char wanted) {
    const bool there = next(in) == wanted;
    if (there) in->at++;
    return there;
}

static kf_status unexpected(const reader *in, const char *wanted) {
    return tool_fail(KF_USAGE, "--class-weight: expected %s at \"%.20s\" in \"%.60s\"", wanted,
                     in->at, in->text);
}

static kf_status add_output(class_weights *into, const char *name, size_t length) {
    if (into->n == MOST_OUTPUTS)
        return tool_fail(KF_USAGE, "--class-weight: more than %d outputs", MOST_OUTPUTS);
    if (name != NULL && (into->names[into->n] = strndup(name, length)) == NULL)
        return tool_fail(KF_MEMORY, "out of memory");
    into->list[into->n].output = into->names[into->n];
    into->n++;
    return KF_OK;
}

static kf_status add_class(class_weights *into, kf_class_weight item) {
    const int32_t last = into->n - 1, n = into->list[last].n;
    kf_class_weight *items = realloc(into->items[last], (size_t)(n + 1) * sizeof *items);
    if (items == NULL) return tool_fail(KF_MEMORY, "out of memory");
    items[n] = item;
    into->items[last] = items;
    into->list[last].items = items;
    into->list[last].n = n + 1;
    return KF_OK;
}

/* A key without its quotes, if it has any: up to one of `ends`. */
static kf_status read_key(reader *in, const char *ends, const char **key, size_t *length) {
    const char quote = next(in);
    const bool quoted = quote == '"' || quote == '\'';
    *key = in->at += quoted;
    *length = quoted ? strcspn(in->at, (char[]){quote, '\0'}) : strcspn(in->at, ends);
    in->at += *length;
    if (quoted && *in->at++ != quote) return unexpected(in, "the quote's end");
    while (!quoted && *length > 0 && isspace((unsigned char)(*key)[*length - 1])) --*length;
    return *length > 0 ? KF_OK : unexpected(in, "a class or an output");
}

/* class: weight */
static kf_status read_class(reader *in) {
    const char *key;
    size_t length;
    kf_status status = read_key(in, ":,{}", &key, &length);
    if (status != KF_OK) return status;
    char *end;
    const long label = strtol(key, &end, 10);
    if (end != key + length || label < 0 || label > INT32_MAX)
        return tool_fail(KF_USAGE, "--class-weight: '%.*s' is no number of a class", (int)length,
                         key);
    if (!take(in, ':')) return unexpected(in, "':'");
    const double weight = strtod(in->at, &end);
    if (end == in->at || !isfinite(weight) || weight < 0) return unexpected(in, "a weight");
    in->at = end;
    return add_class(in->into, (kf_class_weight){.label = (int32_t)label, .weight = weight});
}

/* Classes up to `end`; at least one. */
static kf_status read_classes(reader *in, char end) {
    kf_status status;
    do status = read_class(in);
    while (status == KF_OK && take(in, ','));
    if (status != KF_OK) return status;
    if (next(in) != end) return unexpected(in, end != '\0' ? "',' or '}'" : "','");
    in->at += end != '\0';
    return KF_OK;
}

/* {"main": {…}, …}, or classes alone. The first '{' was taken. */
static kf_status read_dict(reader *in) {
    const char *start = in->at, *key;
    size_t length;
    kf_status status = read_key(in, ":,{}", &key, &length);
    if (status != KF_OK) return status;
    if (!take(in, ':')) return unexpected(in, "':'");
    in->at = next(in) == '{' ? in->at : start;
    if (in->at == start) {
        status = add_output(in->into, NULL, 0);
        return status == KF_OK ? read_classes(in, '}') : status;
    }
    for (in->at = start; status == KF_OK;) {
        status = read_key(in, ":,{}", &key, &length);
        if (status == KF_OK && (!take(in, ':') || !take(in, '{')))
            status = unexpected(in, "':' and '{'");
        if (status == KF_OK) status = add_output(in->into, key, length);
        if (status == KF_OK) status = read_classes(in, '}');
        if (status == KF_OK && !take(in, ',')) break;
    }
    if (status == KF_OK && !take(in, '}')) status = unexpected(in, "',' or '}'");
    return status;
}

static kf_status read_text(class_weights *into, const char *text) {
    reader in = {text, text, into};
    kf_status status;
    if (take(&in, '{')) {
        status = read_dict(&in);
        return status == KF_OK && next(&in) != '\0' ? unexpected(&in, "nothing more") : status;
    }
    const char *equals = strchr(text, '=');
    status = add_output(into, equals != NULL ? text : NULL,
                        equals != NULL ? (size_t)(equals - text) : 0);
    in.at = equals != NULL ? equals + 1 : text;
    return status == KF_OK ? read_classes(&in, '\0') : status;
}

/* --- files ------------------------------------------------------------------------------------ */

static kf_status read_file(class_weights *into, const char *path) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return tool_fail(KF_IO, "cannot open %s: %s", path, strerror(errno));
    char *text = malloc(MOST_BYTES);
    const size_t bytes = text != NULL ? fread(text, 1, MOST_BYTES, file) : 0;
    kf_status status = KF_OK;
    if (text == NULL)
        status = tool_fail(KF_MEMORY, "out of memory");
    else if (ferror(file))
        status = tool_fail(KF_IO, "cannot read %s: %s", path, strerror(errno));
    else if (bytes == MOST_BYTES)
        status = tool_fail(KF_INVALID, "%s is too large for weights of classes", path);
    fclose(file);
    if (status == KF_OK) {
        text[bytes] = '\0';
        status = read_text(into, text);
    }
    free(text);
    return status == KF_USAGE ? KF_INVALID : status;
}

static bool names_file(const char *text) {
    const size_t length = strlen(text);
    return text[0] == '@' || (length > 5 && strcmp(text + length - 5, ".json") == 0);
}

kf_status kfrun_class_weights_read(const tool_list *texts, class_weights **weights) {
    class_weights *made = calloc(1, sizeof *made);
    kf_status status = made != NULL ? KF_OK : tool_fail(KF_MEMORY, "out of memory");
    for (int32_t i = 0; i < texts->count && status == KF_OK; i++) {
        const char *text = texts->items[i];
        status =
            names_file(text) ? read_file(made, text + (text[0] == '@')) : read_text(made, text);
    }
    if (status == KF_OK) {
        *weights = made;
        return KF_OK;
    }
    kfrun_class_weights_free(made);
    return status;
}
