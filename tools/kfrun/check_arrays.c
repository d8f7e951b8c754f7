/* kfrun check for data and weights: every array is described and read, its numbers looked at. */
#include "check.h"

#include "../command/data_file.h"
#include "../command/report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 4 << 20, SHOWN_ROWS = 8 };

/* Rows in which not every number is finite. */
typedef struct bad_rows {
    int64_t count, first[SHOWN_ROWS];
} bad_rows;

typedef struct tour {
    const char *path, *group;
    const kf_file_about *about;
    bool json;
    int64_t n_entries, n_data;
    kf_status status; /* of the file: the first thing that is wrong with it */
} tour;

/* --- numbers ---------------------------------------------------------------------------------- */

static bool is_finite_row(const double *row, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (!isfinite(row[i])) return false;
    return true;
}

static int64_t per_row(const kf_shape *shape) {
    int64_t count = 1;
    for (int32_t i = 1; i < shape->rank; i++) count *= shape->dims[i];
    return count;
}

static kf_status read_rows(kf_dataset *data, const kf_shape *shape, double *piece,
                           int64_t piece_rows, bad_rows *bad) {
    const int64_t width = per_row(shape);
    for (int64_t row = 0; row < shape->dims[0]; row += piece_rows) {
        const int64_t left = shape->dims[0] - row, rows = left < piece_rows ? left : piece_rows;
        const kf_status status = kf_dataset_read(data, 0, row, rows, KF_FLOAT64, piece);
        if (status != KF_OK) return status;
        for (int64_t i = 0; i < rows; i++) {
            if (is_finite_row(piece + i * width, width)) continue;
            if (bad->count < SHOWN_ROWS) bad->first[bad->count] = row + i;
            bad->count++;
        }
    }
    return KF_OK;
}

/* Integers are read as well: a damaged chunk shows itself only then. */
static kf_status read_entry(const tour *at, const kf_data_entry *entry, bad_rows *bad) {
    const int64_t width = per_row(&entry->shape);
    if (entry->shape.dims[0] == 0 || width == 0) return KF_OK;
    char *map = NULL;
    if (asprintf(&map, "x=%s", entry->name) < 0) return tool_fail(KF_MEMORY, "out of memory");
    kf_dataset *data =
        kf_dataset_open(at->path, .group = at->group, .map = (const char *const[]){map, NULL});
    free(map);
    if (data == NULL) return kf_last_status();
    const int64_t fitting = PIECE_BYTES / (int64_t)sizeof(double) / width;
    const int64_t piece_rows = fitting > 0 ? fitting : 1;
    double *piece = calloc((size_t)(piece_rows * width), sizeof *piece);
    const kf_status status =
        piece == NULL ? KF_MEMORY : read_rows(data, &entry->shape, piece, piece_rows, bad);
    free(piece);
    kf_dataset_free(data);
    return status;
}

/* --- one entry -------------------------------------------------------------------------------- */

static void print_json_entry(const tour *at, const kf_data_entry *entry, const bad_rows *bad,
                             const char *refused) {
    printf("%s{\"name\": ", at->n_entries > 1 ? ", " : "");
    tool_print_json_text(entry->name);
    if (entry->refused == NULL) {
        printf(", \"dtype\": \"%s\", \"shape\": ", kf_dtype_name(entry->dtype));
        tool_print_json_shape(&entry->shape);
        printf(", \"chunks\": ");
        entry->chunk.rank > 0 ? tool_print_json_shape(&entry->chunk) : (void)printf("null");
        printf(", \"filters\": \"%s\", \"stored_bytes\": %lld", entry->filters,
               (long long)entry->stored_bytes);
        printf(", \"rows_not_finite\": %lld", (long long)bad->count);
    }
    printf(", \"is_data\": %s", entry->is_data ? "true" : "false");
    if (refused != NULL) {
        printf(", \"refused\": ");
        tool_print_json_text(refused);
    }
    printf("}");
}

