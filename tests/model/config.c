/* Keras's JSON: what Keras wrote is read and written again byte for byte. */
#include "tests/model/support.h"

static const char *const kept[] = {
    "mlp",
    "nested_bn",
    "nested_multi_io",
    "sequential",
    "sequential_in_sequential",
    "inception",
    "residual",
    "shared_vision",
    "batchnormalization_conv_stack",
    "dropout_predict",
    "reshape_00",
    "averagepooling2d_00",
    "globalaveragepooling2d_01",
    "multiply_three_3d",
    "shared_three",
    "frozen_layer",
    "input_is_output",
    "none_spatial",
    "two_in_two_out",
};

/* to_json is the config with two keys more. */
static void assert_json(const kf_model *model, const char *config) {
    static const char tail[] = ", \"keras_version\": \"2.2.4\", \"backend\": \"tensorflow\"}";
    const size_t bytes = strlen(config) - 1; /* without the last brace */
    char *json;
    assert_int_equal(kf_model_to_json(model, &json), KF_OK);
    assert_int_equal(strlen(json), bytes + strlen(tail));
    assert_memory_equal(json, config, bytes);
    assert_string_equal(json + bytes, tail);
    kf_free(json);
}

static void round_trip(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        char *text = read_config(kept[i]);
        kf_graph *g = kf_graph_new();
        kf_model *m = kf_model_from_json(g, text);
        if (kf_model_error(m) != KF_OK) fail_msg("%s: %s", kept[i], kf_last_error());
        char *again = print_config(m);
        assert_string_equal(again, text);
        assert_json(m, text);
        kfi_free(again);
        kf_graph_free(g);
        free(text);
    }
}

static void loads_own_json(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new(), *h = kf_graph_new();
    char *text, *again;
    assert_int_equal(kf_model_to_json(make_mlp(g), &text), KF_OK);
    kf_model *m = kf_model_from_json(h, text);
    assert_good(m);
    assert_int_equal(kf_model_to_json(m, &again), KF_OK);
    assert_string_equal(again, text);
    kf_free(text);
    kf_free(again);
    kf_graph_free(g);
    kf_graph_free(h);
}

/* --- small configs ---------------------------------------------------------------------------- */

#define LAYER(name, class_name, config, nodes)                                                     \
    "{\"name\": \"" name "\", \"class_name\": \"" class_name "\", \"config\": {\"name\": \"" name  \
    "\"" config "}, \"inbound_nodes\": " nodes "}"
#define INPUT(name)           LAYER(name, "InputLayer", ", \"batch_input_shape\": [null, 4]", "[]")
#define RELU(name, nodes)     LAYER(name, "Activation", ", \"activation\": \"relu\"", nodes)
#define DENSE(name, nodes)    LAYER(name, "Dense", ", \"units\": 4", nodes)
#define ENDS(inputs, outputs) "], \"input_layers\": " inputs ", \"output_layers\": " outputs
#define MODEL(class_name, layers, ends)                                                            \
    "{\"class_name\": \"" class_name "\", \"config\": {\"name\": \"m\", \"layers\": [" layers ends \
    "}}"
#define SEQUENTIAL(layers)        "{\"class_name\": \"Sequential\", \"config\": " layers "}"
#define PLAIN(class_name, config) "{\"class_name\": \"" class_name "\", \"config\": {" config "}}"

#define IN_A   "[[\"a\", 0, 0]]"
#define OUT_B  "[[\"b\", 0, 0]]"
#define FROM_A "[[[\"a\", 0, 0, {}]]]"
#define GOOD   MODEL("Model", INPUT("a") ", " DENSE("b", FROM_A), ENDS(IN_A, OUT_B))

static void assert_reads(const char *json, const char *layers) {
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_model_from_json(g, json);
    assert_good(m);
    assert_layers(m, layers);
    kf_graph_free(g);
}

static void any_order(void **state) {
    (void)state;
    assert_reads(
        MODEL("Model",
              RELU("d", "[[[\"c\", 1, 0, {}]]]") ", " DENSE(
                  "c", "[[[\"a\", 0, 0, {}]], [[\"b\", "
                       "0, 0, {}]]]") ", " RELU("b", "[[[\"c\", 0, 0, {}]]]") ", " INPUT("a"),
              ENDS(IN_A, "[[\"d\", 0, 0]]")),
        "a c b d");
}

