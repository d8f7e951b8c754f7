/* What kfrun check does with files that are no models. */
#ifndef KFRUN_CHECK_H
#define KFRUN_CHECK_H

#include "../command/options.h"

/* Prints all that stands in the file, reads every array, and fails if kf could not use one. */
kf_status kfrun_check_arrays(const char *path, const char *group, const kf_file_about *about,
                             bool json);

#endif
