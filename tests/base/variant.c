#include "core/base/variant.h"

#include "core/base/memory.h"
#include "tests/base/sentences.h"

#include <stdio.h>
#include <string.h>

static void scalars(void **state) {
    (void)state;
    kfi_variant *list = kfi_variant_list();
    kfi_variant_append(list, kfi_variant_bool(true));
    kfi_variant_append(list, kfi_variant_integer(INT64_MIN));
    kfi_variant_append(list, kfi_variant_real(0.5));
    kfi_variant_append(list, kfi_variant_string("relu"));
    kfi_variant_append(list, kfi_variant_null());
    kfi_variant_append(list, kfi_variant_string_n("sigmoid", 3));
    assert_int_equal(kfi_variant_count(list), 6);
    assert_true(kfi_variant_truth(kfi_variant_at(list, 0), false));
    assert_int_equal(kfi_variant_to_integer(kfi_variant_at(list, 1), 0), INT64_MIN);
    assert_true(kfi_variant_to_real(kfi_variant_at(list, 2), 0) == 0.5);
    assert_string_equal(kfi_variant_text(kfi_variant_at(list, 3), ""), "relu");
    assert_true(kfi_variant_is(kfi_variant_at(list, 4), KFI_NULL));
    assert_string_equal(kfi_variant_text(kfi_variant_at(list, 5), ""), "sig");
    kfi_variant_free(list);
}

static void wrong_kinds(void **state) {
    (void)state;
    kfi_variant *number = kfi_variant_integer(3), *list = kfi_variant_list();
    assert_string_equal(kfi_variant_text(number, "other"), "other");
    assert_true(kfi_variant_truth(number, true));
    assert_true(kfi_variant_to_real(number, 0) == 3); /* an integer is a real too */
    assert_int_equal(kfi_variant_to_integer(list, 8), 8);
    assert_null(kfi_variant_get(number, "a"));
    assert_null(kfi_variant_at(number, 0));
    assert_null(kfi_variant_at(list, 0));
    assert_null(kfi_variant_at(list, -1));
    assert_null(kfi_variant_key_at(list, 0));
    assert_int_equal(kfi_variant_count(number), 0);
    kfi_variant_free(number);
    kfi_variant_free(list);
}

static void null_pointers(void **state) {
    (void)state;
    assert_int_equal(kfi_variant_kind_of(NULL), KFI_NULL);
    assert_string_equal(kfi_variant_kind_name(NULL), "null");
    assert_null(kfi_variant_get(NULL, "a"));
    assert_null(kfi_variant_at(NULL, 0));
    assert_null(kfi_variant_value_at(NULL, 0));
    assert_int_equal(kfi_variant_count(NULL), 0);
    assert_null(kfi_variant_copy(NULL));
    kfi_variant_free(NULL);
}

static void keeps_order(void **state) {
    (void)state;
    kfi_variant *dict = kfi_variant_dict();
    char key[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key%d", i * 7919 % 1000);
        assert_int_equal(kfi_variant_put(dict, key, kfi_variant_integer(i)), KF_OK);
    }
    assert_int_equal(kfi_variant_count(dict), 1000);
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "key%d", i * 7919 % 1000);
        assert_string_equal(kfi_variant_key_at(dict, i), key);
        assert_int_equal(kfi_variant_to_integer(kfi_variant_get(dict, key), -1), i);
        assert_ptr_equal(kfi_variant_value_at(dict, i), kfi_variant_get(dict, key));
    }
    assert_null(kfi_variant_get(dict, "key1000"));
    kfi_variant_free(dict);
}

static void replaces(void **state) {
    (void)state;
    kfi_variant *dict = kfi_variant_dict();
    char key[16];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 40; i++) {
            snprintf(key, sizeof key, "%d", i);
            kfi_variant_put(dict, key, kfi_variant_integer(round));
        }
    assert_int_equal(kfi_variant_count(dict), 40);
    assert_string_equal(kfi_variant_key_at(dict, 0), "0");
    assert_int_equal(kfi_variant_to_integer(kfi_variant_get(dict, "39"), 0), 1);
    kfi_variant_free(dict);
}

static kfi_variant *make_tree(void) {
    kfi_variant *dict = kfi_variant_dict(), *list = kfi_variant_list();
    kf_status status = kfi_variant_append(list, kfi_variant_integer(1));
    if (status == KF_OK) status = kfi_variant_append(list, kfi_variant_string("two"));
    if (status == KF_OK)
        status = kfi_variant_put(dict, "list", list);
    else
        kfi_variant_free(list);
    char key[16];
    for (int i = 0; i < 20 && status == KF_OK; i++) {
        snprintf(key, sizeof key, "%d", i);
        status = kfi_variant_put(dict, key, kfi_variant_real(i));
    }
    if (status == KF_OK) return dict;
    kfi_variant_free(dict);
    return NULL;
}

static void copies(void **state) {
    (void)state;
    kfi_variant *tree = make_tree(), *copy = kfi_variant_copy(tree);
    kfi_variant_free(tree);
    assert_int_equal(kfi_variant_count(copy), 21);
    assert_string_equal(kfi_variant_text(kfi_variant_at(kfi_variant_get(copy, "list"), 1), ""),
                        "two");
    assert_true(kfi_variant_to_real(kfi_variant_get(copy, "19"), 0) == 19);
    kfi_variant_free(copy);
}

static void any_allocation_fails(void **state) {
    (void)state;
    for (int64_t nth = 1;; nth++) {
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kfi_variant *tree = make_tree(), *copy = kfi_variant_copy(tree);
        kfi_fail_allocation(0);
        const int64_t used = kfi_allocations() - before;
        kfi_variant_free(tree);
        kfi_variant_free(copy);
        if (used < nth) break; /* none failed any more */
        assert_true(!tree || !copy);
    }
}

static void putting_null(void **state) {
    (void)state;
    kfi_variant *dict = kfi_variant_dict(), *list = kfi_variant_list();
    assert_int_equal(kfi_variant_put(dict, "a", NULL), KF_MEMORY);
    assert_int_equal(kfi_variant_append(list, NULL), KF_MEMORY);
    assert_int_equal(kfi_variant_put(NULL, "a", kfi_variant_null()), KF_MEMORY);
    assert_int_equal(kfi_variant_count(dict) + kfi_variant_count(list), 0);
    kfi_variant_free(dict);
    kfi_variant_free(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("values of every kind come back as they went in", scalars),
        SENTENCE("readers give the fallback for the wrong kind", wrong_kinds),
        SENTENCE("readers accept NULL", null_pointers),
        SENTENCE("a dict keeps its order and finds its keys, few or many", keeps_order),
        SENTENCE("putting a key again replaces its value in place", replaces),
        SENTENCE("a copy is whole and its own", copies),
        SENTENCE("putting nothing fails, and what is put into nothing is freed", putting_null),
        SENTENCE("any allocation may fail without a leak", any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
