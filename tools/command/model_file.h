/* A model as tools are given it: a Keras .h5 file, or the text of to_json(). */
#ifndef TOOL_MODEL_FILE_H
#define TOOL_MODEL_FILE_H

#include "kf.h"

/* The content decides which of the two it is, not the name. `weights` (may be NULL) is a file of
 * weights to load into it. The graph owns the model. Prints what is wrong,
 * and from now on the warnings of the graph. */
kf_status tool_model_open(kf_graph *graph, const char *path, const char *weights, kf_model **model);

#endif
