/* The options that the library tells of are those that it takes. */
#include "tests/train/support.h"

#include <stddef.h>

static kf_option find(const char *kind, const char *owner, const char *name) {
    kf_option option = {0};
    for (int32_t i = 0; i < kf_options(kind, owner); i++) {
        ok(kf_option_at(kind, owner, i, &option));
        if (strcmp(option.name, name) == 0) return option;
    }
    fail_msg("%s %s has no %s", kind, owner, name);
    return option;
}

static void fit_in_full(void **state) {
    (void)state;
    const char *const names[] = {"epochs",
                                 "initial_epoch",
                                 "batch_size",
                                 "steps_per_epoch",
                                 "validation_split",
                                 "validation_steps",
                                 "shuffle",
                                 "shuffle_window",
                                 "seed",
                                 "threads",
                                 "data_workers",
                                 "max_queue_size",
                                 "checkpoint_batches",
                                 "checkpoint",
                                 "resume"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const kf_option option = find("fit", "fit", names[i]);
        assert_non_null(option.help);
        assert_non_null(option.holds);
    }
    const kf_option size = find("fit", "fit", "batch_size");
    assert_string_equal(size.otherwise, "32");
    assert_string_equal(size.holds, "int64_t");
    assert_int_equal(size.offset, offsetof(kf_fit_options, batch_size));
    assert_string_equal(find("fit", "fit", "shuffle").choices, "true|batch|false|window");
    assert_string_equal(find("fit", "fit", "epochs").holds, "int32_t");
    assert_string_equal(find("run", "run", "steps").type, "an integer");
    assert_null(find("compile", "compile", "loss").holds);
}

static void by_either_name(void **state) {
    (void)state;
    assert_string_equal(find("optimizer", "adam", "beta_2").otherwise, "0.999");
    assert_string_equal(find("optimizer", "Adam", "lr").otherwise, "0.001");
    assert_string_equal(find("callback", "EarlyStopping", "mode").choices, "auto|min|max");
    assert_string_equal(find("callback", "early_stopping", "patience").otherwise, "0");
    assert_null(find("preparation", "one_hot", "classes").otherwise);
    assert_int_equal(kf_options("loss", "mse"), 0);
}

/* Everybody that can be named can be asked for. */
static void all_owners(void **state) {
    (void)state;
    const char *const kinds[] = {"fit",      "run",  "compile", "optimizer",
                                 "callback", "loss", "metric",  "preparation"};
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const char *owner;
        int32_t n = 0;
        while ((owner = kf_option_owner(kinds[k], n)) != NULL) {
            for (int32_t i = 0; i < kf_options(kinds[k], owner); i++) {
                kf_option option;
                ok(kf_option_at(kinds[k], owner, i, &option));
                assert_true(option.name[0] != '\0' && option.type[0] != '\0');
            }
            n++;
        }
        assert_true(n > 0);
    }
}

static void what_is_not_there(void **state) {
    (void)state;
    kf_option option;
    assert_null(kf_option_owner("nothing", 0));
    assert_null(kf_option_owner("optimizer", -1));
    assert_null(kf_option_owner("optimizer", 1000));
    assert_int_equal(kf_options("optimizer", "climb"), -1);
    assert_int_equal(kf_options("nothing", "adam"), -1);
    refuses(kf_option_at("optimizer", "adam", 99, &option), KF_USAGE, "no option 99");
    refuses(kf_option_at("optimizer", "climb", 0, &option), KF_USAGE, "climb");
    refuses(kf_option_at("optimizer", "adam", -1, &option), KF_USAGE, "no option -1");
}

/* The ranges that are told are those that are checked. */
static void ranges_are_checked(void **state) {
    (void)state;
    static float x[4] = {1, 2, 3, 4}, y[4];
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    ok(kf_compile(model, .loss = "mse"));
    kf_dataset *data = kf_dataset_arrays((kf_array[]){ARRAY("x", x, 4, 1), ARRAY("y", y, 4, 1)}, 2);
    refuses(kf_fit(model, data, .epochs = -1), KF_USAGE,
            "epochs must be an integer of at least 1; got -1");
    refuses(kf_fit(model, data, .batch_size = -2), KF_USAGE,
            "batch_size must be an integer of at least 1; got -2");
    refuses(kf_fit(model, data, .data_workers = -2), KF_USAGE,
            "data_workers must be an integer from -1 to 1024; got -2");
    refuses(kf_fit(model, data, .validation_split = 1), KF_USAGE, "validation_split must be");
    refuses(kf_fit(model, data, .validation_split = (double)NAN), KF_USAGE,
            "validation_split must be");
    refuses(kf_fit(model, data, .shuffle = "perhaps"), KF_USAGE,
            "shuffle must be one of true, batch, false, window; got 'perhaps'");
    refuses(kf_fit(model, data, .shuffle_window = -1), KF_USAGE, "shuffle_window must be");
    kf_dataset_free(data);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("fit's options are told in full", fit_in_full),
        SENTENCE("optimizers and callbacks answer to either name", by_either_name),
        SENTENCE("everybody that can be named can be asked for", all_owners),
        SENTENCE("what is not there is refused", what_is_not_there),
        SENTENCE("the ranges that are told are checked", ranges_are_checked),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
