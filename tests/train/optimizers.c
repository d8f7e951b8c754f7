/* Optimizers against their formulas in double precision, on one weight with gradient 2 w. */
#include "tests/train/support.h"

enum { STEPS = 6 };

static const float one[] = {1}, zero[] = {0};

static void step(kf_model *model) {
    const kf_array batch[] = {ARRAY("x", one, 1, 1), ARRAY("y", zero, 1, 1)};
    ok(kf_train_on_batch(model, batch, 2, NULL));
}

static kf_model *compiled(kf_graph *graph, kf_optimizer *optimizer) {
    kf_model *model = line_model(graph, 0.7f);
    ok(kf_compile(model, .optimizer = optimizer, .loss = "mse"));
    return model;
}

static void sgd_is_its_formula(kf_optimizer *optimizer, double lr, double momentum, double decay,
                               bool nesterov) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, optimizer);
    double w = 0.7f, v = 0;
    for (int t = 0; t < STEPS; t++) {
        const double rate = lr / (1 + decay * t), g = 2 * w;
        v = momentum * v - rate * g;
        w += nesterov ? momentum * v - rate * g : v;
        step(model);
        near((double)weight_of(model), w);
    }
    float moment, iterations;
    assert_int_equal(kf_optimizer_weights(model), 2);
    ok(kf_optimizer_weight_get(model, 0, &iterations, 1));
    ok(kf_optimizer_weight_get(model, 1, &moment, 1));
    assert_int_equal((int)iterations, STEPS);
    near((double)moment, v);
    kf_graph_free(graph);
}

static void sgd(void **state) {
    (void)state;
    sgd_is_its_formula(kf_sgd(0), 0.01, 0, 0, false);
    sgd_is_its_formula(kf_sgd(0.1f), 0.1, 0, 0, false);
    sgd_is_its_formula(kf_sgd(0.1f, .momentum = 0.9f), 0.1, 0.9, 0, false);
    sgd_is_its_formula(kf_sgd(0.1f, .momentum = 0.9f, .nesterov = true), 0.1, 0.9, 0, true);
    sgd_is_its_formula(kf_sgd(0.1f, .decay = 0.5f), 0.1, 0, 0.5, false);
    sgd_is_its_formula(kf_optimizer_named("sgd(lr=0.05, momentum=0.5)"), 0.05, 0.5, 0, false);
}

static void rmsprop(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, kf_rmsprop(0.01f, .rho = 0.8f, .decay = 0.1f));
    double w = 0.7f, a = 0;
    for (int t = 0; t < STEPS; t++) {
        const double g = 2 * w;
        a = 0.8 * a + 0.2 * g * g;
        w -= 0.01 / (1 + 0.1 * t) * g / (sqrt(a) + 1e-7);
        step(model);
        near((double)weight_of(model), w);
    }
    float mean;
    assert_int_equal(kf_optimizer_weights(model), 1);
    ok(kf_optimizer_weight_get(model, 0, &mean, 1));
    near((double)mean, a);
    kf_graph_free(graph);
}

static void adam(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, kf_adam(0.02f, .beta_1 = 0.8f, .beta_2 = 0.9f));
    double w = 0.7f, m = 0, v = 0;
    for (int t = 1; t <= STEPS; t++) {
        const double g = 2 * w;
        m = 0.8 * m + 0.2 * g;
        v = 0.9 * v + 0.1 * g * g;
        w -= 0.02 * sqrt(1 - pow(0.9, t)) / (1 - pow(0.8, t)) * m / (sqrt(v) + 1e-7);
        step(model);
        near((double)weight_of(model), w);
    }
    kf_graph_free(graph);
}

/* v falls while the largest v stays. */
static void amsgrad(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, kf_adam(0.1f, .beta_2 = 0.5f, .amsgrad = true));
    double w = 0.7f, m = 0, v = 0, largest = 0;
    for (int t = 1; t <= STEPS; t++) {
        const double g = 2 * w;
        m = 0.9 * m + 0.1 * g;
        v = 0.5 * v + 0.5 * g * g;
        largest = fmax(largest, v);
        w -= 0.1 * sqrt(1 - pow(0.5, t)) / (1 - pow(0.9, t)) * m / (sqrt(largest) + 1e-7);
        step(model);
        near((double)weight_of(model), w);
    }
    assert_true(v < largest);
    float kept;
    assert_int_equal(kf_optimizer_weight_shape(model, 3).rank, 2);
    ok(kf_optimizer_weight_get(model, 3, &kept, 1));
    near((double)kept, largest);
    kf_graph_free(graph);
}

static void adagrad(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, kf_adagrad(0.1f, .decay = 0.5f));
    double w = 0.7f, a = 0;
    for (int t = 0; t < STEPS; t++) {
        const double g = 2 * w;
        a += g * g;
        w -= 0.1 / (1 + 0.5 * t) * g / (sqrt(a) + 1e-7);
        step(model);
        near((double)weight_of(model), w);
    }
    assert_int_equal(kf_optimizer_weights(model), 1);
    kf_graph_free(graph);
}

