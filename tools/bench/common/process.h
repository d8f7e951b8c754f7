/* A program that measures when it is told to: it is started once, says that it is ready, and from
 * then on answers a line with a line. So two programs can be measured in turn, each in a process of
 * its own that is warm. */
#ifndef BENCH_PROCESS_H
#define BENCH_PROCESS_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

typedef struct bench_process {
    pid_t pid; /* 0: not running */
    FILE *to, *from;
    char answer[256]; /* the last one, without its end */
} bench_process;

/* argv ends with NULL; argv[0] is looked up in PATH. False if it does not start and answer; what it
 * complains about goes to standard error. */
bool bench_process_start(bench_process *process, char *const *argv);
/* False where there is no answer: the program has ended. */
bool bench_process_ask(bench_process *process, const char *question);
/* The most memory it ever held, in MB (10^6 bytes); NaN if unknown. */
double bench_process_peak_mb(const bench_process *process);
/* Waits until it has ended. */
void bench_process_stop(bench_process *process);

/* Seconds from the start to the end of a program that is not talked to; NaN if it fails. */
double bench_process_time(char *const *argv);

/* The number behind "key=" in an answer; NaN if there is none. */
double bench_value(const char *answer, const char *key);

#endif
