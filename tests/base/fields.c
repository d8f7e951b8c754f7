/* Tables of fields: defaults, checks, configurations, keyword arguments. What a user types for a
 * value or an object is in object_text.c. */
#include "core/base/fields.h"

#include "core/base/memory.h"
#include "tests/base/sentences.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct options {
    size_t size;
    int64_t filters;
    double rate;
    bool sequences, no_bias;
    const char *label, *padding;
    int64_t strides[2];
    int64_t target[4];
    int64_t noise[4];
    const char *activation, *initializer;
    int64_t seed;
    double scale, step;
} options;

static const kfi_field fields[] = {
    KFI_FIELD(options, filters, "filters", kfi_field_integer, .low = 1),
    KFI_FIELD(options, rate, "rate", kfi_field_real, .otherwise = "0.99", .low = 0, .high = 1),
    KFI_FIELD(options, sequences, "return_sequences", kfi_field_bool, .otherwise = "False"),
    KFI_FIELD(options, no_bias, "use_bias", kfi_field_not, .otherwise = "True"),
    KFI_FIELD(options, label, "label", kfi_field_string, .otherwise = "None"),
    KFI_FIELD(options, padding, "padding", kfi_field_choice, .otherwise = "valid",
              .choices = "valid|same|causal", .position = 7),
    KFI_FIELD(options, strides, "strides", kfi_field_sizes, .otherwise = "1", .count = 2, .low = 1,
              .position = 6),
    KFI_FIELD(options, target, "target_shape", kfi_field_dims, .otherwise = "None", .count = 4,
              .low = -1, .high = 1e9),
    KFI_FIELD(options, noise, "noise_shape", kfi_field_shape, .otherwise = "None", .count = 4),
    KFI_FIELD(options, activation, "activation", kfi_field_object, .otherwise = "linear",
              .choices = "activation"),
    KFI_FIELD(options, initializer, "initializer", kfi_field_object, .otherwise = "None",
              .choices = "initializer"),
    KFI_FIELD(options, seed, "seed", kfi_field_integer, .otherwise = "None"),
    KFI_FIELD(options, scale, "scale", kfi_field_real, .otherwise = "1.0"),
    KFI_FIELD(options, step, "step", kfi_field_float32, .otherwise = "0.5", .quiet = true),
    KFI_FIELDS_END,
};

static void assert_says(const char *text) { assert_string_equal(kf_last_error(), text); }

static kf_status parse(const char *text, options *to) {
    kfi_variant *arguments;
    memset(to, 0, sizeof *to);
    kf_status status = kfi_arguments_parse(text, &arguments);
    if (status != KF_OK) return status;
    status = kfi_fields_parse(fields, arguments, to, NULL, NULL);
    kfi_variant_free(arguments);
    return status;
}

/* The arguments are refused with this message. */
static void refused(const char *text, const char *message) {
    options made;
    assert_int_equal(parse(text, &made), KF_INVALID);
    assert_says(message);
    kfi_fields_release(fields, &made);
}

/* The configuration made of the arguments, as text. */
static void config_is(const char *text, const char *expected) {
    options made;
    if (parse(text, &made) != KF_OK) fail_msg("%s", kf_last_error());
    kfi_variant *config = kfi_fields_config(fields, &made);
    char printed[800];
    kfi_value_print(config, printed, sizeof printed);
    assert_string_equal(printed, expected);
    kfi_variant_free(config);
    kfi_fields_release(fields, &made);
}

/* --- options structs -------------------------------------------------------------------------- */

static void zeros_are_defaults(void **state) {
    (void)state;
    options made = {0};
    const options user = {.size = sizeof user, .filters = 32};
    assert_int_equal(kfi_fields_copy(fields, &user, user.size, &made), KF_OK);
    assert_int_equal(made.filters, 32);
    assert_true(made.rate == 0.99);
    assert_false(made.no_bias);
    assert_null(made.label);
    assert_string_equal(made.padding, "valid");
    assert_int_equal(made.strides[1], 1);
    assert_int_equal(made.target[0], 0);
    assert_string_equal(made.activation, "linear");
    assert_null(made.initializer);
    assert_true(made.seed == KFI_NO_INTEGER);
    kfi_fields_release(fields, &made);
}

static void values_are_copied(void **state) {
    (void)state;
    char padding[] = "same", activation[] = "relu", initializer[] = "normal(0.0, stddev=0.5)";
    options made = {0};
    const options user = {.filters = 1,
                          .rate = -0.0f,
                          .no_bias = true,
                          .padding = padding,
                          .strides = {3},
                          .target = {7, -1},
                          .activation = activation,
                          .initializer = initializer,
                          .scale = 0.1};
    assert_int_equal(kfi_fields_copy(fields, &user, sizeof user, &made), KF_OK);
    padding[0] = activation[0] = initializer[0] = 'X';
    assert_true(made.rate == 0 && !signbit(made.rate));
    assert_true(made.no_bias);
    assert_string_equal(made.padding, "same");
    assert_int_equal(made.strides[0], 3);
    assert_int_equal(made.strides[1], 3);
    assert_int_equal(made.target[1], -1);
    assert_string_equal(made.activation, "relu");
    assert_string_equal(made.initializer, "normal(0.0, stddev=0.5)");
    assert_true(made.scale == 0.1);
    kfi_fields_release(fields, &made);
    assert_null(made.padding);
}

