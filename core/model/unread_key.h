/* Keys of a layer's config that no option of the layer has taken. */
#ifndef KFI_MODEL_UNREAD_KEY_H
#define KFI_MODEL_UNREAD_KEY_H

#include "core/base/variant.h"

/* Whether ignoring the key may make another layer of it: another version's option that is in use.
 */
bool kfi_unread_key_matters(const char *key, const kfi_variant *value);

#endif
