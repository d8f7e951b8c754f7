#include "io/keras_file.h"

#include "core/base/memory.h"
#include "tests/io/scratch.h"

#include <dirent.h>
#include <hdf5.h>

static const float kernel[2][3] = {{1, 2, 3}, {4, 5, 6}}, bias[3] = {7, 8, 9};
static const int64_t iterations = 41;

static kfi_keras_weight dense_weights[] = {
    {"dense_1/kernel:0", KF_FLOAT32, {2, {2, 3}}, kernel, NULL},
    {"dense_1/bias:0", KF_FLOAT32, {1, {3}}, bias, NULL},
};
static kfi_keras_weight nested_weights[] = {
    {"inner/dense_2/kernel:0", KF_FLOAT32, {2, {2, 3}}, kernel, NULL}};
static kfi_keras_layer layers[] = {
    {"input_1", 0, NULL}, {"dense_1", 2, dense_weights}, {"model_1", 1, nested_weights}};
static kfi_keras_weight optimizer_weights[] = {
    {"Adam/iterations:0", KF_INT64, {0, {0}}, &iterations, NULL},
    {"training/Adam/Variable:0", KF_FLOAT32, {2, {2, 3}}, kernel, NULL},
};

static kfi_keras_file content(void) {
    return (kfi_keras_file){.keras_version = "2.2.4",
                            .backend = "tensorflow",
                            .model_config = "{\"class_name\": \"Model\"}",
                            .training_config = "{\"loss\": \"mse\"}",
                            .n_layers = 3,
                            .layers = layers,
                            .optimizer = {"optimizer_weights", 2, optimizer_weights}};
}

static void check_layers(kfi_keras_file *file) {
    assert_int_equal(file->n_layers, 3);
    assert_string_equal(file->layers[0].name, "input_1");
    assert_int_equal(file->layers[0].n_weights, 0);
    assert_int_equal(file->layers[1].n_weights, 2);
    assert_string_equal(file->layers[1].weights[1].name, "dense_1/bias:0");
    assert_string_equal(file->layers[2].weights[0].name, "inner/dense_2/kernel:0");
    float x[2][3];
    assert_true(kfi_shape_equal(&file->layers[2].weights[0].shape, &KFI_SHAPE(2, 3)));
    assert_int_equal(kfi_keras_read_weight(file, &file->layers[2].weights[0], KF_FLOAT32, x),
                     KF_OK);
    assert_memory_equal(x, kernel, sizeof x);
}

static void model(void **state) {
    (void)state;
    const kfi_keras_file written = content();
    kfi_keras_file *file;
    assert_int_equal(kfi_keras_write(scratch("m.h5"), &written, NULL, NULL), KF_OK);
    assert_int_equal(kfi_keras_open(scratch("m.h5"), &file), KF_OK);
    assert_string_equal(file->keras_version, "2.2.4");
    assert_string_equal(file->backend, "tensorflow");
    assert_string_equal(file->model_config, written.model_config);
    assert_string_equal(file->training_config, written.training_config);
    check_layers(file);
    assert_int_equal(file->optimizer.n_weights, 2);
    assert_int_equal(file->optimizer.weights[0].shape.rank, 0);
    int64_t read;
    assert_int_equal(kfi_keras_read_weight(file, &file->optimizer.weights[0], KF_INT64, &read),
                     KF_OK);
    assert_int_equal(read, 41);
    kfi_keras_close(file);
    kfi_keras_close(NULL);
}

static void weights_alone(void **state) {
    (void)state;
    kfi_keras_file written = content(), *file;
    written.model_config = written.training_config = NULL;
    assert_int_equal(kfi_keras_write(scratch("w.h5"), &written, NULL, NULL), KF_OK);
    assert_int_equal(kfi_keras_open(scratch("w.h5"), &file), KF_OK);
    assert_null(file->model_config);
    assert_null(file->training_config);
    assert_string_equal(file->keras_version, "2.2.4");
    assert_false(kfi_hdf5_exists(file->file, "/model_weights"));
    assert_false(kfi_hdf5_exists(file->file, "/optimizer_weights"));
    assert_true(kfi_hdf5_exists(file->file, "/model_1/inner/dense_2/kernel:0"));
    assert_int_equal(file->optimizer.n_weights, 0);
    check_layers(file);
    kfi_keras_close(file);
}

static void not_compiled(void **state) {
    (void)state;
    kfi_keras_file written = content(), *file;
    written.training_config = NULL;
    written.optimizer.n_weights = 0;
    assert_int_equal(kfi_keras_write(scratch("m.h5"), &written, NULL, NULL), KF_OK);
    assert_int_equal(kfi_keras_open(scratch("m.h5"), &file), KF_OK);
    assert_null(file->training_config);
    assert_false(kfi_hdf5_exists(file->file, "/optimizer_weights"));
    /* a group for every layer, also one without weights */
    assert_true(kfi_hdf5_is_group(file->file, "/model_weights/input_1"));
    kfi_keras_close(file);
}