static void adadelta(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, kf_adadelta(0, .rho = 0.8f, .epsilon = 1e-3f));
    double w = 0.7f, a = 0, d = 0;
    for (int t = 0; t < STEPS; t++) {
        const double g = 2 * w;
        a = 0.8 * a + 0.2 * g * g;
        const double u = g * sqrt(d + 1e-3) / sqrt(a + 1e-3);
        d = 0.8 * d + 0.2 * u * u;
        w -= u;
        step(model);
        near((double)weight_of(model), w);
    }
    assert_int_equal(kf_optimizer_weights(model), 2);
    kf_graph_free(graph);
}

static void adamax(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, kf_adamax(0.02f, .beta_1 = 0.8f, .beta_2 = 0.9f));
    double w = 0.7f, m = 0, u = 0;
    for (int t = 1; t <= STEPS; t++) {
        const double g = 2 * w;
        m = 0.8 * m + 0.2 * g;
        u = fmax(0.9 * u, fabs(g));
        w -= 0.02 / (1 - pow(0.8, t)) * m / (u + 1e-7);
        step(model);
        near((double)weight_of(model), w);
    }
    assert_string_equal(kf_optimizer_weight_name(model, 0), "Adamax/iterations:0");
    assert_int_equal(kf_optimizer_weights(model), 3);
    kf_graph_free(graph);
}

static double nadam_momentum(int t) { return 0.8 * (1 - 0.5 * pow(0.96, t * 0.1)); }

static void nadam(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model =
        compiled(graph, kf_nadam(0.02f, .beta_1 = 0.8f, .beta_2 = 0.9f, .schedule_decay = 0.1f));
    double w = 0.7f, m = 0, v = 0, schedule = 1;
    for (int t = 1; t <= STEPS; t++) {
        const double g = 2 * w, now = nadam_momentum(t), next = nadam_momentum(t + 1);
        schedule *= now;
        m = 0.8 * m + 0.2 * g;
        v = 0.9 * v + 0.1 * g * g;
        const double bar = (1 - now) * g / (1 - schedule) + next * m / (1 - schedule * next);
        w -= 0.02 * bar / (sqrt(v / (1 - pow(0.9, t))) + 1e-7);
        step(model);
        near((double)weight_of(model), w);
    }
    assert_int_equal(kf_optimizer_weights(model), 3);
    kf_graph_free(graph);
}

/* Two weights with gradients -6 and -8: together their norm is 10. */
static void after_a_clipped_step(kf_optimizer *optimizer, double w0, double w1) {
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {1}, .name = "x");
    kf_tensor *a = kf_apply(kf_dense(1, .no_bias = true, .name = "a"), x);
    kf_tensor *b = kf_apply(kf_dense(1, .no_bias = true, .name = "b"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(a, b));
    ok(kf_compile(model, .optimizer = optimizer, .loss = "mse"));
    for (int i = 0; i < 2; i++) set_weight(model, i, zero);
    const float three[] = {3}, four[] = {4};
    const kf_array batch[] = {ARRAY("x", one, 1, 1), ARRAY("a", three, 1, 1),
                              ARRAY("b", four, 1, 1)};
    ok(kf_train_on_batch(model, batch, 3, NULL));
    float got[2];
    for (int i = 0; i < 2; i++) ok(kf_weight_get(kf_model_weight(model, i), &got[i], 1));
    near((double)got[0], w0);
    near((double)got[1], w1);
    kf_graph_free(graph);
}

static void clipping(void **state) {
    (void)state;
    after_a_clipped_step(kf_sgd(1), 6, 8);
    after_a_clipped_step(kf_sgd(1, .clipnorm = 5), 3, 4);
    after_a_clipped_step(kf_sgd(1, .clipnorm = 10), 6, 8);
    after_a_clipped_step(kf_sgd(1, .clipnorm = 11), 6, 8);
    after_a_clipped_step(kf_sgd(1, .clipvalue = 7), 6, 7);
    after_a_clipped_step(kf_optimizer_named("sgd(lr=1, clipnorm=5, clipvalue=3.5)"), 3, 3.5);
}

static void names_and_order(void **state) {
    (void)state;
    static const char *const expected[] = {"Adam/iterations:0", "training/Adam/Variable:0",
                                           "training/Adam/Variable_1:0",
                                           "training/Adam/Variable_2:0"};
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, kf_adam(0));
    assert_int_equal(kf_optimizer_weights(model), 4);
    for (int i = 0; i < 4; i++)
        assert_string_equal(kf_optimizer_weight_name(model, i), expected[i]);
    assert_int_equal(kf_optimizer_weight_shape(model, 0).rank, 0);
    assert_int_equal(kf_optimizer_weight_shape(model, 1).rank, 2);
    assert_int_equal(kf_optimizer_weight_shape(model, 3).rank, 1);
    float none;
    assert_null(kf_optimizer_weight_name(model, 4));
    refuses(kf_optimizer_weight_get(model, 4, &none, 1), KF_USAGE, "no optimizer weight 4");
    kf_graph_free(graph);
}

