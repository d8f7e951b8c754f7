/* A model as tools are given it: a Keras .h5 file, or the text of to_json(). */
#ifndef TOOL_MODEL_FILE_H
#define TOOL_MODEL_FILE_H

#include "options.h"

/* A file of weights to load into a model, and how. */
typedef struct tool_weights {
    const char *file; /* NULL: none */
    bool by_name, skip_mismatch;
} tool_weights;

/* The rows of an option table that fill a tool_weights inside of `struct_type`. */
#define TOOL_WEIGHTS_OPTIONS(struct_type, member)                                                  \
    TOOL_OPTION(struct_type, member.file, "weights", tool_text, .argument = "FILE.h5",             \
                .help = "load the weights in this file first"),                                    \
        TOOL_OPTION(struct_type, member.by_name, "by-name", tool_flag,                             \
                    .help = "pair the layers of --weights by name; others keep theirs"),           \
        TOOL_OPTION(struct_type, member.skip_mismatch, "skip-mismatch", tool_flag,                 \
                    .help = "with --by-name: leave out what does not fit")

/* Whether a file begins as HDF5 files do; prints why if it cannot be read. */
kf_status tool_is_hdf5(const char *path, bool *hdf5);

/* The content decides which of the two it is, not the name. `weights` may be
 * NULL. The graph owns the model. Prints what is wrong, and from now on the warnings of the graph.
 */
kf_status tool_model_open(kf_graph *graph, const char *path, const tool_weights *weights,
                          kf_model **model);

#endif
