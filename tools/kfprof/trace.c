/* The trace event format of Chrome, one event a line. Times there are microseconds; ours have
 * three decimals, so that nothing is lost. */
#include "../command/report.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Names come from a model file: anything may be in them. */
static void write_string(FILE *file, const char *text) {
    fputc('"', file);
    for (; text != NULL && *text != '\0'; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20)
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

static void write_thread(FILE *file, int32_t worker) {
    fprintf(file,
            "{\"ph\":\"M\",\"pid\":1,\"tid\":%d,\"name\":\"thread_name\",\"args\":{\"name\":"
            "\"worker %d\"}},\n",
            worker, worker);
}

static void write_event(FILE *file, const kf_profile_event *event) {
    fprintf(file,
            "{\"ph\":\"X\",\"pid\":1,\"tid\":%d,\"ts\":%.3f,\"dur\":%.3f,\"name\":", event->worker,
            (double)event->start_ns / 1e3, (double)(event->end_ns - event->start_ns) / 1e3);
    write_string(file, event->name);
    fputs(",\"cat\":", file);
    write_string(file, event->direction);
    fputs(",\"args\":{\"op\":", file);
    write_string(file, event->op);
    fprintf(file, ",\"call\":%d,\"step\":%d,\"tiles\":%d}}", event->call, event->step,
            event->tiles);
}

kf_status kfprof_write_trace(const kf_profile *profile, const char *path) {
    FILE *file = fopen(path, "w");
    if (file == NULL) return tool_fail(KF_IO, "cannot write %s: %s", path, strerror(errno));
    fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[\n", file);
    for (int32_t worker = 0; worker < kf_profile_total(profile).workers; worker++)
        write_thread(file, worker);
    fputs("{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"kf\"}}", file);
    for (int64_t i = 0; i < kf_profile_events(profile); i++) {
        const kf_profile_event event = kf_profile_event_at(profile, i);
        fputs(",\n", file);
        write_event(file, &event);
    }
    fputs("\n]}\n", file);
    const int failed = ferror(file);
    if (fclose(file) == 0 && !failed) return KF_OK;
    const kf_status status = tool_fail(KF_IO, "cannot write %s: %s", path, strerror(errno));
    unlink(path);
    return status;
}
