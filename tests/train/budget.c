/* A limit on memory: models inside of TimeDistributed are computed part by part and, in training,
 * twice, with the same bits. */
#include "core/train/training.h"
#include "tests/train/support.h"

enum { VIDEOS = 2, FRAMES = 24, SIDE = 48, CHANNELS = 3, CODE = 8 };

/* One image to a code, with everything that reads random numbers or the forward pass again. */
static kf_model *frame_model(kf_graph *graph, bool normalized) {
    kf_tensor *image = kf_input(graph, {SIDE, SIDE, CHANNELS}, .name = "image");
    kf_tensor *x = kf_apply(
        kf_conv2d(16, .kernel_size = {3, 3}, .padding = "same", .activation = "relu"), image);
    if (normalized) x = kf_apply(kf_batch_normalization(), x);
    x = kf_apply(kf_conv2d(16, .kernel_size = {1, 1}, .activation = "relu"), x);
    x = kf_apply(kf_max_pooling2d(), x);
    x = kf_apply(kf_dropout(0.25f), x);
    x = kf_apply(kf_flatten(), x);
    x = kf_apply(kf_dense(CODE), x);
    kf_model *model = kf_model_new(.inputs = kf_list(image), .outputs = kf_list(x));
    ok(kf_model_error(model));
    return model;
}

static kf_model *video_model(kf_graph *graph, bool normalized) {
    kf_layer *vision = kf_model_layer(frame_model(graph, normalized));
    kf_tensor *video = kf_input(graph, {FRAMES, SIDE, SIDE, CHANNELS}, .name = "video");
    kf_tensor *x = kf_apply(kf_time_distributed(vision), video);
    kf_tensor *y = kf_apply(kf_dense(2, .name = "y"), kf_apply(kf_flatten(), x));
    kf_model *model = kf_model_new(.inputs = kf_list(video), .outputs = kf_list(y));
    ok(kf_model_error(model));
    return model;
}

typedef struct batch {
    float *video, *target;
    kf_array arrays[2];
} batch;

static batch make_batch(void) {
    batch made = {.video = some_numbers(VIDEOS * FRAMES * SIDE * SIDE * CHANNELS, 1),
                  .target = some_numbers(VIDEOS * 2, 2)};
    made.arrays[0] = ARRAY("video", made.video, VIDEOS, FRAMES, SIDE, SIDE, CHANNELS);
    made.arrays[1] = ARRAY("y", made.target, VIDEOS, 2);
    return made;
}

static void free_batch(batch *made) {
    test_free(made->video);
    test_free(made->target);
}

/* Weights and their accumulators. */
static size_t kept_bytes(const kf_model *model) {
    return 2 * sizeof(float) * (size_t)kf_model_parameters(model, NULL);
}

static size_t planned(kf_model *model) {
    size_t bytes = 0;
    ok(kf_planned_peak(model, VIDEOS, &bytes));
    return bytes;
}

static void same_weights(kf_model *a, kf_model *b) {
    assert_int_equal(kf_model_weights(a), kf_model_weights(b));
    for (int32_t i = 0; i < kf_model_weights(a); i++) {
        const kf_weight *one = kf_model_weight(a, i), *other = kf_model_weight(b, i);
        assert_memory_equal(one->data, other->data, (size_t)one->count * sizeof(float));
    }
}

/* Half of what is kept if nothing is computed twice. */
static size_t tight_limit(kf_model *model) { return kept_bytes(model) + planned(model) / 2; }

static void same_bits(void **state) {
    (void)state;
    kf_graph *free_graph = kf_graph_new(), *tight_graph = kf_graph_new();
    kf_model *plenty = video_model(free_graph, false), *tight = video_model(tight_graph, false);
    ok(kf_compile(plenty, .loss = "mse"));
    const size_t limit = tight_limit(plenty);
    ok(kf_compile(tight, .loss = "mse", .memory_limit_bytes = limit));
    assert_true(planned(tight) + kept_bytes(tight) <= limit);
    batch data = make_batch();
    for (int step = 0; step < 3; step++) {
        double one, other;
        ok(kf_train_on_batch(plenty, data.arrays, 2, &one));
        ok(kf_train_on_batch(tight, data.arrays, 2, &other));
        assert_true(one == other);
    }
    same_weights(plenty, tight);
    float one[VIDEOS * 2], other[VIDEOS * 2];
    ok(kf_predict_on_batch(plenty, data.arrays, 1, (float *[]){one}));
    ok(kf_predict_on_batch(tight, data.arrays, 1, (float *[]){other}));
    assert_memory_equal(one, other, sizeof one);
    free_batch(&data);
    kf_graph_free(free_graph);
    kf_graph_free(tight_graph);
}

