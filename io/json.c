/* jansson reads; the printing is our own, since Python's spelling of reals is not jansson's. */
#include "io/json.h"

#include "core/base/memory.h"

#include <jansson.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Nested models are a few levels deep; the limit keeps recursion over a hostile text off the end
 * of a thread's stack. */
enum { MAX_DEPTH = 256 };

/* --- jansson's memory ------------------------------------------------------------------------- */

/* Where memory is gone, jansson goes on with half a string, to an error of the text or an assertion
 * of its own. So a failed allocation leaves it at once, and what it had is in this list. */
typedef struct block {
    _Alignas(max_align_t) struct block *before, *after;
} block;

static _Thread_local block blocks;    /* of the parse under way: a ring */
static _Thread_local jmp_buf *failed; /* where to go on; NULL: no parse is under way */

static void *allocate(size_t bytes) {
    block *made = bytes <= SIZE_MAX - sizeof *made ? kfi_alloc_plain(sizeof *made + bytes) : NULL;
    if (!made && failed) longjmp(*failed, 1);
    if (!made) return NULL;
    *made = (block){.before = blocks.before, .after = &blocks};
    made->before->after = made->after->before = made;
    return made + 1;
}

static void release(void *bytes) {
    if (!bytes) return;
    block *old = (block *)bytes - 1;
    old->before->after = old->after;
    old->after->before = old->before;
    kfi_free(old);
}

static void use_own_memory(void) { json_set_alloc_funcs(allocate, release); }

/* NULL with *exhausted if memory is gone, else as json_loadb. Nothing is left of a failure. */
static json_t *load(const char *text, size_t bytes, json_error_t *error, bool *exhausted) {
    jmp_buf here;
    blocks = (block){.before = &blocks, .after = &blocks};
    failed = &here;
    if (setjmp(here) == 0) {
        const size_t how = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
        json_t *json = json_loadb(text, bytes, how, error);
        failed = NULL;
        *exhausted = false;
        return json;
    }
    failed = NULL;
    *exhausted = true;
    while (blocks.after != &blocks) release(blocks.after + 1);
    return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static kf_status too_deep(const char *what) {
    return kfi_fail(KF_INVALID, "%s: nested deeper than %d levels", what, MAX_DEPTH);
}

static kfi_variant *convert_scalar(const json_t *json) {
    switch (json_typeof(json)) {
    case JSON_TRUE:
        return kfi_variant_bool(true);
    case JSON_FALSE:
        return kfi_variant_bool(false);
    case JSON_INTEGER:
        return kfi_variant_integer(json_integer_value(json));
    case JSON_REAL:
        return kfi_variant_real(json_real_value(json));
    case JSON_STRING:
        return kfi_variant_string_n(json_string_value(json), json_string_length(json));
    default:
        return kfi_variant_null();
    }
}

static kfi_variant *convert_empty(const json_t *json) {
    if (json_is_array(json)) return kfi_variant_list();
    return json_is_object(json) ? kfi_variant_dict() : convert_scalar(json);
}

/* On failure the caller frees *variant, which holds what was converted so far. */
static kf_status convert(json_t *json, int depth, const char *what, kfi_variant **variant) {
    if (depth > MAX_DEPTH) return too_deep(what);
    *variant = convert_empty(json);
    if (!*variant) return KF_MEMORY;
    size_t index;
    const char *key;
    json_t *item;
    json_array_foreach(json, index, item) {
        kfi_variant *value = NULL;
        const kf_status status = convert(item, depth + 1, what, &value);
        const kf_status kept = kfi_variant_append(*variant, value);
        if (status != KF_OK || kept != KF_OK) return status != KF_OK ? status : kept;
    }
    json_object_foreach(json, key, item) {
        kfi_variant *value = NULL;
        const kf_status status = convert(item, depth + 1, what, &value);
        const kf_status kept = kfi_variant_put(*variant, key, value);
        if (status != KF_OK || kept != KF_OK) return status != KF_OK ? status : kept;
    }
    return KF_OK;
}

kf_status kfi_json_parse(const char *text, size_t bytes, const char *what, kfi_variant **variant) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, use_own_memory);
    *variant = NULL;
    json_error_t error;
    bool exhausted;
    json_t *json = load(text, bytes, &error, &exhausted);
    if (exhausted) return kfi_fail(KF_MEMORY, "%s: out of memory", what);
    if (!json && json_error_code(&error) == json_error_stack_overflow) return too_deep(what);
    if (!json)
        return kfi_fail(KF_INVALID, "%s: line %d, column %d: %s", what, error.line, error.column,
                        error.text);
    const kf_status status = convert(json, 1, what, variant);
    json_decref(json);
    if (status == KF_OK) return KF_OK;
    kfi_variant_free(*variant);
    *variant = NULL;
    return status;
}

/* Text that grows; after a failure it stays as it is and the failure is remembered. */
typedef struct text {
    char *bytes;
    int64_t count, capacity;
    kf_status status;
} text;

static void add(text *out, const char *bytes, size_t count) {
    while (out->status == KF_OK && out->count + (int64_t)count >= out->capacity) {
        void *grown = out->bytes;
        out->status = kfi_reserve(&grown, &out->capacity, out->capacity, 1);
        out->bytes = grown;
    }
    if (out->status != KF_OK) return;
    memcpy(out->bytes + out->count, bytes, count);
    out->count += (int64_t)count;
    out->bytes[out->count] = '\0';
}

static void add_text(text *out, const char *bytes) { add(out, bytes, strlen(bytes)); }

