#include "scheduler/stretches.h"

#include "core/base/memory.h"
#include "scheduler/ready_set.h"

int32_t kfi_stretches_add(kfi_stretches *all, const kfi_stretch *added) {
    if (all->status == KF_OK)
        all->status = kfi_reserve((void **)&all->list, &all->capacity, all->n, sizeof *added);
    if (all->status != KF_OK) return KFI_NONE;
    all->list[all->n] = *added;
    return (int32_t)all->n++;
}

double kfi_stretches_end(const kfi_stretches *all, int32_t stretch) {
    return stretch == KFI_NONE ? 0 : all->list[stretch].end;
}

int32_t kfi_stretches_last(const kfi_stretches *all) {
    int32_t last = KFI_NONE;
    for (int32_t i = 0; i < all->n; i++)
        if (last == KFI_NONE || all->list[i].end > all->list[last].end) last = i;
    return last;
}

void kfi_stretches_clear(kfi_stretches *all) {
    kfi_free(all->list);
    *all = (kfi_stretches){0};
}
