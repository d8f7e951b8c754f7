/* Layers as other versions of Keras write them, in the words of Keras 2.2.4. */
#ifndef KFI_MODEL_DIALECT_H
#define KFI_MODEL_DIALECT_H

#include "core/base/variant.h"

/* Changes *class_name, and makes a config with the arguments of today, freed by the caller; NULL:
 * it can stay as it is. */
kf_status kfi_dialect_translate(const kfi_variant *config, const char **class_name,
                                kfi_variant **translated);

#endif
