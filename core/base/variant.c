/* Variants are small trees. A dict keeps its entries in the order they were put, and beyond a few
 * of them an index of hashes too, so that a file with a million keys costs no quadratic time. */
#include "core/base/variant.h"

#include "core/base/memory.h"

#include <assert.h>
#include <string.h>

enum { INDEXED_FROM = 16 }; /* entries; below, comparing keys one by one is as fast */

typedef struct entry {
    char *key; /* NULL in a list */
    kfi_variant *value;
} entry;

struct kfi_variant {
    kfi_variant_kind kind;
    union {
        bool truth;
        int64_t integer;
        double real;
        char *text;
    } is;
    entry *entries; /* of a list or dict */
    int64_t count, capacity;
    int64_t *slots;  /* open addressing: index of an entry + 1, 0: free; NULL: not indexed yet */
    int64_t n_slots; /* a power of two, at least twice the count */
};

static kfi_variant *make(kfi_variant_kind kind) {
    kfi_variant *variant = kfi_alloc(1, sizeof *variant);
    if (variant) variant->kind = kind;
    return variant;
}

kfi_variant *kfi_variant_null(void) { return make(KFI_NULL); }
kfi_variant *kfi_variant_list(void) { return make(KFI_LIST); }
kfi_variant *kfi_variant_dict(void) { return make(KFI_DICT); }

kfi_variant *kfi_variant_bool(bool value) {
    kfi_variant *variant = make(KFI_BOOL);
    if (variant) variant->is.truth = value;
    return variant;
}

kfi_variant *kfi_variant_integer(int64_t value) {
    kfi_variant *variant = make(KFI_INTEGER);
    if (variant) variant->is.integer = value;
    return variant;
}

kfi_variant *kfi_variant_real(double value) {
    kfi_variant *variant = make(KFI_REAL);
    if (variant) variant->is.real = value;
    return variant;
}

kfi_variant *kfi_variant_string_n(const char *value, size_t bytes) {
    kfi_variant *variant = make(KFI_STRING);
    if (!variant) return NULL;
    variant->is.text = bytes < SIZE_MAX ? kfi_alloc(bytes + 1, 1) : NULL;
    if (!variant->is.text) {
        kfi_variant_free(variant);
        return NULL;
    }
    if (bytes) memcpy(variant->is.text, value, bytes);
    return variant;
}

kfi_variant *kfi_variant_string(const char *value) {
    return kfi_variant_string_n(value, strlen(value));
}

void kfi_variant_free(kfi_variant *variant) {
    if (!variant) return;
    if (variant->kind == KFI_STRING) kfi_free(variant->is.text);
    for (int64_t i = 0; i < variant->count; i++) {
        kfi_free(variant->entries[i].key);
        kfi_variant_free(variant->entries[i].value);
    }
    kfi_free(variant->entries);
    kfi_free(variant->slots);
    kfi_free(variant);
}

/* FNV-1a, begun at the dict's own address: keys made to collide would have to know it. */
static uint64_t hash_of(const kfi_variant *dict, const char *key) {
    uint64_t hash = 14695981039346656037u ^ (uint64_t)(uintptr_t)dict;
    for (; *key; key++) hash = (hash ^ (unsigned char)*key) * 1099511628211u;
    return hash ^ hash >> 32;
}

/* The slot that holds `key`, or the free one where it belongs. */
static int64_t slot_of(const kfi_variant *dict, const char *key) {
    const int64_t mask = dict->n_slots - 1;
    int64_t slot = (int64_t)(hash_of(dict, key) & (uint64_t)mask);
    while (dict->slots[slot] && strcmp(dict->entries[dict->slots[slot] - 1].key, key) != 0)
        slot = (slot + 1) & mask;
    return slot;
}

static int64_t find(const kfi_variant *dict, const char *key) {
    if (dict->slots) return dict->slots[slot_of(dict, key)] - 1;
    for (int64_t i = 0; i < dict->count; i++)
        if (strcmp(dict->entries[i].key, key) == 0) return i;
    return -1;
}

/* Room in the index for one entry more. */
static kf_status reindex(kfi_variant *dict) {
    if (dict->count + 1 < INDEXED_FROM || 2 * (dict->count + 1) <= dict->n_slots) return KF_OK;
    const int64_t n_slots = dict->n_slots ? 2 * dict->n_slots : 4 * INDEXED_FROM;
    int64_t *slots = kfi_alloc((size_t)n_slots, sizeof *slots);
    if (!slots) return KF_MEMORY;
    kfi_free(dict->slots);
    dict->slots = slots;
    dict->n_slots = n_slots;
    for (int64_t i = 0; i < dict->count; i++) slots[slot_of(dict, dict->entries[i].key)] = i + 1;
    return KF_OK;
}

static kf_status add(kfi_variant *variant, char *key, kfi_variant *item) {
    void *entries = variant->entries;
    const kf_status status =
        kfi_reserve(&entries, &variant->capacity, variant->count, sizeof *variant->entries);
    variant->entries = entries;
    if (status == KF_OK) variant->entries[variant->count++] = (entry){key, item};
    return status;
}

