/* expf, expm1f, logf, log1pf and tanhf for `omp simd` loops.
 * With gcc on x86-64 the loops call glibc's libmvec, which states at most 4 ulp of error in the
 * range of normal floats (tests/ops/elementwise.c holds it to that); elsewhere, and outside of
 * vector loops, they are the C library's functions (1 ulp). Calls must stand outside of branches.
 * Measured there, for each element: expf 0.46 ns against 3.3 scalar, tanhf 0.72 against 12.4. */
#ifndef KFI_OPS_VECTOR_MATH_H
#define KFI_OPS_VECTOR_MATH_H

#include <math.h>

#if defined(__clang__)
/* clang keeps `omp simd` loops with calls scalar, and need not say so each time */
#pragma clang diagnostic ignored "-Wpass-failed"
#elif defined(__x86_64__) && defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 35)
#pragma omp declare simd notinbranch
extern float expf(float x);
#pragma omp declare simd notinbranch
extern float expm1f(float x);
#pragma omp declare simd notinbranch
extern float logf(float x);
#pragma omp declare simd notinbranch
extern float log1pf(float x);
#pragma omp declare simd notinbranch
extern float tanhf(float x);
#endif
#endif

#endif
