/* The subcommands of kfrun: each parses its own arguments, prints what it finds wrong, and returns
 * the exit code of the program. argv[0] is the subcommand's name. */
#ifndef KFRUN_COMMANDS_H
#define KFRUN_COMMANDS_H

#include "kf.h"

kf_status kfrun_train(int argc, char **argv);
kf_status kfrun_evaluate(int argc, char **argv);
kf_status kfrun_predict(int argc, char **argv);
kf_status kfrun_summary(int argc, char **argv);
kf_status kfrun_data(int argc, char **argv);
kf_status kfrun_convert(int argc, char **argv);
kf_status kfrun_check(int argc, char **argv);

#endif
