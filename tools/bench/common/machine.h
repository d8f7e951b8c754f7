/* The machine that numbers are from, and its limits, measured: multiply-adds and memory. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stdint.h>
#include <stdio.h>

/* CPUs that this process may use. */
int32_t bench_cpus(void);

/* "Intel(R) Xeon(R) Processor, 2 CPUs", and what kf is on it (kf_about); each line begins with
 * `prefix`. */
void bench_print_machine(FILE *file, const char *prefix);

/* GFLOP/s of float multiply-adds in registers, at the widest vectors of this CPU. */
double bench_measure_peak(int32_t threads);

/* GB/s of a = b + s * c over arrays that no cache holds, 12 bytes an element. NaN where memory for
 * them is short. */
double bench_measure_bandwidth(int32_t threads);

#endif
