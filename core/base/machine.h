/* What the machine has to give. */
#ifndef KFI_BASE_MACHINE_H
#define KFI_BASE_MACHINE_H

#include <stddef.h>

/* Bytes that can be taken without pushing other programs out of memory, inside the limit of a
 * container; SIZE_MAX where the system does not tell. */
size_t kfi_memory_free(void);

#endif
