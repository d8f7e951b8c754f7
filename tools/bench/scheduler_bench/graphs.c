#include "graphs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- making ----------------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *state) { /* xorshift64*, Vigna 2016 */
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717ull;
}

static double random_part(uint64_t *state) { return (double)(next_random(state) >> 11) * 0x1p-53; }

static bench_graph *begin(int32_t n) {
    bench_graph *graph = calloc(1, sizeof *graph);
    if (!graph) return NULL;
    graph->n = n;
    graph->first = calloc((size_t)n + 1, sizeof *graph->first);
    graph->before_at = calloc((size_t)n + 1, sizeof *graph->before_at);
    graph->n_before = calloc((size_t)n, sizeof *graph->n_before);
    graph->cost_us = calloc((size_t)n, sizeof *graph->cost_us);
    graph->rank_us = calloc((size_t)n, sizeof *graph->rank_us);
    graph->pieces = calloc((size_t)n, sizeof *graph->pieces);
    if (graph->first && graph->before_at && graph->n_before && graph->cost_us && graph->rank_us &&
        graph->pieces) {
        for (int32_t i = 0; i < n; i++) graph->pieces[i] = 1;
        return graph;
    }
    bench_graph_free(graph);
    return NULL;
}

/* A graph without room for its edges has none of them: `from` stays NULL, and `finish` sees it. */
static void add_edge(bench_graph *graph, int32_t from, int32_t to) {
    if (graph->n_edges == graph->room) {
        graph->room = graph->room > 0 ? 2 * graph->room : 64;
        int32_t *more_from = realloc(graph->from, (size_t)graph->room * sizeof *more_from);
        if (more_from) graph->from = more_from;
        int32_t *more_to = realloc(graph->to, (size_t)graph->room * sizeof *more_to);
        if (more_to) graph->to = more_to;
        if (!more_from || !more_to) abort(); /* a benchmark has no use for half a graph */
    }
    graph->from[graph->n_edges] = from;
    graph->to[graph->n_edges++] = to;
}

static void fill_neighbours(bench_graph *graph, int32_t *place) {
    for (int32_t e = 0; e < graph->n_edges; e++) {
        graph->first[graph->from[e] + 1]++;
        graph->before_at[graph->to[e] + 1]++;
        graph->n_before[graph->to[e]]++;
    }
    for (int32_t i = 0; i < graph->n; i++) {
        graph->first[i + 1] += graph->first[i];
        graph->before_at[i + 1] += graph->before_at[i];
    }
    memcpy(place, graph->first, (size_t)graph->n * sizeof *place);
    for (int32_t e = 0; e < graph->n_edges; e++)
        graph->successors[place[graph->from[e]]++] = graph->to[e];
    memcpy(place, graph->before_at, (size_t)graph->n * sizeof *place);
    for (int32_t e = 0; e < graph->n_edges; e++)
        graph->before[place[graph->to[e]]++] = graph->from[e];
}

static bench_graph *finish(bench_graph *graph) {
    const size_t edges = (size_t)graph->n_edges + 1;
    int32_t *place = malloc((size_t)graph->n * sizeof *place);
    graph->successors = malloc(edges * sizeof *graph->successors);
    graph->before = malloc(edges * sizeof *graph->before);
    if (!place || !graph->successors || !graph->before) {
        free(place);
        bench_graph_free(graph);
        return NULL;
    }
    fill_neighbours(graph, place);
    free(place);
    for (int32_t i = graph->n - 1; i >= 0; i--) {
        double after = 0;
        for (int32_t s = graph->first[i]; s < graph->first[i + 1]; s++)
            after = fmax(after, graph->rank_us[graph->successors[s]]);
        graph->rank_us[i] = after + graph->cost_us[i];
    }
    return graph;
}

void bench_graph_free(bench_graph *graph) {
    if (!graph) return;
    free(graph->from), free(graph->to);
    free(graph->first), free(graph->successors);
    free(graph->n_before), free(graph->before_at), free(graph->before);
    free(graph->cost_us), free(graph->rank_us), free(graph->pieces);
    free(graph);
}

