/* How a tool speaks: results on stdout, everything else on stderr after the program's name. Whoever
 * finds an error prints it, once; callers only hand the status up to main, which exits with it. */
#ifndef TOOL_REPORT_H
#define TOOL_REPORT_H

#include "kf.h"

/* Prints "kfrun: message" and returns `status`: `return tool_fail(KF_USAGE, …);`. */
kf_status tool_fail(kf_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* The same with the library's own message; with KF_OK it prints nothing. */
kf_status tool_fail_kf(kf_status status);

/* "kfrun: message", of something that is no failure. */
void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* "kfrun: warning: message". */
void tool_warn(const char *format, ...) __attribute__((format(printf, 1, 2), cold));

/* A number of training or evaluation as Keras writes it: "loss 0.3012", "loss 2.0000e-05". */
void tool_print_value(const char *name, double value);

/* A shape as Python writes it, "(None, 4)", into `text`, which is returned. */
enum { TOOL_SHAPE_TEXT = 24 * KF_MAX_RANK };
const char *tool_shape_text(const kf_shape *shape, char text[TOOL_SHAPE_TEXT]);

/* Parts of JSON, to standard output: a text with its quotes, a shape as a list. */
void tool_print_json_text(const char *text);
void tool_print_json_shape(const kf_shape *shape);

/* Before exit: what was written to stdout must have arrived there. */
kf_status tool_flush_results(void);

/* At the start of main: a full disk or a file-size limit is an error like others, not a signal. */
void tool_start(void);

#endif
