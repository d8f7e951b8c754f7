/* Are two tweets by the same person? One LSTM reads both: a shared layer is made once and called
 * twice, and both calls train the same weights. */
#include "example.h"

enum { SAMPLES = 128, LENGTH = 140, CHARACTERS = 256 };

static float tweet_a[SAMPLES][LENGTH][CHARACTERS], tweet_b[SAMPLES][LENGTH][CHARACTERS];
static float same[SAMPLES][1];

/* One-hot characters; the two persons have half of their 100 favourite ones in common. */
static void write_tweet(float tweet[LENGTH][CHARACTERS], int person) {
    for (int t = 0; t < LENGTH; t++) tweet[t][50 * person + example_random_below(100)] = 1;
}

/* The first tweet is always by person 0: the model adds up what it sees in one tweet and in the
 * other, and cannot learn an exclusive or. */
static void make_data(int64_t samples) {
    for (int64_t i = 0; i < samples; i++) {
        const int person = (int)(i % 2);
        write_tweet(tweet_a[i], 0);
        write_tweet(tweet_b[i], person);
        same[i][0] = person == 0;
    }
}

static kf_model *build(kf_graph *graph) {
    kf_tensor *a = kf_input(graph, {LENGTH, CHARACTERS}, .name = "tweet_a");
    kf_tensor *b = kf_input(graph, {LENGTH, CHARACTERS}, .name = "tweet_b");
    kf_layer *reader = kf_lstm(64);
    kf_tensor *encoded_a = kf_apply(reader, a); /* its weights are made here … */
    kf_tensor *encoded_b = kf_apply(reader, b); /* … and used again here */
    kf_tensor *both = kf_apply(kf_concatenate(), encoded_a, encoded_b);
    kf_tensor *answer = kf_apply(kf_dense(1, .activation = "sigmoid", .name = "same"), both);
    return kf_model_new(.inputs = kf_list(a, b), .outputs = kf_list(answer));
}

static kf_status train(kf_model *model, kf_dataset *data, kf_history *history) {
    kf_status status = kf_compile(model, .optimizer = kf_rmsprop(0.001f),
                                  .loss = "binary_crossentropy", .metrics = {"accuracy"});
    if (status == KF_OK)
        status = kf_fit(model, data, .epochs = 8, .batch_size = 8, .history = history);
    return status;
}

int main(int argc, char **argv) {
    const int64_t samples = example_begin(argc, argv) ? SAMPLES / 4 : SAMPLES;
    make_data(samples);
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){{"tweet_a", tweet_a, KF_FLOAT32, {3, {samples, LENGTH, CHARACTERS}}},
                     {"tweet_b", tweet_b, KF_FLOAT32, {3, {samples, LENGTH, CHARACTERS}}},
                     {"same", same, KF_FLOAT32, {2, {samples, 1}}}},
        3);
    kf_graph *graph = kf_graph_new(.seed = 7);
    kf_model *model = build(graph);
    example_show(model, 82305);
    example_expect_shape(kf_model_output(model, 0), KF_ANY, 1);

    kf_history *history = kf_history_new();
    example_learned(train(model, data, history), history, 0.8);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return example_end();
}
