#include "../command/report.h"
#include "report.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

kf_status kfprof_parse_workers(const char *text, int32_t workers[KF_PROFILE_SIMULATIONS]) {
    for (int n = 0;; n++) {
        char *end;
        errno = 0;
        const long number = strtol(text, &end, 10);
        if (end == text || errno != 0 || number < 1 || number > 4096)
            return tool_fail(KF_USAGE,
                             "--simulate: expected numbers of workers from 1 to 4096 with "
                             "commas between, got '%s'",
                             text);
        if (n == KF_PROFILE_SIMULATIONS)
            return tool_fail(KF_USAGE, "--simulate: at most %d numbers of workers",
                             KF_PROFILE_SIMULATIONS);
        workers[n] = (int32_t)number;
        if (*end == '\0') return KF_OK;
        if (*end != ',')
            return tool_fail(KF_USAGE, "--simulate: '%s' is no number of workers", text);
        text = end + 1;
    }
}

enum { MOST_LIMITS = 5 };

/* The nodes that the step waits for most with so many workers. */
static void print_limits(const kf_profile *profile, int32_t index) {
    const kf_profile_simulation *simulation = kf_profile_simulation_at(profile, index);
    const int32_t n_nodes = kf_profile_nodes(profile);
    printf("\nwhat %d worker%s would wait for\n", simulation->workers,
           simulation->workers == 1 ? "" : "s");
    double below = simulation->step_ns + 1;
    for (int shown = 0; shown < MOST_LIMITS; shown++) {
        int32_t most = -1;
        for (int32_t n = 0; n < n_nodes; n++) {
            const double ns = kf_profile_limiting_ns(profile, index, n);
            if (ns < below && (most < 0 || ns > kf_profile_limiting_ns(profile, index, most)))
                most = n;
        }
        if (most < 0) return;
        below = kf_profile_limiting_ns(profile, index, most);
        if (below <= 0) return;
        const kf_profile_node *node = kf_profile_node_at(profile, most);
        printf("  %-28s %-9s %10s %6.1f%%\n", kfprof_node_name(node).text, node->direction,
               kfprof_time(below).text, 100 * below / simulation->step_ns);
    }
}

void kfprof_print_simulations(const kf_profile *profile) {
    const int32_t n = kf_profile_simulations(profile);
    if (n == 0) return;
    const kf_profile_simulation *first = kf_profile_simulation_at(profile, 0);
    printf("\n%-8s %12s %9s %11s %12s %9s\n", "workers", "step", "speed-up", "efficiency", "bound",
           "of bound");
    for (int32_t i = 0; i < n; i++) {
        const kf_profile_simulation *at = kf_profile_simulation_at(profile, i);
        const bool some = at->step_ns > 0;
        printf("%-8d %12s %9.2f %10.1f%% %12s %8.1f%%\n", at->workers,
               kfprof_time(at->step_ns).text,
               some ? first->step_ns * first->efficiency * first->workers / at->step_ns : 1,
               100 * at->efficiency, kfprof_time(at->bound_ns).text,
               some ? 100 * at->bound_ns / at->step_ns : 100);
    }
    print_limits(profile, n - 1);
}
