/* A profile as a table, and as a trace for chrome://tracing and ui.perfetto.dev. */
#ifndef KFPROF_REPORT_H
#define KFPROF_REPORT_H

#include "kf.h"

/* The `top` nodes with most time (0: all), then the totals, on standard output. */
void kfprof_print_table(const kf_profile *profile, int64_t top);

/* Prints what is wrong; a file that could not be written whole is removed. */
kf_status kfprof_write_trace(const kf_profile *profile, const char *path);

#endif
