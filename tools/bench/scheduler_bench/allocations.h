/* How often memory was asked for in this process, by whomever: malloc and its relatives are caught.
 */
#ifndef BENCH_ALLOCATIONS_H
#define BENCH_ALLOCATIONS_H

#include <stdint.h>

/* -1 where they cannot be caught: sanitizers bring their own. */
int64_t bench_allocations(void);

#endif
