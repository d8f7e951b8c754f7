/* Values and objects as text: what a user types for `Name(stddev=0.01, seed=3)`.
 *
 *     object    = name [ "(" arguments ")" ]
 *     arguments = [ argument { "," argument } [ "," ] ]       argument = [ name "=" ] value
 *     value     = number | 'text' | "text" | None | True | False | name | object | dict
 *               | "(" values ")" | "[" values "]"
 *     dict      = "{" [ text ":" value { "," text ":" value } ] "}"
 *
 * An object inside of arguments is the dict {"class_name", "config"}, as in Keras's JSON. */
#include "core/base/fields.h"
#include "core/base/memory.h"
#include "core/base/words.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

static double read_real(const char *text, char **end) {
    const locale_t callers = kfi_enter_c_locale();
    const double value = strtod(text, end);
    uselocale(callers);
    return value;
}

typedef struct reader {
    const char *text, *at;
    int depth;
} reader;

static kf_status unexpected(const reader *in, const char *expected) {
    const long place = (long)(in->at - in->text) + 1;
    if (!*in->at)
        return kfi_fail(KF_INVALID, "expected %s at the end of \"%s\"", expected, in->text);
    return kfi_fail(KF_INVALID, "expected %s at character %ld of \"%s\"", expected, place,
                    in->text);
}

static char next(reader *in) {
    while (isspace((unsigned char)*in->at)) in->at++;
    return *in->at;
}

static bool take(reader *in, char c) {
    if (next(in) != c) return false;
    in->at++;
    return true;
}

static kf_status done(kfi_variant *made, kfi_variant **value) {
    *value = made;
    return made ? KF_OK : KF_MEMORY;
}

/* "1/255": the numerator was read. */
static kf_status read_fraction(reader *in, double above, kfi_variant **value) {
    char *end;
    next(in);
    const double below = read_real(in->at, &end);
    if (end == in->at || below == 0 || kfi_begins_word(*end))
        return unexpected(in, "a number to divide by");
    in->at = end;
    return done(kfi_variant_real(above / below), value);
}

static kf_status read_number(reader *in, kfi_variant **value) {
    char *end_of_integer, *end_of_real;
    errno = 0;
    const long long integer = strtoll(in->at, &end_of_integer, 10);
    const bool too_big = errno == ERANGE;
    const double real = read_real(in->at, &end_of_real);
    if (end_of_real == in->at) return unexpected(in, "a number");
    if (end_of_integer == end_of_real && too_big)
        return unexpected(in, "an integer of at most 64 bits");
    if (kfi_begins_word(*end_of_real)) return unexpected(in, "a number");
    in->at = end_of_real;
    if (take(in, '/')) return read_fraction(in, real, value);
    return done(end_of_integer == end_of_real ? kfi_variant_integer(integer)
                                              : kfi_variant_real(real),
                value);
}

/* The text between quotes; \\, \' and \n as in Python, other escapes stand for themselves. */
static kf_status read_quoted(reader *in, char **text) {
    const char quote = *in->at++;
    char *to = *text = kfi_alloc(strlen(in->at) + 1, 1);
    if (!to) return KF_MEMORY;
    while (*in->at && *in->at != quote) {
        if (*in->at == '\\' && in->at[1]) {
            in->at++;
            *to++ = *in->at == 'n' ? '\n' : *in->at;
            in->at++;
        } else {
            *to++ = *in->at++;
        }
    }
    if (*in->at++ == quote) return KF_OK;
    in->at--;
    kfi_free(*text);
    *text = NULL;
    return unexpected(in, "a closing quote");
}

static kf_status read_string(reader *in, kfi_variant **value) {
    char *text;
    const kf_status status = read_quoted(in, &text);
    if (status != KF_OK) return status;
    *value = kfi_variant_string(text);
    kfi_free(text);
    return *value ? KF_OK : KF_MEMORY;
}

static bool word_is(const char *word, size_t length, const char *text) {
    return strlen(text) == length && memcmp(word, text, length) == 0;
}

