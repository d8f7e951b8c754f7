/* Matrix products: the one door to the BLAS. A call runs on the calling thread alone. */
#ifndef KFI_OPS_KERNELS_GEMM_H
#define KFI_OPS_KERNELS_GEMM_H

#include <stdbool.h>
#include <stdint.h>

/* c (m, n) = a (m, k) times b (k, n), or c += that. Row-major; *_row is the distance between rows
 * as stored; transposed operands are stored (k, m) and (n, k). No dimension exceeds INT32_MAX. */
typedef struct kfi_product {
    int64_t m, n, k;
    const float *a, *b;
    float *c;
    int64_t a_row, b_row, c_row;
    bool transpose_a, transpose_b, accumulate;
} kfi_product;

void kfi_gemm(const kfi_product *product);

/* Every thread that will call kfi_gemm calls enter before and leave after its part of a run; pairs
 * may nest. In between the BLAS starts no threads of its own; the caller's settings come back. */
void kfi_gemm_enter(void);
void kfi_gemm_leave(void);

/* Which BLAS is loaded: "OpenBLAS 0.3.21 … (SkylakeX)", or "a BLAS of unknown make". */
const char *kfi_gemm_library(void);

#endif