/* A chain of n layers, the last one first. */
static void reversed_chain(void **state) {
    (void)state;
    enum { LENGTH = 3000 };
    char *text = calloc(LENGTH + 10, 200);
    char *at = text + sprintf(text, "{\"class_name\": \"Model\", \"config\": {\"layers\": [");
    for (int i = LENGTH; i > 0; i--)
        at += sprintf(at, RELU("x%d", "[[[\"x%d\", 0, 0, {}]]]") ", ", i, i, i - 1);
    sprintf(at, INPUT("x0") ENDS("[[\"x0\", 0, 0]]", "[[\"x%d\", 0, 0]]") "}}", LENGTH);
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_model_from_json(g, text);
    assert_good(m);
    assert_int_equal(kf_model_layers(m), LENGTH + 1);
    kf_graph_free(g);
    free(text);
}

/* Classes that Keras 2 kept from Keras 1, with that one's dicts. */
static void keras1_dicts(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_model_from_json(
        g, SEQUENTIAL("[" PLAIN("MaxoutDense",
                                "\"name\": \"d\", \"batch_input_shape\": [null, 3], "
                                "\"output_dim\": 2, \"W_regularizer\": {\"name\": "
                                "\"WeightRegularizer\", \"l1\": 0.5, \"l2\": 0.25}, "
                                "\"b_constraint\": {\"name\": \"MaxNorm\", \"m\": 3, \"axis\": "
                                "0}") ", " PLAIN("Highway", "\"name\": \"h\", "
                                                            "\"activity_regularizer\": "
                                                            "{\"name\": \"ActivityRegularizer\", "
                                                            "\"l1\": 0.0, \"l2\": 0.5}") "]"));
    assert_good(m);
    char *text;
    assert_int_equal(kf_model_to_json(m, &text), KF_OK);
    assert_non_null(strstr(text, "\"W_regularizer\": {\"class_name\": \"L1L2\", \"config\": "
                                 "{\"l1\": 0.5, \"l2\": 0.25}}"));
    assert_non_null(strstr(text, "\"b_constraint\": {\"class_name\": \"MaxNorm\", \"config\": "
                                 "{\"max_value\": 3"));
    assert_non_null(strstr(text, "\"activity_regularizer\": {\"class_name\": \"L1L2\", "
                                 "\"config\": {\"l1\": 0.0, \"l2\": 0.5}}"));
    kf_free(text);
    kf_graph_free(g);
}

static void dialects(void **state) {
    (void)state;
    assert_reads(GOOD, "a b");
    assert_reads(MODEL("Functional", INPUT("a") ", " DENSE("b", FROM_A), ENDS(IN_A, OUT_B)), "a b");
    assert_reads(MODEL("Functional",
                       LAYER("a", "InputLayer",
                             ", \"batch_shape\": [null, 4], \"ragged\": false, \"dtype\": "
                             "{\"class_name\": \"Policy\", \"config\": {\"name\": \"float32\"}}",
                             "[]") ", " DENSE("b", "[{\"args\": [{\"class_name\": "
                                                   "\"__keras_tensor__\", \"config\": {\"shape\": "
                                                   "[null, 4], \"dtype\": \"float32\", "
                                                   "\"keras_history\": [\"a\", 0, 0]}}], "
                                                   "\"kwargs\": {\"mask\": null}}]"),
                       ENDS("[\"a\", 0, 0]", "[\"b\", 0, 0]")),
                 "a b");
    assert_reads(MODEL("Model",
                       INPUT("a") ", " LAYER("b", "Dense",
                                             ", \"units\": 3, \"a_key_of_tomorrow\": [1], "
                                             "\"dtype\": {\"class_name\": \"Policy\", "
                                             "\"config\": {\"name\": \"float32\"}}",
                                             FROM_A),
                       ENDS(IN_A, OUT_B)),
                 "a b");
}

static void sequentials(void **state) {
    (void)state;
    assert_reads(SEQUENTIAL("[" PLAIN("Dense", "\"name\": \"d\", \"units\": 3, "
                                               "\"batch_input_shape\": [null, 4]") "]"),
                 "d");
    assert_reads(SEQUENTIAL("[" PLAIN(
                     "Dense", "\"units\": 3, \"batch_input_shape\": [null, 4], "
                              "\"dtype\": \"float32\"") ", " PLAIN("Activation",
                                                                   "\"activation\": \"relu\"") "]"),
                 "dense_1 activation_1");
    assert_reads(SEQUENTIAL("{\"name\": \"s\", \"build_input_shape\": [null, 4], \"layers\": "
                            "[" PLAIN("Dense", "\"name\": \"d\", \"units\": 3") "]}"),
                 "d");
    kf_graph *g = kf_graph_new();
    kf_model *m = kf_model_from_json(
        g,
        SEQUENTIAL("{\"name\": \"s\", \"layers\": "
                   "[" PLAIN("InputLayer", "\"batch_input_shape\": [null, 4], \"name\": "
                                           "\"image\"") ", " PLAIN("Dense", "\"name\": \"d\", "
                                                                            "\"units\": 3") "]}"));
    assert_good(m);
    assert_string_equal(kf_model_input_name(m, 0), "image");
    assert_string_equal(kf_layer_class(kf_model_layer(m)), "Sequential");
    char *text = print_config(m); /* the input's name would be lost without its entry */
    assert_non_null(strstr(text, "[{\"class_name\": \"InputLayer\""));
    kf_model *again = kf_model_from_json(g, text);
    assert_good(again);
    assert_string_equal(kf_model_input_name(again, 0), "image");
    kfi_free(text);
    kf_graph_free(g);
}

