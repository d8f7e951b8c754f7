/* The HDF5 library, loaded when the first file is opened, and the only includer of hdf5.h.
 * kfi_h5.Dopen2(…) is H5Dopen2(…), *kfi_h5.T_NATIVE_FLOAT_g is H5T_NATIVE_FLOAT; types, and
 * constants that are numbers, have HDF5's names. README.md says why it is not linked. */
#ifndef KFI_IO_HDF5_LIBRARY_H
#define KFI_IO_HDF5_LIBRARY_H

#include "core/base/status.h"

#include <hdf5.h>

/* Constants like H5F_ACC_RDONLY would call the library to check and initialise it; the loader has
 * done the one, every call does the other. */
#undef H5CHECK
#undef H5OPEN
#define H5CHECK
#define H5OPEN

typedef struct kfi_hdf5_library {
#define KFI_HDF5_FUNCTION(name) __typeof__(H5##name) *name;
#define KFI_HDF5_ID(name)       hid_t *name;
#include "io/hdf5_symbol_list.h"
} kfi_hdf5_library;

/* Written once, by the load that succeeds; used between kfi_hdf5_enter and leave only. */
extern kfi_hdf5_library kfi_h5;

/* Under the lock that kfi_hdf5_enter takes: loads the library unless it is loaded. KF_IO says what
 * is missing or of another version; the next call tries again. It is never unloaded. */
kf_status kfi_hdf5_load(void);

#endif
