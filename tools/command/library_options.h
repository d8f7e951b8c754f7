/* Options that the library itself tells of (kf/options.h), as rows of an option table and as help.
 */
#ifndef TOOL_LIBRARY_OPTIONS_H
#define TOOL_LIBRARY_OPTIONS_H

#include "options.h"

/* Appends a row for every option of `kind` that is one value: "batch_size" becomes --batch-size.
 * Its member is that of the library's struct, which begins at `offset` of the caller's. `rows` ends
 * with TOOL_OPTIONS_END before and after and has `room` rows in all. Once in a run of a program. */
kf_status tool_add_library_options(const char *kind, size_t offset, tool_option *rows,
                                   int32_t room);

/* Prints the names of a kind ("optimizers"), or the options of one of them ("adam"). *known: there
 * is such a topic. */
void tool_print_topic(const char *topic, bool *known);

/* The topics, one line each. */
void tool_print_topics(void);

#endif
