#include "core/base/memory.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BUFFER_ALIGNMENT = 64, HUGE_PAGE_BYTES = 2 << 20 };

/* Relaxed: the counters order nothing; they only number the allocations for tests. */
static _Atomic int64_t n_allocations;
static _Atomic int64_t failing_allocation;

static int must_fail(void) {
    const int64_t number = atomic_fetch_add_explicit(&n_allocations, 1, memory_order_relaxed) + 1;
    return number == atomic_load_explicit(&failing_allocation, memory_order_relaxed);
}

void kfi_fail_allocation(int64_t nth) {
    atomic_store_explicit(&failing_allocation, nth ? kfi_allocations() + nth : 0,
                          memory_order_relaxed);
}

int64_t kfi_allocations(void) { return atomic_load_explicit(&n_allocations, memory_order_relaxed); }

static void *out_of_memory(size_t count, size_t size) {
    kfi_fail(KF_MEMORY, "out of memory: could not allocate %zu x %zu bytes", count, size);
    return NULL;
}

void *kfi_alloc_plain(size_t bytes) { return must_fail() ? NULL : malloc(bytes); }

void *kfi_alloc(size_t count, size_t size) {
    if (must_fail()) return out_of_memory(count, size);
    void *block = calloc(count ? count : 1, size ? size : 1); /* calloc checks the product */
    return block ? block : out_of_memory(count, size);
}

void *kfi_realloc(void *block, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || must_fail())
        return out_of_memory(count, size);
    void *grown = realloc(block, bytes ? bytes : 1);
    return grown ? grown : out_of_memory(count, size);
}

void *kfi_alloc_buffer(size_t bytes) {
    const int huge = bytes >= 2 * (size_t)HUGE_PAGE_BYTES;
    const size_t alignment = huge ? HUGE_PAGE_BYTES : BUFFER_ALIGNMENT;
    if (bytes > SIZE_MAX - alignment || must_fail()) return out_of_memory(1, bytes);
    const size_t rounded = bytes ? (bytes + alignment - 1) / alignment * alignment : alignment;
    void *buffer = aligned_alloc(alignment, rounded);
    if (!buffer) return out_of_memory(1, bytes);
    /* Whole pages only: of one at the end, all would be held for what is used of it. Advice, whose
     * failure is no error. */
    if (huge) madvise(buffer, bytes / alignment * alignment, MADV_HUGEPAGE);
    return buffer;
}

void kfi_free_buffer(void *buffer, size_t bytes) {
    (void)bytes;
    free(buffer);
}

char *kfi_strdup(const char *text) {
    const size_t bytes = strlen(text) + 1;
    char *copy = kfi_alloc(bytes, 1);
    if (copy) memcpy(copy, text, bytes);
    return copy;
}

char *kfi_format(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) return NULL;
    char *text = kfi_alloc((size_t)length + 1, 1);
    if (!text) return NULL;
    va_start(arguments, format);
    vsnprintf(text, (size_t)length + 1, format, arguments);
    va_end(arguments);
    return text;
}

void kfi_free(void *block) { free(block); }

kf_status kfi_reserve(void **items, int64_t *capacity, int64_t count, size_t size) {
    if (count < *capacity) return KF_OK;
    const int64_t wanted = *capacity ? 2 * *capacity : 8;
    void *grown = kfi_realloc(*items, (size_t)wanted, size);
    if (!grown) return KF_MEMORY;
    *items = grown;
    *capacity = wanted;
    return KF_OK;
}
