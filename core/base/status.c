/* The last message of a thread lives in that thread: no lock, no allocation, no owner to free it.
 */
#include "core/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024 };

static _Thread_local char last_message[MESSAGE_BYTES];
static _Thread_local kf_status last_status;

const char *kf_last_error(void) { return last_message; }

kf_status kf_last_status(void) { return last_status; }

kf_status kfi_fail(kf_status status, const char *format, ...) {
    char message[MESSAGE_BYTES]; /* apart, since an argument may be the old message */
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    memcpy(last_message, message, sizeof message);
    last_status = status;
    return status;
}

kf_status kfi_within(kf_status status, const char *format, ...) {
    if (status == KF_OK) return status;
    char prefix[MESSAGE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(prefix, sizeof prefix, format, arguments);
    va_end(arguments);
    return kfi_fail(status, "%s%s", prefix, last_message);
}