static void add_unit(text *out, unsigned unit) {
    char escape[8];
    snprintf(escape, sizeof escape, "\\u%04x", unit & 0xffff);
    add_text(out, escape);
}

/* Bytes of the UTF-8 sequence at `at`, 0 if it is none; its code point in *point. */
static int decode(const unsigned char *at, unsigned *point) {
    static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
    const int bytes = at[0] < 0x80   ? 1
                      : at[0] < 0xc2 ? 0
                      : at[0] < 0xe0 ? 2
                      : at[0] < 0xf0 ? 3
                      : at[0] < 0xf5 ? 4
                                     : 0;
    if (bytes < 2) {
        *point = at[0];
        return bytes;
    }
    *point = at[0] & (0x7fu >> bytes);
    for (int i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80) return 0; /* also where the text ends */
        *point = *point << 6 | (at[i] & 0x3fu);
    }
    const bool surrogate = *point >= 0xd800 && *point < 0xe000;
    return *point < least[bytes] || *point > 0x10ffff || surrogate ? 0 : bytes;
}

static void add_escaped(text *out, unsigned point) {
    static const char short_form[128] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                         ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    if (point < 0x80 && short_form[point]) {
        add(out, (char[]){'\\', short_form[point]}, 2);
    } else if (point >= 0x10000) {
        add_unit(out, 0xd800 + ((point - 0x10000) >> 10));
        add_unit(out, 0xdc00 + ((point - 0x10000) & 0x3ff));
    } else {
        add_unit(out, point);
    }
}

static void add_string(text *out, const char *string) {
    const unsigned char *at = (const unsigned char *)string;
    add(out, "\"", 1);
    while (*at) {
        unsigned point;
        const int bytes = decode(at, &point);
        if (!bytes && out->status == KF_OK)
            out->status = kfi_fail(KF_INVALID, "JSON: the string \"%.40s\" is not UTF-8", string);
        if (!bytes) return;
        const bool plain = point >= 0x20 && point < 0x7f && point != '"' && point != '\\';
        if (plain)
            add(out, (const char *)at, 1);
        else
            add_escaped(out, point);
        at += bytes;
    }
    add(out, "\"", 1);
}

/* The fewest digits that read back the same, into `digits`; the decimal exponent is returned:
 * value = 0.d1d2d3… x 10^exponent. */
static int shortest(double value, char digits[32]) {
    char form[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(form, sizeof form, "%.*e", precision, value);
        if (strtod(form, NULL) == value) break;
    }
    int count = 0;
    for (const char *at = form; *at != 'e'; at++)
        if (*at >= '0' && *at <= '9') digits[count++] = *at; /* whatever the locale's point is */
    while (count > 1 && digits[count - 1] == '0') count--;
    digits[count] = '\0';
    return atoi(strchr(form, 'e') + 1) + 1;
}

/* Python's repr: 0.001, 1e-07, 1e+16, 100.0; an exponent below 1e-4 and from 1e16. */
static void add_real(text *out, double value) {
    char digits[32], form[64];
    if (!isfinite(value)) {
        if (out->status == KF_OK)
            out->status = kfi_fail(KF_INVALID, "JSON: %f cannot be written", value);
        return;
    }
    if (signbit(value)) add(out, "-", 1);
    const int point = shortest(fabs(value), digits), count = (int)strlen(digits);
    if (value == 0)
        snprintf(form, sizeof form, "0.0");
    else if (point <= -4 || point > 16)
        snprintf(form, sizeof form, "%c%s%se%c%02d", digits[0], count > 1 ? "." : "", digits + 1,
                 point > 0 ? '+' : '-', abs(point - 1));
    else if (point <= 0)
        snprintf(form, sizeof form, "0.%.*s%s", -point, "0000", digits);
    else if (point >= count)
        snprintf(form, sizeof form, "%s%.*s.0", digits, point - count, "0000000000000000");
    else
        snprintf(form, sizeof form, "%.*s.%s", point, digits, digits + point);
    add_text(out, form);
}

static void add_variant(text *out, const kfi_variant *variant) {
    const kfi_variant_kind kind = kfi_variant_kind_of(variant);
    char integer[24];
    switch (kind) {
    case KFI_NULL:
        add_text(out, "null");
        return;
    case KFI_BOOL:
        add_text(out, kfi_variant_truth(variant, false) ? "true" : "false");
        return;
    case KFI_REAL:
        add_real(out, kfi_variant_to_real(variant, 0));
        return;
    case KFI_STRING:
        add_string(out, kfi_variant_text(variant, ""));
        return;
    case KFI_INTEGER:
        snprintf(integer, sizeof integer, "%lld", (long long)kfi_variant_to_integer(variant, 0));
        add_text(out, integer);
        return;
    case KFI_LIST:
    case KFI_DICT:
        break;
    }
    add(out, kind == KFI_LIST ? "[" : "{", 1);
    for (int64_t i = 0; i < kfi_variant_count(variant) && out->status == KF_OK; i++) {
        if (i) add(out, ", ", 2);
        if (kind == KFI_DICT) {
            add_string(out, kfi_variant_key_at(variant, i));
            add(out, ": ", 2);
        }
        add_variant(out, kind == KFI_DICT ? kfi_variant_value_at(variant, i)
                                          : kfi_variant_at(variant, i));
    }
    add(out, kind == KFI_LIST ? "]" : "}", 1);
}

kf_status kfi_json_print(const kfi_variant *variant, char **printed) {
    text out = {0};
    add_variant(&out, variant);
    *printed = out.bytes;
    if (out.status == KF_OK) return KF_OK;
    kfi_free(out.bytes);
    *printed = NULL;
    return out.status;
}
