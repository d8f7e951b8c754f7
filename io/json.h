/* JSON text to variants and back (jansson): the only file that knows the JSON library. */
#ifndef KFI_IO_JSON_H
#define KFI_IO_JSON_H

#include "core/base/variant.h"

/* `what` names the text in messages ("model.json", "model_config of m.h5"), with line and column.
 * Depth, duplicate keys, integers beyond int64 and NaN are refused. A string may hold \u0000, as
 * the bytecode of a Lambda does; to the readers of variants it ends there. */
kf_status kfi_json_parse(const char *text, size_t bytes, const char *what, kfi_variant **variant);

/* Compact, as Python's json.dumps writes it by default: ", " and ": " between, non-ASCII as \u.
 * Reals as Python's repr (the shortest text that reads back the same). Freed with kfi_free. */
kf_status kfi_json_print(const kfi_variant *variant, char **text);

#endif
