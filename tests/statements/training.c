/* Statements about fit, evaluate, predict and single batches. */
#include "tests/statements/line.h"

static void s29_data_comes_as_list_or_by_name_in_batches_of_32(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    float x[33] = {0}, y[33] = {0};
    kf_dataset *list = kf_dataset_arrays((kf_array[]){ROWS(NULL, x, 33), ROWS(NULL, y, 33)}, 2);
    kf_dataset *named =
        kf_dataset_arrays((kf_array[]){ROWS("y", y, 33, 1), ROWS("x", x, 33, 1)}, 2);
    kf_dataset *const given[] = {list, named};
    for (int i = 0; i < 2; i++) {
        notes seen = NOTES;
        ok(kf_fit(model, given[i], .callbacks = {&seen.callback}));
        assert_int_equal(seen.n, 2);
        assert_int_equal(seen.rows[0], 32);
        assert_int_equal(seen.rows[1], 1);
    }
    kf_dataset_free(list);
    kf_dataset_free(named);
    kf_graph_free(graph);
}

static void s30_epochs_is_the_final_epoch(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    kf_dataset *data = count_up(2);
    notes seen = NOTES;
    ok(kf_fit(model, data, .initial_epoch = 3, .epochs = 5, .callbacks = {&seen.callback}));
    assert_int_equal(seen.n_epochs, 2);
    assert_int_equal(seen.epochs[0], 3);
    assert_int_equal(seen.epochs[1], 4);
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .initial_epoch = 5, .epochs = 5, .history = history));
    assert_int_equal(kf_history_epochs(history), 0);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

/* What kf_progress writes in a fit of one epoch. */
static void progress_of(int32_t verbose, char text[static 4096]) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    kf_dataset *data = count_up(4);
    FILE *file = tmpfile();
    assert_non_null(file);
    kf_callback *progress = verbose ? kf_progress(file, verbose) : NULL;
    ok(kf_fit(model, data, .callbacks = {progress}));
    rewind(file);
    text[fread(text, 1, 4095, file)] = '\0';
    fclose(file);
    kf_callback_free(progress);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s31_verbose_is_0_1_or_2(void **state) {
    (void)state;
    char text[4096];
    progress_of(0, text);
    assert_string_equal(text, "");
    progress_of(1, text);
    assert_non_null(strstr(text, "Epoch 1/1\n"));
    assert_non_null(strstr(text, "4/4 [==============================] - "));
    progress_of(2, text);
    assert_non_null(strstr(text, "Epoch 1/1\n - "));
    assert_non_null(strstr(text, " - loss: 7.5000\n"));
    assert_null(strstr(text, "["));
}

static void s32_validation_takes_the_last_samples_before_shuffling(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    kf_dataset *data = count_up(10);
    kf_history *history = kf_history_new();
    notes seen = NOTES;
    ok(kf_fit(model, data, .epochs = 3, .batch_size = 1, .validation_split = 0.2,
              .history = history, .callbacks = {&seen.callback}));
    for (int epoch = 0; epoch < 3; epoch++)
        near(kf_history_values(history, "val_loss")[epoch], (81 + 100) / 2.0);
    assert_int_equal(seen.n, 24);
    for (int i = 0; i < 24; i++) assert_true(seen.losses[i] < 80);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s33_validation_data_overrides_validation_split(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    kf_dataset *data = count_up(10), *held_out = count_up(2);
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .validation_split = 0.2, .validation_data = held_out,
              .history = history));
    near(kf_history_values(history, "val_loss")[0], (1 + 4) / 2.0);
    near(kf_history_values(history, "loss")[0], 38.5); /* of all 10 */
    kf_history_free(history);
    kf_dataset_free(held_out);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s34_shuffle_batch_moves_chunks_not_what_is_in_them(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    kf_dataset *data = count_up(9);
    notes seen = NOTES;
    ok(kf_fit(model, data, .epochs = 4, .batch_size = 2, .shuffle = "batch",
              .callbacks = {&seen.callback}));
    int moved = 0;
    for (int epoch = 0; epoch < 4; epoch++) {
        const double *losses = seen.losses + 5 * epoch;
        double sum = 0;
        for (int i = 0; i < 4; i++) {
            const double chunk[] = {2.5, 12.5, 30.5, 56.5}; /* (1, 2), (3, 4), (5, 6), (7, 8) */
            sum += losses[i];
            moved += losses[i] != chunk[i];
            assert_true(losses[i] == 2.5 || losses[i] == 12.5 || losses[i] == 30.5 ||
                        losses[i] == 56.5);
        }
        near(sum, 2.5 + 12.5 + 30.5 + 56.5);
        near(losses[4], 81); /* the rest stays last */
    }
    assert_true(moved > 0);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

/* A layer that adds up what each row of the batch had so far tells rows apart. */
static void s35_steps_are_not_shuffled(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {1}, .name = "x", .batch_size = 4);
    kf_layer *sums = kf_simple_rnn(1, .activation = "linear", .stateful = true, .no_bias = true,
                                   .kernel_initializer = "ones", .recurrent_initializer = "ones");
    kf_tensor *y = kf_apply(kf_activation("linear", .name = "y"),
                            kf_apply(sums, kf_apply(kf_reshape({1, 1}), x)));
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    kf_dataset *data = count_up(4);
    notes seen = NOTES;
    ok(kf_fit(model, data, .steps_per_epoch = 5, .shuffle = "true", .callbacks = {&seen.callback}));
    assert_int_equal(seen.n, 5);
    for (int step = 0; step < 5; step++) near(seen.losses[step], 7.5 * pow(step + 1, 2));
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s36_class_weights_act_in_training_only(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    const float x[] = {0, 0}, y[] = {0, 1};
    kf_dataset *data = kf_dataset_arrays((kf_array[]){ROWS("x", x, 2, 1), ROWS("y", y, 2, 1)}, 2);
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .validation_data = data, .history = history,
              .class_weight = kf_class_weights({0, 1}, {1, 5})));
    near(kf_history_values(history, "loss")[0], 2.5);
    near(kf_history_values(history, "val_loss")[0], 0.5);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

