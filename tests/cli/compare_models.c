/* Are the weights of two saved models the same, bit by bit? Silent if so; else 1 and the first
 * weight that differs. */
#include <kf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static float *read_weight(kf_weight *weight, int64_t *count) {
    const kf_shape shape = kf_weight_shape(weight);
    *count = 1;
    for (int32_t axis = 0; axis < shape.rank; axis++) *count *= shape.dims[axis];
    float *values = malloc((size_t)*count * sizeof *values);
    if (values != NULL && kf_weight_get(weight, values, *count) != KF_OK) {
        free(values);
        values = NULL;
    }
    return values;
}

static int compare(kf_weight *a, kf_weight *b) {
    int64_t n_a, n_b;
    float *values_a = read_weight(a, &n_a), *values_b = read_weight(b, &n_b);
    const int same = values_a != NULL && values_b != NULL && n_a == n_b &&
                     memcmp(values_a, values_b, (size_t)n_a * sizeof *values_a) == 0;
    if (!same) fprintf(stderr, "%s differs\n", kf_weight_name(a));
    free(values_a);
    free(values_b);
    return same;
}

int main(int argc, char **argv) {
    if (argc != 3) return KF_USAGE;
    kf_graph *graphs[2] = {kf_graph_new(), kf_graph_new()};
    kf_model *models[2];
    for (int i = 0; i < 2; i++) {
        models[i] = kf_load(graphs[i], argv[1 + i]);
        if (kf_model_error(models[i]) == KF_OK) continue;
        fprintf(stderr, "%s: %s\n", argv[1 + i], kf_last_error());
        return KF_INVALID;
    }
    const int32_t n = kf_model_weights(models[0]);
    int same = n > 0 && n == kf_model_weights(models[1]);
    for (int32_t i = 0; i < n && same; i++)
        same = compare(kf_model_weight(models[0], i), kf_model_weight(models[1], i));
    for (int i = 0; i < 2; i++) kf_graph_free(graphs[i]);
    return !same;
}
