/* A plan as a picture: Graphviz text, one box a step, one arrow a wait. */
#include "core/base/memory.h"
#include "core/graph/plan_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const colours[] = {
    [KFI_FORWARD] = "lightblue", [KFI_BACKWARD] = "lightsalmon", [KFI_UPDATE] = "palegreen"};

static void print_step(const kfi_plan *plan, int32_t s, FILE *out) {
    const kfi_step_info step = kfi_plan_step(plan, s);
    fprintf(out, "  s%d [label=\"%d %s", s, s, step.op);
    for (int32_t p = 1; p < plan->steps[s].n_parts; p++)
        fprintf(out, " + %s", plan->steps[s].parts[p].op->name);
    for (int32_t f = 0; f < plan->steps[s].n_ferries; f++)
        if (plan->steps[s].ferries[f].input < 0) fprintf(out, " into a slice");
    fprintf(out, "\\n%s[%d]\\n%s\\n%.1f us, %lld tiles\", style=filled, fillcolor=%s];\n",
            step.scope.name ? step.scope.name : "", step.scope.call, kfi_shape_string(&step.shape),
            step.cost_ns / 1e3, (long long)step.tiles, colours[step.scope.direction]);
    for (int32_t i = 0; i < plan->steps[s].n_waits_for; i++)
        fprintf(out, "  s%d -> s%d;\n", plan->steps[s].waits_for[i], s);
}

static void print(const kfi_plan *plan, FILE *out) {
    fprintf(out, "digraph plan {\n  node [shape=box, fontname=monospace];\n");
    fprintf(out, "  label=\"%d steps, arena %zu bytes, scratch %zu bytes a worker\";\n",
            plan->n_steps, plan->peak_bytes, plan->scratch_bytes);
    for (int32_t s = 0; s < plan->n_steps; s++) print_step(plan, s, out);
    fprintf(out, "}\n");
}

kf_status kfi_plan_dump(const kfi_plan *plan, char **text) {
    *text = NULL;
    char *buffer = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&buffer, &bytes);
    if (!out) return kfi_fail(KF_MEMORY, "out of memory printing a plan");
    print(plan, out);
    const int failed = fclose(out);
    if (!failed) *text = kfi_strdup(buffer);
    free(buffer);
    return *text ? KF_OK : kfi_fail(KF_MEMORY, "out of memory printing a plan");
}

kf_status kfi_plan_dump_if_asked(const kfi_plan *plan) {
    static _Atomic int n_dumped; /* relaxed: numbers the files, orders nothing */
    const char *kind = getenv("KF_DUMP_PLAN"), *folder = getenv("KF_DUMP_DIR");
    if (!kind || strcmp(kind, "dot") != 0) return KF_OK;
    char *path = kfi_format("%s/plan-%d.dot", folder ? folder : ".",
                            atomic_fetch_add_explicit(&n_dumped, 1, memory_order_relaxed));
    if (!path) return KF_MEMORY;
    FILE *out = fopen(path, "w");
    kf_status status = out ? KF_OK : kfi_fail(KF_IO, "%s: %s", path, strerror(errno));
    if (out) {
        print(plan, out);
        if (fclose(out)) status = kfi_fail(KF_IO, "%s: %s", path, strerror(errno));
    }
    kfi_free(path);
    return status;
}
