/* Keras's .h5 layout, apart from any model: configs as text, weights by layer as named arrays.
 * What is where: Keras 2.2.4, engine/saving.py, `_serialize_model`. */
#ifndef KFI_IO_KERAS_FILE_H
#define KFI_IO_KERAS_FILE_H

#include "io/hdf5_file.h"

typedef struct kfi_keras_weight {
    const char *name; /* "dense_1/kernel:0" */
    kf_dtype dtype;   /* in the file        */
    kf_shape shape;
    const void *data; /* for writing; NULL when read: kfi_keras_read_weight fetches it */
    const char *path; /* of the dataset, when read                                  */
} kfi_keras_weight;

typedef struct kfi_keras_layer {
    const char *name;
    int64_t n_weights;
    kfi_keras_weight *weights;
} kfi_keras_layer;

typedef struct kfi_keras_file {
    kfi_hdf5 *file;              /* open, when read                                 */
    const char *keras_version;   /* NULL: absent                                    */
    const char *backend;         /* "tensorflow", "theano" …; NULL: absent          */
    const char *model_config;    /* JSON text; NULL: absent (a weights file)        */
    const char *training_config; /* JSON text; NULL: absent (not compiled)          */
    int64_t n_layers;
    kfi_keras_layer *layers;
    kfi_keras_layer optimizer; /* optimizer.weights in saved order; n_weights 0: none */
} kfi_keras_file;

/* Opens and lists a file: a model (root groups model_weights, optimizer_weights) or weights alone
 * (layer_names at the root). Weight data stays in the file. Keras 0.x weights files (nb_layers, no
 * names) have layers "layer_0" … of weights "param_0" …, and neither version nor backend. */
kf_status kfi_keras_open(const char *path, kfi_keras_file **file);
kf_status kfi_keras_read_weight(kfi_keras_file *file, const kfi_keras_weight *weight, kf_dtype as,
                                void *out);
void kfi_keras_close(kfi_keras_file *file); /* accepts NULL */

/* Writes a model file, or with a NULL model_config what save_weights() writes. Atomic. Fixed-length
 * ASCII attributes, contiguous datasets, a group for every layer, weightless ones too.
 * `extra`, if not NULL, is called with the open file before the commit (kf's own group). */
kf_status kfi_keras_write(const char *path, const kfi_keras_file *content,
                          kf_status (*extra)(void *context, kfi_hdf5 *file), void *context);

#endif
