/* Callbacks: each does what Keras's does. */
#include "tests/io/scratch.h"
#include "tests/train/support.h"

#include "core/train/callbacks/event_file.h"

/* A fit whose val_loss is what the test says: logs are set by a callback in front. */
typedef struct script {
    kf_callback callback;
    const char *name; /* NULL: val_loss */
    const double *values;
    int32_t n;
} script;

static kf_status say(kf_callback *callback, kf_model *model, int32_t epoch, const kf_log *logs,
                     int32_t n_logs) {
    (void)logs, (void)n_logs;
    const script *from = (const script *)callback;
    if (epoch >= from->n) return KF_OK;
    return kf_add_log(model, from->name ? from->name : "val_loss", from->values[epoch]);
}

#define SCRIPT(...)                                                                                \
    (script) {                                                                                     \
        .callback = {.on_epoch_end = say}, .values = (const double[]){__VA_ARGS__},                \
        .n = sizeof((double[]){__VA_ARGS__}) / sizeof(double)                                      \
    }

/* y = w x from x = 1 to 0: each epoch of one batch multiplies w by 1 - 2 lr. */
static kf_model *line(kf_graph *graph, float lr) {
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .optimizer = kf_sgd(lr), .loss = "mse"));
    return model;
}

static kf_dataset *ones(void) {
    static const float x[4] = {1, 1, 1, 1}, y[4] = {0};
    const kf_array arrays[] = {ARRAY("x", x, 4, 1), ARRAY("y", y, 4, 1)};
    return kf_dataset_arrays(arrays, 2);
}

static int32_t epochs_with(kf_callback *first, kf_callback *second, int32_t epochs, float *w) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph, 0.25f);
    kf_dataset *data = ones();
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .epochs = epochs, .callbacks = {first, second}, .history = history));
    const int32_t run = kf_history_epochs(history);
    if (w) *w = weight_of(model);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    return run;
}

static void stops_early(void **state) {
    (void)state;
    script values = SCRIPT(3, 2, 2.5, 1.9, 1.95, 2, 1);
    kf_callback *stop = kf_early_stopping(.patience = 2);
    assert_int_equal(epochs_with(&values.callback, stop, 20, NULL), 6);
    /* and again with the same callback: it begins afresh */
    assert_int_equal(epochs_with(&values.callback, stop, 20, NULL), 6);
    kf_callback_free(stop);
}

static void patience_of_zero_stops_at_once(void **state) {
    (void)state;
    script values = SCRIPT(3, 3, 1);
    kf_callback *stop = kf_early_stopping(.monitor = "val_loss");
    assert_int_equal(epochs_with(&values.callback, stop, 20, NULL), 2);
    kf_callback_free(stop);
}

static void min_delta_and_mode(void **state) {
    (void)state;
    script values = SCRIPT(1, 1.05, 1.3, 1.35);
    kf_callback *stop = kf_early_stopping(.min_delta = 0.1, .patience = 1, .mode = "max");
    assert_int_equal(epochs_with(&values.callback, stop, 20, NULL), 2);
    kf_callback_free(stop);
}

/* The same numbers of a loss get better, of an accuracy worse. */
static void more_accuracy_is_better(void **state) {
    (void)state;
    static const double falling[] = {3, 2, 1};
    kf_callback *const stops[] = {kf_early_stopping(.monitor = "val_loss"),
                                  kf_early_stopping(.monitor = "val_acc")};
    for (int i = 0; i < 2; i++) {
        script values = {.callback = {.on_epoch_end = say},
                         .name = i == 0 ? "val_loss" : "val_acc",
                         .values = falling,
                         .n = 3};
        assert_int_equal(epochs_with(&values.callback, stops[i], 3, NULL), i == 0 ? 3 : 2);
        kf_callback_free(stops[i]);
    }
}

static void a_baseline_must_be_beaten(void **state) {
    (void)state;
    script values = SCRIPT(0.5, 0.6, 0.7);
    kf_callback *stop = kf_early_stopping(.baseline = 0.4, .patience = 3);
    assert_int_equal(epochs_with(&values.callback, stop, 20, NULL), 3);
    kf_callback_free(stop);
}

static void restores_the_best_weights(void **state) {
    (void)state;
    script values = SCRIPT(2, 1, 3, 4);
    kf_callback *stop = kf_early_stopping(.patience = 2, .restore_best_weights = true);
    float w;
    assert_int_equal(epochs_with(&values.callback, stop, 20, &w), 4);
    near((double)w, 0.25); /* after two epochs */
    kf_callback_free(stop);
}

