#include "io/hdf5_library.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

kfi_hdf5_library kfi_h5;

static bool loaded; /* under the lock, as the library is */

/* What must be found, and where in kfi_h5 its address belongs. */
typedef struct symbol {
    const char *name;
    size_t place;
    bool is_id;
} symbol;

/* HDF5's headers give some functions other names, by macros: hence the text of what H5… becomes. */
#define TEXT_OF(name) #name
#define TEXT(name)    TEXT_OF(name)
static const symbol symbols[] = {
#define KFI_HDF5_FUNCTION(name) {TEXT(H5##name), offsetof(kfi_hdf5_library, name), false},
#define KFI_HDF5_ID(name)       {TEXT(H5##name), offsetof(kfi_hdf5_library, name), true},
#include "io/hdf5_symbol_list.h"
};
enum { N_SYMBOLS = sizeof symbols / sizeof symbols[0] };

static kf_status find(void *library, const char *name, void *place) {
    const void *address = dlsym(library, name);
    if (!address) return kfi_fail(KF_IO, "%s has no %s", KFI_HDF5_SONAME, name);
    memcpy(place, &address, sizeof address);
    return KF_OK;
}

/* HDF5 asks for the very release whose headers were compiled, since structures may have changed;
 * its own check ends the process. */
static kf_status check_version(void *library) {
    __typeof__(H5get_libversion) *get_version = NULL;
    const kf_status status = find(library, "H5get_libversion", &get_version);
    if (status != KF_OK) return status;
    unsigned major = 0, minor = 0, release = 0;
    get_version(&major, &minor, &release);
    if (major == H5_VERS_MAJOR && minor == H5_VERS_MINOR && release == H5_VERS_RELEASE)
        return KF_OK;
    return kfi_fail(KF_IO, "%s is HDF5 %u.%u.%u, but kf was compiled for %d.%d.%d", KFI_HDF5_SONAME,
                    major, minor, release, H5_VERS_MAJOR, H5_VERS_MINOR, H5_VERS_RELEASE);
}

/* Where the program is linked to HDF5 itself, its linker may have moved the library's variables
 * into the program: then those are set, and the library's own never. */
static kf_status find_id(void *library, const char *name, hid_t **place) {
    const kf_status status = find(library, name, place);
    if (status != KF_OK || **place >= 0) return status;
    *place = dlsym(RTLD_DEFAULT, name);
    if (*place && **place >= 0) return KF_OK;
    return kfi_fail(KF_IO, "%s leaves %s unset", KFI_HDF5_SONAME, name);
}

/* Sets the library's variables. */
static kf_status initialise(void *library) {
    __typeof__(H5open) *open_library = NULL;
    const kf_status status = find(library, "H5open", &open_library);
    if (status != KF_OK || open_library() >= 0) return status;
    return kfi_fail(KF_IO, "%s cannot initialise itself", KFI_HDF5_SONAME);
}

static kf_status find_all(void *library) {
    kf_status status = check_version(library);
    if (status == KF_OK) status = initialise(library);
    for (int i = 0; i < N_SYMBOLS && status == KF_OK; i++) {
        void *place = (char *)&kfi_h5 + symbols[i].place;
        status = symbols[i].is_id ? find_id(library, symbols[i].name, place)
                                  : find(library, symbols[i].name, place);
    }
    return status;
}

kf_status kfi_hdf5_load(void) {
    if (loaded) return KF_OK;
    void *library = dlopen(KFI_HDF5_SONAME, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        const char *why = dlerror();
        return kfi_fail(KF_IO, "%s cannot be loaded: %s", KFI_HDF5_SONAME, why ? why : "no reason");
    }
    const kf_status status = find_all(library);
    if (status != KF_OK) dlclose(library);
    loaded = status == KF_OK;
    return status;
}
