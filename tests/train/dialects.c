/* training_config of tf.keras in the words of Keras 2.2.4. */
#include "tests/train/support.h"

#include "core/train/files_dialects.h"
#include "io/json.h"

static kfi_variant *parse(const char *text) {
    kfi_variant *value = NULL;
    ok(kfi_json_parse(text, strlen(text), "test", &value));
    return value;
}

static void becomes(kf_status (*convert)(const kfi_variant *, kfi_variant **), const char *saved,
                    const char *usual) {
    kfi_variant *value = parse(saved), *made = NULL;
    ok(convert(value, &made));
    char *text = NULL;
    ok(kfi_json_print(made, &text));
    assert_string_equal(text, usual);
    kfi_free(text);
    kfi_variant_free(made);
    kfi_variant_free(value);
}

static void losses(void **state) {
    (void)state;
    becomes(kfi_dialect_losses, "\"mse\"", "\"mse\"");
    becomes(kfi_dialect_losses, "null", "null");
    becomes(kfi_dialect_losses, "{\"a\": \"mse\", \"b\": null}", "{\"a\": \"mse\", \"b\": null}");
    const char *const object =
        "{\"class_name\": \"SparseCategoricalCrossentropy\", \"config\": {\"reduction\": \"auto\", "
        "\"name\": \"anything\", \"from_logits\": false}}";
    becomes(kfi_dialect_losses, object, "\"sparse_categorical_crossentropy\"");
    char list[512];
    snprintf(list, sizeof list, "[%s, \"mae\"]", object);
    becomes(kfi_dialect_losses, list, "[\"sparse_categorical_crossentropy\", \"mae\"]");
    becomes(kfi_dialect_losses,
            "{\"out\": {\"class_name\": \"KLDivergence\", \"config\": {\"fn\": \"kld\"}}}",
            "{\"out\": \"kld\"}");
    becomes(kfi_dialect_losses, "[\"log_cosh\", \"kl_divergence\", \"cosine_similarity\"]",
            "[\"logcosh\", \"kullback_leibler_divergence\", \"cosine_proximity\"]");
    becomes(kfi_dialect_losses,
            "{\"class_name\": \"CosineSimilarity\", \"config\": {\"reduction\": \"auto\"}}",
            "\"cosine_proximity\"");
}

static void refuses_object(const char *saved, const char *words) {
    kfi_variant *value = parse(saved), *made = NULL;
    refuses(kfi_dialect_losses(value, &made), KF_INVALID, words);
    kfi_variant_free(value);
}

static void what_cannot_be_said_is_refused(void **state) {
    (void)state;
    refuses_object("{\"class_name\": \"MeanSquaredError\", \"config\": {\"reduction\": \"sum\"}}",
                   "MeanSquaredError(reduction='sum') is not supported");
    refuses_object("[{\"class_name\": \"BinaryAccuracy\", \"config\": {\"threshold\": 0.4}}]",
                   "BinaryAccuracy(threshold=…) is not supported");
    refuses_object("{\"a\": {\"class_name\": \"CosineSimilarity\", \"config\": {\"axis\": 1}}}",
                   "CosineSimilarity(axis=…) is not supported");
}

/* What Keras 2.2.4's names cannot say: there as an object, here as a name with arguments. */
static void arguments_of_objects(void **state) {
    (void)state;
    const char *const saved =
        "{\"class_name\": \"CategoricalCrossentropy\", \"config\": {\"from_logits\": true, "
        "\"label_smoothing\": 0.25, \"name\": \"categorical_crossentropy\"}}";
    const char *const usual =
        "\"categorical_crossentropy(from_logits=True, label_smoothing=0.25)\"";
    becomes(kfi_dialect_losses, saved, usual);
    becomes(kfi_dialect_objects, usual, saved);
    becomes(kfi_dialect_losses,
            "[{\"class_name\": \"BinaryCrossentropy\", \"config\": {\"from_logits\": true, "
            "\"label_smoothing\": 0}}]",
            "[\"binary_crossentropy(from_logits=True)\"]");
    becomes(kfi_dialect_metrics,
            "[{\"class_name\": \"TopKCategoricalAccuracy\", \"config\": {\"k\": 3}}]",
            "[\"top_k_categorical_accuracy(k=3)\"]");
    becomes(
        kfi_dialect_objects, "{\"a\": [\"acc\", \"top_k_categorical_accuracy(3)\"], \"b\": null}",
        "{\"a\": [\"acc\", {\"class_name\": \"TopKCategoricalAccuracy\", \"config\": {\"k\": 3, "
        "\"name\": \"top_k_categorical_accuracy\"}}], \"b\": null}");
    becomes(kfi_dialect_objects, "\"my(own)\"", "\"my(own)\"");
}

