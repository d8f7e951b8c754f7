/* Models: a part of a graph from inputs to outputs, trained as one, saved as Keras saves it, and
 * itself a layer. */
#ifndef KF_MODEL_H
#define KF_MODEL_H

#include "kf/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A NULL-ended list of tensors: .inputs = kf_list(a, b). */
#define kf_list(...) ((kf_tensor *const[]){__VA_ARGS__, NULL})

typedef struct kf_model_options {
    size_t size;
    kf_tensor *const *inputs, *const *outputs; /* ended by NULL */
    const char *name;                          /* NULL: model_1, model_2 … */
    bool frozen;
} kf_model_options;
/* The graph owns the model. Keras's errors: a disconnected graph, an input twice, two layers of one
 * name. Never NULL; a failure poisons the model and is kept by the graph. */
KF_API kf_model *kf_model_create(const kf_model_options *options);
#define kf_model_new(...) kf_model_create(KF_OPTIONS(kf_model_options, __VA_ARGS__))

/* KF_OK, or why the model is poisoned (message in kf_last_error). */
KF_API kf_status kf_model_error(const kf_model *model);

/* Sequential: a chain of layers, each applied to the output of the one before. Its input is known
 * from input_shape, or from its first layer where that is a model, an input's layer or an
 * Embedding; else layers wait until the model is built, called on a tensor or given data by kf_fit,
 * kf_evaluate, kf_predict or a single batch, and until then kf_model_error says so. Such a model
 * can be compiled, saved and loaded. The graph owns the model, and the model's graph the layers. */
typedef struct kf_sequential_options {
    size_t size;
    const char *name;                 /* NULL: sequential_1, sequential_2 … */
    int64_t input_shape[KF_MAX_RANK]; /* of one sample, as kf_input's; ends at the first 0 */
    const char *dtype;                /* of the input: "float32" (default) or "int32" */
    int64_t batch_size;               /* fixed batch axis; 0: free */
    bool frozen;
} kf_sequential_options;
KF_API kf_model *kf_sequential_create(kf_graph *graph, const kf_sequential_options *options);
#define kf_sequential_new(...) KF_SEQUENTIAL_NEW(__VA_ARGS__, .size = sizeof(kf_sequential_options))
#define KF_SEQUENTIAL_NEW(graph, ...)                                                              \
    kf_sequential_create((graph), &(kf_sequential_options){__VA_ARGS__})
/* Both change the model until it is called on a tensor, and undo its compilation. */
KF_API kf_status kf_sequential_add(kf_model *model, kf_layer *layer);
KF_API kf_status kf_sequential_pop(kf_model *model);
/* input_shape: with the batch axis. */
KF_API kf_status kf_sequential_build(kf_model *model, const kf_shape *input_shape);

/* clone_model: the same layers and names with weights of their own, newly initialised. The graph
 * may be the model's or another. `inputs` are input tensors of that graph to stand upon, one for
 * each of the model's: kf_model_clone(g, model, .inputs = kf_list(x)); without them the clone makes
 * its own, named as the model's. Never NULL; a failure poisons it, as with kf_model_create. */
typedef struct kf_clone_options {
    size_t size;
    kf_tensor *const *inputs; /* ended by NULL */
} kf_clone_options;
KF_API kf_model *kf_model_clone_with(kf_graph *graph, const kf_model *model,
                                     const kf_clone_options *options);
#define kf_model_clone(...) KF_CLONE_CALL(__VA_ARGS__, .size = sizeof(kf_clone_options))
#define KF_CLONE_CALL(graph, model, ...)                                                           \
    kf_model_clone_with((graph), (model), &(kf_clone_options){__VA_ARGS__})

/* The model as a layer: calling it calls its layers again, with the same weights. */
KF_API kf_layer *kf_model_layer(kf_model *model);
KF_API const char *kf_model_name(const kf_model *model);
KF_API kf_graph *kf_model_graph(const kf_model *model);

KF_API int32_t kf_model_inputs(const kf_model *model);
KF_API int32_t kf_model_outputs(const kf_model *model);
KF_API kf_tensor *kf_model_input(const kf_model *model, int32_t index);
KF_API kf_tensor *kf_model_output(const kf_model *model, int32_t index);
KF_API const char *kf_model_input_name(const kf_model *model, int32_t index); /* its layer's name */
KF_API const char *kf_model_output_name(const kf_model *model, int32_t index);

