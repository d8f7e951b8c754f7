/* A profile as a table, and as a trace for chrome://tracing and ui.perfetto.dev. */
#ifndef KFPROF_REPORT_H
#define KFPROF_REPORT_H

#include "kf.h"

/* A short text by value, for printf. */
typedef struct kfprof_text {
    char text[256];
} kfprof_text;
kfprof_text kfprof_time(double ns);                        /* "12.3 us"                     */
kfprof_text kfprof_bytes(size_t bytes);                    /* "4.2 MiB"                     */
kfprof_text kfprof_node_name(const kf_profile_node *node); /* "vision #2": the third call of it */

/* The `top` nodes with most time (0: all), then the totals, on standard output. */
void kfprof_print_table(const kf_profile *profile, int64_t top);

/* What the step takes: totals, then the pile of values that makes the arena so large and the `top`
 * largest of the others (0: all). */
void kfprof_print_memory(const kf_profile *profile, int64_t top);

/* "1,2,4" as numbers, a 0 after the last if there is room; prints what is wrong. */
kf_status kfprof_parse_workers(const char *text, int32_t workers[KF_PROFILE_SIMULATIONS]);

/* What other numbers of workers would make of the step, and what the last of them would wait for.
 */
void kfprof_print_simulations(const kf_profile *profile);

/* Prints what is wrong; a file that could not be written whole is removed. */
kf_status kfprof_write_trace(const kf_profile *profile, const char *path);

#endif
