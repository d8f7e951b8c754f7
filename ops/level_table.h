/* The table of all ops at one SIMD level: registry.c includes this once per level, examples.c for
 * its own, with KFI_LEVEL and KFI_LEVEL_TABLE defined. No include guard, therefore. */
#define KFI_OP_LINE(symbol) extern const kfi_op KFI_OP(symbol);
#include "ops/op_list.h"
#undef KFI_OP_LINE

static const kfi_op *const KFI_LEVEL_TABLE[] = {
#define KFI_OP_LINE(symbol) &KFI_OP(symbol),
#include "ops/op_list.h"
#undef KFI_OP_LINE
    NULL,
};
#undef KFI_LEVEL
#undef KFI_LEVEL_TABLE