static void short_structs_get_defaults(void **state) {
    (void)state;
    options made = {0};
    const options user = {.filters = 2, .rate = 0.5f, .padding = "unreachable"};
    assert_int_equal(kfi_fields_copy(fields, &user, offsetof(options, padding), &made), KF_OK);
    assert_true(made.rate == 0.5f);
    assert_string_equal(made.padding, "valid");
    kfi_fields_release(fields, &made);
}

static void bad_structs_are_refused(void **state) {
    (void)state;
    options made = {0};
    assert_int_equal(kfi_fields_copy(fields, NULL, 0, &made), KF_INVALID);
    assert_says("filters is missing: expected an integer");
    assert_int_equal(kfi_fields_copy(fields, &(options){.filters = -3}, sizeof made, &made),
                     KF_INVALID);
    assert_says("filters must be an integer of at least 1; got -3");
    const options padded = {.filters = 1, .label = "x", .padding = "sme"};
    assert_int_equal(kfi_fields_copy(fields, &padded, sizeof padded, &made), KF_INVALID);
    assert_says("padding must be one of valid, same, causal; got 'sme'");
    kfi_fields_release(fields, &made);
    const options strided = {.filters = 1, .strides = {0, 2}};
    assert_int_equal(kfi_fields_copy(fields, &strided, sizeof strided, &made), KF_INVALID);
    assert_says(
        "strides must be an integer or a list of 2 integers, each of at least 1; got [0, 2]");
    kfi_fields_release(fields, &made);
    const options nan = {.filters = 1, .rate = NAN};
    assert_int_equal(kfi_fields_copy(fields, &nan, sizeof nan, &made), KF_INVALID);
    kfi_fields_release(fields, &made);
}

/* --- keyword arguments ------------------------------------------------------------------------ */

#define DEFAULTS_AFTER_RATE                                                                        \
    "'return_sequences': False, 'use_bias': True, 'label': None, 'padding': 'valid', "             \
    "'strides': [1, 1], 'target_shape': None, 'noise_shape': None, 'activation': 'linear', "       \
    "'initializer': None, 'seed': None, 'scale': 1.0}"

static void config_has_all_fields(void **state) {
    (void)state;
    config_is("3", "{'filters': 3, 'rate': 0.99, " DEFAULTS_AFTER_RATE);
    config_is("filters=3, rate=0", "{'filters': 3, 'rate': 0.0, " DEFAULTS_AFTER_RATE);
    config_is("filters=3.0, rate=0.333333333333333",
              "{'filters': 3, 'rate': 0.333333333333333, " DEFAULTS_AFTER_RATE);
    config_is("3, 1e-3, True, False, 'a', (2, 1), 'same', 5, [None, 4], relu, "
              "{'class_name': 'Constant', 'config': {'value': 0.009999999776482582}}, 0, 2.5",
              "{'filters': 3, 'rate': 0.001, 'return_sequences': True, 'use_bias': False, "
              "'label': 'a', 'padding': 'same', 'strides': [2, 1], 'target_shape': [5], "
              "'noise_shape': [None, 4], 'activation': 'relu', "
              "'initializer': Constant(value=0.009999999776482582), 'seed': 0, 'scale': 2.5}");
}

/* Numbers in C are meant as the decimals they were typed as, with an f or without. */
static void reals_are_as_typed(void **state) {
    (void)state;
    const options user = {.filters = 1, .rate = 0.1f, .scale = 0.1, .step = 0.1};
    options made = {0};
    assert_int_equal(kfi_fields_copy(fields, &user, sizeof user, &made), KF_OK);
    assert_true(made.rate == 0.1);
    assert_true(made.scale == 0.1);
    assert_true(made.step == (double)0.1f);
    kfi_fields_release(fields, &made);
    assert_true(kfi_as_typed(1.0 / 3) == 1.0 / 3);
    assert_true(kfi_as_typed((double)16777216.0f) == 16777216);
    assert_true(kfi_as_typed(1e300) == 1e300);
    assert_true(kfi_as_typed((double)3.4028235e38f) == 3.4028235e38);
}

/* What Keras keeps in float32 has the digits of that in its files. */
static void float32_is_written_as_such(void **state) {
    (void)state;
    options made;
    assert_int_equal(parse("1, step=0.1", &made), KF_OK);
    kfi_variant *config = kfi_fields_config(fields, &made);
    assert_true(kfi_variant_to_real(kfi_variant_get(config, "step"), 0) == 0.10000000149011612);
    kfi_variant_free(config);
    kfi_fields_release(fields, &made);
    refused("1, step=1e39", "step must be a number; got 1e+39");
}

static void none_is_the_default(void **state) {
    (void)state;
    config_is("3, padding=None, activation=None, initializer=None, seed=None",
              "{'filters': 3, 'rate': 0.99, " DEFAULTS_AFTER_RATE);
}