static void metrics(void **state) {
    (void)state;
    becomes(kfi_dialect_metrics, "[\"accuracy\"]", "[\"accuracy\"]");
    becomes(kfi_dialect_metrics, "null", "null");
    becomes(kfi_dialect_metrics, "[[\"accuracy\"]]", "[\"accuracy\"]");
    becomes(kfi_dialect_metrics,
            "[[{\"class_name\": \"MeanMetricWrapper\", \"config\": {\"name\": \"accuracy\", "
            "\"dtype\": \"float32\", \"fn\": \"categorical_accuracy\"}}]]",
            "[\"categorical_accuracy\"]");
    becomes(kfi_dialect_metrics, "[[\"acc\"], null, [\"mse\", \"mae\"]]",
            "[[\"acc\"], [], [\"mse\", \"mae\"]]");
    becomes(kfi_dialect_metrics,
            "{\"a\": [\"acc\", {\"class_name\": \"MeanSquaredError\", \"config\": {}}], \"b\": "
            "\"mae\"}",
            "{\"a\": [\"acc\", \"mean_squared_error\"], \"b\": [\"mae\"]}");
}

static void note_warning(void *context, const char *message) {
    strcat(context, message);
    strcat(context, "; ");
}

static void optimizer_becomes(const char *saved, const char *usual, const char *warnings) {
    char warned[512] = "";
    kf_graph *graph = kf_graph_new();
    kf_graph_on_warning(graph, note_warning, warned);
    kfi_variant *value = parse(saved), *made = NULL;
    ok(kfi_dialect_optimizer(value, graph, &made));
    char *text = NULL;
    ok(kfi_json_print(made, &text));
    assert_string_equal(text, usual);
    assert_string_equal(warned, warnings);
    kfi_free(text);
    kfi_variant_free(made);
    kfi_variant_free(value);
    kf_graph_free(graph);
}

static void optimizers(void **state) {
    (void)state;
    optimizer_becomes(
        "{\"class_name\": \"Custom>Adam\", \"config\": {\"name\": \"Adam\", \"weight_decay\": "
        "null, "
        "\"clipnorm\": null, \"global_clipnorm\": 0.5, \"use_ema\": false, \"ema_momentum\": 0.99, "
        "\"jit_compile\": true, \"is_legacy_optimizer\": false, \"learning_rate\": 0.25}}",
        "{\"class_name\": \"Adam\", \"config\": {\"clipnorm\": 0.5, \"lr\": 0.25}}", "");
    optimizer_becomes(
        "{\"class_name\": \"RMSprop\", \"config\": {\"name\": \"RMSprop\", \"momentum\": 0.5, "
        "\"centered\": true, \"clipnorm\": 1.0, \"decay\": 0.0}}",
        "{\"class_name\": \"RMSprop\", \"config\": {\"clipnorm\": 1.0, \"decay\": 0.0}}",
        "RMSprop: momentum=0.5 of tf.keras is not supported, training goes on without; "
        "RMSprop: centered=True of tf.keras is not supported, training goes on without; "
        "RMSprop: clipnorm=1.0 of tf.keras is for each weight; here it is for all of them "
        "together; ");
    optimizer_becomes(
        "{\"class_name\": \"Nadam\", \"config\": {\"name\": \"Nadam\", \"decay\": 0.25}}",
        "{\"class_name\": \"Nadam\", \"config\": {\"schedule_decay\": 0.25}}", "");
    optimizer_becomes(/* Keras 2.3's own: the norm is that of all */
                      "{\"class_name\": \"SGD\", \"config\": {\"learning_rate\": 1.0, "
                      "\"clipnorm\": 1.0}}",
                      "{\"class_name\": \"SGD\", \"config\": {\"lr\": 1.0, \"clipnorm\": 1.0}}",
                      "");
    optimizer_becomes("{\"class_name\": \"Custom>Lion\", \"config\": {\"name\": \"Lion\"}}",
                      "{\"class_name\": \"Custom>Lion\", \"config\": {\"name\": \"Lion\"}}", "");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("losses", losses),
        SENTENCE("what cannot be said is refused", what_cannot_be_said_is_refused),
        SENTENCE("arguments of objects become arguments of names, and back", arguments_of_objects),
        SENTENCE("metrics", metrics),
        SENTENCE("optimizers, and what they miss", optimizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
