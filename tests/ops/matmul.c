/* matmul against the definition in double precision; bias_add and bias_gradient with it. */
#include "tests/ops/support.h"

/* Element (i, j) of op(a). */
static double element(const kfi_array *a, bool transposed, int64_t i, int64_t j) {
    const int64_t columns = a->shape.dims[1];
    return transposed ? at(a, j * columns + i) : at(a, i * columns + j);
}

static void check_product(int64_t m, int64_t k, int64_t n, bool ta, bool tb) {
    const kfi_array a = uniform(ta ? KFI_SHAPE(k, m) : KFI_SHAPE(m, k), -1, 1, 1);
    const kfi_array b = uniform(tb ? KFI_SHAPE(n, k) : KFI_SHAPE(k, n), -1, 1, 2);
    kfi_array c[1];
    apply(c, "matmul", (&(kfi_matmul){ta, tb}), a, b);
    assert_int_equal(c->shape.dims[0], m);
    assert_int_equal(c->shape.dims[1], n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0;
            for (int64_t l = 0; l < k; l++) sum += element(&a, ta, i, l) * element(&b, tb, l, j);
            expect_near(at(c, i * n + j), sum, 1e-6 * sqrt((double)k) + 1e-6);
        }
    release(0);
}

static void each_transposition(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        check_product(5, 7, 3, i & 1, i & 2);
        check_product(1, 1, 1, i & 1, i & 2);
        check_product(1, 40, 33, i & 1, i & 2);
        check_product(65, 130, 200, i & 1, i & 2);
    }
}

static void many_tiles(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) check_product(421, 90, 610, i & 1, i & 2);
}

static void slices_of_k(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) check_product(3, 40003, 70, i & 1, i & 2);
}

/* Few rows of c or of b: every number of rows that are left over, of columns and of K. */
static void thin(void **state) {
    (void)state;
    for (int64_t m = 1; m <= 17; m += m < 6 ? 1 : 5)
        for (int64_t k = 64; k <= 67; k++) {
            check_product(m, k, 1300, false, false);
            check_product(m, k, 131, true, false);
            check_product(m, k, 71, false, true);
            check_product(173, m, k, true, false);
            check_product(173, m, k, false, false);
        }
    check_product(6, 5001, 67, false, true); /* sums too long for one pass */
    check_product(9, 4096, 503, false, true);
    check_product(3, 2000, 5000, false, false); /* slices of K and blocks of columns */
    check_product(2, 1, 70000, true, false);
    check_product(50, 2, 70000, true, false);
}

/* Both gradients at once, to the bit those of the products. */
static void both_gradients_at_once(void **state) {
    (void)state;
    for (int64_t m = 1; m <= 16; m += m < 6 ? 1 : 5)
        for (int64_t n = 64; n <= 83; n += 19) {
            const kfi_array x = uniform(KFI_SHAPE(m, 173), -1, 1, 1);
            const kfi_array dy = uniform(KFI_SHAPE(m, n), -1, 1, 2);
            const kfi_array w = uniform(KFI_SHAPE(173, n), -1, 1, 3);
            kfi_array both[KFI_OP_MAX_OUTPUTS], dw[KFI_OP_MAX_OUTPUTS], dx[KFI_OP_MAX_OUTPUTS];
            apply(both, "matmul_gradients", NULL, x, dy, w);
            apply(dw, "matmul", (&(kfi_matmul){true, false}), x, dy);
            apply(dx, "matmul", (&(kfi_matmul){false, true}), dy, w);
            for (int64_t i = 0; i < 173 * n; i++) assert_true(at(&both[0], i) == at(dw, i));
            for (int64_t i = 0; i < m * 173; i++) assert_true(at(&both[1], i) == at(dx, i));
            release(0);
        }
}

/* As in kernels/gemm.c's users: shapes alone decide, so tiles cover the output whatever it is. */
static void one_tile_for_small_products(void **state) {
    (void)state;
    const kfi_array in[] = {FLOATS(32, 64), FLOATS(64, 10)}, out[] = {FLOATS(32, 10)};
    const kfi_call call = {
        .attributes = &(kfi_matmul){false, false}, .n_in = 2, .n_out = 1, .in = in, .out = out};
    assert_int_equal(find_op("matmul")->stages[0].tiles(&call), 1);
}