static void keep_warning(void *context, const char *message) {
    snprintf(context, 512, "%s", message);
}

static void a_value_that_is_not_there_stops_nothing(void **state) {
    (void)state;
    kf_callback *stop = kf_early_stopping(.monitor = "nothing");
    assert_int_equal(epochs_with(NULL, stop, 3, NULL), 3);
    kf_callback *const each[] = {
        stop, kf_reduce_lr_on_plateau(.monitor = "nothing"),
        kf_model_checkpoint("never.h5", .monitor = "nothing", .save_best_only = true)};
    for (int i = 0; i < 3; i++) {
        char warned[512] = "";
        kf_graph *graph = kf_graph_new();
        kf_model *model = line(graph, 0.25f);
        kf_dataset *data = ones();
        kf_graph_on_warning(graph, keep_warning, warned);
        ok(kf_fit(model, data, .callbacks = {each[i]}));
        assert_non_null(strstr(warned, "conditioned on metric `nothing` which is not available. "
                                       "Available metrics are: loss"));
        kf_dataset_free(data);
        kf_graph_free(graph);
        kf_callback_free(each[i]);
    }
}

static void reduces_the_rate(void **state) {
    (void)state;
    script values = SCRIPT(1, 1, 1, 1, 1, 1);
    kf_callback *reduce = kf_reduce_lr_on_plateau(.factor = 0.5, .patience = 2, .min_lr = 0.1);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph, 0.25f);
    kf_dataset *data = ones();
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .epochs = 6, .callbacks = {&values.callback, reduce},
              .history = history));
    const double *lr = kf_history_values(history, "lr");
    assert_non_null(lr);
    const double expected[6] = {0.25, 0.25, 0.25, 0.125, 0.125, 0.1};
    for (int i = 0; i < 6; i++) near(lr[i], expected[i]);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    kf_callback_free(reduce);
}

static void cooldown_waits(void **state) {
    (void)state;
    script values = SCRIPT(1, 1, 1, 1, 1, 1);
    kf_callback *reduce = kf_reduce_lr_on_plateau(.factor = 0.5, .patience = 1, .cooldown = 2);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph, 0.25f);
    kf_dataset *data = ones();
    ok(kf_fit(model, data, .epochs = 4, .callbacks = {&values.callback, reduce}));
    near(kf_learning_rate(model), 0.0625); /* after epochs 2 and 4 */
    kf_dataset_free(data);
    kf_graph_free(graph);
    kf_callback_free(reduce);
}

static double halve(void *context, int32_t epoch, double lr) {
    *(int32_t *)context += 1;
    return epoch == 0 ? lr : lr / 2;
}

static void schedules_the_rate(void **state) {
    (void)state;
    int32_t calls = 0;
    kf_callback *schedule = kf_learning_rate_scheduler(.schedule = halve, .context = &calls);
    kf_callback *steps = kf_callback_named("learning_rate_scheduler(factor=0.1, every=2)");
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph, 0.25f);
    kf_dataset *data = ones();
    kf_history *history = kf_history_new();
    ok(kf_fit(model, data, .epochs = 3, .callbacks = {schedule}, .history = history));
    assert_int_equal(calls, 3);
    near(kf_history_values(history, "lr")[2], 0.0625);
    ok(kf_fit(model, data, .epochs = 4, .callbacks = {steps}, .history = history));
    near(kf_history_values(history, "lr")[1], 0.0625);
    near(kf_history_values(history, "lr")[3], 0.00625);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
    kf_callback_free(schedule);
    kf_callback_free(steps);
}

