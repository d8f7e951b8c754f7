/* Values and objects as text, read and printed as Python does. */
#include "core/base/fields.h"

#include "core/base/memory.h"
#include "tests/base/sentences.h"

#include <string.h>

static void assert_says(const char *text) { assert_string_equal(kf_last_error(), text); }

/* A value read and printed again. */
static void reads_as(const char *text, const char *expected) {
    kfi_variant *value;
    char printed[200];
    if (kfi_value_parse(text, &value) != KF_OK) fail_msg("%s", kf_last_error());
    kfi_value_print(value, printed, sizeof printed);
    assert_string_equal(printed, expected);
    kfi_variant_free(value);
}

static void values_are_pythons(void **state) {
    (void)state;
    static const char *const same[] = {
        "1",    "-7",          "2.5",    "-0.0025",  "1e-07",        "1e+20",
        "None", "True",        "'a'",    "[1, 2.0]", "[]",           "{'a': {'b': None}}",
        "inf",  "f(a=1, b=x)", "f()",    "-inf",     "[[1], ['x']]", "0.009999999776482582",
        "{}",   "'it\\'s'",    "'\\\\'",
    };
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (i != 13) reads_as(same[i], same[i]);
    reads_as("f(a=1, b=x)", "f(a=1, b='x')");
    reads_as(" ( 1 , 2 , ) ", "[1, 2]");
    reads_as("(3)", "3");
    reads_as("(3,)", "[3]");
    reads_as("()", "[]");
    reads_as("\"a'b\"", "'a\\'b'");
    reads_as("+5", "5");
    reads_as(".5", "0.5");
    reads_as("1.0", "1.0");
    reads_as("'line\\nbreak'", "'line\\nbreak'");
}

static void bad_values_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } rows[] = {
        {"", "expected a value at the end of \"\""},
        {"1 2", "expected nothing more at character 3 of \"1 2\""},
        {"(1", "expected ',' or ')' at the end of \"(1\""},
        {"[1)", "expected ',' or ']' at character 3 of \"[1)\""},
        {"'abc", "expected a closing quote at the end of \"'abc\""},
        {"f(a=1, 2)", "expected name=value after a named argument at character 8 of \"f(a=1, 2)\""},
        {"f(a=1, a=2)", "argument 'a' is given twice in \"f(a=1, a=2)\""},
        {"12ab", "expected a number at character 1 of \"12ab\""},
        {"99999999999999999999",
         "expected an integer of at most 64 bits at character 1 of \"99999999999999999999\""},
        {"{1: 2}", "expected a quoted key at character 2 of \"{1: 2}\""},
        {"#", "expected a value at character 1 of \"#\""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        kfi_variant *value;
        assert_int_equal(kfi_value_parse(rows[i].text, &value), KF_INVALID);
        assert_null(value);
        assert_says(rows[i].message);
    }
}

static void deep_nesting_is_refused(void **state) {
    (void)state;
    char text[2001];
    memset(text, '[', 2000);
    text[2000] = '\0';
    kfi_variant *value;
    assert_int_equal(kfi_value_parse(text, &value), KF_INVALID);
    assert_says("values are nested more than 32 deep");
}

static void objects_are_read(void **state) {
    (void)state;
    char *name;
    kfi_variant *arguments;
    assert_int_equal(kfi_object_parse("Name(0.5, stddev=0.01, seed=3)", &name, &arguments), KF_OK);
    assert_string_equal(name, "Name");
    assert_true(kfi_variant_to_real(kfi_variant_get(arguments, "0"), 0) == 0.5);
    assert_true(kfi_variant_to_real(kfi_variant_get(arguments, "stddev"), 0) == 0.01);
    assert_int_equal(kfi_variant_to_integer(kfi_variant_get(arguments, "seed"), 0), 3);
    char *text;
    assert_int_equal(kfi_object_print(name, arguments, &text), KF_OK);
    assert_string_equal(text, "Name(0.5, stddev=0.01, seed=3)");
    kfi_free(text);
    kfi_free(name);
    kfi_variant_free(arguments);
    assert_int_equal(kfi_object_parse("3", &name, &arguments), KF_INVALID);
    assert_null(name);
    assert_null(arguments);
}

static void hostile_objects_are_not_printed(void **state) {
    (void)state;
    char *text;
    kfi_variant *arguments = kfi_variant_dict();
    assert_int_equal(kfi_object_print("a(b", arguments, &text), KF_INVALID);
    assert_null(text);
    kfi_variant_put(arguments, "x=1), b(y", kfi_variant_integer(1));
    assert_int_equal(kfi_object_print("a", arguments, &text), KF_INVALID);
    kfi_variant_free(arguments);
}

static void printing_is_cut(void **state) {
    (void)state;
    kfi_variant *value = kfi_variant_string("0123456789");
    char text[6];
    assert_int_equal(kfi_value_print(value, text, sizeof text), 12);
    assert_string_equal(text, "'0123");
    assert_int_equal(kfi_value_print(value, NULL, 0), 12);
    kfi_variant_free(value);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("values are read and printed as in Python", values_are_pythons),
        SENTENCE("wrong values are refused with the place", bad_values_are_refused),
        SENTENCE("deep nesting is refused", deep_nesting_is_refused),
        SENTENCE("objects are read and printed", objects_are_read),
        SENTENCE("objects that could not be read again are not printed",
                 hostile_objects_are_not_printed),
        SENTENCE("printing into a short buffer is cut", printing_is_cut),
    };
    return cmocka_run_group_tests_name("object_text", tests, NULL, NULL);
}