static kf_status word_value(const char *word, size_t length, kfi_variant **value) {
    if (word_is(word, length, "None")) return done(kfi_variant_null(), value);
    if (word_is(word, length, "True")) return done(kfi_variant_bool(true), value);
    if (word_is(word, length, "False")) return done(kfi_variant_bool(false), value);
    if (word_is(word, length, "inf")) return done(kfi_variant_real(INFINITY), value);
    if (word_is(word, length, "nan")) return done(kfi_variant_real(NAN), value);
    return done(kfi_variant_string_n(word, length), value);
}

/* The grammar is recursive: values hold arguments, arguments hold values. */
static kf_status read_value(reader *in, kfi_variant **value);

/* Puts one argument into the dict, under its name or its number. */
static kf_status read_argument(reader *in, kfi_variant *arguments, int64_t index, bool *named) {
    next(in);
    const char *const start = in->at;
    const size_t length = kfi_word_length(start);
    char *key = NULL;
    if (length) {
        in->at += length;
        if (take(in, '='))
            key = kfi_format("%.*s", (int)length, start);
        else
            in->at = start;
    }
    if (in->at != start) {
        if (!key) return KF_MEMORY;
        *named = true;
    } else {
        if (*named) return unexpected(in, "name=value after a named argument");
        if (!(key = kfi_format("%lld", (long long)index))) return KF_MEMORY;
    }
    kfi_variant *value = NULL;
    kf_status status = KF_OK;
    if (kfi_variant_get(arguments, key))
        status = kfi_fail(KF_INVALID, "argument '%s' is given twice in \"%s\"", key, in->text);
    if (status == KF_OK) status = read_value(in, &value);
    if (status == KF_OK) status = kfi_variant_put(arguments, key, value);
    kfi_free(key);
    return status;
}

/* Arguments up to `end` (which stays), '\0' for the end of the text. */
static kf_status read_arguments(reader *in, char end, kfi_variant **arguments) {
    kfi_variant *made = kfi_variant_dict();
    if (!made) return KF_MEMORY;
    kf_status status = KF_OK;
    bool named = false;
    while (status == KF_OK && next(in) != end) {
        status = read_argument(in, made, kfi_variant_count(made), &named);
        if (status != KF_OK || take(in, ',')) continue;
        if (next(in) != end) status = unexpected(in, end ? "',' or ')'" : "','");
    }
    if (status == KF_OK) {
        *arguments = made;
        return KF_OK;
    }
    kfi_variant_free(made);
    return status;
}

/* {"class_name": name, "config": arguments}; takes the arguments over. */
static kf_status make_object(const char *name, size_t length, kfi_variant *arguments,
                             kfi_variant **value) {
    kfi_variant *object = kfi_variant_dict();
    if (!object || kfi_variant_put(object, "class_name", kfi_variant_string_n(name, length))) {
        kfi_variant_free(arguments);
        kfi_variant_free(object);
        return KF_MEMORY;
    }
    if (kfi_variant_put(object, "config", arguments) != KF_OK) {
        kfi_variant_free(object);
        return KF_MEMORY;
    }
    *value = object;
    return KF_OK;
}

static kf_status read_word(reader *in, kfi_variant **value) {
    const char *const word = in->at;
    const size_t length = kfi_word_length(word);
    in->at += length;
    if (!take(in, '(')) return word_value(word, length, value);
    kfi_variant *arguments = NULL;
    const kf_status status = read_arguments(in, ')', &arguments);
    if (status != KF_OK) return status;
    in->at++;
    return make_object(word, length, arguments, value);
}