static void same_bits_for_any_number_of_workers(void **state) {
    (void)state;
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    kf_graph *graphs[2] = {kf_graph_new(), kf_graph_new()};
    kf_model *models[2];
    batch data = make_batch();
    for (int i = 0; i < 2; i++) {
        models[i] = video_model(graphs[i], false);
        ok(kf_compile(models[i], .loss = "mse"));
        ok(kf_compile(models[i], .loss = "mse", .memory_limit_bytes = tight_limit(models[i])));
        kf_dataset *dataset = kf_dataset_arrays(data.arrays, 2);
        ok(kf_fit(models[i], dataset, .batch_size = VIDEOS, .epochs = 2, .threads = i ? 8 : 1));
        kf_dataset_free(dataset);
    }
    same_weights(models[0], models[1]);
    free_batch(&data);
    for (int i = 0; i < 2; i++) kf_graph_free(graphs[i]);
    unsetenv("KF_OVERSUBSCRIBE");
}

/* The derivative by the input goes through all parts too. */
static void same_gradients(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = video_model(graph, false);
    batch data = make_batch();
    const size_t count = VIDEOS * FRAMES * SIDE * SIDE * CHANNELS;
    float *by_input[2];
    kf_layer *inner = kf_model_layer_at(model, 1);
    assert_string_equal(kf_layer_class(inner), "TimeDistributed");
    for (int i = 0; i < 2; i++) {
        ok(kf_compile(model, .loss = "mse"));
        const size_t limit = i ? tight_limit(model) + count * sizeof(float) : 0;
        ok(kf_compile(model, .loss = "mse", .memory_limit_bytes = limit));
        by_input[i] = test_malloc(count * sizeof(float));
        kfi_training *training = model->training;
        training->runs = 0; /* the same dropout */
        ok(kf_gradients(model, data.arrays, 2, NULL, (float *[]){by_input[i]}));
    }
    assert_memory_equal(by_input[0], by_input[1], count * sizeof(float));
    size_t n_zero = 0;
    for (size_t i = 0; i < count; i++) n_zero += by_input[0][i] == 0;
    assert_true(n_zero < count / 2);
    for (int i = 0; i < 2; i++) test_free(by_input[i]);
    free_batch(&data);
    kf_graph_free(graph);
}

static void too_little(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = video_model(graph, false);
    ok(kf_compile(model, .loss = "mse", .memory_limit_bytes = 1 << 20));
    batch data = make_batch();
    refuses(kf_train_on_batch(model, data.arrays, 2, NULL), KF_MEMORY,
            "a batch of 2 needs at least ");
    says("memory_limit_bytes allows 1.0 MiB");
    free_batch(&data);
    kf_graph_free(graph);
}

/* Batch statistics are those of all frames: nothing is cut, so a limit can only refuse. */
static void whole_batches(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = video_model(graph, true);
    ok(kf_compile(model, .loss = "mse"));
    const size_t limit = tight_limit(model);
    ok(kf_compile(model, .loss = "mse", .memory_limit_bytes = limit));
    size_t bytes;
    refuses(kf_planned_peak(model, VIDEOS, &bytes), KF_MEMORY, "a batch of 2 needs at least ");
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("with little memory training has the same bits", same_bits),
        SENTENCE("with little memory the number of workers changes nothing",
                 same_bits_for_any_number_of_workers),
        SENTENCE("with little memory derivatives by the input have the same bits", same_gradients),
        SENTENCE("a limit that cannot be kept is an error with numbers", too_little),
        SENTENCE("a model with batch statistics is not cut", whole_batches),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
