/* Which CPUs share their last cache: data passes between them at a fraction of what it costs
 * between others, so the ready tasks of such a group stand in a set of their own. */
#ifndef KFI_SCHEDULER_CACHES_H
#define KFI_SCHEDULER_CACHES_H

#include <sched.h>
#include <stdint.h>

typedef struct kfi_caches {
    int16_t first[CPU_SETSIZE]; /* of each CPU: the first one of its group                  */
    int16_t order[CPU_SETSIZE]; /* all CPUs, group by group                                 */
} kfi_caches;

/* What `root`, a folder like /sys/devices/system/cpu, says. CPUs it says nothing of are one group.
 */
void kfi_caches_read(const char *root, kfi_caches *caches);

/* This machine's, read once. */
const kfi_caches *kfi_caches_here(void);

/* For tests: from now on this machine's are those of `root`. No run may be under way. */
void kfi_caches_pretend(const char *root);

#endif
