/* What is done with a whole table of fields; the types are in field_numbers.c and
 * field_texts.c, the text forms in object_parse.c and object_print.c. */
#include "core/base/fields.h"

#include "core/base/memory.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The field's name before a message: "padding must be …", "kernel_initializer: unknown …". */
static kf_status within(const kfi_field *field, kf_status status) {
    if (status == KF_OK || status == KF_MEMORY) return status;
    const bool goes_on = strncmp(kf_last_error(), "must ", 5) == 0;
    return kfi_within(status, "%s%s ", field->name, goes_on ? "" : ":");
}

static kf_status store_default(const kfi_field *field, void *member) {
    if (!field->otherwise)
        return kfi_fail(KF_INVALID, "%s is missing: expected %s", field->name, field->type->name);
    kfi_variant *value;
    kf_status status = kfi_value_parse(field->otherwise, &value);
    if (status != KF_OK) return within(field, status);
    status = within(field, field->type->store(field, member, value));
    kfi_variant_free(value);
    return status;
}

static kf_status copy_member(const kfi_field *field, const void *from, void *to) {
    const kfi_field_type *type = field->type;
    kfi_variant *value = type->typed ? type->typed(field, from) : type->load(field, from);
    if (!value) return KF_MEMORY;
    const kf_status status = within(field, type->store(field, to, value));
    kfi_variant_free(value);
    return status;
}

kf_status kfi_fields_copy(const kfi_field *fields, const void *from, size_t from_size, void *to) {
    for (const kfi_field *field = fields; field && field->name; field++) {
        const void *member = (const char *)from + field->offset;
        void *own = (char *)to + field->offset;
        const bool given = from && field->offset + field->type->size(field) <= from_size &&
                           !field->type->is_unset(field, member);
        const kf_status status =
            given ? copy_member(field, member, own) : store_default(field, own);
        if (status != KF_OK) return status;
    }
    return KF_OK;
}

kf_status kfi_fields_check(const kfi_field *fields, const void *from) {
    kf_status status = KF_OK;
    for (const kfi_field *field = fields; field->name && status == KF_OK; field++) {
        const kfi_field_type *type = field->type;
        const void *member = (const char *)from + field->offset;
        void *own = type->is_unset(field, member) ? NULL : kfi_alloc(1, type->size(field));
        if (type->is_unset(field, member)) continue;
        status = own ? copy_member(field, member, own) : KF_MEMORY;
        if (own && type->release) type->release(field, own);
        kfi_free(own);
    }
    return status;
}

/* --- keyword arguments ------------------------------------------------------------------------ */

/* The place of a field among positional arguments, from 0. */
static int32_t place_of(const kfi_field *fields, const kfi_field *field) {
    return field->position ? field->position - 1 : (int32_t)(field - fields);
}

static const kfi_variant *find_argument(const kfi_field *fields, const kfi_field *field,
                                        const kfi_variant *arguments, bool *twice) {
    char number[16];
    snprintf(number, sizeof number, "%d", (int)place_of(fields, field));
    const kfi_variant *positional = kfi_variant_get(arguments, number);
    const kfi_variant *named = kfi_variant_get(arguments, field->name);
    *twice = positional && named;
    return named ? named : positional;
}

static bool is_known(const kfi_field *fields, const char *key) {
    for (const kfi_field *field = fields; field && field->name; field++)
        if (strcmp(field->name, key) == 0) return true;
    return false;
}

static kf_status refuse_unknown(const kfi_field *fields, const char *key) {
    char known[640] = "none";
    size_t length = 0;
    for (const kfi_field *field = fields; field && field->name && length < sizeof known; field++)
        length += (size_t)snprintf(known + length, sizeof known - length, "%s%s",
                                   length ? ", " : "", field->name);
    return kfi_fail(KF_INVALID, "unknown argument '%.80s' (known: %s)", key, known);
}

/* Arguments of Keras's that do not exist here leave gaps. */
static bool has_place(const kfi_field *fields, int64_t place) {
    for (const kfi_field *field = fields; field && field->name; field++)
        if (place_of(fields, field) == place) return true;
    return false;
}

static kf_status refuse_place(const kfi_field *fields, int64_t place) {
    int32_t places = 0;
    for (const kfi_field *field = fields; field && field->name; field++)
        if (place_of(fields, field) >= places) places = place_of(fields, field) + 1;
    if (place < places)
        return kfi_fail(KF_INVALID, "there is no argument %d; give those after it by name",
                        (int)place + 1);
    return kfi_fail(KF_INVALID, "takes at most %d argument%s", (int)places, places == 1 ? "" : "s");
}

static kf_status check_keys(const kfi_field *fields, const kfi_variant *arguments,
                            void (*unknown)(void *context, const char *key), void *context) {
    for (int64_t i = 0; i < kfi_variant_count(arguments); i++) {
        const char *key = kfi_variant_key_at(arguments, i);
        if (is_known(fields, key)) continue;
        const bool positional = isdigit((unsigned char)key[0]);
        const int64_t place = positional ? strtol(key, NULL, 10) : -1;
        if (positional && has_place(fields, place)) continue;
        if (unknown)
            unknown(context, key);
        else
            return positional ? refuse_place(fields, place) : refuse_unknown(fields, key);
    }
    return KF_OK;
}

kf_status kfi_fields_parse(const kfi_field *fields, const kfi_variant *arguments, void *to,
                           void (*unknown)(void *context, const char *key), void *context) {
    kf_status status = check_keys(fields, arguments, unknown, context);
    for (const kfi_field *field = fields; status == KF_OK && field && field->name; field++) {
        void *member = (char *)to + field->offset;
        bool twice;
        const kfi_variant *value = find_argument(fields, field, arguments, &twice);
        if (twice)
            status = kfi_fail(KF_INVALID, "%s is given twice", field->name);
        else if (value)
            status = within(field, field->type->store(field, member, value));
        else
            status = store_default(field, member);
    }
    return status;
}

/* --- and back --------------------------------------------------------------------------------- */

static bool is_default(const kfi_field *field, const kfi_variant *value) {
    char own[64], otherwise[64];
    kfi_variant *parsed;
    if (!value || kfi_value_parse(field->otherwise, &parsed) != KF_OK) return false;
    kfi_value_print(parsed, otherwise, sizeof otherwise);
    kfi_value_print(value, own, sizeof own);
    kfi_variant_free(parsed);
    return strcmp(own, otherwise) == 0;
}

kfi_variant *kfi_fields_config(const kfi_field *fields, const void *from) {
    kfi_variant *config = kfi_variant_dict();
    for (const kfi_field *field = fields; config && field && field->name; field++) {
        if (field->unsaved) continue;
        kfi_variant *value = field->type->load(field, (const char *)from + field->offset);
        if (field->quiet && is_default(field, value)) {
            kfi_variant_free(value);
            continue;
        }
        if (kfi_variant_put(config, field->name, value) == KF_OK) continue;
        kfi_variant_free(config);
        config = NULL;
    }
    return config;
}

void kfi_fields_release(const kfi_field *fields, void *options) {
    for (const kfi_field *field = fields; field && field->name; field++)
        if (field->type->release) field->type->release(field, (char *)options + field->offset);
}
