#include "model_file.h"

#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A JSON text longer than this is not an architecture: VGG-like models take some 20 KB. */
enum { MOST_JSON_BYTES = 64 << 20 };

static const char hdf5_signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};

/* The whole file, with a final '\0'. */
static kf_status read_text(FILE *file, const char *path, char **text) {
    size_t capacity = 1 << 16, size = 0;
    char *buffer = malloc(capacity);
    while (buffer != NULL) {
        size += fread(buffer + size, 1, capacity - size - 1, file);
        if (size < capacity - 1 || capacity > MOST_JSON_BYTES) break;
        char *larger = realloc(buffer, capacity *= 2);
        if (larger == NULL) free(buffer);
        buffer = larger;
    }
    if (buffer == NULL) return tool_fail(KF_MEMORY, "out of memory reading %s", path);
    kf_status status = KF_OK;
    if (ferror(file))
        status = tool_fail(KF_IO, "cannot read %s: %s", path, strerror(errno));
    else if (size >= MOST_JSON_BYTES)
        status = tool_fail(KF_INVALID, "%s is too large to be a model", path);
    else if (memchr(buffer, '\0', size) != NULL)
        status = tool_fail(KF_INVALID, "%s is neither a Keras .h5 file nor JSON text", path);
    if (status != KF_OK) {
        free(buffer);
        return status;
    }
    buffer[size] = '\0';
    *text = buffer;
    return KF_OK;
}

static kf_status open_json(kf_graph *graph, FILE *file, const char *path, kf_model **model) {
    char *text = NULL;
    const kf_status status = read_text(file, path, &text);
    if (status != KF_OK) return status;
    *model = kf_model_from_json(graph, text);
    free(text);
    const kf_status made = kf_model_error(*model);
    return made == KF_OK ? KF_OK : tool_fail(made, "%s: %s", path, kf_last_error());
}

static kf_status open_hdf5(kf_graph *graph, const char *path, kf_model **model) {
    *model = kf_load(graph, path);
    return tool_fail_kf(kf_model_error(*model)); /* which names the file */
}

static void warn(void *context, const char *message) {
    (void)context;
    tool_warn("%s", message);
}

static bool begins_as_hdf5(FILE *file) {
    char head[sizeof hdf5_signature] = {0};
    const size_t got = fread(head, 1, sizeof head, file);
    rewind(file);
    return got == sizeof head && memcmp(head, hdf5_signature, sizeof head) == 0;
}

kf_status tool_is_hdf5(const char *path, bool *hdf5) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return tool_fail(KF_IO, "cannot open %s: %s", path, strerror(errno));
    *hdf5 = begins_as_hdf5(file);
    fclose(file);
    return KF_OK;
}

static kf_status load_weights(kf_model *model, const tool_weights *weights) {
    if (weights->file == NULL)
        return weights->by_name || weights->skip_mismatch
                   ? tool_fail(KF_USAGE, "--by-name and --skip-mismatch need --weights")
                   : KF_OK;
    if (weights->skip_mismatch && !weights->by_name)
        return tool_fail(KF_USAGE, "--skip-mismatch needs --by-name");
    const kf_load_weights_options how = {
        .size = sizeof how, .by_name = weights->by_name, .skip_mismatch = weights->skip_mismatch};
    return tool_fail_kf(kf_load_weights_with(model, weights->file, &how));
}

kf_status tool_model_open(kf_graph *graph, const char *path, const tool_weights *weights,
                          kf_model **model) {
    FILE *file = fopen(path, "rb");
    if (file == NULL) return tool_fail(KF_IO, "cannot open %s: %s", path, strerror(errno));
    kf_graph_on_warning(graph, warn, NULL);
    kf_status status =
        begins_as_hdf5(file) ? open_hdf5(graph, path, model) : open_json(graph, file, path, model);
    fclose(file);
    if (status == KF_OK && weights != NULL) status = load_weights(*model, weights);
    return status;
}