static void implied_input(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    char *text = read_config("sequential_in_sequential");
    kf_model *m = kf_model_from_json(g, text);
    assert_good(m);
    assert_string_equal(kf_model_input_name(m, 0), "sequential_1_input");
    assert_layers(m, "sequential_1 activation_1 dense_3");
    assert_int_equal(kf_model_parameters(m, NULL), 3 * 4 + 4 + 4 * 3 + 3 + 3 * 2 + 2);
    free(text);
    kf_graph_free(g);
}

static void frozen(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    char *text = read_config("frozen_layer");
    kf_model *m = kf_model_from_json(g, text);
    assert_good(m);
    int64_t trainable;
    assert_true(kf_model_parameters(m, &trainable) > trainable);
    free(text);
    kf_graph_free(g);
}

/* --- hostile configs -------------------------------------------------------------------------- */

typedef struct hostile {
    const char *json, *words;
} hostile;

#define BAD_LAYERS(layers) MODEL("Model", layers, ENDS(IN_A, OUT_B))
#define BAD_INPUT(config)  BAD_LAYERS(LAYER("a", "InputLayer", config, "[]") ", " DENSE("b", FROM_A))
#define BAD_NODES(nodes)   BAD_LAYERS(INPUT("a") ", " DENSE("b", nodes))
#define BAD_ENDS(ends)     MODEL("Model", INPUT("a") ", " DENSE("b", FROM_A), ends)

