/* What the tests of layers share: graphs that must fail with a message, shapes as text, runs. */
#ifndef KF_TESTS_LAYERS_SUPPORT_H
#define KF_TESTS_LAYERS_SUPPORT_H

#include "core/base/memory.h"
#include "core/graph/plan.h"
#include "core/layers/layer.h"
#include "tests/base/sentences.h"

#include <stdio.h>
#include <string.h>

static inline void assert_good(const kf_graph *graph) {
    if (kf_graph_error(graph) != KF_OK) fail_msg("%s", kf_last_error());
}

/* The tensor's shape, as Python prints it. */
static inline void assert_shape(const kf_tensor *tensor, const char *text) {
    assert_good(tensor->graph);
    const kf_shape shape = kf_tensor_shape(tensor);
    assert_string_equal(kfi_shape_string(&shape), text);
}

/* The graph has failed with exactly this message; the graph is freed. */
static inline void assert_fails(kf_graph *graph, const kf_tensor *poisoned, const char *message) {
    assert_non_null(poisoned);
    assert_true(poisoned->poisoned);
    assert_int_not_equal(kf_graph_error(graph), KF_OK);
    assert_string_equal(kf_last_error(), message);
    kf_graph_free(graph);
}

/* Weight i has this name and shape. */
static inline void assert_weight(const kf_layer *layer, int32_t i, const char *name,
                                 const char *shape) {
    kf_weight *weight = kf_layer_weight(layer, i);
    assert_non_null(weight);
    assert_string_equal(kf_weight_name(weight), name);
    const kf_shape made = kf_weight_shape(weight);
    assert_string_equal(kfi_shape_string(&made), shape);
}

#endif