static void shapes_of_products(void **state) {
    (void)state;
    infers("matmul", (&(kfi_matmul){false, false}), "(None, 5)", FLOATS(KF_ANY, 3), FLOATS(3, 5));
    infers("matmul", (&(kfi_matmul){true, true}), "(4, 2)", FLOATS(KF_ANY, 4), FLOATS(2, 3));
    refuses("matmul", (&(kfi_matmul){false, false}), "cannot multiply matrices (2, 3) and (4, 5)",
            FLOATS(2, 3), FLOATS(4, 5));
    refuses("matmul", (&(kfi_matmul){false, true}), "(4, 5) (transposed)", FLOATS(2, 3),
            FLOATS(4, 5));
    refuses("matmul", (&(kfi_matmul){false, false}), "rank 2, got shape (2, 3, 4)", FLOATS(2, 3, 4),
            FLOATS(4, 5));
    refuses("matmul", (&(kfi_matmul){false, false}), "expected 2 inputs, got 1", FLOATS(2, 3));
    refuses("matmul", (&(kfi_matmul){false, false}), "must be float32, got int32", FLOATS(2, 3),
            INTEGERS(3, 5));
}

static void shapes_of_gradients(void **state) {
    (void)state;
    infers("matmul_gradients", NULL, "(3, 5)", FLOATS(KF_ANY, 3), FLOATS(KF_ANY, 5), FLOATS(3, 5));
    refuses("matmul_gradients", NULL,
            "there is no product of (2, 3) and (4, 5) whose gradient is (2, 5)", FLOATS(2, 3),
            FLOATS(2, 5), FLOATS(4, 5));
    refuses("matmul_gradients", NULL, "at most 16 rows can be multiplied so, got 17", FLOATS(17, 3),
            FLOATS(17, 5), FLOATS(3, 5));
}

static void check_bias(kf_shape shape) {
    const int64_t columns = shape.dims[shape.rank - 1];
    const kfi_array x = uniform(shape, -1, 1, 3), b = uniform(KFI_SHAPE(columns), -1, 1, 4);
    kfi_array y[1], db[1];
    apply(y, "bias_add", NULL, x, b);
    apply(db, "bias_gradient", NULL, x);
    const int64_t count = kfi_shape_count(&shape);
    for (int64_t i = 0; i < count; i++) assert_true(at(y, i) == at(&x, i) + at(&b, i % columns));
    for (int64_t c = 0; c < columns; c++) {
        double sum = 0;
        for (int64_t i = c; i < count; i += columns) sum += (double)at(&x, i);
        expect_near(at(db, c), sum, 1e-6);
    }
    release(0);
}

static void biases(void **state) {
    (void)state;
    check_bias(KFI_SHAPE(3));
    check_bias(KFI_SHAPE(4, 1));
    check_bias(KFI_SHAPE(60000, 3)); /* narrow: several rows at a time */
    check_bias(KFI_SHAPE(7, 21, 13, 32));
    check_bias(KFI_SHAPE(90, 11, 33));
    check_bias(KFI_SHAPE(700, 1500)); /* more than one block of columns, and slices */
    check_bias(KFI_SHAPE(2, 70001));  /* a row longer than a tile */
}

static void shapes_of_biases(void **state) {
    (void)state;
    infers("bias_add", NULL, "(None, 7, 3)", FLOATS(KF_ANY, 7, 3), FLOATS(3));
    infers("bias_gradient", NULL, "(3,)", FLOATS(KF_ANY, 7, 3));
    refuses("bias_add", NULL, "cannot add a bias of shape (4,) to shape (2, 3)", FLOATS(2, 3),
            FLOATS(4));
    refuses("bias_add", NULL, "rank 1", FLOATS(2, 3), FLOATS(1, 3));
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("each transposition gives the definition's product", each_transposition),
        SENTENCE("a product of many tiles is whole", many_tiles),
        SENTENCE("a product with little output and long K is cut along K", slices_of_k),
        SENTENCE("a product with few rows or short sums streams the rest", thin),
        SENTENCE("both gradients at once are those one by one", both_gradients_at_once),
        SENTENCE("gradients of no product are refused", shapes_of_gradients),
        SENTENCE("a small product is one tile", one_tile_for_small_products),
        SENTENCE("shapes that do not multiply are refused", shapes_of_products),
        SENTENCE("a bias is added to the last axis and its gradient sums the others", biases),
        SENTENCE("a bias of another length is refused", shapes_of_biases),
    };
    kfi_ops_enter_thread(); /* as every thread that runs kernels */
    const int failed = cmocka_run_group_tests_name("matmul", tests, NULL, NULL);
    kfi_ops_leave_thread();
    return failed;
}

int main(void) { return at_each_level(run); }
