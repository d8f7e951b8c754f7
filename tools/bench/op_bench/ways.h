/* Convolutions by every way that ops/README.md names, and what the chosen one loses to the best. */
#ifndef BENCH_WAYS_H
#define BENCH_WAYS_H

#include "kf.h"

#include <stdbool.h>
#include <stdint.h>

/* Prints a table or a list of objects: of all convolutions or the named. `seconds` for each and a
 * way. */
kf_status bench_ways(char *const *names, int32_t n_names, double seconds, bool json);

#endif
