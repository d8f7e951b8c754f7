/* Keras files of every kind that kf writes, damaged at random: loading one gives a model or an
 * error, and never a crash or a hang. Each is loaded by a child of its own, so that all that fail
 * are counted; their seeds are printed.
 *
 * Damaged are texts, that is names and JSON, which HDF5 carries without looking at them, and what
 * stands beside them. With KF_FUZZ_ANYWHERE=1 it is any bytes; then HDF5 1.10 itself crashes now
 * and then (io/README.md). */
#include "kf.h"
#include "tests/fuzz/mutate.h"
#include "tests/io/scratch.h"

#include <ctype.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECONDS = 20, MOST_FILES = 8 };

typedef struct sample {
    unsigned char *bytes;
    size_t n_bytes;
} sample;

static sample samples[MOST_FILES];
static size_t n_samples;

static void keep(const char *path) {
    sample *kept = &samples[n_samples++];
    kept->n_bytes = file_bytes(path);
    kept->bytes = test_malloc(kept->n_bytes);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fread(kept->bytes, 1, kept->n_bytes, file), kept->n_bytes);
    fclose(file);
}

/* --- what is damaged -------------------------------------------------------------------------- */

static kf_model *dense_model(kf_graph *graph) {
    kf_tensor *x = kf_input(graph, {4}, .name = "x");
    kf_tensor *y = kf_apply(kf_dense(3, .activation = "relu"), x);
    y = kf_apply(kf_dense(2, .activation = "softmax", .name = "y"), y);
    return kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
}

/* A model inside, called twice, and layers of many fields. */
static kf_model *deep_model(kf_graph *graph) {
    kf_tensor *a = kf_input(graph, {6, 6, 2}), *b = kf_input(graph, {6, 6, 2});
    kf_tensor *x = kf_input(graph, {6, 6, 2});
    kf_tensor *seen = kf_apply(kf_conv2d(2, .kernel_size = {3, 3}), x);
    seen = kf_apply(kf_flatten(), kf_apply(kf_batch_normalization(), seen));
    kf_layer *inside = kf_model_layer(kf_model_new(.inputs = kf_list(x), .outputs = kf_list(seen)));
    kf_tensor *both = kf_apply(kf_concatenate(), kf_apply(inside, a), kf_apply(inside, b));
    kf_tensor *y = kf_apply(kf_dense(2, .name = "y"), both);
    return kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(y));
}

static kf_model *recurrent_model(kf_graph *graph) {
    kf_tensor *words = kf_input(graph, {5}, .dtype = "int32");
    kf_tensor *x = kf_apply(kf_embedding(7, 3, .mask_zero = true), words);
    x = kf_apply(kf_bidirectional(kf_lstm(2)), x);
    kf_tensor *y = kf_apply(kf_dense(2, .name = "y"), x);
    return kf_model_new(.inputs = kf_list(words), .outputs = kf_list(y));
}

static void save(kf_model *(*make)(kf_graph *graph), bool compiled, const char *name) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = make(graph);
    assert_int_equal(kf_model_error(model), KF_OK);
    if (compiled)
        assert_int_equal(
            kf_compile(model, .optimizer = kf_adam(0.01f), .loss = "mse", .metrics = {"mae"}),
            KF_OK);
    assert_int_equal(kf_save(model, scratch(name), .no_optimizer = !compiled), KF_OK);
    keep(scratch(name));
    assert_int_equal(kf_save_weights(model, scratch(name)), KF_OK);
    keep(scratch(name));
    kf_graph_free(graph);
}

