#include "core/layers/recurrent/cell_options.h"

#include "core/base/memory.h"

#include <string.h>

extern const kfi_layer_class kfi_layer_stacked_rnn_cells;

static bool is_stack(const kf_layer *cell) { return cell->class == &kfi_layer_stacked_rnn_cells; }

static kf_layer **cells_of(const kf_layer *stack) {
    return ((const kf_stacked_rnn_cells_options *)stack->options)->cells;
}

/* --- one cell as JSON ------------------------------------------------------------------------- */

static void ignore(void *context, const char *key) { (void)context, (void)key; }

static kf_status read_cell(const kfi_variant *value, kf_layer **cell) {
    const char *name = kfi_variant_text(kfi_variant_get(value, "class_name"), NULL);
    const kfi_variant *config = kfi_variant_get(value, "config");
    if (!name || !kfi_variant_is(config, KFI_DICT))
        return kfi_fail(KF_INVALID, "must be a cell: a dict of class_name and config");
    const kfi_layer_class *class = kfi_layer_class_find(name);
    if (!class || (!class->cell && class != &kfi_layer_stacked_rnn_cells))
        return kfi_fail(
            KF_INVALID,
            "must be a SimpleRNNCell, GRUCell, LSTMCell, ConvLSTM2DCell or StackedRNNCells; got "
            "'%.80s'",
            name);
    kf_layer *made = kfi_layer_from_arguments(class, config, ignore, NULL);
    const kf_status status = made->status;
    if (status == KF_OK)
        *cell = made;
    else
        kfi_layer_destroy(made);
    return status;
}

static kf_status put(kfi_variant *dict, const char *key, kfi_variant *item) {
    return kfi_variant_put(dict, key, item);
}

static kf_status fill_config(const kf_layer *cell, kfi_variant *config) {
    kf_status status = KF_OK;
    if (cell->name) status = put(config, "name", kfi_variant_string(cell->name));
    if (status == KF_OK) status = put(config, "trainable", kfi_variant_bool(cell->trainable));
    kfi_variant *fields = kfi_fields_config(cell->class->fields, cell->options);
    if (!fields) return KF_MEMORY;
    for (int64_t i = 0; status == KF_OK && i < kfi_variant_count(fields); i++)
        status = put(config, kfi_variant_key_at(fields, i),
                     kfi_variant_copy(kfi_variant_value_at(fields, i)));
    kfi_variant_free(fields);
    return status;
}

static kfi_variant *cell_config(const kf_layer *cell) {
    kfi_variant *whole = kfi_variant_dict(), *config = kfi_variant_dict();
    kf_status status = config ? fill_config(cell, config) : KF_MEMORY;
    if (status == KF_OK) status = put(whole, "class_name", kfi_variant_string(cell->class->name));
    if (status == KF_OK) {
        status = put(whole, "config", config);
        config = NULL;
    }
    kfi_variant_free(config);
    if (status == KF_OK) return whole;
    kfi_variant_free(whole);
    return NULL;
}

/* --- a field that is a cell ------------------------------------------------------------------- */

static void release_cell(const kfi_field *field, void *member) {
    (void)field;
    kfi_layer_destroy(*(kf_layer **)member);
    *(kf_layer **)member = NULL;
}

static kf_status store_cell(const kfi_field *field, void *member, const kfi_variant *value) {
    kf_layer *cell;
    const kf_status status = read_cell(value, &cell);
    if (status != KF_OK) return status;
    release_cell(field, member);
    *(kf_layer **)member = cell;
    return KF_OK;
}

static kfi_variant *load_cell(const kfi_field *field, const void *member) {
    (void)field;
    return cell_config(*(kf_layer *const *)member);
}

static bool pointer_is_unset(const kfi_field *field, const void *member) {
    (void)field;
    return !*(void *const *)member;
}

static size_t pointer_size(const kfi_field *field) {
    (void)field;
    return sizeof(void *);
}

