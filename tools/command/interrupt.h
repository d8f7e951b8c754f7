/* SIGINT and SIGTERM let the batch under way end. A second signal of the same kind ends the program
 * as usual. */
#ifndef TOOL_INTERRUPT_H
#define TOOL_INTERRUPT_H

#include "kf.h"

/* From now on a signal suspends the training of `model`. The callback belongs among those of the
 * fit: it catches a signal that came before the fit began. */
kf_callback *tool_suspend_on_signals(kf_model *model);

/* From now on a signal stops the evaluation or prediction that has this callback. */
kf_callback *tool_stop_on_signals(void);

/* The exit code that a shell has for what a signal ended, 128 + its number; KF_OK if none came. */
kf_status tool_signal_status(void);

/* For the end of an evaluation or prediction: prints what is wrong, says `lost` of one that a
 * signal stopped, and returns what to exit with. */
kf_status tool_fail_run(kf_status status, const char *lost);

#endif
