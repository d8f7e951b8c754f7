/* What a process that opens no file does not hold: the HDF5 library and all that it brings. */
#include "tests/io/scratch.h"
#include "tests/train/support.h"

#include <stdio.h>

/* Whether a library whose name has `part` is mapped. */
static bool is_mapped(const char *part) {
    char line[4096];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    while (fgets(line, sizeof line, maps)) {
        const char *file = strrchr(line, '/');
        found = found || (file && strstr(file, part));
    }
    fclose(maps);
    return found;
}

static void no_hdf5(void **state) {
    (void)state;
    float *x = some_numbers(24 * 64, 1), out[24][3];
    int32_t *y = some_labels(24, 3, 2);
    const kf_array arrays[] = {ARRAY("image", x, 24, 8, 8), LABELS("label", y, 24)};
    kf_dataset *data = kf_dataset_arrays(arrays, 2);
    kf_graph *graph = kf_graph_new();
    kf_model *model = vision_model(graph);
    ok(kf_compile(model, .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}));
    ok(kf_fit(model, data, .epochs = 1, .batch_size = 8));
    ok(kf_predict(model, data, (float *[]){out[0]}));
    assert_true(is_mapped("libc"));
    assert_false(is_mapped("hdf5"));
    assert_false(is_mapped("libcurl"));
    ok(kf_save(model, scratch("model.h5")));
    assert_true(is_mapped("hdf5"));
    kf_dataset_free(data);
    kf_graph_free(graph);
    test_free(x);
    test_free(y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("building, training and predicting load no HDF5; saving does", no_hdf5),
    };
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
