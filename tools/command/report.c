#include "report.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void speak(const char *kind, const char *format, va_list arguments) {
    fflush(stdout); /* so that the order on a terminal is the order of events */
    fprintf(stderr, "%s: %s", program_invocation_short_name, kind);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

kf_status tool_fail(kf_status status, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    speak("", format, arguments);
    va_end(arguments);
    return status;
}

kf_status tool_fail_kf(kf_status status) {
    return status == KF_OK ? KF_OK : tool_fail(status, "%s", kf_last_error());
}

void tool_say(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    speak("", format, arguments);
    va_end(arguments);
}

void tool_warn(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    speak("warning: ", format, arguments);
    va_end(arguments);
}

void tool_print_value(const char *name, double value) {
    /* the rule of Keras's Progbar */
    printf(fabs(value) > 1e-3 || value == 0 ? "%s %.4f\n" : "%s %.4e\n", name, value);
}

kf_status tool_flush_results(void) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return KF_OK;
    return tool_fail(KF_IO, "cannot write to standard output: %s", strerror(errno));
}

void tool_start(void) { signal(SIGXFSZ, SIG_IGN); }