static void bad_arguments_are_refused(void **state) {
    (void)state;
    refused("", "filters is missing: expected an integer");
    refused("filters='many'", "filters must be an integer of at least 1; got 'many'");
    refused("filters=True", "filters must be an integer of at least 1; got True");
    refused("filters=1.5", "filters must be an integer of at least 1; got 1.5");
    refused("filters=None", "filters must be an integer of at least 1; got None");
    refused("1, rate=1.5", "rate must be a number from 0 to 1; got 1.5");
    refused("1, rate='x'", "rate must be a number from 0 to 1; got 'x'");
    refused("1, use_bias=2", "use_bias must be True or False; got 2");
    refused("1, label=3", "label must be a string; got 3");
    refused("1, padding=''", "padding must be one of valid, same, causal; got ''");
    refused("1, padding='valid|same'",
            "padding must be one of valid, same, causal; got 'valid|same'");
    refused(
        "1, strides=(1, 2, 3)",
        "strides must be an integer or a list of 2 integers, each of at least 1; got [1, 2, 3]");
    refused("1, target_shape=(1, 0)", "target_shape must be a list of at most 4 integers (none of "
                                      "them 0) from -1 to 1e+09; got [1, 0]");
    refused("1, noise_shape=(1, 1, 1, 1, 1)", "noise_shape must be a list of at most 4 integers "
                                              "(none of them 0); got [1, 1, 1, 1, 1]");
    refused("1, initializer=[1]",
            "initializer must be a name or a dict of class_name and config; got [1]");
    refused("1, initializer='a b'", "initializer must be a name or name(arguments): expected "
                                    "nothing more at character 3 of \"a b\"");
    refused("1, filters=2", "filters is given twice");
    refused("1, 2=3", "expected ',' at character 5 of \"1, 2=3\"");
}

static void unknown_arguments_are_named(void **state) {
    (void)state;
    refused(
        "filters=1, stride=2",
        "unknown argument 'stride' (known: filters, rate, return_sequences, use_bias, label, "
        "padding, strides, target_shape, noise_shape, activation, initializer, seed, scale, step)");
    refused("1,0,0,0,a,2,same,3,3,b,c,1,1,1,15", "takes at most 14 arguments");
}

static void count_key(void *context, const char *key) {
    assert_string_equal(key, "stride");
    ++*(int *)context;
}

static void unknown_arguments_can_be_passed_over(void **state) {
    (void)state;
    kfi_variant *arguments;
    options made = {0};
    int calls = 0;
    assert_int_equal(kfi_arguments_parse("7, stride=2", &arguments), KF_OK);
    assert_int_equal(kfi_fields_parse(fields, arguments, &made, count_key, &calls), KF_OK);
    assert_int_equal(calls, 1);
    assert_int_equal(made.filters, 7);
    kfi_variant_free(arguments);
    kfi_fields_release(fields, &made);
}

/* --- memory ----------------------------------------------------------------------------------- */

static kf_status parse_copy_and_config(void) {
    options first = {0}, second = {0};
    kf_status status =
        parse("4, 0.5, strides=(1, 2), padding=same, label='x', initializer=normal(stddev=1, "
              "table={'a': [1, b(2)]})",
              &first);
    if (status == KF_OK) status = kfi_fields_copy(fields, &first, sizeof first, &second);
    if (status == KF_OK) {
        kfi_variant *config = kfi_fields_config(fields, &second);
        status = config ? KF_OK : KF_MEMORY;
        kfi_variant_free(config);
    }
    kfi_fields_release(fields, &first);
    kfi_fields_release(fields, &second);
    return status;
}

static void memory_may_run_out(void **state) {
    (void)state;
    assert_int_equal(parse_copy_and_config(), KF_OK);
    for (int64_t nth = 1;; nth++) {
        kfi_fail_allocation(nth);
        const kf_status status = parse_copy_and_config();
        kfi_fail_allocation(0);
        if (status == KF_OK) {
            assert_true(nth > 50);
            return;
        }
        assert_int_equal(status, KF_MEMORY);
        assert_non_null(strstr(kf_last_error(), "out of memory"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("zero in a struct means the default", zeros_are_defaults),
        SENTENCE("values and strings are copied; -0 means 0; {3} stands for all",
                 values_are_copied),
        SENTENCE("members beyond the struct's size get defaults", short_structs_get_defaults),
        SENTENCE("wrong structs are refused with the field's name", bad_structs_are_refused),
        SENTENCE("a configuration has all fields, in order, as Keras writes them",
                 config_has_all_fields),
        SENTENCE("a number in C means the decimal that was typed", reals_are_as_typed),
        SENTENCE("a float32 is written with the digits of one", float32_is_written_as_such),
        SENTENCE("None stands for the default", none_is_the_default),
        SENTENCE("wrong arguments are refused, saying what was expected and got",
                 bad_arguments_are_refused),
        SENTENCE("unknown arguments are refused, naming the known", unknown_arguments_are_named),
        SENTENCE("unknown arguments can be passed over", unknown_arguments_can_be_passed_over),
        SENTENCE("every allocation may fail", memory_may_run_out),
    };
    return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
