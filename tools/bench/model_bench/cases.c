#include "cases.h"

#include <stdlib.h>
#include <string.h>

static kf_tensor *dense(kf_tensor *x, int64_t units, const char *activation) {
    return kf_apply(kf_dense(units, .activation = activation), x);
}

static kf_tensor *conv(kf_tensor *x, int64_t filters, int64_t window, const char *padding,
                       const char *activation) {
    return kf_apply(
        kf_conv2d(filters, .kernel_size = {window}, .padding = padding, .activation = activation),
        x);
}

static kf_model *model_of(kf_tensor *input, kf_tensor *output) {
    return kf_model_new(.inputs = kf_list(input), .outputs = kf_list(output));
}

static kf_model *build_mlp(kf_graph *graph) {
    kf_tensor *image = kf_input(graph, {784});
    kf_tensor *x = dense(dense(image, 64, "relu"), 64, "relu");
    return model_of(image, dense(x, 10, "softmax"));
}

static kf_model *build_headline(kf_graph *graph) {
    kf_tensor *words = kf_input(graph, {100}, .dtype = "int32");
    kf_tensor *facts = kf_input(graph, {5});
    kf_tensor *read = kf_apply(kf_lstm(32), kf_apply(kf_embedding(10000, 512), words));
    kf_tensor *aux = dense(read, 1, "sigmoid");
    kf_tensor *x = kf_apply(kf_concatenate(), read, facts);
    for (int i = 0; i < 3; i++) x = dense(x, 64, "relu");
    return kf_model_new(.inputs = kf_list(words, facts),
                        .outputs = kf_list(dense(x, 1, "sigmoid"), aux));
}

static kf_model *build_shared_lstm(kf_graph *graph) {
    kf_tensor *a = kf_input(graph, {140, 256}), *b = kf_input(graph, {140, 256});
    kf_layer *lstm = kf_lstm(64);
    kf_tensor *read_a = kf_apply(lstm, a), *read_b = kf_apply(lstm, b);
    kf_tensor *both = kf_apply(kf_concatenate(), read_a, read_b);
    return kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(dense(both, 1, "sigmoid")));
}

static kf_model *build_inception(kf_graph *graph) {
    kf_tensor *image = kf_input(graph, {256, 256, 3});
    kf_tensor *a = conv(conv(image, 64, 1, "same", "relu"), 64, 3, "same", "relu");
    kf_tensor *b = conv(conv(image, 64, 1, "same", "relu"), 64, 5, "same", "relu");
    kf_tensor *c =
        kf_apply(kf_max_pooling2d(.pool_size = {3}, .strides = {1}, .padding = "same"), image);
    c = conv(c, 64, 1, "same", "relu");
    kf_tensor *all = kf_apply(kf_concatenate(.axis = 3), a, b, c);
    return model_of(image, dense(kf_apply(kf_global_average_pooling2d(), all), 10, "softmax"));
}

static kf_model *build_residual(kf_graph *graph) {
    kf_tensor *image = kf_input(graph, {256, 256, 3});
    return model_of(image, kf_apply(kf_add(), image, conv(image, 3, 3, "same", NULL)));
}

static kf_model *build_shared_vision(kf_graph *graph) {
    kf_tensor *digit = kf_input(graph, {27, 27, 1});
    kf_tensor *x = conv(conv(digit, 64, 3, "valid", NULL), 64, 3, "valid", NULL);
    x = kf_apply(kf_flatten(), kf_apply(kf_max_pooling2d(), x));
    kf_layer *vision = kf_model_layer(model_of(digit, x));

    kf_tensor *a = kf_input(graph, {27, 27, 1}), *b = kf_input(graph, {27, 27, 1});
    kf_tensor *seen_a = kf_apply(vision, a), *seen_b = kf_apply(vision, b);
    kf_tensor *both = kf_apply(kf_concatenate(), seen_a, seen_b);
    return kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(dense(both, 1, "sigmoid")));
}

