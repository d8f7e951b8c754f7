/* Fields that are texts: plain ones, choices, and objects of a registry. */
#include "core/base/field_internal.h"

#include "core/base/memory.h"

#include <stdio.h>

/* --- texts ------------------------------------------------------------------------------------ */

static kf_status replace_text(void *member, char *text) {
    if (!text) return KF_MEMORY;
    kfi_free(*(char **)member);
    *(char **)member = text;
    return KF_OK;
}

static void release_text(const kfi_field *field, void *member) {
    (void)field;
    kfi_free(*(char **)member);
    *(char **)member = NULL;
}

static kf_status store_string(const kfi_field *field, void *member, const kfi_variant *value) {
    if (kfi_variant_is(value, KFI_NULL) && kfi_default_is_none(field)) {
        release_text(field, member);
        return KF_OK;
    }
    if (!kfi_variant_is(value, KFI_STRING)) return kfi_expected("a string", value);
    return replace_text(member, kfi_strdup(kfi_variant_text(value, "")));
}

static kfi_variant *load_string(const kfi_field *field, const void *member) {
    (void)field;
    const char *text = *(const char *const *)member;
    return text ? kfi_variant_string(text) : kfi_variant_null();
}

static bool text_is_unset(const kfi_field *field, const void *member) {
    (void)field;
    return !*(const char *const *)member;
}

static size_t text_size(const kfi_field *field) {
    (void)field;
    return sizeof(const char *);
}

const kfi_field_type kfi_field_string = {
    .name = "a string",
    .holds = "const char *",
    .store = store_string,
    .load = load_string,
    .is_unset = text_is_unset,
    .release = release_text,
    .size = text_size,
};

static bool is_choice(const char *choices, const char *text) {
    const size_t length = strlen(text);
    for (const char *at = choices; length && *at; at += *at == '|') {
        const size_t choice = strcspn(at, "|");
        if (choice == length && memcmp(at, text, length) == 0) return true;
        at += choice;
    }
    return false;
}

/* "one of valid, same" */
static const char *list_choices(const char *choices, char text[static 256]) {
    size_t length = (size_t)snprintf(text, 256, "one of ");
    for (; *choices && length + 3 < 256; choices++) {
        text[length++] = *choices == '|' ? ',' : *choices;
        if (*choices == '|') text[length++] = ' ';
    }
    text[length] = '\0';
    return text;
}

/* None means the default, as Keras's data_format=None does. */
static kf_status store_choice(const kfi_field *field, void *member, const kfi_variant *value) {
    const bool none = kfi_variant_is(value, KFI_NULL) && field->otherwise;
    const char *text = none ? field->otherwise : kfi_variant_text(value, "");
    char choices[256];
    if (!is_choice(field->choices, text))
        return kfi_expected(list_choices(field->choices, choices), value);
    return replace_text(member, kfi_strdup(text));
}

const kfi_field_type kfi_field_choice = {
    .name = "a choice",
    .holds = "const char *",
    .store = store_choice,
    .load = load_string,
    .is_unset = text_is_unset,
    .release = release_text,
    .size = text_size,
};

/* --- objects ---------------------------------------------------------------------------------- */

/* Keras's JSON for the object: by its kind, else as it was given. Plain names in JSON are for the
 * choice "activation". */
static kf_status object_config(const kfi_field *field, const char *name,
                               const kfi_variant *arguments, kfi_variant **config) {
    if (field->objects) return field->objects->config(name, arguments, config);
    *config = NULL;
    if (field->choices && strcmp(field->choices, "activation") == 0) {
        *config = kfi_variant_string(name);
        return *config ? KF_OK : KF_MEMORY;
    }
    kfi_variant *object = kfi_variant_dict();
    kf_status status = kfi_variant_put(object, "class_name", kfi_variant_string(name));
    if (status == KF_OK) status = kfi_variant_put(object, "config", kfi_variant_copy(arguments));
    if (status == KF_OK)
        *config = object;
    else
        kfi_variant_free(object);
    return status;
}

/* Checks name and arguments and keeps them as text. */
static kf_status store_checked(const kfi_field *field, void *member, const char *name,
                               const kfi_variant *arguments) {
    kfi_variant *config;
    kf_status status = object_config(field, name, arguments, &config);
    if (status != KF_OK) return status;
    kfi_variant_free(config);
    char *text;
    status = kfi_object_print(name, arguments, &text);
    return status == KF_OK ? replace_text(member, text) : status;
}

static kf_status store_text(const kfi_field *field, void *member, const char *text) {
    char *name;
    kfi_variant *arguments;
    kf_status status = kfi_object_parse(text, &name, &arguments);
    if (status != KF_OK) return kfi_within(status, "must be a name or name(arguments): ");
    status = store_checked(field, member, name, arguments);
    kfi_free(name);
    kfi_variant_free(arguments);
    return status;
}

static kf_status store_object(const kfi_field *field, void *member, const kfi_variant *value) {
    const bool has_default = field->otherwise && !kfi_default_is_none(field);
    if (kfi_variant_is(value, KFI_NULL) && has_default)
        return store_text(field, member, field->otherwise);
    if (kfi_variant_is(value, KFI_NULL)) {
        release_text(field, member);
        return KF_OK;
    }
    if (kfi_variant_is(value, KFI_STRING))
        return store_text(field, member, kfi_variant_text(value, ""));
    const char *name = kfi_variant_text(kfi_variant_get(value, "class_name"), NULL);
    const kfi_variant *config = kfi_variant_get(value, "config");
    const kfi_variant_kind kind = kfi_variant_kind_of(config);
    if (!name || (kind != KFI_DICT && kind != KFI_NULL))
        return kfi_expected("a name or a dict of class_name and config", value);
    return store_checked(field, member, name, config);
}

static kfi_variant *load_object(const kfi_field *field, const void *member) {
    const char *text = *(const char *const *)member;
    if (!text) return kfi_variant_null();
    char *name;
    kfi_variant *arguments, *config = NULL;
    if (kfi_object_parse(text, &name, &arguments) != KF_OK) return NULL;
    if (object_config(field, name, arguments, &config) != KF_OK) config = NULL;
    kfi_free(name);
    kfi_variant_free(arguments);
    return config;
}

const kfi_field_type kfi_field_object = {
    .name = "a name, with arguments where it takes some",
    .holds = "const char *",
    .store = store_object,
    .load = load_object,
    .is_unset = text_is_unset,
    .release = release_text,
    .size = text_size,
    .typed = load_string,
};
