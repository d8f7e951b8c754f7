/* A library that says it is HDF5 of OTHER_RELEASE and has nothing more. */
#include <hdf5.h>

__attribute__((visibility("default"))) herr_t H5get_libversion(unsigned *major, unsigned *minor,
                                                               unsigned *release) {
    *major = H5_VERS_MAJOR;
    *minor = H5_VERS_MINOR;
    *release = OTHER_RELEASE;
    return 0;
}

__attribute__((visibility("default"))) herr_t H5open(void) { return 0; }
