#include "process.h"

#include "statistics.h"

#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static bool read_answer(bench_process *process) {
    if (!fgets(process->answer, sizeof process->answer, process->from)) return false;
    process->answer[strcspn(process->answer, "\n")] = '\0';
    return true;
}

static bool spawn(bench_process *process, char *const *argv, const int in[2], const int out[2]) {
    posix_spawn_file_actions_t actions;
    if (posix_spawn_file_actions_init(&actions) != 0) return false;
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    const int failure = posix_spawnp(&process->pid, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return failure == 0;
}

bool bench_process_start(bench_process *process, char *const *argv) {
    int in[2], out[2];
    *process = (bench_process){0};
    /* no other program that is started later may hold an end of these */
    if (pipe2(in, O_CLOEXEC) != 0) return false;
    if (pipe2(out, O_CLOEXEC) != 0) {
        close(in[0]), close(in[1]);
        return false;
    }
    const bool started = spawn(process, argv, in, out);
    close(in[0]), close(out[1]);
    process->to = fdopen(in[1], "w");
    process->from = fdopen(out[0], "r");
    if (started && process->to && process->from && read_answer(process)) return true;
    bench_process_stop(process);
    return false;
}

bool bench_process_ask(bench_process *process, const char *question) {
    return process->to && fprintf(process->to, "%s\n", question) > 0 && fflush(process->to) == 0 &&
           read_answer(process);
}

/* VmHWM and not getrusage, which counts the process that it was forked from. */
double bench_process_peak_mb(const bench_process *process) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", (int)process->pid);
    FILE *file = process->pid > 0 ? fopen(path, "r") : NULL;
    double peak = NAN;
    while (file && fgets(line, sizeof line, file))
        if (strncmp(line, "VmHWM:", 6) == 0) peak = 1024e-6 * strtod(line + 6, NULL);
    if (file) fclose(file);
    return peak;
}

void bench_process_stop(bench_process *process) {
    if (process->to) fclose(process->to);
    if (process->from) fclose(process->from);
    if (process->pid > 0) waitpid(process->pid, NULL, 0);
    *process = (bench_process){0};
}

double bench_process_time(char *const *argv) {
    pid_t pid;
    int how;
    const double start = bench_now();
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0) return NAN;
    const bool ended = waitpid(pid, &how, 0) == pid;
    return ended && WIFEXITED(how) && WEXITSTATUS(how) == 0 ? bench_now() - start : NAN;
}

double bench_value(const char *answer, const char *key) {
    const size_t length = strlen(key);
    for (const char *at = strstr(answer, key); at; at = strstr(at + 1, key))
        if ((at == answer || at[-1] == ' ') && at[length] == '=')
            return strtod(at + length + 1, NULL);
    return NAN;
}