/* Sum of weight * score over the number of weights that are not 0. */
static void s37_sample_weights_are_by_sample(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    const float x[] = {1, 2, 3, 4}, y[] = {0, 0, 0, 0}, weights[] = {2, 0, 2, 0};
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){ROWS(NULL, x, 4, 1), ROWS(NULL, y, 4, 1), ROWS(NULL, weights, 4)}, 3);
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .history = history));
    near(kf_history_values(history, "loss")[0], (2 * 1 + 2 * 9) / 2.0);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s38_a_step_of_arrays_is_the_whole_array(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = still_line(graph);
    kf_dataset *data = count_up(10);
    kf_history *history = kf_history_new();
    notes seen = NOTES;
    ok(kf_fit(model, data, .steps_per_epoch = 3, .validation_split = 0.5, .validation_steps = 2,
              .history = history, .callbacks = {&seen.callback}));
    assert_int_equal(seen.n, 3);
    assert_int_equal(seen.rows[2], 5);
    near(kf_history_values(history, "loss")[0], 11);
    near(kf_history_values(history, "val_loss")[0], 66);
    assert_int_equal(kf_fit(model, data, .steps_per_epoch = 3, .batch_size = 2), KF_USAGE);
    says("If steps_per_epoch is set, the `batch_size` must be None.");
    assert_int_equal(kf_fit(model, data, .steps_per_epoch = 3, .validation_data = data), KF_USAGE);
    says("Must specify `validation_steps` to perform validation when doing step-wise training.");
    assert_int_equal(kf_fit(model, data, .validation_steps = 3, .validation_data = data), KF_USAGE);
    says_of("Can only use `validation_steps` when doing step-wise training");
    assert_int_equal(kf_fit(model, data, .steps_per_epoch = -1), KF_USAGE);
    says_of("steps_per_epoch must be");
    seen = NOTES; /* without steps: samples over batch size, rounded up */
    ok(kf_fit(model, data, .batch_size = 4, .callbacks = {&seen.callback}));
    assert_int_equal(seen.n, 3);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s39_the_history_has_every_epoch_and_its_validation(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = make_line(graph);
    ok(kf_compile(model, .loss = "mse", .metrics = {"mae"}));
    kf_dataset *data = count_up(10);
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .epochs = 2, .validation_split = 0.5, .history = history));
    static const char *const keys[] = {"val_loss", "val_mean_absolute_error", "loss",
                                       "mean_absolute_error"};
    assert_int_equal(kf_history_epochs(history), 2);
    assert_int_equal(kf_history_keys(history), 4);
    for (int i = 0; i < 4; i++) assert_string_equal(kf_history_key(history, i), keys[i]);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s40_evaluate_gives_the_metrics_names_weighted(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = make_line(graph);
    ok(kf_compile(model, .loss = "mse", .metrics = {"mae"}));
    const float x[] = {1, 2}, y[] = {0, 0}, weights[] = {1, 3};
    kf_dataset *data = kf_dataset_arrays(
        (kf_array[]){ROWS(NULL, x, 2, 1), ROWS(NULL, y, 2, 1), ROWS(NULL, weights, 2)}, 3);
    double values[2];
    assert_int_equal(kf_metrics(model), 2);
    ok(kf_evaluate(model, data, values));
    near(values[0], (1 + 3 * 4) / 2.0);
    near(values[1], 1.5);
    notes seen = NOTES;
    ok(kf_evaluate(model, data, values, .steps = 3, .callbacks = {&seen.callback}));
    assert_int_equal(seen.n, 3);
    near(values[0], 6.5);
    assert_int_equal(kf_evaluate(model, data, values, .steps = 3, .batch_size = 1), KF_USAGE);
    says("If steps is set, the `batch_size` must be None.");
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s41_predict_gives_an_array_for_each_output(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *twice = kf_apply(kf_add(), x, x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(twice, x));
    kf_dataset *data = count_up(5);
    float a[10], b[10], *const both[] = {a, b};
    ok(kf_predict(model, data, both, .batch_size = 2));
    for (int i = 0; i < 5; i++) assert_true(a[i] == 2 * (float)(i + 1) && b[i] == (float)(i + 1));
    ok(kf_predict(model, data, both, .steps = 2));
    for (int i = 0; i < 10; i++) assert_true(b[i] == (float)(i % 5 + 1));
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void s42_a_batch_gives_one_number_without_metrics(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = make_line(graph);
    ok(kf_compile(model, .optimizer = kf_sgd(0.25), .loss = "mse"));
    assert_int_equal(kf_metrics(model), 1);
    const float x[] = {1}, y[] = {0};
    const kf_array batch[] = {ROWS("x", x, 1, 1), ROWS("y", y, 1, 1)};
    double tested, trained;
    ok(kf_test_on_batch(model, batch, 2, &tested));
    ok(kf_train_on_batch(model, batch, 2, &trained));
    near(tested, 1);
    near(trained, 1); /* before the update */
    near((double)weight_of(model), 0.5);
    kf_graph_free(graph);
}

static void s43_predict_on_batch(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    const float x[] = {3, 4};
    float got[2];
    const kf_array batch[] = {ROWS("x", x, 2, 1)};
    ok(kf_predict_on_batch(make_line(graph), batch, 1, (float *[]){got}));
    assert_true(got[0] == 3 && got[1] == 4);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("s29 data comes as a list or by name, in batches of 32",
                 s29_data_comes_as_list_or_by_name_in_batches_of_32),
        SENTENCE("s30 epochs is the final epoch", s30_epochs_is_the_final_epoch),
        SENTENCE("s31 verbose is 0, 1 or 2", s31_verbose_is_0_1_or_2),
        SENTENCE("s32 validation takes the last samples, before shuffling",
                 s32_validation_takes_the_last_samples_before_shuffling),
        SENTENCE("s33 validation_data overrides validation_split",
                 s33_validation_data_overrides_validation_split),
        SENTENCE("s34 shuffle batch moves chunks, not what is in them",
                 s34_shuffle_batch_moves_chunks_not_what_is_in_them),
        SENTENCE("s35 steps are not shuffled", s35_steps_are_not_shuffled),
        SENTENCE("s36 weights by class act in training only",
                 s36_class_weights_act_in_training_only),
        SENTENCE("s37 weights by sample, over the number of those that are not 0",
                 s37_sample_weights_are_by_sample),
        SENTENCE("s38 a step of arrays is the whole array",
                 s38_a_step_of_arrays_is_the_whole_array),
        SENTENCE("s39 the history has every epoch and its validation",
                 s39_the_history_has_every_epoch_and_its_validation),
        SENTENCE("s40 evaluate gives what metrics_names says, weighted",
                 s40_evaluate_gives_the_metrics_names_weighted),
        SENTENCE("s41 predict gives an array for each output",
                 s41_predict_gives_an_array_for_each_output),
        SENTENCE("s42 a batch gives one number, without metrics",
                 s42_a_batch_gives_one_number_without_metrics),
        SENTENCE("s43 predict_on_batch", s43_predict_on_batch),
    };
    return cmocka_run_group_tests_name("training", tests, NULL, NULL);
}