/* Layers by decreasing depth, as Keras's model.layers. */
KF_API int32_t kf_model_layers(const kf_model *model);
KF_API kf_layer *kf_model_layer_at(const kf_model *model, int32_t index);
KF_API kf_layer *kf_model_find_layer(const kf_model *model, const char *name);
/* model.get_layer(name, index): the index wins where both are given, and counts from the end if it
 * is negative. NULL with Keras's message where there is no such layer. */
#define KF_NO_INDEX INT32_MIN
KF_API kf_layer *kf_model_get_layer(const kf_model *model, const char *name, int32_t index);

/* model.weights: trained ones first, then the others. */
KF_API int32_t kf_model_weights(const kf_model *model);
KF_API kf_weight *kf_model_weight(const kf_model *model, int32_t index);
KF_API kf_weight *kf_model_find_weight(const kf_model *model, const char *name);
KF_API int64_t kf_model_parameters(const kf_model *model, int64_t *trainable);

/* Stateful recurrent layers start from zeros again, as model.reset_states() has it. */
KF_API kf_status kf_model_reset_states(kf_model *model);

/* Texts are the caller's: kf_free. */
KF_API void kf_free(void *text);

/* Keras's model.summary(): three columns for a chain of layers, four for all other models. */
enum { KF_MAX_LINE_LENGTH = 1000 };
typedef struct kf_summary_options {
    size_t size;
    int32_t line_length; /* 0: 65 for a chain, else 98; up to KF_MAX_LINE_LENGTH */
    /* Where each column ends, as parts of the line (.33, .55, .67, 1) or in characters; the first 0
     * stands for Keras's. */
    double positions[4];
} kf_summary_options;
KF_API kf_status kf_model_summary_with(const kf_model *model, char **text,
                                       const kf_summary_options *options);
#define kf_model_summary(...) KF_SUMMARY_CALL(__VA_ARGS__, .size = sizeof(kf_summary_options))
#define KF_SUMMARY_CALL(model, text, ...)                                                          \
    kf_model_summary_with((model), (text), &(kf_summary_options){__VA_ARGS__})
KF_API kf_status kf_model_to_json(const kf_model *model, char **text); /* model.to_json() */

/* A model from the text of Keras's to_json(). Poisoned on failure, as with kf_model_create. */
KF_API kf_model *kf_model_from_json(kf_graph *graph, const char *json);

/* A model file of Keras (.h5), compiled as the file says if it has a training configuration. */
KF_API kf_model *kf_load(kf_graph *graph, const char *path);
typedef struct kf_load_options {
    size_t size;
    bool no_compile; /* architecture and weights only, as load_model(compile=False) */
} kf_load_options;
KF_API kf_model *kf_load_with(kf_graph *graph, const char *path, const kf_load_options *options);

typedef struct kf_save_options {
    size_t size;
    bool no_optimizer; /* include_optimizer=False */
    /* "2.2" (default), or "3": in the words of Keras 3, which loads it compiled; a warning names
     * what cannot be said there. kf reads both alike. */
    const char *dialect;
} kf_save_options;
/* Writes what Keras's model.save() writes; atomic: the old file stays until the new one is whole.
 * A group of kf's own says what Keras loses, so that training goes on from the file (kf_fit's
 * .resume) as if it had never stopped. */
KF_API kf_status kf_save_with(kf_model *model, const char *path, const kf_save_options *options);
#define kf_save(...) KF_SAVE_CALL(__VA_ARGS__, .size = sizeof(kf_save_options))
#define KF_SAVE_CALL(model, path, ...)                                                             \
    kf_save_with((model), (path), &(kf_save_options){__VA_ARGS__})
KF_API kf_status kf_save_weights(const kf_model *model, const char *path);
/* Everything is checked and read before the first weight changes: on failure the model is as it
 * was. Files of Keras 1 and of the Theano backend are converted. */
KF_API kf_status kf_load_weights(kf_model *model, const char *path);
typedef struct kf_load_weights_options {
    size_t size;
    /* Layers are paired by their names, not in order; a nested model is one layer. Others keep
     * their weights, and a warning (kf_graph_on_warning) names them. */
    bool by_name;
    bool skip_mismatch; /* with by_name: what does not fit keeps its values, with a warning */
    bool reshape;       /* as many numbers in another shape fit too */
} kf_load_weights_options;
KF_API kf_status kf_load_weights_with(kf_model *model, const char *path,
                                      const kf_load_weights_options *options);

#ifdef __cplusplus
}
#endif
#endif
