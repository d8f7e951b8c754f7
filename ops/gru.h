/* What gru and its gradient share. */
#ifndef KFI_OPS_GRU_H
#define KFI_OPS_GRU_H

#include "ops/recurrence.h"

/* The gates whose product is with h, and the third where it is not. */
static inline void kfi_gru_gates(const kfi_recurrence *a, const kfi_steps *s,
                                 const kfi_drops *drops, bool transpose, kfi_gates *states,
                                 kfi_gates *candidate) {
    *states = kfi_gates_of(s, drops, 0, a->reset_after ? 3 : 2, transpose);
    *candidate = kfi_gates_of(s, &(kfi_drops){0}, 2, a->reset_after ? 0 : 1, transpose);
}

/* The factor of the tile's units of row i of h: NULL where nothing is dropped. */
static inline const float *kfi_gru_drop(const kfi_steps *s, const kfi_drops *drops, int64_t gate,
                                        int64_t i) {
    const float *rows = kfi_drop_rows(s, drops, gate);
    return rows ? rows + i * s->units + s->unit : NULL;
}

/* That of the h in z h, which is only dropped where one mask is for all. */
static inline const float *kfi_gru_kept(const kfi_steps *s, const kfi_drops *drops, int64_t i) {
    return drops->n == 1 ? kfi_gru_drop(s, drops, 0, i) : NULL;
}

/* The tile's units of row i. */
static inline const float *kfi_gru_row(const kfi_steps *s, kfi_rows_of h, int64_t i) {
    return h.data ? h.data + i * h.row + s->unit : NULL;
}

/* What a step takes by units: with the reset before, the candidate waits for all of r h. */
static inline int64_t kfi_gru_phases(const kfi_recurrence *a) { return a->reset_after ? 1 : 2; }

#endif
