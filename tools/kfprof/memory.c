#include "../command/report.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

static void print_total(const char *what, size_t bytes) {
    printf("%-22s %10s\n", what, kfprof_bytes(bytes).text);
}

static void print_totals(const kf_profile *profile) {
    const kf_profile_memory total = kf_profile_memory_total(profile);
    char scratch[64];
    const int32_t workers = kf_profile_total(profile).workers;
    snprintf(scratch, sizeof scratch, "scratch of %d worker%s", workers, workers == 1 ? "" : "s");
    printf("\n");
    print_total("arena", total.arena);
    print_total("  step after step", total.serial);
    print_total(scratch, total.scratch);
    print_total("weights", total.weights);
    print_total("optimizer's state", total.optimizer);
    print_total("batch", total.batch);
}

/* "lstm of lstm_1", or what else ends it. */
static kfprof_text end_of(const kf_profile_stretch *at) {
    kfprof_text end;
    if (strcmp(at->kind, "value") == 0)
        snprintf(end.text, sizeof end.text, "%s of %.128s", at->last_op, at->last_name);
    else
        snprintf(end.text, sizeof end.text, "(%s)", at->kind);
    return end;
}

static void print_stretch(const kf_profile_stretch *at) {
    const kf_profile_node node = {.name = at->name, .call = at->call};
    char shape[TOOL_SHAPE_TEXT] = "-";
    if (at->shape.rank > 0) tool_shape_text(&at->shape, shape);
    printf("%c %10s %5d %5d  %-28s %-9s %-22s %-20s %s\n", at->at_peak ? '*' : ' ',
           kfprof_bytes(at->bytes).text, at->first_step, at->last_step,
           kfprof_node_name(&node).text, at->direction, at->op, shape, end_of(at).text);
}

void kfprof_print_memory(const kf_profile *profile, int64_t top) {
    print_totals(profile);
    printf("\n  %10s %5s %5s  %-28s %-9s %-22s %-20s %s\n", "size", "from", "to", "node",
           "direction", "op", "shape", "last read by");
    const int32_t n = kf_profile_stretches(profile);
    int32_t others = 0;
    for (int32_t i = 0; i < n; i++) {
        const kf_profile_stretch *at = kf_profile_stretch_at(profile, i);
        others += !at->at_peak;
        if (at->at_peak || top == 0 || others <= top) print_stretch(at);
    }
    if (top > 0 && others > top)
        printf("… and %lld more (--top 0 shows all)\n", (long long)(others - top));
}
