#include "io/json.h"

#include "core/base/memory.h"
#include "tests/io/scratch.h"

static kf_status parse(const char *text, kfi_variant **variant) {
    return kfi_json_parse(text, strlen(text), "model.json", variant);
}

/* `text` comes back as `expected`. */
static void assert_prints(const char *text, const char *expected) {
    kfi_variant *variant;
    char *printed;
    assert_int_equal(parse(text, &variant), KF_OK);
    assert_int_equal(kfi_json_print(variant, &printed), KF_OK);
    assert_string_equal(printed, expected);
    kfi_free(printed);
    kfi_variant_free(variant);
}

static void assert_refused(const char *text, const char *part) {
    kfi_variant *variant = (kfi_variant *)1;
    assert_int_equal(parse(text, &variant), KF_INVALID);
    assert_null(variant);
    assert_error_has("model.json", kf_last_error());
    assert_error_has(part, kf_last_error());
}

static void layer(void **state) {
    (void)state;
    kfi_variant *variant;
    assert_int_equal(parse("{\"class_name\": \"Dense\", \"config\": {\"units\": 64, \"rate\": 0.5, "
                           "\"use_bias\": true, \"seed\": null, \"shape\": [null, 3]}}",
                           &variant),
                     KF_OK);
    const kfi_variant *config = kfi_variant_get(variant, "config");
    assert_string_equal(kfi_variant_text(kfi_variant_get(variant, "class_name"), ""), "Dense");
    assert_int_equal(kfi_variant_to_integer(kfi_variant_get(config, "units"), 0), 64);
    assert_true(kfi_variant_to_real(kfi_variant_get(config, "rate"), 0) == 0.5);
    assert_true(kfi_variant_truth(kfi_variant_get(config, "use_bias"), false));
    assert_true(kfi_variant_is(kfi_variant_get(config, "seed"), KFI_NULL));
    assert_int_equal(kfi_variant_count(kfi_variant_get(config, "shape")), 2);
    assert_string_equal(kfi_variant_key_at(config, 3), "seed");
    kfi_variant_free(variant);
}

static void as_python(void **state) {
    (void)state;
    assert_prints("{\"b\":[1,2.0,null],\"a\":{},\"c\":[],\"t\":true,\"f\":false}",
                  "{\"b\": [1, 2.0, null], \"a\": {}, \"c\": [], \"t\": true, \"f\": false}");
    assert_prints("\"x\"", "\"x\"");
    assert_prints("-9223372036854775808", "-9223372036854775808");
}

/* What Python prints for these. */
static void reals(void **state) {
    (void)state;
    static const char *const same[] = {"0.1",
                                       "0.0010000000474974513",
                                       "1e-07",
                                       "0.0001",
                                       "1e-05",
                                       "1.5e-05",
                                       "100.0",
                                       "1234567.875",
                                       "1e+16",
                                       "1234567890123456.0",
                                       "9007199254740992.0",
                                       "1.7976931348623157e+308",
                                       "5e-324",
                                       "2.2250738585072014e-308",
                                       "-0.0",
                                       "0.0",
                                       "-2.5",
                                       "1e+100",
                                       "0.3333333333333333"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) assert_prints(same[i], same[i]);
    assert_prints("1E5", "100000.0");
    assert_prints("123456789012345680.0", "1.2345678901234568e+17");
}

static void escapes(void **state) {
    (void)state;
    assert_prints("\"\\u00e9 \\ud83d\\ude00 \\\" \\\\ \\/ \\n\\t\\u0001\\u007f\"",
                  "\"\\u00e9 \\ud83d\\ude00 \\\" \\\\ / \\n\\t\\u0001\\u007f\"");
    assert_prints("\"\xc3\xa9\xe2\x82\xac\"", "\"\\u00e9\\u20ac\"");
}

static void refuses(void **state) {
    (void)state;
    assert_refused("", "line 1");
    assert_refused("{\n \"a\": 1,\n \"b\": }", "line 3, column");
    assert_refused("{\"a\": 1, \"a\": 2}", "duplicate");
    assert_refused("[9223372036854775808]", "integer");
    assert_refused("[NaN]", "line 1");
    assert_refused("[Infinity]", "line 1");
    assert_refused("[1e999]", "line 1");
    assert_refused("[\"\xff\"]", "line 1");
    assert_refused("[1] 2", "line 1");
    assert_refused("[1, 2", "line 1");
}

