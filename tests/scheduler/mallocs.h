/* Counts what this program asks malloc and its relatives for, whoever does; for one file a program.
 */
#ifndef KFI_TESTS_SCHEDULER_MALLOCS_H
#define KFI_TESTS_SCHEDULER_MALLOCS_H

#include <stdint.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define KEEPS_MALLOC 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KEEPS_MALLOC 1
#endif

static _Atomic int64_t n_mallocs;

#ifndef KEEPS_MALLOC /* sanitizers bring their own, which cannot be replaced */
void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t bytes);
void *__libc_realloc(void *block, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);

void *malloc(size_t bytes) {
    n_mallocs++;
    return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes) {
    n_mallocs++;
    return __libc_calloc(count, bytes);
}

void *realloc(void *block, size_t bytes) {
    n_mallocs++;
    return __libc_realloc(block, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes) {
    n_mallocs++;
    return __libc_memalign(alignment, bytes);
}
#endif

#endif
