#include "measure.h"

#include "../../command/report.h"
#include "../common/statistics.h"
#include "subject.h"

#include <math.h>

/* The best of as many runs as fit; adds to what the row has taken so far. */
kf_status bench_measure(const char *op, const kfi_example *example, bool in_place, double seconds,
                        bench_measured *row) {
    const kfi_op *found = kfi_op_find(op);
    if (!found) return tool_fail(KF_INVALID, "there is no op %s", op);
    bench_subject subject;
    kf_status status = bench_subject_make(found, example, in_place, &subject);
    double best = INFINITY;
    const double begin = bench_now();
    do {
        const double start = bench_now();
        if (status == KF_OK) status = bench_subject_run(&subject);
        best = fmin(best, 1e3 * (bench_now() - start));
    } while (status == KF_OK && bench_now() - begin < seconds);
    row->ms += best;
    row->cost.flops += subject.cost.flops;
    row->cost.bytes += subject.cost.bytes;
    bench_subject_free(&subject);
    if (status == KF_OK) return KF_OK;
    return tool_fail(status, "%s, %s: %s", row->op, row->shape,
                     status == KF_MEMORY ? "out of memory" : kf_last_error());
}

kf_status bench_measure_row(const bench_row *row, double seconds, bench_measured *result) {
    kf_status status = KF_OK;
    for (int32_t part = 0; part < row->n_parts && status == KF_OK; part++)
        status = bench_measure(row->parts[part].op, &row->parts[part].example, row->in_place,
                               seconds, result);
    return status;
}
