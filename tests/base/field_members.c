/* Fields that are members of a public struct: narrow integers, seeds, and the check of a struct as
 * it was given. */
#include "core/base/fields.h"

#include "core/base/memory.h"
#include "tests/base/sentences.h"

#include <string.h>

typedef struct given {
    int32_t epochs;
    uint64_t seed;
    const char *shuffle;
    double split;
} given;

static const kfi_field fields[] = {
    KFI_FIELD(given, epochs, "epochs", kfi_field_int32, .otherwise = "1", .low = 1, .high = -1),
    KFI_FIELD(given, seed, "seed", kfi_field_seed, .otherwise = "0"),
    KFI_FIELD(given, shuffle, "shuffle", kfi_field_choice, .otherwise = "true",
              .choices = "true|false"),
    KFI_FIELD(given, split, "split", kfi_field_real, .otherwise = "0", .low = 0, .high = 1),
    KFI_FIELDS_END,
};

static void refused(const given *options, const char *message) {
    assert_int_equal(kfi_fields_check(fields, options), KF_INVALID);
    assert_string_equal(kf_last_error(), message);
}

static void a_struct_is_checked(void **state) {
    (void)state;
    assert_int_equal(kfi_fields_check(fields, &(given){0}), KF_OK);
    assert_int_equal(kfi_fields_check(fields, &(given){3, UINT64_MAX, "false", 0.5}), KF_OK);
    refused(&(given){.epochs = -3}, "epochs must be an integer of at least 1; got -3");
    refused(&(given){.shuffle = "no"}, "shuffle must be one of true, false; got 'no'");
    refused(&(given){.split = 1.5}, "split must be a number from 0 to 1; got 1.5");
}

static void checking_leaves_nothing(void **state) {
    (void)state;
    const given options = {3, 5, "false", 0.5};
    for (int64_t n = 1;; n++) {
        kfi_fail_allocation(n);
        const kf_status status = kfi_fields_check(fields, &options);
        kfi_fail_allocation(0);
        if (status == KF_OK) break;
        assert_int_equal(status, KF_MEMORY);
    }
}

static void narrow_integers(void **state) {
    (void)state;
    kfi_variant *value;
    int32_t epochs = 7;
    assert_int_equal(kfi_value_parse("3000000000", &value), KF_OK);
    assert_int_equal(kfi_field_int32.store(&fields[0], &epochs, value), KF_INVALID);
    assert_int_equal(epochs, 7);
    kfi_variant_free(value);
    assert_int_equal(kfi_value_parse("12", &value), KF_OK);
    assert_int_equal(kfi_field_int32.store(&fields[0], &epochs, value), KF_OK);
    assert_int_equal(epochs, 12);
    kfi_variant_free(value);
}

static void seeds_have_64_bits(void **state) {
    (void)state;
    const uint64_t seed = 0xfedcba9876543210u;
    uint64_t back = 0;
    kfi_variant *value = kfi_field_seed.load(&fields[1], &seed);
    assert_int_equal(kfi_field_seed.store(&fields[1], &back, value), KF_OK);
    assert_true(back == seed);
    kfi_variant_free(value);
}

static void fractions(void **state) {
    (void)state;
    kfi_variant *value;
    assert_int_equal(kfi_value_parse("1/255", &value), KF_OK);
    assert_true(kfi_variant_to_real(value, 0) == 1.0 / 255);
    kfi_variant_free(value);
    assert_int_equal(kfi_value_parse("(1 / 2, -3/4)", &value), KF_OK);
    assert_true(kfi_variant_to_real(kfi_variant_at(value, 1), 0) == -0.75);
    kfi_variant_free(value);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            kfi_value_parse(((const char *[]){"1/0", "1/", "1/x", "1/2/3"})[i], &value),
            KF_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a struct is checked as it was given", a_struct_is_checked),
        SENTENCE("checking leaves nothing behind, also without memory", checking_leaves_nothing),
        SENTENCE("integers of 32 bits must fit", narrow_integers),
        SENTENCE("seeds have all of 64 bits", seeds_have_64_bits),
        SENTENCE("fractions are numbers", fractions),
    };
    return cmocka_run_group_tests_name("field members", tests, NULL, NULL);
}
