#include "core/base/memory.h"

#include "tests/base/sentences.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sanitizers would rather stop the program than let an allocation fail. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void) {
    return "allocator_may_return_null=1";
}
__attribute__((visibility("default"))) const char *__tsan_default_options(void) {
    return "allocator_may_return_null=1";
}

static void is_zeroed(void **state) {
    (void)state;
    unsigned char *block = kfi_alloc(1000, 3);
    assert_non_null(block);
    for (int i = 0; i < 3000; i++) assert_int_equal(block[i], 0);
    kfi_free(block);
}

static void count_zero(void **state) {
    (void)state;
    void *block = kfi_alloc(0, 8);
    assert_non_null(block);
    kfi_free(block);
    void *buffer = kfi_alloc_buffer(0);
    assert_non_null(buffer);
    kfi_free_buffer(buffer, 0);
    kfi_free(NULL);
    kfi_free_buffer(NULL, 0);
}

/* volatile: the compiler would warn about a size that it can see */
static void overflow(void **state) {
    (void)state;
    volatile size_t huge = SIZE_MAX / 2;
    assert_null(kfi_alloc(huge, 3));
    assert_non_null(strstr(kf_last_error(), "out of memory"));
    void *block = kfi_alloc(4, 1);
    assert_null(kfi_realloc(block, huge, 3));
    assert_null(kfi_alloc_buffer(huge * 2 + 1));
    kfi_free(block);
}

static void buffers_are_aligned(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 63, 64, 65, 4096, 5 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char *buffer = kfi_alloc_buffer(sizes[i]);
        assert_non_null(buffer);
        assert_int_equal((uintptr_t)buffer % 64, 0);
        memset(buffer, 1, sizes[i]);
        kfi_free_buffer(buffer, sizes[i]);
    }
}

static void formats(void **state) {
    (void)state;
    char *text = kfi_format("%s_%d", "dense", 1), *copy = kfi_strdup("gamma");
    assert_string_equal(text, "dense_1");
    assert_string_equal(copy, "gamma");
    kfi_free(text);
    kfi_free(copy);
}

static void reserve_grows(void **state) {
    (void)state;
    void *items = NULL;
    int64_t capacity = 0;
    for (int64_t count = 0; count < 1000; count++) {
        assert_int_equal(kfi_reserve(&items, &capacity, count, sizeof(int64_t)), KF_OK);
        assert_true(capacity > count);
        ((int64_t *)items)[count] = count;
    }
    for (int64_t i = 0; i < 1000; i++) assert_int_equal(((int64_t *)items)[i], i);
    kfi_free(items);
}

static void chosen_fails_once(void **state) {
    (void)state;
    kfi_fail_allocation(2);
    void *first = kfi_alloc(1, 1), *second = kfi_alloc(1, 1), *third = kfi_alloc(1, 1);
    kfi_fail_allocation(0);
    assert_non_null(first);
    assert_null(second);
    assert_non_null(third);
    kfi_free(first);
    kfi_free(third);
}

static void every_kind_fails(void **state) {
    (void)state;
    kfi_fail_allocation(1);
    assert_null(kfi_alloc_buffer(8));
    kfi_fail_allocation(1);
    assert_null(kfi_strdup("x"));
    kfi_fail_allocation(1);
    assert_null(kfi_format("x"));
    kfi_fail_allocation(1);
    assert_null(kfi_alloc_plain(8));
    void *items = NULL;
    int64_t capacity = 0;
    kfi_fail_allocation(1);
    assert_int_equal(kfi_reserve(&items, &capacity, 0, 8), KF_MEMORY);
    assert_null(items);
    assert_int_equal(capacity, 0);
    char *block = kfi_strdup("kept");
    kfi_fail_allocation(1);
    assert_null(kfi_realloc(block, 100, 1));
    assert_string_equal(block, "kept");
    kfi_fail_allocation(0);
    kfi_free(block);
}

static void counts(void **state) {
    (void)state;
    const int64_t before = kfi_allocations();
    kfi_free(kfi_alloc(1, 1));
    kfi_free_buffer(kfi_alloc_buffer(1), 1);
    assert_int_equal(kfi_allocations(), before + 2);
}

/* Where huge pages begin and end in a large buffer, its last byte brings in one small page. */
static void ends_in_small_pages(void **state) {
    (void)state;
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = 4 << 20, tail = 8 * page;
    char *buffer = kfi_alloc_buffer(whole + tail);
    assert_non_null(buffer);
    buffer[whole + tail - 1] = 1;
    char *begin = buffer + whole;
    begin += -(uintptr_t)begin % page;
    unsigned char resident[8] = {0};
    const size_t pages = (size_t)(buffer + whole + tail - begin) / page;
    assert_int_equal(mincore(begin, pages * page, resident), 0);
    int n = 0;
    for (size_t i = 0; i < pages; i++) n += resident[i] & 1;
    assert_in_range(n, 0, 1);
    kfi_free_buffer(buffer, whole + tail);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("an allocated block is all zeros", is_zeroed),
        SENTENCE("a count of zero gives a block that can be freed", count_zero),
        SENTENCE("a size that overflows is refused with a message", overflow),
        SENTENCE("buffers of every size are aligned to 64 bytes", buffers_are_aligned),
        SENTENCE("a large buffer holds no more than is used of its end", ends_in_small_pages),
        SENTENCE("strings are formatted and copied", formats),
        SENTENCE("an array that grows one by one keeps its items", reserve_grows),
        SENTENCE("the chosen allocation fails, its neighbours do not", chosen_fails_once),
        SENTENCE("every kind of allocation can be made to fail", every_kind_fails),
        SENTENCE("allocations are counted", counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
