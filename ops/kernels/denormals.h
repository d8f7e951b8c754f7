/* Numbers below 1.2e-38 count as zero while kernels run: accumulators of squares that fade out
 * (Adam's v of a dead unit) fall into that range, where an operation takes a hundred times as long.
 * TensorFlow's kernels do the same. */
#ifndef KFI_OPS_KERNELS_DENORMALS_H
#define KFI_OPS_KERNELS_DENORMALS_H

/* For the calling thread; pairs may nest. */
void kfi_denormals_enter(void);
void kfi_denormals_leave(void);

#endif