/* One step, so that there is state of the optimizer. */
static void save_trained(void) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = dense_model(graph);
    static const float x[2][4], y[2][2];
    const kf_array arrays[] = {{"x", x, KF_FLOAT32, {2, {2, 4}}},
                               {"y", y, KF_FLOAT32, {2, {2, 2}}}};
    assert_int_equal(kf_compile(model, .optimizer = kf_adam(0.01f), .loss = "mse"), KF_OK);
    assert_int_equal(kf_train_on_batch(model, arrays, 2, NULL), KF_OK);
    assert_int_equal(kf_save(model, scratch("trained.h5"), .no_optimizer = false), KF_OK);
    keep(scratch("trained.h5"));
    kf_graph_free(graph);
}

/* --- what is done with it --------------------------------------------------------------------- */

static void use(const char *path) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = kf_load(graph, path);
    char *json = NULL;
    if (kf_model_error(model) == KF_OK && kf_model_to_json(model, &json) == KF_OK) kf_free(json);
    kf_graph_free(graph);
    graph = kf_graph_new();
    kf_load_weights(dense_model(graph), path);
    kf_graph_free(graph);
    kf_dataset *data = kf_dataset_open(path);
    kf_dataset_free(data);
}

/* Whether a child that uses the file ends well. */
static bool survives(const char *path) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGSEGV, SIG_DFL); /* cmocka's handler would go on with the parent's test */
        signal(SIGBUS, SIG_DFL);
        signal(SIGFPE, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        alarm(SECONDS);
        use(path);
        _exit(0);
    }
    int how;
    assert_int_equal(waitpid(child, &how, 0), child);
    return WIFEXITED(how) && WEXITSTATUS(how) == 0;
}

/* Damages the text that stands at or after a place chosen at random. */
static void damage_text(mutator *by, sample *file) {
    enum { LEAST = 6 };
    size_t end = below(by, file->n_bytes), length = 0;
    for (; end < file->n_bytes && (length < LEAST || isprint(file->bytes[end])); end++)
        length = isprint(file->bytes[end]) ? length + 1 : 0;
    if (length >= LEAST) damage(by, file->bytes, end - length, end);
}

static void truncate_some(mutator *by, sample *file) {
    if (below(by, 16) == 0) file->n_bytes = below(by, file->n_bytes);
}

static void damaged_files(void **state) {
    (void)state;
    const uint64_t runs = fuzz_number("KF_FUZZ_RUNS", 600), seed = fuzz_number("KF_FUZZ_SEED", 0);
    const uint64_t first = fuzz_number("KF_FUZZ_FIRST", 0);
    const bool anywhere = fuzz_number("KF_FUZZ_ANYWHERE", 0) != 0;
    uint64_t failures = 0;
    for (uint64_t run = first; run < first + runs; run++) {
        mutator by = mutator_new(seed, run);
        const sample *good = &samples[below(&by, n_samples)];
        sample bad = {test_malloc(good->n_bytes), good->n_bytes};
        memcpy(bad.bytes, good->bytes, good->n_bytes);
        if (anywhere)
            damage(&by, bad.bytes, 0, bad.n_bytes);
        else
            damage_text(&by, &bad);
        truncate_some(&by, &bad);
        write_file(scratch("damaged.h5"), bad.bytes, bad.n_bytes);
        test_free(bad.bytes);
        if (survives(scratch("damaged.h5"))) continue;
        failures++;
        printf("seed %llu, run %llu: did not survive\n", (unsigned long long)seed,
               (unsigned long long)run);
    }
    printf("%llu of %llu damaged files did harm\n", (unsigned long long)failures,
           (unsigned long long)runs);
    assert_int_equal(failures, 0);
}

static int make_samples(void **state) {
    if (make_scratch(state)) return -1;
    save(dense_model, true, "dense.h5");
    save(deep_model, false, "deep.h5");
    save(recurrent_model, true, "recurrent.h5");
    save_trained();
    return 0;
}

static int free_samples(void **state) {
    for (size_t i = 0; i < n_samples; i++) test_free(samples[i].bytes);
    return remove_scratch(state);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a damaged file is loaded or refused", damaged_files),
    };
    return cmocka_run_group_tests_name("model files", tests, make_samples, free_samples);
}
