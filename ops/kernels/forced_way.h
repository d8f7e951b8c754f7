/* What tests and benchmarks may force, by shape else. NULL: nothing. Read once. */
#ifndef KFI_OPS_KERNELS_FORCED_WAY_H
#define KFI_OPS_KERNELS_FORCED_WAY_H

/* KF_CONV=direct|few|winograd|patches: the way that convolutions go wherever it fits. */
const char *kfi_forced_way(void);

/* KF_RECURRENT=rows|units: how recurrences are cut into tiles. */
const char *kfi_forced_cut(void);

#endif