/* --- shapes ----------------------------------------------------------------------------------- */

bench_graph *bench_graph_serial(int32_t n, double cost_us) {
    bench_graph *graph = begin(n);
    for (int32_t i = 1; graph && i < n; i++) add_edge(graph, i - 1, i);
    for (int32_t i = 0; graph && i < n; i++) graph->cost_us[i] = cost_us;
    return graph ? finish(graph) : NULL;
}

bench_graph *bench_graph_chain(int32_t n) { return bench_graph_serial(n, 0); }

bench_graph *bench_graph_parallel(int32_t n, double cost_us) {
    bench_graph *graph = begin(n);
    for (int32_t i = 0; graph && i < n; i++) graph->cost_us[i] = cost_us;
    return graph ? finish(graph) : NULL;
}

bench_graph *bench_graph_pieces(int32_t pieces) {
    bench_graph *graph = begin(1);
    if (!graph) return NULL;
    graph->pieces[0] = pieces;
    return finish(graph);
}

bench_graph *bench_graph_fan(int32_t n) {
    bench_graph *graph = begin(n);
    for (int32_t i = 1; graph && i < n - 1; i++) {
        add_edge(graph, 0, i);
        add_edge(graph, i, n - 1);
    }
    return graph ? finish(graph) : NULL;
}

/* Inner step i of the tree has its mirror image at n - 1 - i; leaves are their own. */
bench_graph *bench_graph_tree(int32_t depth) {
    const int32_t leaves = 1 << (depth - 1), inner = leaves - 1, n = 2 * inner + leaves;
    bench_graph *graph = begin(n);
    for (int32_t i = 0; graph && i < inner; i++)
        for (int32_t child = 2 * i + 1; child <= 2 * i + 2; child++) {
            add_edge(graph, i, child);
            add_edge(graph, child < inner ? n - 1 - child : child, n - 1 - i);
        }
    return graph ? finish(graph) : NULL;
}

bench_graph *bench_graph_wave(int32_t side) {
    bench_graph *graph = begin(side * side);
    for (int32_t i = 0; graph && i < side * side; i++) {
        if (i >= side) add_edge(graph, i - side, i);
        if (i % side > 0) add_edge(graph, i - 1, i);
    }
    return graph ? finish(graph) : NULL;
}

static void add_random_edges(bench_graph *graph, int32_t window, uint64_t *state) {
    for (int32_t i = 1; i < graph->n; i++) {
        const int32_t most = i < window ? i : window;
        const int32_t wanted = 1 + (int32_t)(next_random(state) % 3);
        int32_t chosen[3];
        for (int32_t k = 0; k < wanted; k++) {
            chosen[k] = i - 1 - (int32_t)(next_random(state) % (uint64_t)most);
            bool again = false;
            for (int32_t j = 0; j < k; j++) again = again || chosen[j] == chosen[k];
            if (!again) add_edge(graph, chosen[k], i);
        }
    }
}

bench_graph *bench_graph_random(int32_t n, int32_t window, uint64_t seed) {
    bench_graph *graph = begin(n);
    if (graph) add_random_edges(graph, window, &seed);
    return graph ? finish(graph) : NULL;
}

bench_graph *bench_graph_mixed(int32_t n, uint64_t seed, bool split) {
    const double least = 5, most = 2000, whole = 100, piece = 50;
    bench_graph *graph = begin(n);
    if (!graph) return NULL;
    add_random_edges(graph, 12, &seed);
    for (int32_t i = 0; i < n; i++) {
        graph->cost_us[i] = least * pow(most / least, random_part(&seed));
        if (split && graph->cost_us[i] > whole)
            graph->pieces[i] = (int32_t)ceil(graph->cost_us[i] / piece);
    }
    return finish(graph);
}

double bench_graph_work_us(const bench_graph *graph) {
    double work = 0;
    for (int32_t i = 0; i < graph->n; i++) work += graph->cost_us[i];
    return work;
}