kf_status kfi_variant_append(kfi_variant *list, kfi_variant *item) {
    assert(kfi_variant_is(list, KFI_LIST) || !list);
    if (list && item && add(list, NULL, item) == KF_OK) return KF_OK;
    kfi_variant_free(item);
    return KF_MEMORY;
}

static kf_status insert(kfi_variant *dict, const char *key, kfi_variant *item) {
    char *own = kfi_strdup(key);
    if (!own) return KF_MEMORY;
    if (reindex(dict) != KF_OK || add(dict, own, item) != KF_OK) {
        kfi_free(own);
        return KF_MEMORY;
    }
    if (dict->slots) dict->slots[slot_of(dict, own)] = dict->count;
    return KF_OK;
}

kf_status kfi_variant_put(kfi_variant *dict, const char *key, kfi_variant *item) {
    assert(kfi_variant_is(dict, KFI_DICT) || !dict);
    const int64_t old = dict && item ? find(dict, key) : -1;
    if (old >= 0) {
        kfi_variant_free(dict->entries[old].value);
        dict->entries[old].value = item;
        return KF_OK;
    }
    if (dict && item && insert(dict, key, item) == KF_OK) return KF_OK;
    kfi_variant_free(item);
    return KF_MEMORY;
}

kfi_variant *kfi_variant_copy(const kfi_variant *variant) {
    if (!variant) return NULL;
    if (variant->kind == KFI_STRING) return kfi_variant_string(variant->is.text);
    kfi_variant *copy = make(variant->kind);
    if (!copy) return NULL;
    copy->is = variant->is;
    for (int64_t i = 0; i < variant->count; i++) {
        kfi_variant *item = kfi_variant_copy(variant->entries[i].value);
        const kf_status status = variant->kind == KFI_LIST
                                     ? kfi_variant_append(copy, item)
                                     : kfi_variant_put(copy, variant->entries[i].key, item);
        if (status != KF_OK) {
            kfi_variant_free(copy);
            return NULL;
        }
    }
    return copy;
}

kfi_variant_kind kfi_variant_kind_of(const kfi_variant *variant) {
    return variant ? variant->kind : KFI_NULL;
}

const char *kfi_variant_kind_name(const kfi_variant *variant) {
    static const char *const names[] = {
        [KFI_NULL] = "null",   [KFI_BOOL] = "a truth value", [KFI_INTEGER] = "an integer",
        [KFI_REAL] = "a real", [KFI_STRING] = "a string",    [KFI_LIST] = "a list",
        [KFI_DICT] = "a dict",
    };
    return names[kfi_variant_kind_of(variant)];
}

bool kfi_variant_is(const kfi_variant *variant, kfi_variant_kind kind) {
    return kfi_variant_kind_of(variant) == kind;
}

bool kfi_variant_truth(const kfi_variant *variant, bool otherwise) {
    return kfi_variant_is(variant, KFI_BOOL) ? variant->is.truth : otherwise;
}

int64_t kfi_variant_to_integer(const kfi_variant *variant, int64_t otherwise) {
    return kfi_variant_is(variant, KFI_INTEGER) ? variant->is.integer : otherwise;
}

double kfi_variant_to_real(const kfi_variant *variant, double otherwise) {
    if (kfi_variant_is(variant, KFI_INTEGER)) return (double)variant->is.integer;
    return kfi_variant_is(variant, KFI_REAL) ? variant->is.real : otherwise;
}

const char *kfi_variant_text(const kfi_variant *variant, const char *otherwise) {
    return kfi_variant_is(variant, KFI_STRING) ? variant->is.text : otherwise;
}

int64_t kfi_variant_count(const kfi_variant *variant) { return variant ? variant->count : 0; }

static const entry *entry_at(const kfi_variant *variant, kfi_variant_kind kind, int64_t index) {
    if (!kfi_variant_is(variant, kind) || !variant) return NULL;
    return index >= 0 && index < variant->count ? &variant->entries[index] : NULL;
}

const kfi_variant *kfi_variant_at(const kfi_variant *list, int64_t index) {
    const entry *found = entry_at(list, KFI_LIST, index);
    return found ? found->value : NULL;
}

const char *kfi_variant_key_at(const kfi_variant *dict, int64_t index) {
    const entry *found = entry_at(dict, KFI_DICT, index);
    return found ? found->key : NULL;
}

const kfi_variant *kfi_variant_value_at(const kfi_variant *dict, int64_t index) {
    const entry *found = entry_at(dict, KFI_DICT, index);
    return found ? found->value : NULL;
}

const kfi_variant *kfi_variant_get(const kfi_variant *dict, const char *key) {
    if (!kfi_variant_is(dict, KFI_DICT)) return NULL;
    return kfi_variant_value_at(dict, find(dict, key));
}
