/* Models' JSON with pieces replaced, left out, doubled: reading it gives a model or an error. A
 * model is written again, which is read again. */
#include "core/graph/graph.h"
#include "kf.h"
#include "tests/base/sentences.h"
#include "tests/fuzz/mutate.h"

#include <ctype.h>
#include <stdio.h>

enum { MOST_BYTES = 1 << 16, MOST_ELEMENTS = 1 << 18 };

typedef struct text {
    char bytes[MOST_BYTES];
    size_t count;
} text;

static char *good[2];

/* --- what is damaged -------------------------------------------------------------------------- */

static void write_functional(void) {
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {6, 6, 2}), *a = kf_input(graph, {6, 6, 2});
    kf_tensor *y = kf_apply(kf_conv2d(2, .kernel_size = {3, 3}, .padding = "same"), x);
    y = kf_apply(kf_max_pooling2d(), kf_apply(kf_batch_normalization(), y));
    y = kf_apply(kf_dropout(0.25f), kf_apply(kf_flatten(), y));
    kf_layer *inside = kf_model_layer(kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y)));
    kf_tensor *both = kf_apply(kf_concatenate(), kf_apply(inside, a), kf_apply(inside, a));
    kf_tensor *out = kf_apply(kf_dense(2, .kernel_regularizer = "l2(0.5)"), both);
    kf_model *model = kf_model_new(.inputs = kf_list(a), .outputs = kf_list(out));
    assert_int_equal(kf_model_to_json(model, &good[0]), KF_OK);
    kf_graph_free(graph);
}

static void write_recurrent(void) {
    kf_graph *graph = kf_graph_new();
    kf_tensor *words = kf_input(graph, {5}, .dtype = "int32");
    kf_tensor *x = kf_apply(kf_embedding(7, 3, .mask_zero = true), words);
    x = kf_apply(kf_bidirectional(kf_lstm(2, .return_sequences = true)), x);
    x = kf_apply(kf_time_distributed(kf_dense(2, .activation = "relu")), x);
    kf_model *model = kf_model_new(.inputs = kf_list(words), .outputs = kf_list(x));
    assert_int_equal(kf_model_to_json(model, &good[1]), KF_OK);
    kf_graph_free(graph);
}

/* --- pieces ----------------------------------------------------------------------------------- */

/* A string, a number or word, a bracket, or a list or dict whole: [*begin, *end). */
static void choose_piece(mutator *by, const text *in, size_t *begin, size_t *end) {
    size_t at = below(by, in->count);
    while (at > 0 && !strchr("\"[{", in->bytes[at]) && !strchr(" ,:", in->bytes[at - 1])) at--;
    *begin = at;
    const char open = in->bytes[at], close = open == '[' ? ']' : open == '{' ? '}' : '"';
    if (!strchr("\"[{", open)) {
        while (at < in->count && !strchr(",:]} ", in->bytes[at])) at++;
    } else {
        int depth = 0;
        do {
            depth += open != '"' && in->bytes[at] == open;
            depth -= open != '"' && in->bytes[at] == close;
            at++;
        } while (at < in->count && (open == '"' ? in->bytes[at] != '"' : depth > 0));
        if (open == '"' && at < in->count) at++;
    }
    *end = at;
}

static void replace(text *in, size_t begin, size_t end, const char *with, size_t count) {
    if (in->count - (end - begin) + count >= MOST_BYTES) return;
    memmove(in->bytes + begin + count, in->bytes + end, in->count - end);
    memcpy(in->bytes + begin, with, count);
    in->count += count - (end - begin);
    in->bytes[in->count] = '\0';
}

static void strange_piece(mutator *by, char *piece, size_t bytes) {
    static const char *const words[] = {"null", "true",  "{}",        "[]",  "\"\"",   "\"name\"",
                                        "-1",   "1e300", "[[[[1]]]]", "0.5", "1e-400", "[null, 0]"};
    if (below(by, 2))
        snprintf(piece, bytes, "%s", words[below(by, sizeof words / sizeof *words)]);
    else
        snprintf(piece, bytes, "%lld", (long long)strange_number(by));
}

static void change(mutator *by, text *in) {
    size_t begin, end, from, to;
    if (in->count == 0) return;
    char piece[MOST_BYTES];
    choose_piece(by, in, &begin, &end);
    choose_piece(by, in, &from, &to);
    switch (below(by, 4)) {
    case 0: /* another piece of the text */
        memcpy(piece, in->bytes + from, to - from);
        replace(in, begin, end, piece, to - from);
        return;
    case 1:
        replace(in, begin, end, "", 0);
        return;
    default:
        strange_piece(by, piece, sizeof piece);
        replace(in, begin, end, piece, strlen(piece));
    }
}

/* --- reading ---------------------------------------------------------------------------------- */

/* 1 if it is a model. */
static int read_and_write(const char *json) {
    kf_graph *graph = kf_graph_new();
    kfi_graph_limit_weights(graph, MOST_ELEMENTS);
    kf_model *model = kf_model_from_json(graph, json);
    const bool read = kf_model_error(model) == KF_OK;
    char *once = NULL, *twice = NULL;
    if (read && kf_model_to_json(model, &once) == KF_OK) {
        kf_graph *other = kf_graph_new();
        kf_model *again = kf_model_from_json(other, once);
        if (kf_model_to_json(again, &twice) != KF_OK)
            fail_msg("%s\nis not read again: %s", once, kf_last_error());
        assert_string_equal(once, twice);
        kf_graph_free(other);
    }
    kf_free(once);
    kf_free(twice);
    kf_graph_free(graph);
    return read;
}

static void damaged_texts(void **state) {
    (void)state;
    const uint64_t runs = fuzz_number("KF_FUZZ_RUNS", 3000), seed = fuzz_number("KF_FUZZ_SEED", 0);
    const uint64_t first = fuzz_number("KF_FUZZ_FIRST", 0);
    text *bad = test_malloc(sizeof *bad);
    int models = 0;
    for (uint64_t run = first; run < first + runs; run++) {
        mutator by = mutator_new(seed, run);
        const char *from = good[below(&by, 2)];
        bad->count = strlen(from);
        assert_true(bad->count < MOST_BYTES);
        memcpy(bad->bytes, from, bad->count + 1);
        for (size_t n = 1 + below(&by, 3); n > 0; n--) change(&by, bad);
        models += read_and_write(bad->bytes);
    }
    printf("%d of %llu damaged texts are models\n", models, (unsigned long long)runs);
    assert_true(models > 0 || runs < 1000);
    test_free(bad);
}

static int write_good(void **state) {
    (void)state;
    write_functional();
    write_recurrent();
    return 0;
}

static int free_good(void **state) {
    (void)state;
    for (int i = 0; i < 2; i++) kf_free(good[i]);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a damaged text is read or refused", damaged_texts),
    };
    return cmocka_run_group_tests_name("model JSON", tests, write_good, free_good);
}