static const hostile cases[] = {
    {"", "model configuration"},
    {"{", "model configuration"},
    {"null", "expected a dict with 'class_name'; got null"},
    {"[]", "expected a dict with 'class_name'; got a list"},
    {"{}", "'class_name' is missing"},
    {"{\"class_name\": 3}", "'class_name' must be a string; got an integer"},
    {"{\"class_name\": \"Dense\", \"config\": {}}", "unknown model class 'Dense'"},
    {"{\"class_name\": \"Model\"}", "expected a dict with 'layers'; got null"},
    {"{\"class_name\": \"Model\", \"config\": []}", "expected a dict with 'layers'; got a list"},
    {"{\"class_name\": \"Model\", \"config\": {\"layers\": 1}}", "'layers' must be a list"},
    {"{\"class_name\": \"Model\", \"config\": {\"layers\": []}}", "'input_layers' is missing"},
    {"{\"class_name\": \"Model\", \"config\": {\"layers\": [1]}}", "'layers'[0] has no name"},
    {"{\"class_name\": \"Model\", \"config\": {\"trainable\": 1}}", "'trainable' must be"},
    {BAD_LAYERS("{\"name\": \"a\"}"), "a: 'inbound_nodes' is missing"},
    {BAD_LAYERS("{\"name\": \"a\", \"inbound_nodes\": {}}"), "a: 'inbound_nodes' must be a list"},
    {BAD_LAYERS("{\"name\": \"a\", \"inbound_nodes\": []}"), "a: 'class_name' is missing"},
    {BAD_LAYERS("{\"name\": \"a\", \"class_name\": \"Dense\", \"inbound_nodes\": []}"),
     "a: 'config' is missing"},
    {BAD_LAYERS(LAYER("attention_1", "Attention", "", "[]")),
     "unknown layer class 'Attention' (layer attention_1)"},
    {BAD_LAYERS(INPUT("a") ", " INPUT("a")), "The name \"a\" is used 2 times in the model."},
    {BAD_LAYERS(INPUT("a") ", " LAYER("b", "Dense", "", FROM_A)), "b: units"},
    {BAD_LAYERS(INPUT("a") ", " LAYER("b", "Dense", ", \"units\": \"many\"", FROM_A)), "b: units"},
    {BAD_LAYERS(INPUT("a") ", " LAYER("b", "Dense", ", \"units\": -4", FROM_A)), "b: units"},
    {BAD_LAYERS(INPUT("a") ", " LAYER("b", "Dense", ", \"units\": 9223372036854775807", FROM_A)),
     "b"},
    {BAD_LAYERS(
         INPUT("a") ", " LAYER("b", "Dense", ", \"units\": 3, \"trainable\": \"no\"", FROM_A)),
     "b: trainable must be"},
    {BAD_LAYERS(INPUT("a") ", " RELU("b", "[[[\"a\", 0, 0, {}], [\"a\", 0, 0, {}]]]")),
     "b expects 1 inputs, but it received 2"},
    {BAD_INPUT(""), "a: 'batch_input_shape' must be a list; got null"},
    {BAD_INPUT(", \"batch_input_shape\": 4"), "a: 'batch_input_shape' must be a list"},
    {BAD_INPUT(", \"batch_input_shape\": []"), "a: 'batch_input_shape' must have 1 to 8"},
    {BAD_INPUT(", \"batch_input_shape\": [null,1,1,1,1,1,1,1,1]"), "must have 1 to 8"},
    {BAD_INPUT(", \"batch_input_shape\": [null, 0]"), "got a number below 1"},
    {BAD_INPUT(", \"batch_input_shape\": [-1, 4]"), "got a number below 1"},
    {BAD_INPUT(", \"batch_input_shape\": [null, 2.5]"), "must hold positive integers and null"},
    {BAD_INPUT(", \"batch_input_shape\": [null, 9223372036854775807]"), "a: "},
    {BAD_INPUT(", \"batch_input_shape\": [null, 4], \"dtype\": 5"), "a: 'dtype' must be a string"},
    {BAD_INPUT(", \"batch_input_shape\": [null, 4], \"dtype\": \"str\""), "dtype"},
    {BAD_INPUT(", \"batch_input_shape\": [null, 4], \"sparse\": true"), "sparse and ragged"},
    {BAD_LAYERS(LAYER("a", "InputLayer", ", \"batch_input_shape\": [null, 4]",
                      "[[[\"b\", 0, 0, {}]]]") ", " DENSE("b", FROM_A)),
     "a: 'inbound_nodes' of an InputLayer must be empty"},
    {BAD_NODES("[[]]"), "b: 'inbound_nodes' has a call without inputs"},
    {BAD_NODES("[3]"), "b: 'inbound_nodes' must hold lists; got an integer"},
    {BAD_NODES("[[3]]"), "b: 'inbound_nodes' must hold lists of a layer's name"},
    {BAD_NODES("[[[\"a\"]]]"), "b: 'inbound_nodes' must hold lists of a layer's name"},
    {BAD_NODES("[[[\"a\", \"0\", 0, {}]]]"), "b: 'inbound_nodes' must hold lists of"},
    {BAD_NODES("[[[\"zz\", 0, 0, {}]]]"), "names the layer 'zz', which the model does not have"},
    {BAD_NODES("[[[\"a\", 1, 0, {}]]]"), "b: 'inbound_nodes' asks for call 1 of the layer 'a'"},
    {BAD_NODES("[[[\"a\", -1, 0, {}]]]"), "asks for call -1 of the layer 'a'"},
    {BAD_NODES("[[[\"a\", 9223372036854775807, 0, {}]]]"), "asks for call 9223372036854775807"},
    {BAD_NODES("[[[\"a\", 0, 1, {}]]]"), "the layer 'a' has no output 1, only 1"},
    {BAD_NODES("[[[\"a\", 0, -1, {}]]]"), "the layer 'a' has no output -1"},
    {BAD_NODES("[[[\"a\", 0, 0, {\"initial_state\": 1}]]]"),
     "b: 'initial_state' must be a tensor or a list of them; got an integer"},
    {BAD_NODES("[[[\"b\", 0, 0, {}]]]"), "\"b\" is part of a cycle"},
    {BAD_NODES("[[[\"b\", 1, 0, {}]], [[\"a\", 0, 0, {}]]]"), "\"b\" is part of a cycle"},
    {BAD_NODES("[{\"args\": 7}]"), "has an argument that is no tensor, but an integer"},
    {BAD_NODES("[{}]"), "has an argument that is no tensor, but null"},
    {BAD_LAYERS(INPUT("a") ", " RELU("b", "[[[\"c\", 0, 0, {}]]]") ", " RELU(
         "c", "[[[\"b\", 0, 0, {}]]]")),
     "is part of a cycle"},
    {BAD_ENDS(ENDS("[]", OUT_B)), "'input_layers' must hold 1 to 4096"},
    {BAD_ENDS(ENDS(IN_A, "[]")), "'output_layers' must hold 1 to 4096"},
    {BAD_ENDS(ENDS("3", OUT_B)), "'input_layers' must be a list; got an integer"},
    {BAD_ENDS(ENDS(IN_A, "[[\"zz\", 0, 0]]")), "'output_layers' names the layer 'zz'"},
    {BAD_ENDS(ENDS(IN_A, "[[\"b\", 5, 0]]")), "'output_layers' asks for call 5 of the layer 'b'"},
    {BAD_ENDS(ENDS(OUT_B, OUT_B)), "generated by layer b"},
    {BAD_ENDS(ENDS("[[\"a\", 0, 0], [\"a\", 0, 0]]", OUT_B)), "is redundant"},
    {MODEL("Model", INPUT("a") ", " INPUT("c") ", " DENSE("b", FROM_A),
           ENDS("[[\"c\", 0, 0]]", OUT_B)),
     "Graph disconnected"},
    {SEQUENTIAL("null"), "expected a dict with 'layers'; got null"},
    {SEQUENTIAL("[7]"), "expected a dict with 'class_name'; got an integer"},
    {SEQUENTIAL(
         "[" PLAIN("Flatten", "\"name\": \"f\", \"batch_input_shape\": [null, 2, 2]") ", " PLAIN(
             "InputLayer", "\"batch_input_shape\": [null, 4]") "]"),
     "an InputLayer can only come first"},
};

