/* Keys that only another version of Keras knows: ignored, but not in silence where they matter. */
#include "tests/model/support.h"

#include "core/graph/graph.h"

#include <stdio.h>

static char warnings[1000];

static void note_warning(void *context, const char *message) {
    (void)context;
    const size_t used = strlen(warnings);
    snprintf(warnings + used, sizeof warnings - used, "%s\n", message);
}

/* Reading a Sequential of this one layer warns so. */
static void assert_warns(const char *class_name, const char *config, const char *expected) {
    char text[2000];
    snprintf(text, sizeof text,
             "{\"class_name\": \"Sequential\", \"config\": [{\"class_name\": \"%s\", \"config\": "
             "{\"name\": \"a\", %s}}]}",
             class_name, config);
    warnings[0] = '\0';
    kf_graph *g = kf_graph_new();
    kf_graph_on_warning(g, note_warning, NULL);
    assert_good(kf_model_from_json(g, text));
    assert_string_equal(warnings, expected);
    kf_graph_free(g);
}

#define DENSE_CONFIG "\"batch_input_shape\": [null, 4], \"units\": 3"
#define IMAGE        "\"batch_input_shape\": [null, 8, 8, 3]"

static void what_matters_is_named(void **state) {
    (void)state;
    assert_warns("GlobalAveragePooling2D", IMAGE ", \"keepdims\": true",
                 "a: 'keepdims' is unknown and ignored\n");
    assert_warns("LSTM", "\"batch_input_shape\": [null, 5, 2], \"units\": 3, \"time_major\": true",
                 "a: 'time_major' is unknown and ignored\n");
    assert_warns("Dense", DENSE_CONFIG ", \"one\": [1], \"two\": \"text\", \"three\": -0.5",
                 "a: 'one' is unknown and ignored\na: 'two' is unknown and ignored\n"
                 "a: 'three' is unknown and ignored\n");
    assert_warns("TimeDistributed",
                 "\"batch_input_shape\": [null, 5, 4], \"layer\": {\"class_name\": \"Dense\", "
                 "\"config\": {\"name\": \"b\", \"units\": 3, \"one\": 1}}",
                 "b: 'one' is unknown and ignored\n");
}

static void what_says_nothing_is_silent(void **state) {
    (void)state;
    assert_warns("Dense", DENSE_CONFIG, "");
    assert_warns("Dense",
                 DENSE_CONFIG ", \"one\": null, \"two\": false, \"three\": 0, \"four\": 0.0, "
                              "\"five\": [], \"six\": {}, \"autocast\": true, \"input_dim\": 4",
                 "");
    assert_warns("Dense",
                 DENSE_CONFIG ", \"dtype\": {\"class_name\": \"Policy\", \"config\": "
                              "{\"name\": \"mixed_float16\"}}",
                 "");
    assert_warns("Conv2D", IMAGE ", \"filters\": 4, \"kernel_size\": [3, 3], \"groups\": 1", "");
}

static void what_was_translated_is_silent(void **state) {
    (void)state;
    assert_warns("Convolution2D",
                 "\"batch_input_shape\": [null, 8, 8, 3], \"nb_filter\": 4, \"nb_row\": 3, "
                 "\"nb_col\": 2, \"init\": \"uniform\", \"border_mode\": \"same\", "
                 "\"dim_ordering\": \"tf\", \"subsample\": [1, 1], \"bias\": true, "
                 "\"input_dtype\": \"float32\", \"W_regularizer\": {\"name\": "
                 "\"WeightRegularizer\", \"l1\": 0.5, \"l2\": 0.25}",
                 "");
    assert_warns("LSTM",
                 "\"batch_input_shape\": [null, 5, 2], \"output_dim\": 3, \"inner_init\": "
                 "\"orthogonal\", \"inner_activation\": \"hard_sigmoid\", \"dropout_W\": 0.5, "
                 "\"dropout_U\": 0.25, \"consume_less\": \"gpu\", \"forget_bias_init\": \"one\", "
                 "\"input_dim\": 2, \"input_length\": 5",
                 "");
    assert_warns("MaxPooling1D",
                 "\"batch_input_shape\": [null, 8, 2], \"pool_length\": 2, \"stride\": 2, "
                 "\"border_mode\": \"valid\"",
                 "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a key that may change the layer is named", what_matters_is_named),
        SENTENCE("a key that says nothing is not", what_says_nothing_is_silent),
        SENTENCE("nor is a key of Keras 1 that was translated", what_was_translated_is_silent),
    };
    return cmocka_run_group_tests_name("unread_key", tests, NULL, NULL);
}
