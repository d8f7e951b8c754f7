/* kf_about: what a report of a measurement or a fault should say about the machinery. */
#include "core/graph/plan.h"
#include "kf.h"

#include <pthread.h>
#include <stdio.h>

static char text[256];

static void write_text(void) {
    snprintf(text, sizeof text, "kf %s, SIMD %s, BLAS %s, executor %s, %d workers", KF_VERSION,
             kfi_simd_level(), kfi_ops_blas(), kfi_executor_name(kfi_executor_default()),
             kfi_plan_workers(0));
}

const char *kf_about(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, write_text);
    return text;
}
