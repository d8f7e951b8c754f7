/* A profile adds up: nodes to the work, events to the nodes, chains to no more than the wall. */
#include "tests/train/support.h"

static void adds_up(const kf_profile *profile, int32_t steps) {
    const kf_profile_totals all = kf_profile_total(profile);
    assert_int_equal(all.steps, steps);
    assert_true(all.work_ns > 0 && all.span_ns > 0 && all.flops > 0 && all.planned_bytes > 0);
    assert_true(all.span_ns <= all.wall_ns);
    assert_true(all.parallelism > 0 && all.parallelism <= all.workers);
    double work = 0, shares = 0, flops = 0, before = INFINITY;
    for (int32_t i = 0; i < kf_profile_nodes(profile); i++) {
        const kf_profile_node *node = kf_profile_node_at(profile, i);
        assert_true(node->total_ns <= before);
        before = node->total_ns;
        work += node->total_ns / steps;
        shares += node->share;
        flops += node->flops;
        double by_worker = 0;
        for (int w = 0; w < 64; w++) by_worker += node->worker_share[w];
        assert_true(node->total_ns == 0 || fabs(by_worker - 1) < 1e-6);
    }
    assert_true(fabs(work - all.work_ns) < 1e-6 * work);
    assert_true(fabs(shares - 1) < 1e-6);
    near(flops, all.flops);
    double spent = 0;
    for (int64_t i = 0; i < kf_profile_events(profile); i++) {
        const kf_profile_event event = kf_profile_event_at(profile, i);
        assert_true(event.start_ns >= 0 && event.end_ns >= event.start_ns);
        assert_true(event.step >= 0 && event.step < steps && event.worker < all.workers);
        assert_non_null(event.op);
        spent += (double)(event.end_ns - event.start_ns);
    }
    assert_true(fabs(spent / steps - all.work_ns) < 1e-6 * spent);
    assert_null(kf_profile_node_at(profile, -1));
    assert_null(kf_profile_event_at(profile, kf_profile_events(profile)).op);
}

/* The pile that makes the arena so large adds up to it, each stretch upon the one after it. */
static void piles_up(const kf_profile *profile) {
    const kf_profile_memory memory = kf_profile_memory_total(profile);
    assert_int_equal(memory.arena, kf_profile_total(profile).planned_bytes);
    assert_true(memory.serial > 0 && memory.serial <= memory.arena);
    size_t top = memory.arena, before = SIZE_MAX;
    const int32_t n = kf_profile_stretches(profile);
    for (int32_t i = 0; i < n; i++) {
        const kf_profile_stretch *at = kf_profile_stretch_at(profile, i);
        assert_true(at->first_step >= 0 && at->first_step <= at->last_step);
        assert_true(at->offset + at->bytes <= memory.arena);
        assert_non_null(at->name);
        assert_non_null(at->op);
        assert_non_null(at->last_name);
        if (at->at_peak) {
            assert_int_equal(at->offset + at->bytes, top);
            top = at->offset;
        } else {
            assert_int_equal(top, 0);
            assert_true(at->bytes <= before);
            before = at->bytes;
        }
    }
    assert_int_equal(top, 0);
    assert_null(kf_profile_stretch_at(profile, -1));
    assert_null(kf_profile_stretch_at(profile, n));
}

static const kf_profile_node *find(const kf_profile *profile, const char *name,
                                   const char *direction) {
    for (int32_t i = 0; i < kf_profile_nodes(profile); i++) {
        const kf_profile_node *node = kf_profile_node_at(profile, i);
        if (strcmp(node->name, name) == 0 && strcmp(node->direction, direction) == 0) return node;
    }
    return NULL;
}

static void training_step(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = vision_model(graph);
    ok(kf_compile(model, .loss = "sparse_categorical_crossentropy", .metrics = {"acc"}));
    kf_profile *profile = kf_profile_run(model, .batch_size = 16, .steps = 3);
    if (!profile) fail_msg("%s", kf_last_error());
    adds_up(profile, 3);
    assert_non_null(find(profile, "conv2d_1", "forward"));
    assert_non_null(find(profile, "conv2d_1", "backward"));
    assert_non_null(find(profile, "conv2d_1", "update"));
    assert_non_null(find(profile, "loss", "forward"));
    assert_non_null(find(profile, "acc", "forward"));
    piles_up(profile);
    const kf_profile_memory memory = kf_profile_memory_total(profile);
    assert_int_equal(memory.batch, 16 * (64 + 1) * sizeof(float));
    assert_true(memory.weights > 0 && memory.scratch > 0);
    /* averages of the trained weights */
    assert_true(memory.optimizer > 0 && memory.optimizer < memory.weights);
    kf_profile_free(profile);
    kf_graph_free(graph);
}

static void inference(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = vision_model(graph);
    float *x = some_numbers(10 * 64, 1);
    const kf_array array = ARRAY("image", x, 10, 8, 8);
    kf_dataset *data = kf_dataset_arrays(&array, 1);
    kf_profile *profile =
        kf_profile_run(model, .batch_size = 16, .steps = 2, .inference = true, .data = data);
    if (!profile) fail_msg("%s", kf_last_error());
    adds_up(profile, 2);
    assert_null(find(profile, "conv2d_1", "backward"));
    piles_up(profile);
    assert_int_equal(kf_profile_memory_total(profile).optimizer, 0);
    kf_profile_free(profile);
    kf_dataset_free(data);
    test_free(x);
    kf_graph_free(graph);
}

static void no_steps(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_tensor *x = kf_input(graph, {4}, .name = "x");
    kf_tensor *y = kf_apply(kf_activation("linear"), x);
    kf_model *model = kf_model_new(.inputs = kf_list(x), .outputs = kf_list(y));
    ok(kf_model_error(model));
    kf_profile *profile = kf_profile_run(model, .steps = 1, .inference = true);
    if (!profile) fail_msg("%s", kf_last_error());
    assert_int_equal(kf_profile_nodes(profile), 0);
    assert_int_equal(kf_profile_stretches(profile), 0);
    kf_profile_free(profile);
    kf_graph_free(graph);
}

static void refusals(void **state) {
    (void)state;
    kf_graph *graph = kf_graph_new();
    kf_model *model = vision_model(graph);
    assert_null(kf_profile_run(model, .steps = 2));
    says("You must compile");
    kf_profile_free(NULL);
    kf_graph_free(graph);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a training step's profile adds up and knows its nodes", training_step),
        SENTENCE("a prediction's profile adds up", inference),
        SENTENCE("a model of no ops has an empty profile", no_steps),
        SENTENCE("a training step can be profiled only if the model is compiled", refusals),
    };
    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
