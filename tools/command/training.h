/* How a model is to be trained, as options say it. Values for one output only are written
 * OUTPUT=VALUE, several with commas: --loss main=binary_crossentropy,aux=mean_squared_error. */
#ifndef TOOL_TRAINING_H
#define TOOL_TRAINING_H

#include "options.h"

typedef struct tool_training_options {
    const char *optimizer;
    tool_list losses, loss_weights, metrics;
} tool_training_options;

#define TOOL_TRAINING_OPTIONS(struct_type, member)                                                 \
    TOOL_OPTION(struct_type, member.optimizer, "optimizer", tool_text, .argument = "TEXT",         \
                .help = "such as \"adam(lr=0.001)\"; default: rmsprop"),                           \
        TOOL_OPTION(struct_type, member.losses, "loss", tool_texts, .argument = "[OUTPUT=]NAME",   \
                    .help = "for all outputs or one; commas or repeated"),                         \
        TOOL_OPTION(struct_type, member.loss_weights, "loss-weights", tool_texts,                  \
                    .argument = "OUTPUT=NUMBER", .help = "weight of an output's loss; default 1"), \
        TOOL_OPTION(struct_type, member.metrics, "metrics", tool_texts,                            \
                    .argument = "[OUTPUT=]NAME",                                                   \
                    .help = "such as accuracy, for all outputs or one")

/* Whether any of them was given. */
bool tool_training_given(const tool_training_options *options);

/* Compiles the model as the options say; a model file that is compiled already stays as it is if
 * none was given. Prints what is wrong. */
kf_status tool_compile(kf_model *model, const tool_training_options *options);

/* --threads: warns if there are fewer CPUs than that. */
void tool_check_threads(int64_t threads);

#endif
