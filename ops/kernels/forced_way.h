/* KF_CONV=direct|few|winograd|patches: the way that convolutions go wherever it fits, for tests and
 * benchmarks; NULL: each the one that should be fastest. Read once. */
#ifndef KFI_OPS_KERNELS_FORCED_WAY_H
#define KFI_OPS_KERNELS_FORCED_WAY_H

const char *kfi_forced_way(void);

#endif
