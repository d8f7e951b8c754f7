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

const char *tool_shape_text(const kf_shape *shape, char text[TOOL_SHAPE_TEXT]) {
    size_t used = (size_t)snprintf(text, TOOL_SHAPE_TEXT, "(");
    for (int32_t i = 0; i < shape->rank; i++) {
        if (shape->dims[i] == KF_ANY)
            used += (size_t)snprintf(text + used, TOOL_SHAPE_TEXT - used, "%sNone", i ? ", " : "");
        else
            used += (size_t)snprintf(text + used, TOOL_SHAPE_TEXT - used, "%s%lld", i ? ", " : "",
                                     (long long)shape->dims[i]);
    }
    snprintf(text + used, TOOL_SHAPE_TEXT - used, shape->rank == 1 ? ",)" : ")");
    return text;
}

/* Bytes beyond ASCII are left as they are: UTF-8 in, UTF-8 out. */
void tool_print_json_text(const char *text) {
    putchar('"');
    for (; *text; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            printf("\\%c", byte);
        else if (byte < 0x20)
            printf("\\u%04x", byte);
        else
            putchar(byte);
    }
    putchar('"');
}

void tool_print_json_shape(const kf_shape *shape) {
    putchar('[');
    for (int32_t i = 0; i < shape->rank; i++)
        shape->dims[i] == KF_ANY ? printf("%snull", i ? ", " : "")
                                 : printf("%s%lld", i ? ", " : "", (long long)shape->dims[i]);
    putchar(']');
}

kf_status tool_flush_results(void) {
    if (fflush(stdout) == 0 && !ferror(stdout)) return KF_OK;
    return tool_fail(KF_IO, "cannot write to standard output: %s", strerror(errno));
}

void tool_start(void) { signal(SIGXFSZ, SIG_IGN); }