const kfi_field_type kfi_field_cell = {
    .name = "a cell",
    .store = store_cell,
    .load = load_cell,
    .is_unset = pointer_is_unset,
    .release = release_cell,
    .size = pointer_size,
};

/* --- a field that is a list of cells ---------------------------------------------------------- */

static void destroy_cells(kf_layer **cells) {
    for (int64_t i = 0; cells && cells[i]; i++) kfi_layer_destroy(cells[i]);
    kfi_free(cells);
}

static void release_cells(const kfi_field *field, void *member) {
    (void)field;
    destroy_cells(*(kf_layer ***)member);
    *(kf_layer ***)member = NULL;
}

static kf_status store_cells(const kfi_field *field, void *member, const kfi_variant *value) {
    const int64_t count = kfi_variant_count(value);
    if (!kfi_variant_is(value, KFI_LIST) || count < 1)
        return kfi_fail(KF_INVALID, "must be a list of cells");
    kf_layer **cells = kfi_alloc((size_t)count + 1, sizeof *cells);
    kf_status status = cells ? KF_OK : KF_MEMORY;
    for (int64_t i = 0; i < count && status == KF_OK; i++)
        status = read_cell(kfi_variant_at(value, i), &cells[i]);
    if (status == KF_OK) {
        release_cells(field, member);
        *(kf_layer ***)member = cells;
    } else {
        destroy_cells(cells);
    }
    return status;
}

static kfi_variant *load_cells(const kfi_field *field, const void *member) {
    (void)field;
    kf_layer *const *cells = *(kf_layer * *const *)member;
    kfi_variant *list = kfi_variant_list();
    for (int64_t i = 0; list && cells && cells[i]; i++)
        if (kfi_variant_append(list, cell_config(cells[i])) != KF_OK) {
            kfi_variant_free(list);
            list = NULL;
        }
    return list;
}

const kfi_field_type kfi_field_cells = {
    .name = "a list of cells",
    .store = store_cells,
    .load = load_cells,
    .is_unset = pointer_is_unset,
    .release = release_cells,
    .size = pointer_size,
};

/* --- what is done with them ------------------------------------------------------------------- */

kf_status kfi_cell_list_add(kfi_cell_list *list, const kf_layer *cell, bool frozen) {
    frozen = frozen || !cell->trainable;
    if (is_stack(cell)) {
        kf_status status = KF_OK;
        for (kf_layer **inner = cells_of(cell); *inner && status == KF_OK; inner++)
            status = kfi_cell_list_add(list, *inner, frozen);
        return status;
    }
    const kf_status status =
        kfi_reserve((void **)&list->cells, &list->capacity, list->count, sizeof *list->cells);
    if (status != KF_OK) return status;
    list->cells[list->count++] =
        (kfi_cell){.class = cell->class->cell, .options = cell->options, .frozen = frozen};
    return KF_OK;
}

kf_status kfi_cell_name(kf_layer *cell, kf_graph *graph) {
    kf_status status = KF_OK;
    if (is_stack(cell))
        for (kf_layer **inner = cells_of(cell); *inner && status == KF_OK; inner++)
            status = kfi_cell_name(*inner, graph);
    if (status != KF_OK || cell->name) return status;
    char *snake = kfi_snake_case(cell->class->name);
    if (!snake) return KF_MEMORY;
    cell->name = kfi_graph_unique_name(graph, snake);
    kfi_free(snake);
    return cell->name ? KF_OK : KF_MEMORY;
}

kf_status kfi_cells_take(kf_layer *const *cells) {
    for (; cells && *cells; cells++)
        if ((*cells)->status != KF_OK)
            return kfi_fail((*cells)->status, "%s: %s", (*cells)->class->name,
                            (*cells)->message ? (*cells)->message : "out of memory");
    return KF_OK;
}

void kfi_cells_drop(kf_layer *const *cells) {
    for (; cells && *cells; cells++) kf_layer_free(*cells);
}
