/* Types of fields for what stands at the ends of spatial axes. */
#ifndef KFI_LAYERS_BORDERS_H
#define KFI_LAYERS_BORDERS_H

#include "core/base/fields.h"

/* int64_t[count][2]: how much before and after each of `count` axes. From JSON and text also one
 * number for all, or one for each axis. In C all zero means the default, and KF_NO_PADDING 0. */
extern const kfi_field_type kfi_field_borders;

/* int64_t[count], or None, which is KFI_NO_INTEGER for all. In C all zero means the default, None,
 * and KF_NO_PADDING 0. */
extern const kfi_field_type kfi_field_output_padding;

#endif
