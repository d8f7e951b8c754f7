/* How a model is to be trained, as options say it. Values for one output only are written
 * OUTPUT=VALUE, several with commas: --loss main=binary_crossentropy,aux=mean_squared_error. */
#ifndef TOOL_TRAINING_H
#define TOOL_TRAINING_H

#include "options.h"

typedef struct tool_training_options {
    const char *optimizer;
    tool_list losses, loss_weights, metrics, weighted_metrics, modes;
    double memory_limit; /* megabytes */
    bool exact_convolution;
} tool_training_options;

#define TOOL_TRAINING_OPTIONS(struct_type, member)                                                 \
    TOOL_OPTION(struct_type, member.optimizer, "optimizer", tool_text, .argument = "TEXT",         \
                .help = "such as \"adam(lr=0.001)\"; default: rmsprop"),                           \
        TOOL_OPTION(struct_type, member.losses, "loss", tool_texts, .argument = "[OUTPUT=]NAME",   \
                    .help = "for all outputs or one; commas or repeated"),                         \
        TOOL_OPTION(struct_type, member.loss_weights, "loss-weights", tool_texts,                  \
                    .argument = "[OUTPUT=]NUMBER",                                                 \
                    .help = "of an output's loss, by name or in order; default 1"),                \
        TOOL_OPTION(struct_type, member.metrics, "metrics", tool_texts,                            \
                    .argument = "[OUTPUT=]NAME",                                                   \
                    .help = "such as accuracy, for all outputs or one"),                           \
        TOOL_OPTION(struct_type, member.weighted_metrics, "weighted-metrics", tool_texts,          \
                    .argument = "[OUTPUT=]NAME", .help = "metrics that weigh samples too"),        \
        TOOL_OPTION(struct_type, member.modes, "sample-weight-mode", tool_texts,                   \
                    .argument = "[OUTPUT=]temporal", .help = "a weight for each timestep"),        \
        TOOL_OPTION(struct_type, member.memory_limit, "memory-limit", tool_real, .argument = "MB", \
                    .low = 1e-3, .high = 1e9,                                                      \
                    .help = "what a step may take; default: what is free"),                        \
        TOOL_OPTION(struct_type, member.exact_convolution, "exact-convolution", tool_flag,         \
                    .help = "no Winograd convolutions, which round more")

/* Whether any of them was given. */
bool tool_training_given(const tool_training_options *options);

/* Compiles the model as the options say; a model file that is compiled already stays as it is if
 * none was given. Prints what is wrong. */
kf_status tool_compile(kf_model *model, const tool_training_options *options);

/* --threads: warns if there are fewer CPUs than that. */
void tool_check_threads(int64_t threads);

#endif