static void no_layers(void **state) {
    (void)state;
    kfi_keras_file written = {.model_config = "{}"}, *file;
    assert_int_equal(kfi_keras_write(scratch("m.h5"), &written, NULL, NULL), KF_OK);
    assert_int_equal(kfi_keras_open(scratch("m.h5"), &file), KF_OK);
    assert_int_equal(file->n_layers, 0);
    assert_null(file->keras_version);
    kfi_keras_close(file);
}

static kf_status add_state(void *context, kfi_hdf5 *file) {
    const kf_status status = kfi_hdf5_make_group(file, "/kf");
    if (status == KF_OK) kfi_hdf5_write_string(file, "/kf", "seed", "7");
    return context ? kfi_fail(KF_STOPPED, "stopped here") : status;
}

static void extra(void **state) {
    (void)state;
    const kfi_keras_file written = content();
    kfi_keras_file *file;
    assert_int_equal(kfi_keras_write(scratch("m.h5"), &written, add_state, NULL), KF_OK);
    assert_int_equal(kfi_keras_open(scratch("m.h5"), &file), KF_OK);
    char *seed;
    assert_int_equal(kfi_hdf5_read_string(file->file, "/kf", "seed", &seed), KF_OK);
    assert_string_equal(seed, "7");
    kfi_free(seed);
    kfi_keras_close(file);
    int yes = 1;
    assert_int_equal(kfi_keras_write(scratch("n.h5"), &written, add_state, &yes), KF_STOPPED);
    assert_string_equal(kf_last_error(), "stopped here");
    assert_int_equal(file_bytes(scratch("n.h5")), 0);
}

static void many_layers(void **state) {
    (void)state;
    enum { LAYERS = 2500 };
    static char names[LAYERS][64];
    static kfi_keras_layer many[LAYERS];
    for (int i = 0; i < LAYERS; i++) {
        snprintf(names[i], sizeof names[i], "block_%d/batch_normalization_moving", i);
        many[i].name = names[i];
    }
    kfi_keras_file written = {.n_layers = LAYERS, .layers = many, .model_config = "{}"}, *file;
    assert_int_equal(kfi_keras_write(scratch("m.h5"), &written, NULL, NULL), KF_OK);
    assert_int_equal(kfi_keras_open(scratch("m.h5"), &file), KF_OK);
    assert_true(kfi_hdf5_has_attribute(file->file, "/model_weights", "layer_names1"));
    assert_int_equal(file->n_layers, LAYERS);
    assert_string_equal(file->layers[LAYERS - 1].name, names[LAYERS - 1]);
    kfi_keras_close(file);
}

static void refuses(void **state) {
    (void)state;
    kfi_hdf5 *plain;
    kfi_keras_file *file;
    kfi_hdf5_create(scratch("x.h5"), &plain);
    kfi_hdf5_write(plain, "/data", KF_FLOAT32, &KFI_SHAPE(3), bias);
    kfi_hdf5_commit(plain);
    kfi_hdf5_close(plain);
    assert_int_equal(kfi_keras_open(scratch("x.h5"), &file), KF_INVALID);
    assert_null(file);
    assert_error_has("x.h5 is no Keras file", kf_last_error());
    const char *names[] = {"dense_1"};
    kfi_hdf5_create(scratch("y.h5"), &plain);
    kfi_hdf5_write_strings(plain, "/", "layer_names", names, 1);
    kfi_hdf5_commit(plain);
    kfi_hdf5_close(plain);
    assert_int_equal(kfi_keras_open(scratch("y.h5"), &file), KF_INVALID);
    assert_error_has("there is no '/dense_1'", kf_last_error());
    assert_int_equal(kfi_keras_open(scratch("z.h5"), &file), KF_IO);
}