static kf_model *build_vision(kf_graph *graph) {
    kf_tensor *image = kf_input(graph, {224, 224, 3});
    kf_tensor *x = image;
    for (int64_t filters = 64; filters <= 256; filters *= 2) {
        x = conv(conv(x, filters, 3, "same", "relu"), filters, 3, "valid", "relu");
        if (filters == 256) x = conv(x, filters, 3, "valid", "relu");
        x = kf_apply(kf_max_pooling2d(), x);
    }
    return model_of(image, kf_apply(kf_flatten(), x));
}

static kf_tensor *read_question(kf_tensor *words) {
    return kf_apply(kf_lstm(256), kf_apply(kf_embedding(10000, 256), words));
}

static kf_model *answer(kf_tensor *seen, kf_tensor *vision, kf_tensor *words) {
    kf_tensor *both = kf_apply(kf_concatenate(), vision, read_question(words));
    return kf_model_new(.inputs = kf_list(seen, words),
                        .outputs = kf_list(dense(both, 1000, "softmax")));
}

static kf_model *build_image_question(kf_graph *graph) {
    kf_tensor *image = kf_input(graph, {224, 224, 3});
    kf_tensor *words = kf_input(graph, {100}, .dtype = "int32");
    return answer(image, kf_apply(kf_model_layer(build_vision(graph)), image), words);
}

static kf_model *build_video_question(kf_graph *graph) {
    kf_tensor *video = kf_input(graph, {8, 224, 224, 3});
    kf_tensor *words = kf_input(graph, {100}, .dtype = "int32");
    kf_layer *frames = kf_time_distributed(kf_model_layer(build_vision(graph)));
    return answer(video, kf_apply(kf_lstm(256), kf_apply(frames, video)), words);
}

static kf_model *build_fashion(kf_graph *graph) {
    kf_tensor *image = kf_input(graph, {28, 28, 1});
    kf_tensor *x = conv(conv(image, 32, 3, "valid", "relu"), 64, 3, "valid", "relu");
    x = kf_apply(kf_flatten(), kf_apply(kf_max_pooling2d(), x));
    return model_of(image, dense(dense(x, 128, "relu"), 10, "softmax"));
}

#define FLOATS(...)                                                                                \
    { .shape = {__VA_ARGS__}, .dtype = KF_FLOAT32 }
#define BITS(...)                                                                                  \
    { .shape = {__VA_ARGS__}, .dtype = KF_FLOAT32, .below = 2 }
#define NUMBERS(n, ...)                                                                            \
    { .shape = {__VA_ARGS__}, .dtype = KF_INT32, .below = (n) }

#define SPARSE "sparse_categorical_crossentropy"

const bench_case bench_cases[] = {
    {"a32", "MLP 784-64-64-10", 32, build_mlp, {FLOATS(784), NUMBERS(10, 1)}, SPARSE, {0}},
    {"a128", "MLP 784-64-64-10", 128, build_mlp, {FLOATS(784), NUMBERS(10, 1)}, SPARSE, {0}},
    {"b",
     "headline: Embedding 10000x512, LSTM 32, two outputs",
     32,
     build_headline,
     {NUMBERS(10000, 100), FLOATS(5), BITS(1), BITS(1)},
     "binary_crossentropy",
     {1, 0.2f}},
    {"c",
     "shared LSTM 64 on two (140, 256)",
     32,
     build_shared_lstm,
     {BITS(140, 256), BITS(140, 256), BITS(1)},
     "binary_crossentropy",
     {0}},
    {"d",
     "Inception block 256x256x3, towers of 64",
     8,
     build_inception,
     {FLOATS(256, 256, 3), NUMBERS(10, 1)},
     SPARSE,
     {0}},
    {"e",
     "residual 3 to 3 at 256x256",
     8,
     build_residual,
     {FLOATS(256, 256, 3), FLOATS(256, 256, 3)},
     "mean_squared_error",
     {0}},
    {"f",
     "shared vision 27x27, two inputs",
     32,
     build_shared_vision,
     {FLOATS(27, 27, 1), FLOATS(27, 27, 1), BITS(1)},
     "binary_crossentropy",
     {0}},
    {"g",
     "questions on images: VGG-like 224x224, LSTM 256, Dense 1000",
     4,
     build_image_question,
     {FLOATS(224, 224, 3), NUMBERS(10000, 100), NUMBERS(1000, 1)},
     SPARSE,
     {0}},
    {"h",
     "questions on videos of 8 frames",
     1,
     build_video_question,
     {FLOATS(8, 224, 224, 3), NUMBERS(10000, 100), NUMBERS(1000, 1)},
     SPARSE,
     {0}},
    {"i",
     "Fashion-MNIST CNN 32-64-128",
     128,
     build_fashion,
     {FLOATS(28, 28, 1), NUMBERS(10, 1)},
     SPARSE,
     {0}},
    {0}};

