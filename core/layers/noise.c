#include "core/layers/noise.h"

uint32_t kfi_noise_stream(kfi_formula *formula, int64_t seed) {
    const uint32_t number = kfi_random_stream(formula);
    if (seed == KFI_NO_INTEGER) return number;
    return kfi_random_block((kfi_random){.key = (uint64_t)seed}, 0).word[0] | 0x80000000u;
}

bool kfi_dropout_works(const kfi_formula *formula, double rate) {
    return kfi_formula_training(formula) && rate > 0 && rate < 1;
}

kf_status kfi_noise_shape(const int64_t *noise_shape, const kf_shape *input, kf_shape *shape) {
    *shape = *input;
    int rank = 0;
    while (rank < KF_MAX_RANK && noise_shape[rank]) rank++;
    if (rank == 0) return KF_OK;
    bool fits = rank == input->rank;
    for (int i = 0; fits && i < rank; i++) {
        const int64_t asked = noise_shape[i], size = input->dims[i];
        if (asked == KF_ANY) continue;
        fits = asked == 1 || asked == size || size == KF_ANY;
        shape->dims[i] = asked;
    }
    if (fits) return KF_OK;
    kf_shape asked = {.rank = rank};
    for (int i = 0; i < rank; i++) asked.dims[i] = noise_shape[i];
    return kfi_fail(KF_INVALID, "noise_shape %s does not stretch to the input's shape %s",
                    kfi_shape_string(&asked), kfi_shape_print(input).text);
}

kfi_value kfi_dropout_mask(kfi_formula *formula, const kf_shape *shape,
                           const kfi_dropout *dropout) {
    if (kfi_shape_count(shape) < 0) return KFI_NONE;
    const kfi_value ones = kfi_fill(formula, shape, 1);
    return kfi_emit(formula, "dropout", dropout, ones, kfi_random_state(formula));
}