static void write_counts(int64_t n_layers) {
    const hid_t file = H5Fcreate(scratch("k0.h5"), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t scalar = H5Screate(H5S_SCALAR), three = H5Screate_simple(1, (hsize_t[]){3}, NULL);
    hid_t id = H5Acreate2(file, "nb_layers", H5T_NATIVE_INT64, scalar, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(id, H5T_NATIVE_INT64, &n_layers);
    H5Aclose(id);
    for (int64_t i = 0; i < 2; i++) {
        const hid_t group =
            H5Gcreate2(file, i ? "layer_1" : "layer_0", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        id = H5Acreate2(group, "nb_params", H5T_NATIVE_INT64, scalar, H5P_DEFAULT, H5P_DEFAULT);
        H5Awrite(id, H5T_NATIVE_INT64, &i);
        H5Aclose(id);
        if (i) {
            id = H5Dcreate2(group, "param_0", H5T_NATIVE_FLOAT, three, H5P_DEFAULT, H5P_DEFAULT,
                            H5P_DEFAULT);
            H5Dwrite(id, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, bias);
            H5Dclose(id);
        }
        H5Gclose(group);
    }
    H5Sclose(scalar);
    H5Sclose(three);
    H5Fclose(file);
}

static void keras_0(void **state) {
    (void)state;
    kfi_keras_file *file;
    write_counts(2);
    assert_int_equal(kfi_keras_open(scratch("k0.h5"), &file), KF_OK);
    assert_int_equal(file->n_layers, 2);
    assert_int_equal(file->layers[0].n_weights, 0);
    assert_string_equal(file->layers[1].weights[0].name, "param_0");
    assert_true(kfi_shape_equal(&file->layers[1].weights[0].shape, &KFI_SHAPE(3)));
    kfi_keras_close(file);
    write_counts(3);
    assert_int_equal(kfi_keras_open(scratch("k0.h5"), &file), KF_INVALID);
    assert_error_has("layer_2", kf_last_error());
    write_counts(INT64_MAX);
    assert_int_equal(kfi_keras_open(scratch("k0.h5"), &file), KF_INVALID);
    assert_error_has("absurd nb_layers", kf_last_error());
}

/* A name may climb nowhere: what it names must be a dataset under its layer. */
static void hostile_names(void **state) {
    (void)state;
    kfi_hdf5 *plain;
    kfi_keras_file *file;
    const char *layer[] = {"a"}, *weight[] = {"../b/secret"};
    kfi_hdf5_create(scratch("x.h5"), &plain);
    kfi_hdf5_write(plain, "/b/secret", KF_FLOAT32, &KFI_SHAPE(3), bias);
    kfi_hdf5_make_group(plain, "/a");
    kfi_hdf5_write_strings(plain, "/", "layer_names", layer, 1);
    kfi_hdf5_write_strings(plain, "/a", "weight_names", weight, 1);
    kfi_hdf5_commit(plain);
    kfi_hdf5_close(plain);
    assert_int_equal(kfi_keras_open(scratch("x.h5"), &file), KF_INVALID);
    assert_error_has("there is no '/a/..'", kf_last_error());
}

static void any_allocation_fails(void **state) {
    (void)state;
    const kfi_keras_file written = content();
    for (int64_t nth = 1;; nth++) {
        kfi_keras_file *file = NULL;
        float x[2][3];
        const int64_t before = kfi_allocations();
        kfi_fail_allocation(nth);
        kf_status status = kfi_keras_write(scratch("m.h5"), &written, NULL, NULL);
        if (status == KF_OK) status = kfi_keras_open(scratch("m.h5"), &file);
        if (status == KF_OK)
            status = kfi_keras_read_weight(file, &file->layers[1].weights[0], KF_FLOAT32, x);
        kfi_fail_allocation(0);
        const bool all = kfi_allocations() - before < nth;
        assert_int_equal(status, all ? KF_OK : KF_MEMORY);
        kfi_keras_close(file);
        if (all) break;
    }
    assert_int_equal(scratch_entries(), 1);
}

/* Real files, by Keras and by others, where they are at hand. */
static void real_files(void **state) {
    (void)state;
    const char *folder = getenv("KF_INTEROP");
    if (!folder) folder = KF_TEST_SOURCE_DIR "/../shared/interop";
    DIR *entries = opendir(folder);
    if (!entries) skip();
    int n_models = 0;
    for (const struct dirent *entry; (entry = readdir(entries));) {
        const size_t length = strlen(entry->d_name);
        if (length < 4 || strcmp(entry->d_name + length - 3, ".h5") != 0) continue;
        if (length > 6 && strcmp(entry->d_name + length - 6, ".io.h5") == 0) continue;
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        kfi_keras_file *file;
        if (kfi_keras_open(path, &file) != KF_OK) fail_msg("%s", kf_last_error());
        for (int64_t i = 0; i < file->n_layers; i++)
            for (int64_t w = 0; w < file->layers[i].n_weights; w++) {
                const kfi_keras_weight *weight = &file->layers[i].weights[w];
                void *data = kfi_alloc((size_t)kfi_shape_count(&weight->shape), 4);
                assert_int_equal(kfi_keras_read_weight(file, weight, KF_FLOAT32, data), KF_OK);
                kfi_free(data);
            }
        n_models++;
        kfi_keras_close(file);
    }
    closedir(entries);
    print_message("%d model files read\n", n_models);
}

static int nothing_left_open(void **state) {
    (void)state;
    return H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0 ? remove_scratch(state) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        SENTENCE("a model file comes back as it was written", model),
        SENTENCE("a weights file has its layers at the root and nothing else", weights_alone),
        SENTENCE("a model that is not compiled has no optimizer group", not_compiled),
        SENTENCE("a model without layers is written and read", no_layers),
        SENTENCE("our own state is in the file, or the file is not there", extra),
        SENTENCE("more layers than one attribute can name", many_layers),
        SENTENCE("files that are not Keras's are refused", refuses),
        SENTENCE("a Keras 0.x weights file is read by its counts", keras_0),
        SENTENCE("names cannot climb out of their layer", hostile_names),
        SENTENCE("any allocation may fail, cleanly", any_allocation_fails),
        SENTENCE("real files are read whole", real_files),
    };
    struct CMUnitTest all[sizeof tests / sizeof *tests];
    memcpy(all, tests, sizeof tests);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) all[i].teardown_func = empty_scratch;
    return cmocka_run_group_tests(all, make_scratch, nothing_left_open);
}
