/* Products of gathered rows, and their gradient by the table, against the definitions in double
 * precision. */
#include "tests/ops/support.h"

/* `n` numbers below `rows`, some more often than others. */
static kfi_array some_ids(int64_t n, int64_t rows) {
    const kfi_array ids = array_filled(KF_INT32, KFI_SHAPE(n), unwritten);
    for (int64_t i = 0; i < n; i++)
        ((int32_t *)ids.data)[i] = (int32_t)(i % 3 == 0 ? i % 7 : i * 7919) % (int32_t)rows;
    return ids;
}

static int64_t id_of(const kfi_array *ids, int64_t i) {
    return ids->dtype == KF_INT32 ? ((const int32_t *)ids->data)[i] : (int64_t)at(ids, i);
}

static void check_product(int64_t rows, int64_t width, int64_t n, int64_t columns, bool ta) {
    const kfi_array table = uniform(KFI_SHAPE(rows, width), -1, 1, 1), ids = some_ids(n, rows);
    const kfi_array b = uniform(KFI_SHAPE(ta ? n : width, columns), -1, 1, 2);
    kfi_array c[1];
    apply(c, "gathered_product", (&(kfi_matmul){.transpose_a = ta}), table, ids, b);
    assert_int_equal(c->shape.dims[0], ta ? width : n);
    assert_int_equal(c->shape.dims[1], columns);
    const int64_t depth = ta ? n : width;
    for (int64_t i = 0; i < c->shape.dims[0]; i++)
        for (int64_t j = 0; j < columns; j++) {
            double sum = 0;
            for (int64_t l = 0; l < depth; l++)
                sum += (double)at(&table, id_of(&ids, ta ? l : i) * width + (ta ? i : l)) *
                       at(&b, l * columns + j);
            expect_near(at(c, i * columns + j), sum, 1e-6 * sqrt((double)depth) + 1e-6);
        }
    release(0);
}

static void products(void **state) {
    (void)state;
    for (int ta = 0; ta < 2; ta++) {
        check_product(5, 3, 4, 2, ta);
        check_product(9, 130, 1, 16, ta);
        check_product(50, 70, 401, 33, ta);
        check_product(300, 259, 200, 530, ta); /* several rectangles across */
        check_product(7, 64, 3100, 40, ta);    /* slices where it is transposed */
    }
}

static void check_gradient(int64_t rows, int64_t width, int64_t n, int64_t depth, bool as_floats) {
    const kfi_array dy = uniform(KFI_SHAPE(n, depth), -1, 1, 1);
    const kfi_array w = uniform(KFI_SHAPE(width, depth), -1, 1, 2);
    kfi_array ids = some_ids(n, rows);
    if (as_floats) ids = uniform(KFI_SHAPE(n), 0, (float)rows, 3);
    kfi_array dtable[1];
    apply(dtable, "gathered_product_gradient", (&(kfi_shaped){.shape = KFI_SHAPE(rows, width)}), dy,
          w, ids);
    double *expected = calloc((size_t)(rows * width), sizeof *expected);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < width; k++)
            for (int64_t j = 0; j < depth; j++)
                expected[id_of(&ids, i) * width + k] +=
                    (double)at(&dy, i * depth + j) * at(&w, k * depth + j);
    const double tolerance = 1e-6 * sqrt((double)(depth * n));
    for (int64_t i = 0; i < rows * width; i++) expect_near(at(dtable, i), expected[i], tolerance);
    free(expected);
    release(0);
}

static void gradients(void **state) {
    (void)state;
    check_gradient(5, 3, 8, 2, false);
    check_gradient(5, 3, 8, 2, true);
    check_gradient(9, 30, 1, 17, false);
    check_gradient(700, 200, 90, 150, false); /* tiles that no id meets */
    check_gradient(40, 96, 1000, 64, true);
}

/* As gather has it: a number that was computed and is outside gives NaN and gets no gradient. */
static void outside(void **state) {
    (void)state;
    const kfi_array table = uniform(KFI_SHAPE(3, 16), -1, 1, 1);
    const kfi_array w = uniform(KFI_SHAPE(16, 16), -1, 1, 2),
                    dy = uniform(KFI_SHAPE(3, 16), 1, 2, 3);
    const kfi_array ids = integers(KFI_SHAPE(3), (int32_t[]){-1, 1, 3});
    kfi_array y[1], dtable[1];
    apply(y, "gathered_product", &(kfi_matmul){0}, table, ids, w);
    apply(dtable, "gathered_product_gradient", (&(kfi_shaped){.shape = KFI_SHAPE(3, 16)}), dy, w,
          ids);
    for (int64_t k = 0; k < 16; k++) {
        assert_true(isnan(at(y, k)) && !isnan(at(y, 16 + k)) && isnan(at(y, 32 + k)));
        assert_true(at(dtable, k) == 0 && at(dtable, 16 + k) != 0 && at(dtable, 32 + k) == 0);
    }
}

static void refusals(void **state) {
    (void)state;
    refuses("gathered_product", &(kfi_matmul){0}, "cannot multiply 4 gathered rows of 3 and (4, 2)",
            FLOATS(5, 3), INTEGERS(4), FLOATS(4, 2));
    refuses("gathered_product", &(kfi_matmul){.transpose_b = true}, "no transposed matrix",
            FLOATS(5, 3), INTEGERS(4), FLOATS(2, 3));
    refuses("gathered_product_gradient", (&(kfi_shaped){.shape = KFI_SHAPE(5, 3)}), "(4, 7)",
            FLOATS(4, 2), FLOATS(3, 7), INTEGERS(4));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("a product of gathered rows is that of the rows", products),
        SENTENCE("its gradient adds up what a row of the table is met by", gradients),
        SENTENCE("a number outside of the table gives NaN and receives no gradient", outside),
        SENTENCE("shapes that do not multiply are refused", refusals),
    };
    kfi_ops_enter_thread(); /* as every thread that runs kernels */
    const int failed = cmocka_run_group_tests_name("gathered", tests, NULL, NULL);
    kfi_ops_leave_thread();
    return failed;
}

int main(void) { return at_each_level(run); }
