/* Names as Keras makes them, and what a graph owns. */
#include "core/base/memory.h"
#include "core/base/status.h"
#include "core/graph/graph.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void classes_become_snake_case_as_in_keras(void **state) {
    (void)state;
    const char *const pairs[][2] = {
        {"Dense", "dense"},
        {"Conv2D", "conv2d"},
        {"MaxPooling2D", "max_pooling2d"},
        {"GlobalAveragePooling2D", "global_average_pooling2d"},
        {"BatchNormalization", "batch_normalization"},
        {"Conv2DTranspose", "conv2d_transpose"},
        {"SeparableConv1D", "separable_conv1d"},
        {"UpSampling2D", "up_sampling2d"},
        {"LSTM", "lstm"},
        {"CuDNNLSTM", "cu_dnnlstm"},
        {"ConvLSTM2D", "conv_lst_m2d"},
        {"TimeDistributed", "time_distributed"},
        {"ReLU", "re_lu"},
        {"LeakyReLU", "leaky_re_lu"},
        {"ELU", "elu"},
        {"PReLU", "p_re_lu"},
        {"StackedRNNCells", "stacked_rnn_cells"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *name = kfi_snake_case(pairs[i][0]);
        assert_string_equal(name, pairs[i][1]);
        kfi_free(name);
    }
}

static void numbers_count_from_one_per_prefix(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    const char *const expected[] = {"dense_1", "dense_2", "conv2d_1", "dense_3"};
    const char *const prefixes[] = {"dense", "dense", "conv2d", "dense"};
    for (int i = 0; i < 4; i++) {
        char *name = kfi_graph_unique_name(graph, prefixes[i]);
        assert_string_equal(name, expected[i]);
        kfi_free(name);
    }
    kf_graph_free(graph);
}

static char freed[8];
static void note_freed(void *object) { strncat(freed, object, 1); }

static void what_was_made_last_is_freed_first(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    char a[] = "a", b[] = "b", c[] = "c";
    kfi_graph_own(graph, a, note_freed);
    kfi_graph_own(graph, b, note_freed);
    kfi_graph_own(graph, c, note_freed);
    kf_graph_free(graph);
    assert_string_equal(freed, "cba");
}

static void the_first_error_is_kept(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    assert_int_equal(kf_graph_error(graph), KF_OK);
    kf_tensor *poison = kfi_graph_poison(graph, kfi_fail(KF_INVALID, "the first"));
    assert_true(poison->poisoned);
    assert_ptr_equal(kfi_graph_poison(graph, kfi_fail(KF_IO, "the second")), poison);
    assert_int_equal(kf_graph_error(graph), KF_INVALID);
    assert_string_equal(kf_last_error(), "the first");
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(classes_become_snake_case_as_in_keras),
        cmocka_unit_test(numbers_count_from_one_per_prefix),
        cmocka_unit_test(what_was_made_last_is_freed_first),
        cmocka_unit_test(the_first_error_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
