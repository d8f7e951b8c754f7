/* In place of tbb.cpp and openmp.c, in builds without peers. */
#include "contender.h"

const bench_contender bench_peers[] = {{0}};