/* --- the best order --------------------------------------------------------------------------- */

enum { MOST_WORKERS = 64 };

/* Where a list schedule stands. */
typedef struct listing {
    const bench_graph *graph;
    const double *priority;
    double *ready_at; /* by step; when the last it waits for ends */
    int32_t *waiting; /* by step; -1: has been given out          */
    double free_at[MOST_WORKERS];
    int32_t workers;
} listing;

/* The ready step of highest priority at `now`; -1 and the time of the next one if there is none. */
static int32_t choose(const listing *list, double now, double *next) {
    int32_t best = -1;
    *next = INFINITY;
    for (int32_t i = 0; i < list->graph->n; i++) {
        if (list->waiting[i] != 0) continue;
        if (list->ready_at[i] > now)
            *next = fmin(*next, list->ready_at[i]);
        else if (best < 0 || list->priority[i] > list->priority[best])
            best = i;
    }
    return best;
}

static void give(listing *list, int32_t step, int32_t worker) {
    const bench_graph *graph = list->graph;
    const double end = list->free_at[worker] + graph->cost_us[step];
    list->free_at[worker] = end;
    list->waiting[step] = -1;
    for (int32_t s = graph->first[step]; s < graph->first[step + 1]; s++) {
        const int32_t after = graph->successors[s];
        list->waiting[after]--;
        list->ready_at[after] = fmax(list->ready_at[after], end);
    }
}

static double list_schedule(listing *list) {
    const bench_graph *graph = list->graph;
    memcpy(list->waiting, graph->n_before, (size_t)graph->n * sizeof *list->waiting);
    memset(list->ready_at, 0, (size_t)graph->n * sizeof *list->ready_at);
    memset(list->free_at, 0, sizeof list->free_at);
    for (int32_t given = 0; given < graph->n;) {
        int32_t worker = 0;
        for (int32_t w = 1; w < list->workers; w++)
            if (list->free_at[w] < list->free_at[worker]) worker = w;
        double next;
        const int32_t step = choose(list, list->free_at[worker], &next);
        if (step < 0) {
            list->free_at[worker] = next;
            continue;
        }
        give(list, step, worker);
        given++;
    }
    double end = 0;
    for (int32_t w = 0; w < list->workers; w++) end = fmax(end, list->free_at[w]);
    return end;
}

static double search(listing *list, double *priority, int32_t tries) {
    const bench_graph *graph = list->graph;
    uint64_t seed = 99;
    double best = INFINITY;
    for (int32_t t = 0; t < tries; t++) {
        const double chance = t == 0 ? 0 : t % 3 == 0 ? 1 : 0.3;
        for (int32_t i = 0; i < graph->n; i++)
            priority[i] =
                (1 - chance) * graph->rank_us[i] + chance * graph->rank_us[0] * random_part(&seed);
        best = fmin(best, list_schedule(list));
    }
    return best;
}

double bench_graph_best_us(const bench_graph *graph, int32_t workers, int32_t tries) {
    double longest = 0;
    bool split = false;
    for (int32_t i = 0; i < graph->n; i++) {
        longest = fmax(longest, graph->rank_us[i]);
        split = split || graph->pieces[i] > 1;
    }
    const double bound = bench_graph_work_us(graph) / workers;
    if (split) return bound; /* pieces shorten the longest way, too */
    double *priority = malloc((size_t)graph->n * sizeof *priority);
    listing list = {.graph = graph,
                    .priority = priority,
                    .ready_at = malloc((size_t)graph->n * sizeof(double)),
                    .waiting = malloc((size_t)graph->n * sizeof(int32_t)),
                    .workers = workers < MOST_WORKERS ? workers : MOST_WORKERS};
    const bool enough = priority && list.ready_at && list.waiting;
    const double best = enough ? search(&list, priority, tries) : fmax(bound, longest);
    free(priority), free(list.ready_at), free(list.waiting);
    return best;
}
