#ifndef KF_TESTS_REPLAY_H
#define KF_TESTS_REPLAY_H

#include <stdbool.h>

/* Whether kf computes what the golden case of this file says; prints what differs. */
bool replay_case(const char *path);

#endif