/* (1, 2) or [1, 2]; (1) is 1, as in Python. */
static kf_status read_list(reader *in, kfi_variant **value) {
    const char end = *in->at++ == '(' ? ')' : ']';
    kfi_variant *list = kfi_variant_list();
    kf_status status = list ? KF_OK : KF_MEMORY;
    bool comma = end == ']';
    while (status == KF_OK && next(in) != end) {
        kfi_variant *item = NULL;
        status = read_value(in, &item);
        if (status == KF_OK) status = kfi_variant_append(list, item);
        if (status != KF_OK) break;
        if (take(in, ','))
            comma = true;
        else if (next(in) != end)
            status = unexpected(in, end == ')' ? "',' or ')'" : "',' or ']'");
    }
    if (status == KF_OK) {
        in->at++;
        if (comma || kfi_variant_count(list) != 1) {
            *value = list;
            return KF_OK;
        }
        status = done(kfi_variant_copy(kfi_variant_at(list, 0)), value);
    }
    kfi_variant_free(list);
    return status;
}

static kf_status read_entry(reader *in, kfi_variant *dict) {
    if (next(in) != '\'' && *in->at != '"') return unexpected(in, "a quoted key");
    char *key;
    kf_status status = read_quoted(in, &key);
    if (status != KF_OK) return status;
    kfi_variant *value = NULL;
    status = take(in, ':') ? read_value(in, &value) : unexpected(in, "':'");
    if (status == KF_OK) status = kfi_variant_put(dict, key, value);
    kfi_free(key);
    return status;
}

static kf_status read_dict(reader *in, kfi_variant **value) {
    in->at++;
    kfi_variant *dict = kfi_variant_dict();
    kf_status status = dict ? KF_OK : KF_MEMORY;
    while (status == KF_OK && next(in) != '}') {
        status = read_entry(in, dict);
        if (status == KF_OK && !take(in, ',') && next(in) != '}')
            status = unexpected(in, "',' or '}'");
    }
    if (status == KF_OK) {
        in->at++;
        *value = dict;
        return KF_OK;
    }
    kfi_variant_free(dict);
    return status;
}

static kf_status read_value(reader *in, kfi_variant **value) {
    const char c = next(in);
    if (in->depth == MAX_DEPTH)
        return kfi_fail(KF_INVALID, "values are nested more than %d deep", MAX_DEPTH);
    in->depth++;
    kf_status status;
    if (c == '\'' || c == '"')
        status = read_string(in, value);
    else if (c == '(' || c == '[')
        status = read_list(in, value);
    else if (c == '{')
        status = read_dict(in, value);
    else if (kfi_begins_word(c))
        status = read_word(in, value);
    else
        status = isdigit((unsigned char)c) || (c && strchr("+-.", c)) ? read_number(in, value)
                                                                      : unexpected(in, "a value");
    in->depth--;
    return status;
}

kf_status kfi_value_parse(const char *text, kfi_variant **value) {
    *value = NULL;
    reader in = {text, text, 0};
    kfi_variant *read = NULL;
    const kf_status status = read_value(&in, &read);
    if (status != KF_OK) return status;
    if (!next(&in)) {
        *value = read;
        return KF_OK;
    }
    kfi_variant_free(read);
    return unexpected(&in, "nothing more");
}

kf_status kfi_arguments_parse(const char *text, kfi_variant **arguments) {
    *arguments = NULL;
    reader in = {text, text, 0};
    return read_arguments(&in, '\0', arguments);
}

kf_status kfi_object_parse(const char *text, char **name, kfi_variant **arguments) {
    *name = NULL;
    *arguments = NULL;
    reader in = {text, text, 0};
    if (!kfi_begins_word(next(&in))) return unexpected(&in, "a name");
    const size_t length = kfi_word_length(in.at);
    const char *const word = in.at;
    in.at += length;
    kf_status status;
    if (take(&in, '(')) {
        status = read_arguments(&in, ')', arguments);
        if (status == KF_OK) in.at++;
    } else {
        status = done(kfi_variant_dict(), arguments);
    }
    if (status == KF_OK && next(&in)) status = unexpected(&in, "nothing more");
    if (status == KF_OK && !(*name = kfi_format("%.*s", (int)length, word))) status = KF_MEMORY;
    if (status == KF_OK) return KF_OK;
    kfi_variant_free(*arguments);
    *arguments = NULL;
    return status;
}
