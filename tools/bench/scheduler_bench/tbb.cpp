/* TBB in its two forms: a flow graph, and a task group with counters of what a step waits for. */
#include "openmp.h"

#include <atomic>
#include <memory>
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <vector>

namespace {

struct work {
    const bench_graph *graph;
    bench_step_function run;
    void *context;

    void operator()(int32_t step) const {
        const int32_t pieces = graph->pieces[step];
        if (pieces == 1) {
            run(context, step, 0);
            return;
        }
        tbb::parallel_for(tbb::blocked_range<int32_t>(0, pieces, 1),
                          [&](const tbb::blocked_range<int32_t> &range) {
                              for (int32_t piece = range.begin(); piece < range.end(); piece++)
                                  run(context, step, piece);
                          });
    }
};

/* As many threads as asked for, also beyond the CPUs. */
struct threads {
    tbb::global_control control;
    tbb::task_arena arena;

    explicit threads(int32_t n)
        : control(tbb::global_control::max_allowed_parallelism, static_cast<size_t>(n)), arena(n) {}
};

/* --- flow graph ------------------------------------------------------------------------------- */

using message = tbb::flow::continue_msg;
using queued = tbb::flow::continue_node<message>;
/* A node that runs where its last message comes from. */
using light = tbb::flow::continue_node<message, tbb::flow::lightweight>;

template <typename node> struct flow {
    threads with;
    work step;
    std::unique_ptr<tbb::flow::graph> graph;
    std::vector<std::unique_ptr<node>> nodes;
    std::vector<node *> sources;
};

template <typename node>
void *prepare_flow(const bench_graph *graph, bench_step_function run, void *context,
                   int32_t n_threads) {
    auto *self = new flow<node>{threads(n_threads), {graph, run, context}, nullptr, {}, {}};
    self->with.arena.execute([&] {
        self->graph = std::make_unique<tbb::flow::graph>();
        for (int32_t i = 0; i < graph->n; i++)
            self->nodes.push_back(std::make_unique<node>(
                *self->graph, [self, i](const message &) noexcept { self->step(i); }));
        for (int32_t e = 0; e < graph->n_edges; e++)
            tbb::flow::make_edge(*self->nodes[graph->from[e]], *self->nodes[graph->to[e]]);
        for (int32_t i = 0; i < graph->n; i++)
            if (graph->n_before[i] == 0) self->sources.push_back(self->nodes[i].get());
    });
    return self;
}

template <typename node> void run_flow(void *pointer) {
    auto *self = static_cast<flow<node> *>(pointer);
    self->with.arena.execute([&] {
        for (node *source : self->sources) source->try_put(message());
        self->graph->wait_for_all();
    });
}

template <typename node> void release_flow(void *pointer) {
    auto *self = static_cast<flow<node> *>(pointer);
    self->with.arena.execute([&] {
        self->sources.clear();
        self->nodes.clear();
        self->graph.reset();
    });
    delete self;
}

/* --- task group ------------------------------------------------------------------------------- */

struct group {
    threads with;
    work step;
    tbb::task_group tasks;
    std::vector<std::atomic<int32_t>> waiting;

    group(const bench_graph *graph, bench_step_function run, void *context, int32_t n)
        : with(n), step{graph, run, context}, waiting(static_cast<size_t>(graph->n)) {
        for (int32_t i = 0; i < graph->n; i++) waiting[i].store(graph->n_before[i]);
    }

    /* Goes on with one step that has become ready, and gives the others away. */
    void run_from(int32_t at) {
        while (at >= 0) {
            step(at);
            const bench_graph *graph = step.graph;
            waiting[at].store(graph->n_before[at], std::memory_order_relaxed);
            int32_t next = -1;
            for (int32_t s = graph->first[at]; s < graph->first[at + 1]; s++) {
                const int32_t after = graph->successors[s];
                if (waiting[after].fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
                if (next < 0)
                    next = after;
                else
                    tasks.run([this, after] { run_from(after); });
            }
            at = next;
        }
    }
};

void *prepare_group(const bench_graph *graph, bench_step_function run, void *context,
                    int32_t n_threads) {
    return new group(graph, run, context, n_threads);
}

void run_group(void *pointer) {
    auto *self = static_cast<group *>(pointer);
    self->with.arena.execute([&] {
        const bench_graph *graph = self->step.graph;
        for (int32_t i = 0; i < graph->n; i++)
            if (graph->n_before[i] == 0) self->tasks.run([self, i] { self->run_from(i); });
        self->tasks.wait();
    });
}

void release_group(void *pointer) { delete static_cast<group *>(pointer); }

} // namespace

const bench_contender bench_peers[] = {
    {"TBB group", prepare_group, run_group, release_group},
    {"TBB flow", prepare_flow<queued>, run_flow<queued>, release_flow<queued>},
    {"TBB light", prepare_flow<light>, run_flow<light>, release_flow<light>},
    bench_openmp,
    {nullptr, nullptr, nullptr, nullptr}};