static void a_loss_that_is_no_number_stops(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph, 1e30f);
    kf_dataset *data = ones();
    kf_history *history = kf_history_new();
    kf_callback *watch = kf_terminate_on_nan();
    ok(kf_fit(model, data, .epochs = 9, .callbacks = {watch}, .history = history));
    assert_true(kf_history_epochs(history) < 9);
    kf_callback_free(watch);
    kf_history_free(history);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void read_text(const char *name, char *text, size_t size) {
    FILE *file = fopen(scratch(name), "rb");
    assert_non_null(file);
    text[fread(text, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void writes_csv(void **state) {
    (void)state;
    script values = SCRIPT(0.5, 1e-7, 3);
    kf_callback *csv = kf_csv_logger(scratch("log.csv"));
    assert_int_equal(epochs_with(&values.callback, csv, 3, NULL), 3);
    char text[512];
    read_text("log.csv", text, sizeof text);
    assert_string_equal(text,
                        "epoch,loss,val_loss\r\n0,1.0,0.5\r\n1,0.25,1e-07\r\n2,0.0625,3.0\r\n");
    kf_callback_free(csv);
    csv = kf_csv_logger(scratch("log.csv"), .append = true, .separator = ";");
    assert_int_equal(epochs_with(&values.callback, csv, 1, NULL), 1);
    read_text("log.csv", text, sizeof text);
    assert_non_null(strstr(text, "2,0.0625,3.0\r\n0;1.0;0.5\r\n"));
    kf_callback_free(csv);
}

/* A rate that the scheduler in front adds has a column; a value that is gone is NA. */
static void csv_without_a_value(void **state) {
    (void)state;
    script values = SCRIPT(0.5);
    kf_graph *graph = kf_graph_new();
    kf_model *model = line(graph, 0.25f);
    kf_dataset *data = ones();
    kf_callback *rate = kf_learning_rate_scheduler(.factor = 0.5);
    kf_callback *csv = kf_csv_logger(scratch("gaps.csv"));
    ok(kf_fit(model, data, .epochs = 2, .callbacks = {rate, &values.callback, csv}));
    char text[512];
    read_text("gaps.csv", text, sizeof text);
    assert_string_equal(text, "epoch,loss,lr,val_loss\r\n0,1.0,0.25,0.5\r\n1,0.25,0.125,NA\r\n");
    kf_callback_free(csv);
    kf_callback_free(rate);
    kf_dataset_free(data);
    kf_graph_free(graph);
}

static void saves_by_template(void **state) {
    (void)state;
    script values = SCRIPT(0.5, 0.25, 3, 0.125);
    kf_callback *save =
        kf_model_checkpoint(scratch("w.{epoch:02d}-{val_loss:.2f}.h5"), .save_best_only = true);
    assert_int_equal(epochs_with(&values.callback, save, 4, NULL), 4);
    assert_int_equal(access(scratch("w.01-0.50.h5"), F_OK), 0);
    assert_int_equal(access(scratch("w.02-0.25.h5"), F_OK), 0);
    assert_int_not_equal(access(scratch("w.03-3.00.h5"), F_OK), 0);
    assert_int_equal(access(scratch("w.04-0.12.h5"), F_OK), 0);
    kf_callback_free(save);
    save = kf_model_checkpoint(scratch("p{epoch}.h5"), .period = 2, .save_weights_only = true);
    assert_int_equal(epochs_with(NULL, save, 5, NULL), 5);
    assert_int_equal(access(scratch("p2.h5"), F_OK), 0);
    assert_int_not_equal(access(scratch("p3.h5"), F_OK), 0);
    assert_int_equal(access(scratch("p4.h5"), F_OK), 0);
    kf_callback_free(save);
}

static void refuses_templates(void **state) {
    (void)state;
    const char *const wrong[] = {"{nothing}.h5", "{epoch:s}.h5", "{loss:d}.h5", "{epoch:02d",
                                 "{loss:%n}.h5"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kf_callback *save = kf_model_checkpoint(wrong[i]);
        kf_graph *graph = kf_graph_new();
        kf_model *model = line(graph, 0.25f);
        kf_dataset *data = ones();
        refuses(kf_fit(model, data, .callbacks = {save}), KF_USAGE, "ModelCheckpoint");
        kf_dataset_free(data);
        kf_graph_free(graph);
        kf_callback_free(save);
    }
}

static void wrong_options_are_told_by_fit(void **state) {
    (void)state;
    const struct {
        const char *text, *message;
    } wrong[] = {
        {"early_stopping(patience=-1)", "patience must be an integer of at least 0"},
        {"EarlyStopping(mode='most')", "mode must be one of auto, min, max; got 'most'"},
        {"reduce_lr_on_plateau(factor=1)", "does not support a factor >= 1.0"},
        {"model_checkpoint()", "filepath"},
        {"tensorboard(update_freq='often')", "update_freq"},
        {"tensorboard(update_freq='32x')", "update_freq"},
        {"tensorboard(update_freq=0)", "update_freq"},
        {"EarlyStopping('val_loss', 0, 3, 1, 'max')", "there is no argument 4"},
        {"late_stopping()", "Unknown callback: late_stopping"},
        {"early_stopping(", "expected"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        kf_callback *callback = kf_callback_named(wrong[i].text);
        kf_graph *graph = kf_graph_new();
        kf_model *model = line(graph, 0.25f);
        kf_dataset *data = ones();
        refuses(kf_fit(model, data, .callbacks = {callback}), KF_INVALID, wrong[i].message);
        kf_dataset_free(data);
        kf_graph_free(graph);
        kf_callback_free(callback);
    }
}

static void arguments_by_position(void **state) {
    (void)state;
    static const char *const right[] = {
        "EarlyStopping('val_loss', 0.1, 3)",     "ReduceLROnPlateau('val_loss', 0.5, 3)",
        "ModelCheckpoint('m.h5', 'val_loss')",   "CSVLogger('log.csv', ';', True)",
        "TensorBoard('logs', update_freq=1000)", "TensorBoard('logs', update_freq='batch')",
    };
    for (size_t i = 0; i < sizeof right / sizeof *right; i++) {
        kf_callback *callback = kf_callback_named(right[i]);
        ok(kf_callback_error(callback));
        kf_callback_free(callback);
    }
}

static void crc(void **state) {
    (void)state;
    /* crc32c("123456789") is 0xE3069283 in the literature; masked as TensorFlow does */
    const uint32_t plain = 0xE3069283u;
    assert_int_equal(kfi_masked_crc("123456789", 9), ((plain >> 15) | (plain << 17)) + 0xA282EAD8u);
}

static void writes_events(void **state) {
    (void)state;
    kf_callback *board = kf_tensorboard(scratch("board/run"));
    assert_int_equal(epochs_with(NULL, board, 2, NULL), 2);
    kf_callback_free(board);
    DIR *folder = opendir(scratch("board/run"));
    assert_non_null(folder);
    char path[1024] = "";
    for (const struct dirent *entry; (entry = readdir(folder));)
        if (strncmp(entry->d_name, "events.out.tfevents.", 20) == 0)
            snprintf(path, sizeof path, "board/run/%s", entry->d_name);
    closedir(folder);
    unsigned char bytes[1024];
    FILE *file = fopen(scratch(path), "rb");
    assert_non_null(file);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    int records = 0;
    for (size_t at = 0; at < size; records++) {
        uint64_t length;
        uint32_t crc_of_length, crc_of_data;
        memcpy(&length, bytes + at, 8);
        memcpy(&crc_of_length, bytes + at + 8, 4);
        assert_int_equal(crc_of_length, kfi_masked_crc(bytes + at, 8));
        memcpy(&crc_of_data, bytes + at + 12 + length, 4);
        assert_int_equal(crc_of_data, kfi_masked_crc(bytes + at + 12, length));
        at += 16 + length;
    }
    assert_int_equal(records, 3); /* the version, two losses */
    unlink(scratch(path));
    rmdir(scratch("board/run"));
    rmdir(scratch("board"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("early stopping waits for its patience, each time anew", stops_early),
        SENTENCE("a patience of 0 stops at the first epoch that is no better",
                 patience_of_zero_stops_at_once),
        SENTENCE("min_delta and mode decide what is better", min_delta_and_mode),
        SENTENCE("more is better where the name has acc in it", more_accuracy_is_better),
        SENTENCE("a baseline must be beaten", a_baseline_must_be_beaten),
        SENTENCE("the best epoch's weights come back", restores_the_best_weights),
        SENTENCE("a value that is not there stops nothing",
                 a_value_that_is_not_there_stops_nothing),
        SENTENCE("the rate is reduced on a plateau, down to min_lr", reduces_the_rate),
        SENTENCE("a cooldown waits", cooldown_waits),
        SENTENCE("the rate follows a function, or steps", schedules_the_rate),
        SENTENCE("a loss that is no number stops", a_loss_that_is_no_number_stops),
        SENTENCE("CSV is as Python writes it", writes_csv),
        SENTENCE("CSV has NA for a value that is gone", csv_without_a_value),
        SENTENCE("a checkpoint's path is a template", saves_by_template),
        SENTENCE("templates that are none are refused", refuses_templates),
        SENTENCE("wrong options are told by fit", wrong_options_are_told_by_fit),
        SENTENCE("arguments by position are those of Keras", arguments_by_position),
        SENTENCE("crc32c as TensorFlow masks it", crc),
        SENTENCE("event files have whole records", writes_events),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
