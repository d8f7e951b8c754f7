/* The files that TensorBoard reads: records of one event each.
 *
 *     record = length (uint64) | masked crc32c of it (uint32) | event | masked crc32c of it
 * (uint32)
 *
 * all little-endian, as TensorFlow's record_writer.h has it; an event is a protocol buffer
 * (event.proto and summary.proto of TensorFlow name the fields). */
#ifndef KFI_TRAIN_EVENT_FILE_H
#define KFI_TRAIN_EVENT_FILE_H

#include "kf/status.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Makes the folder if need be, and in it a file with the event that says its version. */
kf_status kfi_event_file_open(const char *folder, FILE **file);

/* One number. `tag` names its curve. */
kf_status kfi_event_file_scalar(FILE *file, const char *tag, int64_t step, double value);

/* crc32c of some bytes, rotated right by 15 bits plus a constant. */
uint32_t kfi_masked_crc(const void *bytes, uint64_t count);

#endif