static void print_entry(const kf_data_entry *entry, bool refused) {
    char shape[TOOL_SHAPE_TEXT], chunk[TOOL_SHAPE_TEXT];
    if (entry->refused != NULL) {
        printf("%-24s %s\n", entry->name, entry->is_data ? "refused" : "no data, passed over");
        return;
    }
    printf("%-24s %-8s %-20s ", entry->name, kf_dtype_name(entry->dtype),
           tool_shape_text(&entry->shape, shape));
    if (entry->chunk.rank > 0)
        printf("chunks %s", tool_shape_text(&entry->chunk, chunk));
    else
        printf("in one piece");
    printf("%s%s, %lld bytes%s%s\n", entry->filters[0] ? ", " : "", entry->filters,
           (long long)entry->stored_bytes, entry->is_data ? "" : "; no data, passed over",
           refused ? "; refused" : "");
}

static void report_rows(const kf_data_entry *entry, const bad_rows *bad) {
    char rows[SHOWN_ROWS * 24] = "";
    for (int64_t i = 0; i < bad->count && i < SHOWN_ROWS; i++) {
        const size_t used = strlen(rows);
        snprintf(rows + used, sizeof rows - used, "%s%lld", i > 0 ? ", " : "",
                 (long long)bad->first[i]);
    }
    tool_fail(KF_INVALID, "%s: %lld of %lld rows hold numbers that are not finite: %s%s",
              entry->name, (long long)bad->count, (long long)entry->shape.dims[0], rows,
              bad->count > SHOWN_ROWS ? " …" : "");
}

/* Not before the file is known to be readable. */
static void print_head(const kf_file_about *about, bool json) {
    const bool weights = about->kind == KF_FILE_WEIGHTS;
    if (json) {
        printf("{\"kind\": \"%s\"", weights ? "weights" : "data");
        if (weights)
            printf(", \"layers\": %lld, \"weights\": %lld", (long long)about->layers,
                   (long long)about->weights);
        printf(", \"datasets\": [");
    } else if (weights) {
        printf("weights of %lld layers, %lld arrays%s%s%s%s\n", (long long)about->layers,
               (long long)about->weights, about->keras_version[0] ? ", Keras " : "",
               about->keras_version, about->backend[0] ? ", " : "", about->backend);
    }
}

static void note(tour *at, kf_status status) {
    if (at->status == KF_OK) at->status = status;
}

static kf_status visit(void *context, const kf_data_entry *entry) {
    tour *at = context;
    if (at->n_entries++ == 0) print_head(at->about, at->json);
    at->n_data += entry->is_data && entry->refused == NULL;
    bad_rows bad = {0};
    kf_status status = KF_OK;
    if (entry->is_data && entry->refused == NULL) status = read_entry(at, entry, &bad);
    if (status == KF_MEMORY) return status;
    const char *refused = entry->refused != NULL ? entry->refused
                          : status != KF_OK      ? kf_last_error()
                                                 : NULL;
    at->json ? print_json_entry(at, entry, &bad, refused) : print_entry(entry, refused != NULL);
    if (refused != NULL && entry->is_data) {
        tool_fail(KF_INVALID, "%s", refused);
        note(at, status != KF_OK ? status : KF_INVALID);
    }
    if (bad.count > 0) {
        report_rows(entry, &bad);
        note(at, KF_INVALID);
    }
    return KF_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Whether its arrays fit together as they are, which training needs unless it is told which. */
static void check_together(const tour *at) {
    kf_dataset *data = kf_dataset_open(at->path, .group = at->group);
    if (data == NULL) tool_say("not one set of data: %s", kf_last_error());
    kf_dataset_free(data);
}

kf_status kfrun_check_arrays(const char *path, const char *group, const kf_file_about *about,
                             bool json) {
    tour at = {.path = path, .group = group, .about = about, .json = json};
    const kf_status status = kf_data_inspect(path, group, visit, &at);
    if (status != KF_OK) return tool_fail_kf(status);
    if (at.n_entries == 0) print_head(about, json);
    if (json) printf("]}\n");
    if (at.status == KF_OK && at.n_data == 0 && about->kind == KF_FILE_DATA)
        return tool_fail(KF_INVALID, "%s holds no arrays of numbers", path);
    if (at.status == KF_OK && about->kind == KF_FILE_DATA) check_together(&at);
    return at.status;
}
