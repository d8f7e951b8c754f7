/* Every op, one line each: KFI_OP_LINE(symbol) with the symbol of ops/FILE.c's KFI_OP(symbol). */