const bench_case *bench_case_find(const char *name) {
    for (const bench_case *at = bench_cases; at->name; at++)
        if (strcmp(at->name, name) == 0) return at;
    return NULL;
}

/* Small steps, so that thousands on one batch leave the model about where it began. */
kf_model *bench_case_model(const bench_case *chosen, kf_graph *graph) {
    kf_model *model = chosen->build(graph);
    kf_compile_options how = {
        .size = sizeof how, .optimizer = kf_rmsprop(1e-5f), .loss = chosen->loss};
    memcpy(how.loss_weights, chosen->loss_weights, sizeof chosen->loss_weights);
    return kf_compile_with(model, &how) == KF_OK ? model : NULL;
}

/* --- batches ---------------------------------------------------------------------------------- */

/* Of Numerical Recipes; the high bits are good. */
static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void fill(const bench_feed *feed, uint32_t seed, void *data, int64_t count) {
    uint32_t state = seed;
    float *values = data;
    int32_t *numbers = data;
    for (int64_t i = 0; i < count; i++) {
        const uint32_t random = next_random(&state);
        if (feed->dtype == KF_INT32)
            numbers[i] = (int32_t)(random % (uint32_t)feed->below);
        else if (feed->below > 0)
            values[i] = (float)(random % (uint32_t)feed->below);
        else
            values[i] = (float)random * 0x1p-23f - 1;
    }
}

static int64_t count_of(const kf_shape *shape) {
    int64_t count = 1;
    for (int32_t i = 0; i < shape->rank; i++) count *= shape->dims[i];
    return count;
}

static kf_status make_array(const bench_case *chosen, int32_t index, kf_array *array) {
    const bench_feed *feed = &chosen->feeds[index];
    *array = (kf_array){.dtype = feed->dtype, .shape = {1, {chosen->batch}}};
    for (int32_t i = 0; i < KF_MAX_RANK - 1 && feed->shape[i] > 0; i++)
        array->shape.dims[array->shape.rank++] = feed->shape[i];
    const int64_t count = count_of(&array->shape);
    void *data = malloc((size_t)count * sizeof(float)); /* int32 is as large */
    if (!data) return KF_MEMORY;
    fill(feed, 1 + (uint32_t)index, data, count);
    array->data = data;
    return KF_OK;
}

kf_status bench_batch_make(const bench_case *chosen, const kf_model *model, bench_batch *batch) {
    *batch = (bench_batch){.n_inputs = kf_model_inputs(model)};
    for (int32_t i = 0; i < BENCH_MOST_ARRAYS && chosen->feeds[i].shape[0] > 0; i++) {
        const kf_status status = make_array(chosen, i, &batch->arrays[i]);
        if (status != KF_OK) return status;
        batch->n_arrays++;
    }
    for (int32_t i = 0; i < kf_model_outputs(model); i++) {
        kf_shape shape = kf_tensor_shape(kf_model_output(model, i));
        shape.dims[0] = chosen->batch;
        batch->outputs[i] = malloc((size_t)count_of(&shape) * sizeof(float));
        if (batch->outputs[i])
            memset(batch->outputs[i], 0, (size_t)count_of(&shape) * sizeof(float));
        if (!batch->outputs[i]) return KF_MEMORY;
    }
    return KF_OK;
}

void bench_batch_free(bench_batch *batch) {
    for (int32_t i = 0; i < batch->n_arrays; i++) free((void *)batch->arrays[i].data);
    for (int32_t i = 0; i < 2; i++) free(batch->outputs[i]);
    *batch = (bench_batch){0};
}
