/* How the inside of kf fails: one line that stores a message and gives the status to return. */
#ifndef KFI_BASE_STATUS_H
#define KFI_BASE_STATUS_H

#include "kf/status.h"

/* Stores the message for this thread and returns `status`: `return kfi_fail(KF_INVALID, …);`.
 * Allocates nothing, so it works when memory is gone. Messages are cut at 1023 bytes. */
kf_status kfi_fail(kf_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Puts a prefix (a layer's or a file's name) before the message of the failure that is being
 * handed up: `return kfi_within(status, "%s: ", layer->name);`. With KF_OK it does nothing. */
kf_status kfi_within(kf_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
