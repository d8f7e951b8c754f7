#include "allocations.h"

#include <stdatomic.h>
#include <stddef.h>

/* glibc's own, under the names that stay when a program brings functions of the usual names. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* seen by shared libraries, too */
#define CATCH __attribute__((visibility("default")))
CATCH void *malloc(size_t size);
CATCH void *calloc(size_t n, size_t size);
CATCH void *realloc(void *memory, size_t size);
CATCH void *aligned_alloc(size_t alignment, size_t size);

static _Atomic int64_t count; /* relaxed: a number, ordering nothing */

static void add(void) { atomic_fetch_add_explicit(&count, 1, memory_order_relaxed); }

void *malloc(size_t size) {
    add();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    add();
    return __libc_calloc(n, size);
}

void *realloc(void *memory, size_t size) {
    add();
    return __libc_realloc(memory, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    add();
    return __libc_memalign(alignment, size);
}

int64_t bench_allocations(void) { return atomic_load_explicit(&count, memory_order_relaxed); }