static void bounds_depth(void **state) {
    (void)state;
    static char text[200001];
    memset(text, '[', 100000);
    memset(text + 100000, ']', 100000);
    assert_refused(text, "deeper");
    kfi_variant *variant;
    assert_int_equal(kfi_json_parse(text + 99800, 400, "model.json", &variant), KF_OK);
    kfi_variant_free(variant);
    kfi_variant *unused = NULL;
    assert_int_equal(kfi_json_parse(text + 99000, 2000, "model.json", &unused), KF_INVALID);
    assert_error_has("deeper than 256", kf_last_error());
}

static void takes_zeros(void **state) {
    (void)state;
    kfi_variant *variant;
    assert_int_equal(parse("{\"function\": [\"4\\u0000\\u0001\", null], \"b\": 2}", &variant),
                     KF_OK);
    const kfi_variant *function = kfi_variant_get(variant, "function");
    assert_string_equal(kfi_variant_text(kfi_variant_at(function, 0), ""), "4");
    assert_int_equal(kfi_variant_to_integer(kfi_variant_get(variant, "b"), 0), 2);
    kfi_variant_free(variant);
}

static void obeys_length(void **state) {
    (void)state;
    kfi_variant *variant;
    assert_int_equal(kfi_json_parse("12345", 2, "x", &variant), KF_OK);
    assert_int_equal(kfi_variant_to_integer(variant, 0), 12);
    kfi_variant_free(variant);
}

static void many_keys(void **state) {
    (void)state;
    enum { KEYS = 100000 };
    char *text = malloc(KEYS * 16 + 2), *at = text;
    *at++ = '{';
    for (int i = 0; i < KEYS; i++) at += sprintf(at, "%s\"k%d\":%d", i ? "," : "", i, i);
    strcpy(at, "}");
    kfi_variant *variant;
    assert_int_equal(parse(text, &variant), KF_OK);
    assert_int_equal(kfi_variant_to_integer(kfi_variant_get(variant, "k99999"), 0), 99999);
    kfi_variant_free(variant);
    free(text);
}

static void cannot_print(void **state) {
    (void)state;
    char *text;
    kfi_variant *variant = kfi_variant_real(1e308);
    kfi_variant *infinite = kfi_variant_real(kfi_variant_to_real(variant, 0) * 10);
    kfi_variant *broken = kfi_variant_string("a\xe2\x82");
    assert_int_equal(kfi_json_print(infinite, &text), KF_INVALID);
    assert_null(text);
    assert_int_equal(kfi_json_print(broken, &text), KF_INVALID);
    assert_error_has("UTF-8", kf_last_error());
    kfi_variant_free(variant);
    kfi_variant_free(infinite);
    kfi_variant_free(broken);
}

static void any_allocation_fails(void **state) {
    (void)state;
    const char *text =
        "{\"layers\": [{\"name\": \"\\u00e9\", \"x\": [1, 2.5, true, null]}, \"s\"]}";
    for (int64_t nth = 1;; nth++) {
        kfi_variant *variant;
        char *printed = NULL;
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_status status = parse(text, &variant);
        if (status == KF_OK) status = kfi_json_print(variant, &printed);
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_int_equal(status, all ? KF_OK : KF_MEMORY);
        if (all) assert_string_equal(printed, text);
        kfi_variant_free(variant);
        kfi_free(printed);
        if (all) break;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a layer's config is read with its kinds and order", layer),
        SENTENCE("values print as Python's json.dumps prints them", as_python),
        SENTENCE("reals print as Python's repr and read back the same", reals),
        SENTENCE("text beyond ASCII is escaped", escapes),
        SENTENCE("wrong texts are refused with line and column", refuses),
        SENTENCE("nesting has a limit", bounds_depth),
        SENTENCE("a string may hold a zero byte, as bytecode does", takes_zeros),
        SENTENCE("the length given bounds the text", obeys_length),
        SENTENCE("a hundred thousand keys take no quadratic time", many_keys),
        SENTENCE("what JSON cannot say is not printed", cannot_print),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
