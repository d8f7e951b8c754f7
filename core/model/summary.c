/* Keras's model.summary(), column for column: a table of three columns for models that are a plain
 * chain of layers, of four with the layers each one is connected to for all others. */
#include "core/base/memory.h"
#include "core/model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MAX_COLUMNS = 4, CELL_BYTES = 512, ROW_BYTES = KF_MAX_LINE_LENGTH + 1 };

typedef struct layout {
    int32_t n_columns, width;
    double positions[MAX_COLUMNS]; /* Keras's, as parts of the width */
    int32_t ends[MAX_COLUMNS];     /* where each column ends */
} layout;

/* The defaults of print_summary. */
static const layout chain = {3, 65, {.45, .85, 1}, {0}};
static const layout web = {4, 98, {.33, .55, .67, 1}, {0}};

/* Keras takes the positions for parts of the line if the last one is at most 1. */
static kf_status lay_out(layout *table, const kf_summary_options *given) {
    if (given->line_length) table->width = given->line_length;
    if (table->width < 1 || table->width > KF_MAX_LINE_LENGTH)
        return kfi_fail(KF_USAGE, "line_length must be from 1 to %d, got %d", KF_MAX_LINE_LENGTH,
                        table->width);
    int32_t n_given = 0;
    while (n_given < MAX_COLUMNS && given->positions[n_given] > 0) n_given++;
    if (n_given > 0 && n_given != table->n_columns)
        return kfi_fail(KF_USAGE, "the summary has %d columns, but %d positions are given",
                        table->n_columns, n_given);
    const double *positions = n_given > 0 ? given->positions : table->positions;
    const double scale = positions[table->n_columns - 1] <= 1 ? table->width : 1;
    for (int32_t i = 0; i < table->n_columns; i++) {
        if (!(positions[i] * scale <= KF_MAX_LINE_LENGTH) ||
            (i > 0 && !(positions[i] >= positions[i - 1])))
            return kfi_fail(KF_USAGE, "positions must grow, up to %d; got %g", KF_MAX_LINE_LENGTH,
                            positions[i] * scale);
        table->ends[i] = (int32_t)(positions[i] * scale);
    }
    return KF_OK;
}

typedef struct text {
    char *bytes;
    int64_t count, capacity;
    kf_status status;
} text;

static void add_line(text *out, const char *line) {
    const int64_t bytes = (int64_t)strlen(line) + 2; /* with the newline and the final zero */
    while (out->status == KF_OK && out->count + bytes > out->capacity)
        out->status = kfi_reserve((void **)&out->bytes, &out->capacity, out->capacity, 1);
    if (out->status != KF_OK) return;
    snprintf(out->bytes + out->count, (size_t)bytes, "%s\n", line);
    out->count += bytes - 1;
}

static void add_rule(text *out, const layout *table, char mark) {
    char line[ROW_BYTES] = {0};
    memset(line, mark, (size_t)table->width);
    add_line(out, line);
}

/* A cell that is too long is cut one short of the column's end, if another cell follows. */
static void add_row(text *out, const layout *table, const char *const *cells) {
    char line[ROW_BYTES] = {0};
    int32_t at = 0;
    for (int32_t i = 0; i < table->n_columns; i++) {
        if (at > 0) line[at - 1] = ' ';
        for (const char *cell = cells[i]; *cell && at < table->ends[i]; cell++) line[at++] = *cell;
        while (at < table->ends[i]) line[at++] = ' ';
    }
    add_line(out, line);
}

/* --- cells ------------------------------------------------------------------------------------ */

static bool same_outputs(const kfi_node *a, const kfi_node *b) {
    if (a->n_out != b->n_out) return false;
    for (int32_t i = 0; i < a->n_out; i++)
        if (!kfi_shape_equal(&a->out[i]->shape, &b->out[i]->shape)) return false;
    return true;
}

/* layer.output_shape: of all calls of the layer, those in other models too. */
static void print_output(const kf_layer *layer, char *cell) {
    const kfi_node *first = layer->nodes[0];
    for (int64_t i = 1; i < layer->n_nodes; i++) {
        if (same_outputs(first, layer->nodes[i])) continue;
        snprintf(cell, CELL_BYTES, "multiple");
        return;
    }
    const bool several = first->n_out > 1;
    int at = snprintf(cell, CELL_BYTES, "%s", several ? "[" : "");
    for (int32_t i = 0; i < first->n_out && at < CELL_BYTES; i++)
        at += snprintf(cell + at, (size_t)(CELL_BYTES - at), "%s%s", i ? ", " : "",
                       kfi_shape_string(&first->out[i]->shape));
    if (several && at < CELL_BYTES) snprintf(cell + at, (size_t)(CELL_BYTES - at), "]");
}

static kf_status count_parameters(const kf_layer *layer, int64_t *count) {
    kfi_weight_list list = {0};
    kf_status status = kfi_layer_gather(layer, true, &list);
    if (status == KF_OK) status = kfi_layer_gather(layer, false, &list);
    *count = 0;
    for (int64_t i = 0; i < list.count; i++) *count += list.items[i]->count;
    kfi_free(list.items);
    return status;
}

