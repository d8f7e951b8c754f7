/* Every layer with every option of its field table: derivatives against finite differences, and the
 * same bits for 1, 2 and 8 workers. The rows are in options_*.h, one file for a family of layers;
 * an option that is in no row fails the last test. */
#include "tests/layers/options_check.h"
#include "tests/layers/options_convolutions.h"
#include "tests/layers/options_core.h"
#include "tests/layers/options_coverage.h"
#include "tests/layers/options_recurrent.h"

static const struct {
    const option_row *rows;
    size_t count;
} families[] = {
#define FAMILY(rows)                                                                               \
    { (rows), sizeof(rows) / sizeof *(rows) }
    FAMILY(core_rows),   FAMILY(merge_rows),     FAMILY(convolution_rows),
    FAMILY(window_rows), FAMILY(recurrent_rows), FAMILY(wrapper_rows),
};

enum { N_FAMILIES = sizeof families / sizeof *families, MAX_ROWS = 512 };

/* ---- a function for Lambda: x^3 ---- */

static kf_status cube(void *context, const kf_array *in, const kf_shape *shape, float *out,
                      char *message) {
    (void)context, (void)message;
    const float *x = in[0].data;
    for (int64_t i = 0; i < kfi_shape_count(shape); i++) out[i] = x[i] * x[i] * x[i];
    return KF_OK;
}

static kf_status cube_gradient(void *context, const kf_array *in, const kf_shape *shape,
                               const float *out, const float *dout, float *const *din,
                               char *message) {
    (void)context, (void)out, (void)message;
    const float *x = in[0].data;
    for (int64_t i = 0; i < kfi_shape_count(shape); i++) din[0][i] = 3 * x[i] * x[i] * dout[i];
    return KF_OK;
}

static void add_cube(kf_graph *graph) {
    const kf_function function = {
        .size = sizeof function, .name = "cube", .forward = cube, .gradient = cube_gradient};
    check(kf_graph_add_function(graph, &function));
}

/* ---- tests ---- */

static void a_row(void **state) { check_row(*state, add_cube); }

static void every_option_is_in_a_row(void **state) {
    (void)state;
    for (int f = 0; f < N_FAMILIES; f++)
        for (size_t i = 0; i < families[f].count; i++) note_row(&families[f].rows[i]);
    expect_all_covered();
}

int main(void) {
    static struct CMUnitTest tests[MAX_ROWS + 1];
    size_t count = 0;
    setenv("KF_OVERSUBSCRIBE", "1", 1);
    for (int f = 0; f < N_FAMILIES; f++)
        for (size_t i = 0; i < families[f].count && count < MAX_ROWS; i++) {
            const option_row *row = &families[f].rows[i];
            tests[count++] =
                (struct CMUnitTest){row->sentence, a_row, NULL, NULL, (void *)(uintptr_t)row};
        }
    tests[count++] = (struct CMUnitTest)SENTENCE("every option of every layer is in some row",
                                                 every_option_is_in_a_row);
    return _cmocka_run_group_tests("layer options", tests, count, NULL, NULL);
}