static void learning_rate(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = compiled(graph, NULL);
    near(kf_learning_rate(model), 0.001);
    ok(kf_compile(model, .optimizer = kf_sgd(KF_ZERO), .loss = "mse"));
    assert_true(kf_learning_rate(model) == 0);
    step(model);
    assert_true(weight_of(model) == 0.7f);
    ok(kf_set_learning_rate(model, 0.25));
    step(model);
    near((double)weight_of(model), 0.35);
    kf_graph_free(graph);
}

/* Two steps lead both to the same bits. */
static void moves_alike(const char *placed, const char *named) {
    kf_graph *graphs[] = {kf_graph_new(), kf_graph_new()};
    kf_model *models[] = {compiled(graphs[0], kf_optimizer_named(placed)),
                          compiled(graphs[1], kf_optimizer_named(named))};
    for (int i = 0; i < 2; i++) {
        for (int t = 0; t < 2; t++) step(models[i]);
    }
    if (weight_of(models[0]) != weight_of(models[1])) fail_msg("%s is not %s", placed, named);
    for (int i = 0; i < 2; i++) kf_graph_free(graphs[i]);
}

static void by_position(void **state) {
    (void)state;
    moves_alike("sgd(0.1, 0.9, 0.5, True)", "sgd(lr=0.1, momentum=0.9, decay=0.5, nesterov=True)");
    moves_alike("rmsprop(0.1, 0.8, 0.01, 0.5)",
                "rmsprop(lr=0.1, rho=0.8, epsilon=0.01, decay=0.5)");
    moves_alike("adagrad(0.1, 0.01, 0.5)", "adagrad(lr=0.1, epsilon=0.01, decay=0.5)");
    moves_alike("adadelta(0.5, 0.8, 0.01, 0.6)",
                "adadelta(lr=0.5, rho=0.8, epsilon=0.01, decay=0.6)");
    moves_alike("adam(0.1, 0.8, 0.7, 0.01, 0.5, True)",
                "adam(lr=0.1, beta_1=0.8, beta_2=0.7, epsilon=0.01, decay=0.5, amsgrad=True)");
    moves_alike("adamax(0.1, 0.8, 0.7, 0.01, 0.5)",
                "adamax(lr=0.1, beta_1=0.8, beta_2=0.7, epsilon=0.01, decay=0.5)");
    moves_alike("nadam(0.1, 0.8, 0.7, 0.01, 0.5)",
                "nadam(lr=0.1, beta_1=0.8, beta_2=0.7, epsilon=0.01, schedule_decay=0.5)");
    moves_alike("rmsprop(0.1, 0.8, None)", "rmsprop(learning_rate=0.1, rho=0.8, epsilon=1e-7)");
}

static void is_refused(kf_optimizer *optimizer, const char *words) {
    kf_graph *graph = kf_graph_new();
    kf_model *model = line_model(graph, 1);
    assert_int_not_equal(kf_compile(model, .optimizer = optimizer, .loss = "mse"), KF_OK);
    says(words);
    assert_int_equal(kf_metrics(model), 0);
    kf_graph_free(graph);
}

static void refused(void **state) {
    (void)state;
    is_refused(kf_optimizer_named("nope"), "Unknown optimizer: nope");
    is_refused(kf_optimizer_named("adam(lr=banana)"), "lr");
    is_refused(kf_optimizer_named("adam(speed=3)"), "speed");
    is_refused(kf_optimizer_named("adam(lr=0.1"), "adam(lr=0.1");
    is_refused(kf_optimizer_named("adam(0.1, lr=0.2)"), "lr is given twice");
    is_refused(kf_sgd(0.1f, .clipnorm = -1), "clipnorm and clipvalue must not be negative");
    is_refused(kf_optimizer_named("rmsprop(clipvalue=-0.5)"), "must not be negative");
    kf_optimizer_free(kf_optimizer_named("nope"));
    kf_optimizer_free(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("SGD moves as its formula says, with momentum, Nesterov and decay", sgd),
        SENTENCE("RMSprop moves as its formula says and saves no iterations", rmsprop),
        SENTENCE("Adam moves as its formula says", adam),
        SENTENCE("AMSGrad's divisor never shrinks", amsgrad),
        SENTENCE("Adagrad moves as its formula says", adagrad),
        SENTENCE("Adadelta moves as its formula says", adadelta),
        SENTENCE("Adamax moves as its formula says", adamax),
        SENTENCE("Nadam moves as its formula says, its schedule included", nadam),
        SENTENCE("gradients are clipped by their common norm, then by value", clipping),
        SENTENCE("an optimizer's weights have Keras's names and order", names_and_order),
        SENTENCE("the learning rate can be zero, read and set", learning_rate),
        SENTENCE("arguments by position are those of Keras", by_position),
        SENTENCE("what an optimizer cannot do is refused by compile", refused),
    };
    return cmocka_run_group_tests_name("optimizers", tests, NULL, NULL);
}