static void hostile_texts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        kf_graph *g = kf_graph_new();
        kf_model *m = kf_model_from_json(g, cases[i].json);
        const kf_status status = kf_model_error(m);
        if ((status != KF_INVALID && status != KF_MEMORY) ||
            !strstr(kf_last_error(), cases[i].words))
            fail_msg("%s\nexpected \"%s\"; got status %d, \"%s\"", cases[i].json, cases[i].words,
                     (int)status, kf_last_error());
        assert_int_equal(kf_graph_error(g), status);
        kf_graph_free(g);
    }
}

static void deep_nest(void **state) {
    (void)state;
    enum { LEVELS = 40 };
    char *text = calloc(LEVELS, 300), *at = text;
    for (int i = 0; i < LEVELS; i++)
        at += sprintf(at, "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
                          "\"layers\": [");
    at += sprintf(at, PLAIN("Dense", "\"units\": 3, \"batch_input_shape\": [null, 4]"));
    for (int i = 0; i < LEVELS; i++) at += sprintf(at, "]}}");
    kf_graph *g = kf_graph_new();
    assert_fails(kf_model_from_json(g, text), KF_INVALID, "nested deeper than 32 levels");
    kf_graph_free(g);
    free(text);
}

static void cut_texts(void **state) {
    (void)state;
    const char *whole = GOOD;
    const size_t bytes = strlen(whole);
    for (size_t length = 0; length < bytes; length++) {
        char *text = strndup(whole, length);
        kf_graph *g = kf_graph_new();
        assert_int_equal(kf_model_error(kf_model_from_json(g, text)), KF_INVALID);
        kf_graph_free(g);
        free(text);
    }
}

static void nothing_to_read(void **state) {
    (void)state;
    kf_graph *g = kf_graph_new();
    assert_int_equal(kf_model_error(kf_model_from_json(NULL, GOOD)), KF_USAGE);
    assert_fails(kf_model_from_json(g, NULL), KF_USAGE, "the text is NULL");
    assert_fails(kf_model_from_json(g, GOOD), KF_USAGE, "the text is NULL"); /* g is poisoned */
    kf_graph_free(g);
    assert_int_equal(kf_model_to_json(NULL, NULL), KF_USAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("configs that Keras wrote come back byte for byte", round_trip),
        SENTENCE("a model reads its own JSON", loads_own_json),
        SENTENCE("layers and calls may stand in any order", any_order),
        SENTENCE("a long chain in reversed order is read in linear time", reversed_chain),
        SENTENCE("MaxoutDense and Highway take dicts of Keras 1", keras1_dicts),
        SENTENCE("tf.keras and Keras 3 say the same in other words", dialects),
        SENTENCE("a Sequential is read in all its forms", sequentials),
        SENTENCE("a Sequential's input is called after its first layer", implied_input),
        SENTENCE("trainable flags are read", frozen),
        SENTENCE("wrong configs are refused and say where", hostile_texts),
        SENTENCE("models nested too deep are refused", deep_nest),
        SENTENCE("a text cut anywhere is refused", cut_texts),
        SENTENCE("no text and no graph make no model", nothing_to_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
