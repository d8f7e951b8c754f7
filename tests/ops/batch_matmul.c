/* Values of batch_matmul in all its forms, against a triple loop in double precision. */
#include "tests/ops/support.h"

static double element(const kfi_array *x, int64_t sample, int64_t row, int64_t column,
                      bool transposed) {
    const int64_t *dims = x->shape.dims, base = sample * dims[1] * dims[2];
    return (double)at(x, base + (transposed ? column * dims[2] + row : row * dims[2] + column));
}

static void check_product(int64_t batch, int64_t m, int64_t k, int64_t n, bool ta, bool tb) {
    const kfi_array a = uniform(ta ? KFI_SHAPE(batch, k, m) : KFI_SHAPE(batch, m, k), -1, 1, 1);
    const kfi_array b = uniform(tb ? KFI_SHAPE(batch, n, k) : KFI_SHAPE(batch, k, n), -1, 1, 2);
    kfi_array c[KFI_OP_MAX_OUTPUTS];
    apply(c, "batch_matmul", &((kfi_matmul){ta, tb}), a, b);
    for (int64_t s = 0; s < batch; s++)
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) {
                double sum = 0;
                for (int64_t l = 0; l < k; l++)
                    sum += element(&a, s, i, l, ta) * element(&b, s, l, j, tb);
                expect_near((double)at(&c[0], (s * m + i) * n + j), sum, 1e-5 * (double)(k + 1));
            }
    release(0);
}

static void all_forms(void **state) {
    (void)state;
    for (int form = 0; form < 4; form++) {
        check_product(3, 4, 5, 2, form & 1, form & 2);
        check_product(1, 1, 7, 1, form & 1, form & 2);
        check_product(2, 130, 400, 90, form & 1, form & 2); /* rows are cut */
    }
}

static void shapes(void **state) {
    (void)state;
    const kfi_matmul plain = {false, false};
    infers("batch_matmul", &plain, "(None, 3, 5)", FLOATS(KF_ANY, 3, 4), FLOATS(KF_ANY, 4, 5));
    infers("batch_matmul", &plain, "(7, 3, 5)", FLOATS(KF_ANY, 3, 4), FLOATS(7, 4, 5));
    refuses("batch_matmul", &plain, "cannot multiply samples of (2, 3, 4) and (2, 3, 5)",
            FLOATS(2, 3, 4), FLOATS(2, 3, 5));
    refuses("batch_matmul", &plain, "cannot multiply", FLOATS(2, 3, 4), FLOATS(3, 4, 5));
    refuses("batch_matmul", &plain, "must have rank 3", FLOATS(3, 4), FLOATS(3, 4, 5));
}

static int run(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("products sample by sample, transposed or not", all_forms),
        SENTENCE("shapes, and what is refused", shapes),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
