/* The examples of all ops. They stand beside the kernels, which are compiled once more to get at
 * them; those kernels never run. */
#include "ops/op.h"

#include <string.h>

#define KFI_LEVEL_TABLE ops_with_examples
#include "ops/level_table.h"

const kfi_example *kfi_op_examples(const kfi_op *op) {
    for (const kfi_op *const *at = ops_with_examples; *at; at++)
        if (strcmp((*at)->name, op->name) == 0) return (*at)->examples;
    return NULL;
}