/* A mask that was given to the call is a keyword argument in Keras, which summaries leave out. */
static int32_t shown_inputs(const kfi_node *node) { return node->n_in - node->arguments.has_mask; }

/* Connections are printed with the graph's own call numbers, not those of files. */
static void print_connection(const kf_tensor *from, char *cell) {
    snprintf(cell, CELL_BYTES, "%s[%d][%d]", from->node->layer->name, from->node->index,
             from->index);
}

static void add_layer(text *out, const layout *table, const kf_layer *layer,
                      const char *connection) {
    char name[CELL_BYTES], shape[CELL_BYTES], parameters[32];
    int64_t count = 0;
    if (out->status == KF_OK) out->status = count_parameters(layer, &count);
    snprintf(name, sizeof name, "%s (%s)", layer->name, layer->class->name);
    print_output(layer, shape);
    snprintf(parameters, sizeof parameters, "%lld", (long long)count);
    add_row(out, table, (const char *const[]){name, shape, parameters, connection});
}

/* The first connection stands in the layer's row, each further one in a row of its own. `next`
 * walks along model->calls. */
static void add_connected_layer(text *out, const layout *table, const kf_model *model,
                                int32_t index, int32_t *next) {
    const kf_layer *layer = model->layers[index];
    bool named = false;
    for (; *next < model->n_nodes && model->nodes[model->calls[*next]].layer <= index; ++*next) {
        const kfi_model_node *at = &model->nodes[model->calls[*next]];
        if (at->layer < index) continue;
        for (int32_t i = 0; i < shown_inputs(at->node); i++) {
            char connection[CELL_BYTES];
            print_connection(at->node->in[i], connection);
            if (named)
                add_row(out, table, (const char *const[]){"", "", "", connection});
            else
                add_layer(out, table, layer, connection);
            named = true;
        }
    }
    if (!named) add_layer(out, table, layer, "");
}

/* --- the table -------------------------------------------------------------------------------- */

/* A chain: one call at each depth, on one tensor, and no layer called twice. */
static bool is_chain(const kf_model *model) {
    if (model->sequential) return true;
    for (int32_t i = 0; i < model->n_nodes; i++) {
        const kfi_model_node *at = &model->nodes[i];
        if (i > 0 && at->depth == model->nodes[i - 1].depth) return false;
        if (shown_inputs(at->node) > 1) return false;
    }
    return model->n_layers == model->n_nodes;
}

/* 5200610 as 5,200,610. */
static void print_grouped(int64_t number, char *cell) {
    char digits[32];
    const int length = snprintf(digits, sizeof digits, "%lld", (long long)number);
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) *cell++ = ',';
        *cell++ = digits[i];
    }
    *cell = '\0';
}

static void add_total(text *out, const char *what, int64_t count) {
    char number[64], line[ROW_BYTES];
    print_grouped(count, number);
    snprintf(line, sizeof line, "%s: %s", what, number);
    add_line(out, line);
}

static void add_totals(text *out, const kf_model *model) {
    int64_t trainable;
    const int64_t total = kf_model_parameters(model, &trainable);
    if (total < 0 && out->status == KF_OK) out->status = KF_MEMORY;
    add_total(out, "Total params", total);
    add_total(out, "Trainable params", trainable);
    add_total(out, "Non-trainable params", total - trainable);
}

static void add_table(text *out, const layout *table, const kf_model *model) {
    const bool plain = table->n_columns == chain.n_columns;
    add_rule(out, table, '_');
    add_row(out, table,
            (const char *const[]){"Layer (type)", "Output Shape", "Param #", "Connected to"});
    add_rule(out, table, '=');
    int32_t next = 0;
    for (int32_t i = 0; i < model->n_layers; i++) {
        if (plain)
            add_layer(out, table, model->layers[i], "");
        else
            add_connected_layer(out, table, model, i, &next);
        add_rule(out, table, i + 1 == model->n_layers ? '=' : '_');
    }
    add_totals(out, model);
    add_rule(out, table, '_');
}

kf_status kf_model_summary_with(const kf_model *model, char **summary,
                                const kf_summary_options *options) {
    if (!summary) return kfi_fail(KF_USAGE, "kf_model_summary: nowhere to put the text");
    *summary = NULL;
    kf_summary_options given = {0};
    if (options && options->size)
        memcpy(&given, options, options->size < sizeof given ? options->size : sizeof given);
    kf_status status = kf_model_error(model);
    if (status != KF_OK) return status;
    layout table = is_chain(model) ? chain : web;
    status = lay_out(&table, &given);
    if (status != KF_OK) return status;
    text out = {0};
    add_table(&out, &table, model);
    if (out.status != KF_OK) {
        kfi_free(out.bytes);
        return out.status;
    }
    *summary = out.bytes;
    return KF_OK;
}
