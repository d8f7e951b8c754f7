/* The public view of the field tables. */
#include "kf/options.h"
#include "core/base/status.h"
#include "core/train/callbacks/callback.h"
#include "core/train/fit_fields.h"
#include "core/train/measure.h"
#include "core/train/optimizer.h"
#include "io/preparation.h"

#include <string.h>
#include <strings.h>

/* One who has options. */
typedef struct owner {
    const char *name, *other_name; /* NULL: no other */
    const kfi_field *fields;       /* NULL: none */
} owner;

/* A kind fills in owner `index`; false: there are no more. */
static bool fit_at(int32_t index, owner *found) {
    *found = (owner){"fit", NULL, kfi_fit_fields};
    return index == 0;
}

static bool run_at(int32_t index, owner *found) {
    *found = (owner){"run", NULL, kfi_run_fields};
    return index == 0;
}

static bool compile_at(int32_t index, owner *found) {
    *found = (owner){"compile", NULL, kfi_compile_fields};
    return index == 0;
}

static bool optimizer_at(int32_t index, owner *found) {
    const kfi_optimizer_class *class = kfi_optimizer_at(index);
    if (class) *found = (owner){class->name, NULL, class->fields};
    return class;
}

static bool callback_at(int32_t index, owner *found) {
    const kfi_callback_class *class = kfi_callback_at(index);
    if (class) *found = (owner){class->name, class->typed_name, class->fields};
    return class;
}

static bool loss_at(int32_t index, owner *found) {
    const kfi_measure *loss = kfi_loss_at(index);
    if (loss) *found = (owner){loss->name, loss->aliases[0], loss->fields};
    return loss;
}

static bool metric_at(int32_t index, owner *found) {
    const kfi_measure *metric = kfi_metric_at(index);
    if (metric) *found = (owner){metric->name, metric->aliases[0], metric->fields};
    return metric;
}

static bool preparation_at(int32_t index, owner *found) {
    const kfi_preparation_class *class = kfi_preparation_at(index);
    if (class) *found = (owner){class->name, NULL, class->fields};
    return class;
}

static const struct kind {
    const char *name;
    bool (*at)(int32_t index, owner *found);
} kinds[] = {{"fit", fit_at},           {"run", run_at},
             {"compile", compile_at},   {"optimizer", optimizer_at},
             {"callback", callback_at}, {"loss", loss_at},
             {"metric", metric_at},     {"preparation", preparation_at}};

static const struct kind *find_kind(const char *name) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0) return &kinds[i];
    return NULL;
}

static bool find_owner(const char *kind_name, const char *name, owner *found) {
    const struct kind *kind = find_kind(kind_name);
    for (int32_t i = 0; kind && kind->at(i, found); i++)
        if (strcasecmp(found->name, name) == 0 ||
            (found->other_name && strcasecmp(found->other_name, name) == 0))
            return true;
    return false;
}

const char *kf_option_owner(const char *kind_name, int32_t index) {
    const struct kind *kind = find_kind(kind_name);
    owner found;
    return kind && index >= 0 && kind->at(index, &found) ? found.name : NULL;
}

int32_t kf_options(const char *kind, const char *name) {
    owner found;
    if (!find_owner(kind, name, &found)) return -1;
    int32_t count = 0;
    while (found.fields && found.fields[count].name) count++;
    return count;
}

kf_status kf_option_at(const char *kind, const char *name, int32_t index, kf_option *option) {
    owner found;
    if (index < 0 || index >= kf_options(kind, name) || !find_owner(kind, name, &found))
        return kfi_fail(KF_USAGE, "there is no option %d of the %s %s", index, kind, name);
    const kfi_field *field = &found.fields[index];
    *option = (kf_option){.name = field->name,
                          .type = field->type->name,
                          .holds = field->type->holds,
                          .offset = field->offset,
                          .otherwise = field->otherwise,
                          .low = field->low,
                          .high = field->high,
                          .choices = field->choices,
                          .help = field->help};
    return KF_OK;
}
