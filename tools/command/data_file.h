/* Data as tools are given it: "FILE.h5", or "FILE.h5:group" for the datasets of one group. */
#ifndef TOOL_DATA_FILE_H
#define TOOL_DATA_FILE_H

#include "options.h"

typedef struct tool_data_options {
    const char *group, *rows; /* "100:200" */
    tool_list maps;           /* "input=dataset" */
    tool_list scales;         /* "field=1/255"   */
    tool_list preparations;   /* "field=one_hot(10)", applied after the scales */
} tool_data_options;

/* The rows of an option table that fill a tool_data_options inside of `struct_type`. */
#define TOOL_DATA_OPTIONS(struct_type, member)                                                     \
    TOOL_OPTION(struct_type, member.group, "group", tool_text, .argument = "NAME",                 \
                .help = "take the datasets of this group of the data file"),                       \
        TOOL_OPTION(struct_type, member.maps, "map", tool_texts, .argument = "FIELD=DATASET",      \
                    .help = "the model's input or output and its dataset; repeatable"),            \
        TOOL_OPTION(struct_type, member.scales, "scale", tool_texts, .argument = "FIELD=FACTOR",   \
                    .help = "multiply a field, say image=1/255; repeatable"),                      \
        TOOL_OPTION(struct_type, member.preparations, "prepare", tool_texts,                       \
                    .argument = "FIELD=HOW",                                                       \
                    .help = "such as label=one_hot(10); see 'kfrun help preparations'"),           \
        TOOL_OPTION(struct_type, member.rows, "rows", tool_text, .argument = "START:END",          \
                    .help = "take these rows of DATA; without END, to the last")

enum { TOOL_MAX_PATH = 4096 };

/* "FILE:group" into its parts; *group stays as it is if the text names none. A file may have a
 * colon in its name: only where there is no such file does the last one divide. */
kf_status tool_data_split(const char *text, char path[TOOL_MAX_PATH], const char **group);

/* Opens what `text` names, with the fields that are named like the model's inputs and outputs (or
 * OUTPUT_sample_weight, sample_weight), or mapped to them. A group in the text goes before the
 * option's. Freed by kf_dataset_free. Prints what is wrong; a field that is missing is noticed by
 * whoever needs it. */
kf_status tool_data_open(const char *text, const tool_data_options *options, const kf_model *model,
                         kf_dataset **data);

#endif
