#include "report.h"

#include <stdio.h>
#include <string.h>

/* Times and sizes by magnitude: "812 ns", "12.3 us", "4.56 ms", "1.20 s". */
kfprof_text kfprof_time(double ns) {
    kfprof_text time;
    if (ns < 1e3)
        snprintf(time.text, sizeof time.text, "%.0f ns", ns);
    else if (ns < 1e6)
        snprintf(time.text, sizeof time.text, "%.1f us", ns / 1e3);
    else if (ns < 1e9)
        snprintf(time.text, sizeof time.text, "%.2f ms", ns / 1e6);
    else
        snprintf(time.text, sizeof time.text, "%.2f s", ns / 1e9);
    return time;
}

kfprof_text kfprof_bytes(size_t bytes) {
    kfprof_text text;
    if (bytes < 1 << 20)
        snprintf(text.text, sizeof text.text, "%.1f KiB", (double)bytes / 1024);
    else
        snprintf(text.text, sizeof text.text, "%.1f MiB", (double)bytes / (1 << 20));
    return text;
}

/* "conv2d_1", or "vision #2" for the third call of a shared layer. */
kfprof_text kfprof_node_name(const kf_profile_node *node) {
    kfprof_text text;
    const char *name = node->name != NULL ? node->name : "-";
    if (node->call > 0)
        snprintf(text.text, sizeof text.text, "%s #%d", name, node->call);
    else
        snprintf(text.text, sizeof text.text, "%s", name);
    return text;
}

static void print_node(const kf_profile_node *node) {
    printf("%-28s %-9s %7lld %10s %10s %6.1f%% ", kfprof_node_name(node).text, node->direction,
           (long long)node->calls, kfprof_time(node->total_ns).text,
           kfprof_time(node->mean_ns).text, 100 * node->share);
    if (node->flops > 0 && node->mean_ns > 0)
        printf("%8.2f", node->flops / node->mean_ns);
    else
        printf("%8s", "-");
    /* the one that did most, and how much of it where others helped */
    const double most =
        node->worker >= 0 && node->worker < 64 ? node->worker_share[node->worker] : 1;
    if (most > 0 && most < 0.995)
        printf(" %5d (%.0f%%)\n", node->worker, 100 * most);
    else
        printf(" %5d\n", node->worker);
}

void kfprof_print_table(const kf_profile *profile, int64_t top) {
    printf("%-28s %-9s %7s %10s %10s %7s %8s %6s\n", "node", "direction", "calls", "total", "mean",
           "share", "GFLOP/s", "worker");
    const int32_t nodes = kf_profile_nodes(profile);
    const int32_t shown = top > 0 && top < nodes ? (int32_t)top : nodes;
    for (int32_t i = 0; i < shown; i++) print_node(kf_profile_node_at(profile, i));
    if (shown < nodes) printf("… and %d more (--top 0 shows all)\n", nodes - shown);
    const kf_profile_totals total = kf_profile_total(profile);
    printf("\n%-22s %d, by %d worker%s\n", "steps", total.steps, total.workers,
           total.workers == 1 ? "" : "s");
    printf("%-22s %s\n", "wall time per step", kfprof_time(total.wall_ns).text);
    printf("%-22s %s\n", "work per step", kfprof_time(total.work_ns).text);
    printf("%-22s %s\n", "span per step", kfprof_time(total.span_ns).text);
    printf("%-22s %.2f (work / span allows %.2f)\n", "achieved parallelism", total.parallelism,
           total.span_ns > 0 ? total.work_ns / total.span_ns : 1);
    if (total.wall_ns > 0) printf("%-22s %.2f\n", "GFLOP/s", total.flops / total.wall_ns);
    printf("%-22s %s\n", "planned peak", kfprof_bytes(total.planned_bytes).text);
}
