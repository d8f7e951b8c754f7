/* Every allocation of kf goes through here: overflow is checked once, failure has one message,
 * and a test can make any allocation fail. */
#ifndef KFI_BASE_MEMORY_H
#define KFI_BASE_MEMORY_H

#include "core/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Zeroed memory for `count` elements of `size` bytes; NULL with a KF_MEMORY message if the product
 * overflows or memory is gone. A count of 0 gives a valid pointer. Freed with kfi_free. */
void *kfi_alloc(size_t count, size_t size) __attribute__((malloc, warn_unused_result));

/* Grows or shrinks; new bytes are not zeroed; on failure the old block stays. */
void *kfi_realloc(void *block, size_t count, size_t size) __attribute__((warn_unused_result));

/* For numbers: aligned to 64 bytes (cache line, AVX-512), not zeroed, large blocks on huge pages.
 * Freed with kfi_free_buffer and the same size. */
void *kfi_alloc_buffer(size_t bytes) __attribute__((malloc, warn_unused_result));
void kfi_free_buffer(void *buffer, size_t bytes);

char *kfi_strdup(const char *text) __attribute__((malloc, warn_unused_result));
char *kfi_format(const char *format, ...) /* a string of its own, freed with kfi_free */
    __attribute__((format(printf, 1, 2), malloc, warn_unused_result));

void kfi_free(void *block); /* accepts NULL */

/* Grows `*items` (of `size` bytes each) so that one more than `count` fits, doubling `*capacity`.
 */
kf_status kfi_reserve(void **items, int64_t *capacity, int64_t count, size_t size);

/* For tests: the nth allocation of this process from now on fails once (1 = the next); 0 = none.
 * kfi_allocations counts all so far. */
void kfi_fail_allocation(int64_t nth);
int64_t kfi_allocations(void);

/* Another library's allocator hook (jansson's) that obeys kfi_fail_allocation. */
void *kfi_alloc_plain(size_t bytes);

#endif
