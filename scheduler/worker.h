/* A worker is one thread's part in a run. */
#ifndef KFI_SCHEDULER_WORKER_H
#define KFI_SCHEDULER_WORKER_H

#include "scheduler/crew.h"

typedef struct kfi_worker {
    kfi_crew *crew;
    kfi_node *nodes; /* of the crew's schedule */
    kfi_loop *loops;
    kfi_hand hand;
    kfi_ready_set *ready; /* the crew's, of this worker's group                           */
    int32_t group;
    bool alone; /* nobody else can be in the run: the gate has not been opened */
    bool fresh; /* has just been idle: must wake the next one if it leaves work */

    int32_t cheap;      /* the newest of the cheap tasks kept here, linked by node.next  */
    double cheap_ns;    /* what they cost together                                       */
    int32_t held;       /* the best of the other tasks that this worker has made ready   */
    double held_ns;     /* how long it has waited here for cheap ones                    */
    int32_t batch_word; /* tasks about to be published: 64 * batch_word + bits of batch  */
    uint64_t batch;
    double unannounced_ns; /* published here since the last wake                            */
} kfi_worker;

kfi_worker kfi_worker_new(kfi_crew *crew, int32_t index);

/* Begins the run: for worker 0. */
void kfi_worker_start(kfi_worker *worker);

/* Takes the most critical piece of work there is, and goes on with what that makes ready, until
 * nothing of it is left here. False if there was no work. */
bool kfi_worker_work(kfi_worker *worker);

#endif
