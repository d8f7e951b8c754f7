/* In place of allocations.c, in builds with a sanitizer. */
#include "allocations.h"

int64_t bench_allocations(void) { return -1; }
