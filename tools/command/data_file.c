#include "data_file.h"

#include "report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "3.5" or "1/255". */
static kf_status parse_factor(const char *text, float *factor) {
    char *end;
    double value = strtod(text, &end);
    bool whole = end != text;
    if (whole && *end == '/') {
        const char *below = end + 1;
        value /= strtod(below, &end);
        whole = end != below;
    }
    if (!whole || *end != '\0' || !isfinite(value))
        return tool_fail(KF_USAGE, "--scale needs FIELD=FACTOR, a number or a fraction; got '%s'",
                         text);
    *factor = (float)value;
    return KF_OK;
}

static kf_status apply_scale(void *context, const char *field, const char *text) {
    kf_dataset **data = context;
    if (field == NULL) return tool_fail(KF_USAGE, "--scale needs FIELD=FACTOR; got '%s'", text);
    float factor = 1;
    const kf_status status = parse_factor(text, &factor);
    if (status != KF_OK) return status;
    kf_dataset *scaled = kf_dataset_scaled(*data, field, factor);
    if (scaled == NULL) return tool_fail_kf(kf_last_status());
    *data = scaled;
    return KF_OK;
}

static kf_status apply_preparation(void *context, const char *field, const char *text) {
    kf_dataset **data = context;
    if (field == NULL) return tool_fail(KF_USAGE, "--prepare needs FIELD=HOW; got '%s'", text);
    kf_dataset *prepared = kf_dataset_prepare_named(*data, field, text);
    if (prepared == NULL) {
        tool_fail(KF_USAGE, "--prepare: %s", kf_last_error());
        return kf_last_status() == KF_MEMORY ? KF_MEMORY : KF_USAGE;
    }
    *data = prepared;
    return KF_OK;
}

/* "100:200", "100:" or ":200". */
static kf_status parse_rows(const char *text, int64_t *start, int64_t *end) {
    char *at = (char *)text;
    long long first = 0, last = 0;
    if (*at != ':') first = strtoll(text, &at, 10);
    const bool parts = *at == ':';
    if (parts && *++at != '\0') {
        last = strtoll(at, &at, 10);
        if (last <= first) at = "…";
    }
    if (!parts || *at != '\0' || first < 0)
        return tool_fail(KF_USAGE, "--rows needs START:END; got '%s'", text);
    *start = first;
    *end = last;
    return KF_OK;
}

kf_status tool_data_split(const char *text, char path[TOOL_MAX_PATH], const char **group) {
    if (snprintf(path, TOOL_MAX_PATH, "%s", text) >= TOOL_MAX_PATH)
        return tool_fail(KF_USAGE, "the path '%.40s…' is too long", text);
    char *colon = strrchr(path, ':');
    if (colon == NULL || access(text, F_OK) == 0) return KF_OK;
    *colon = '\0';
    *group = text + (colon - path) + 1;
    return KF_OK;
}

/* "field=dataset" for every field that the model knows and the file has. */
struct fields {
    const tool_data_options *options;
    const kf_model *model;
    const char **pairs;   /* ended by NULL */
    int32_t count, given; /* the first ones are the user's own maps */
};

static bool is_mapped(const struct fields *fields, const char *name) {
    const size_t length = strlen(name);
    for (int32_t i = 0; i < fields->given; i++)
        if (strncmp(fields->pairs[i], name, length) == 0 && fields->pairs[i][length] == '=')
            return true;
    return false;
}

/* The output's target, or the weights of its samples. */
static bool is_of_output(const char *output, const char *name) {
    const size_t length = strlen(output);
    return strncmp(output, name, length) == 0 &&
           (name[length] == '\0' || strcmp(name + length, "_sample_weight") == 0);
}

static bool is_known(const kf_model *model, const char *name) {
    for (int32_t i = 0; i < kf_model_inputs(model); i++)
        if (strcmp(kf_model_input_name(model, i), name) == 0) return true;
    for (int32_t i = 0; i < kf_model_outputs(model); i++)
        if (is_of_output(kf_model_output_name(model, i), name)) return true;
    return strcmp(name, "sample_weight") == 0;
}

static kf_status add_known(void *context, const char *name, kf_dtype dtype, const kf_shape *shape) {
    (void)dtype, (void)shape;
    struct fields *fields = context;
    if (!is_known(fields->model, name) || is_mapped(fields, name)) return KF_OK;
    char *pair = NULL;
    if (asprintf(&pair, "%s=%s", name, name) < 0) return tool_fail(KF_MEMORY, "out of memory");
    fields->pairs[fields->count++] = pair;
    return KF_OK;
}

/* Only what the model needs is taken from the file: other arrays in it may be of any length. */
static kf_status open_fields(const char *path, const char *group, struct fields *fields,
                             kf_dataset **data) {
    const tool_list *maps = &fields->options->maps;
    const int32_t most =
        maps->count + kf_model_inputs(fields->model) + 2 * kf_model_outputs(fields->model) + 1;
    fields->pairs = calloc((size_t)most + 1, sizeof *fields->pairs);
    if (fields->pairs == NULL) return tool_fail(KF_MEMORY, "out of memory");
    for (; fields->given < maps->count; fields->given++) {
        fields->pairs[fields->given] = maps->items[fields->given];
        if (strchr(maps->items[fields->given], '=') == NULL)
            return tool_fail(KF_USAGE, "--map needs FIELD=DATASET; got '%s'",
                             maps->items[fields->given]);
    }
    fields->count = fields->given;
    int64_t start = 0, end = 0;
    kf_status status = KF_OK;
    if (fields->options->rows != NULL) status = parse_rows(fields->options->rows, &start, &end);
    if (status != KF_OK) return status;
    status = kf_data_list(path, group, add_known, fields);
    if (status != KF_OK) return tool_fail_kf(status);
    *data = kf_dataset_open(path, .group = group, .map = fields->pairs, .start = start, .end = end);
    return *data != NULL ? KF_OK : tool_fail_kf(kf_last_status());
}

kf_status tool_data_open(const char *text, const tool_data_options *options, const kf_model *model,
                         kf_dataset **data) {
    char path[TOOL_MAX_PATH];
    const char *group = options->group;
    kf_status status = tool_data_split(text, path, &group);
    if (status != KF_OK) return status;
    struct fields fields = {.options = options, .model = model};
    status = open_fields(path, group, &fields, data);
    for (int32_t i = fields.given; i < fields.count; i++) free((char *)fields.pairs[i]);
    free(fields.pairs);
    for (int32_t i = 0; i < options->scales.count && status == KF_OK; i++)
        status = tool_split(options->scales.items[i], apply_scale, data);
    for (int32_t i = 0; i < options->preparations.count && status == KF_OK; i++)
        status = tool_split(options->preparations.items[i], apply_preparation, data);
    if (status != KF_OK) {
        kf_dataset_free(*data);
        *data = NULL;
    }
    return status;
}
