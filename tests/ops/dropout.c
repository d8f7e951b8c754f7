/* Dropout keeps the elements that core/base/random.h says, scales them, and repeats itself. */
#include "tests/ops/support.h"

static kfi_array state_of(int64_t seed, int64_t step) {
    const kfi_array random = array_filled(KF_INT64, KFI_SHAPE(2), unwritten);
    memcpy(random.data, (int64_t[]){seed, step}, sizeof(int64_t[2]));
    return random;
}

static void check_kept(int64_t count, float rate, int64_t seed, int64_t step, uint32_t stream) {
    const kfi_array x = uniform(KFI_SHAPE(count), 1, 2, 11);
    const kfi_dropout by = {rate, stream};
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    apply(y, "dropout", &by, x, state_of(seed, step));
    const kfi_random folded = kfi_random_fold((kfi_random){(uint64_t)seed, (uint64_t)step}, stream);
    const kfi_array u = array_filled(KF_FLOAT32, x.shape, unwritten);
    kfi_random_uniform(folded, 0, 1, u.data, count);
    for (int64_t i = 0; i < count; i++) {
        const double expected = at(&u, i) >= rate ? (double)at(&x, i) / (1 - (double)rate) : 0;
        expect_near((double)at(&y[0], i), expected, 1e-6);
    }
}

static void elements_are_kept_by_their_random_number(void **state) {
    (void)state;
    check_kept(1, 0.5f, 1, 0, 0);
    check_kept(67, 0.25f, 42, 3, 9);
    check_kept(100001, 0.4f, -5, INT64_C(1) << 40, 0xffffffffu);
}

static int64_t kept(int64_t seed, int64_t step, uint32_t stream, const kfi_array *first) {
    kfi_array y[KFI_OP_MAX_OUTPUTS];
    const kfi_dropout by = {0.3f, stream};
    apply(y, "dropout", &by, *first, state_of(seed, step));
    int64_t count = 0;
    for (int64_t i = 0; i < kfi_shape_count(&y[0].shape); i++) count += at(&y[0], i) != 0;
    return count;
}

static void the_share_of_kept_elements_is_right(void **state) {
    (void)state;
    const kfi_array x = uniform(KFI_SHAPE(300, 1000), 1, 2, 12);
    const double share = (double)kept(7, 1, 2, &x) / 300000;
    expect_near(share, 0.7, 0.005); /* six deviations */
}

static void seed_step_and_stream_each_change_the_draw(void **state) {
    (void)state;
    const kfi_array x = uniform(KFI_SHAPE(1000), 1, 2, 13);
    static const struct {
        int64_t seed, step;
        uint32_t stream;
    } other[] = {{8, 1, 2}, {7, 2, 2}, {7, 1, 3}};
    kfi_array y[KFI_OP_MAX_OUTPUTS], z[KFI_OP_MAX_OUTPUTS];
    apply(y, "dropout", &((kfi_dropout){0.5f, 2}), x, state_of(7, 1));
    for (int i = 0; i < 3; i++) {
        const kfi_dropout by = {0.5f, other[i].stream};
        apply(z, "dropout", &by, x, state_of(other[i].seed, other[i].step));
        int64_t same = 0;
        for (int64_t k = 0; k < 1000; k++) same += (at(&y[0], k) == 0) == (at(&z[0], k) == 0);
        assert_in_range(same, 400, 600);
    }
}

static void the_gradient_drops_the_same_elements(void **state) {
    (void)state;
    const kfi_array in[2] = {uniform(KFI_SHAPE(500), 1, 2, 14), state_of(3, 4)};
    const kfi_array dy = uniform(KFI_SHAPE(500), 1, 2, 15);
    const kfi_dropout by = {0.5f, 6};
    kfi_array y[KFI_OP_MAX_OUTPUTS], din[2];
    apply(y, "dropout", &by, in[0], in[1]);
    derive(find_op("dropout"), &by, in, 2, y, 1, &dy, (bool[]){true, false}, din);
    for (int64_t i = 0; i < 500; i++)
        expect_near((double)at(&din[0], i), at(&y[0], i) == 0 ? 0 : 2 * (double)at(&dy, i), 1e-6);
}

static void rates_outside_of_0_to_1_drop_nothing(void **state) {
    (void)state;
    const kfi_array x = uniform(KFI_SHAPE(50), 1, 2, 16);
    static const float rates[] = {0, 1, -0.5f, 1.5f};
    for (int i = 0; i < 4; i++) {
        kfi_array y[KFI_OP_MAX_OUTPUTS];
        const kfi_dropout by = {rates[i], 0};
        apply(y, "dropout", &by, x, state_of(1, 1));
        assert_memory_equal(y[0].data, x.data, sizeof(float[50]));
    }
}

static void the_random_state_is_two_integers(void **state) {
    (void)state;
    const kfi_dropout by = {0.5f, 0};
    refuses("dropout", &by, "input 1 must be int64, got int32", FLOATS(3), INTEGERS(2));
    const kfi_array three = {.dtype = KF_INT64, .shape = KFI_SHAPE(3)};
    refuses("dropout", &by, "must be of shape (2,), got (3,)", FLOATS(3), three);
}

static int run(void) {
    static const struct CMUnitTest tests[] = {
        SENTENCE("elements are kept by their random number",
                 elements_are_kept_by_their_random_number),
        SENTENCE("the share of kept elements is right", the_share_of_kept_elements_is_right),
        SENTENCE("seed, step and stream each change the draw",
                 seed_step_and_stream_each_change_the_draw),
        SENTENCE("the gradient drops the same elements", the_gradient_drops_the_same_elements),
        SENTENCE("rates outside of 0 to 1 drop nothing", rates_outside_of_0_to_1_drop_nothing),
        SENTENCE("the random state is two integers", the_random_state_is_two_integers),
    };
    return run_sentences(tests);
}

int main(void) { return at_each_level(run); }
