/* Ready-made callbacks: found by name, made from options or text. */
#include "core/train/callbacks/callback.h"

#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/model/model.h"

#include <stdio.h>
#include <string.h>

#define KFI_CALLBACK(symbol) extern const kfi_callback_class kfi_callback_##symbol;
#include "core/train/callbacks/callback_list.h"
#undef KFI_CALLBACK

#define KFI_CALLBACK(symbol) &kfi_callback_##symbol,
static const kfi_callback_class *const classes[] = {
#include "core/train/callbacks/callback_list.h"
};
#undef KFI_CALLBACK

static void free_own(kf_callback *callback) {
    kfi_own_callback *own = (kfi_own_callback *)callback;
    if (own->class && own->class->close) own->class->close(own);
    if (own->options) kfi_fields_release(own->class->fields, own->options);
    if (own->state) kfi_fields_release(own->class->state_fields, own->state);
    kfi_free(own->options);
    kfi_free(own->state);
    kfi_free(own->numbers.values);
    kfi_free(own->message);
    kfi_free(own);
}

static kf_status refuse(kf_callback *callback, kf_model *model) {
    (void)model;
    return kf_callback_error(callback);
}

static void keep(kf_callback *callback) { (void)callback; }

/* Stands for every callback that could not be allocated. */
static kfi_own_callback out_of_memory = {.callback = {.on_train_begin = refuse, .free = keep},
                                         .status = KF_MEMORY};

kfi_own_callback *kfi_callback_own(kf_callback *callback) {
    const bool own = callback && (callback->free == free_own || callback->free == keep);
    return own ? (kfi_own_callback *)callback : NULL;
}

kf_status kf_callback_error(const kf_callback *callback) {
    if (!callback || (callback->free != free_own && callback->free != keep)) return KF_OK;
    const kfi_own_callback *own = (const kfi_own_callback *)callback;
    if (own->status == KF_OK) return KF_OK;
    return kfi_fail(own->status, "%s", own->message ? own->message : "out of memory");
}

static kfi_own_callback *allocate(const kfi_callback_class *class) {
    kfi_own_callback *own = kfi_alloc(1, sizeof *own);
    if (!own) return NULL;
    own->class = class;
    own->callback = (kf_callback){.on_train_begin = refuse};
    if (class) own->callback = class->hooks;
    own->callback.free = free_own;
    own->options = class ? kfi_alloc(1, class->options_size) : NULL;
    own->state = class ? kfi_alloc(1, class->state_size ? class->state_size : 1) : NULL;
    if (!class || (own->options && own->state)) return own;
    kfi_free(own->options);
    kfi_free(own->state);
    kfi_free(own);
    return NULL;
}

/* Hands out the callback after its options were filled in, or one that tells why not. */
static kf_callback *finish(kfi_own_callback *own, kf_status status) {
    if (status == KF_OK && own->class->check) status = own->class->check(own->options);
    if (status == KF_OK) return &own->callback;
    own->status = status;
    own->message = kfi_format("%s: %s", own->class->name, kf_last_error());
    own->callback = (kf_callback){.on_train_begin = refuse, .free = free_own};
    return &own->callback;
}

static kf_callback *poisoned(kf_status status) {
    kfi_own_callback *own = allocate(NULL);
    if (!own) return &out_of_memory.callback;
    own->status = status;
    own->message = kfi_strdup(kf_last_error());
    return &own->callback;
}

kf_callback *kfi_callback_new(const kfi_callback_class *class, const void *options) {
    kfi_own_callback *own = allocate(class);
    if (!own) return &out_of_memory.callback;
    const size_t given = options ? *(const size_t *)options : 0;
    return finish(own, kfi_fields_copy(class->fields, options, given, own->options));
}

const kfi_callback_class *kfi_callback_at(int32_t index) {
    return index >= 0 && (size_t)index < sizeof classes / sizeof *classes ? classes[index] : NULL;
}

static const kfi_callback_class *find_class(const char *name) {
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i]->name, name) == 0 || strcmp(classes[i]->typed_name, name) == 0)
            return classes[i];
    return NULL;
}

kf_callback *kf_callback_named(const char *text) {
    char *name = NULL;
    kfi_variant *arguments = NULL;
    const kf_status status = kfi_object_parse(text, &name, &arguments);
    const kfi_callback_class *class = status == KF_OK ? find_class(name) : NULL;
    kf_callback *callback;
    if (status != KF_OK) {
        callback = poisoned(status);
    } else if (!class) {
        callback = poisoned(kfi_fail(KF_INVALID, "Unknown callback: %s", name));
    } else {
        kfi_own_callback *own = allocate(class);
        callback =
            own ? finish(own, kfi_fields_parse(class->fields, arguments, own->options, NULL, NULL))
                : &out_of_memory.callback;
    }
    kfi_free(name);
    kfi_variant_free(arguments);
    return callback;
}

double kfi_log_value(const kf_log *logs, int32_t n_logs, const char *name, bool *found) {
    for (int32_t i = 0; i < n_logs; i++) {
        *found = strcmp(logs[i].name, name) == 0;
        if (*found) return logs[i].value;
    }
    *found = false;
    return 0;
}

void kfi_callback_warn(const kf_model *model, const char *what, const char *monitor,
                       const kf_log *logs, int32_t n_logs) {
    char names[512] = "";
    for (int32_t i = 0; i < n_logs; i++) {
        const size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", i ? "," : "", logs[i].name);
    }
    kfi_graph_warn(model->graph,
                   "%s conditioned on metric `%s` which is not available. Available metrics are: "
                   "%s",
                   what, monitor, names);
}

bool kfi_wants_more(const char *mode, const char *monitor) {
    if (strcmp(mode, "auto") != 0) return strcmp(mode, "max") == 0;
    return strstr(monitor, "acc") != NULL;
}
