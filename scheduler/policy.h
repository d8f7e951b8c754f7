/* The thresholds that decide who runs what: worker.c acts on them, simulate.c replays them. */
#ifndef KFI_SCHEDULER_POLICY_H
#define KFI_SCHEDULER_POLICY_H

/* A run shorter than this in all gains nothing from a second worker. */
static const double KFI_ALONE_NS = 20e3;
/* Up to this one that shares its data may lose more by it than it gains: it is tried. */
static const double KFI_SHORT_NS = 200e3;

/* Below this a task is done before another worker could have fetched it and its data. */
static const double KFI_CHEAP_NS = 2e3;
/* Cheap work that a worker keeps to itself at most; the same for how long it holds other work. */
static const double KFI_KEEP_NS = 20e3;
/* Published work that is worth waking somebody for. */
static const double KFI_WAKE_NS = 20e3;
/* What a worker has made ready itself is in its cache: only a task that is more critical by so much
 * is taken instead. */
static const double KFI_PREFER_NS = 20e3;
/* What any task takes at least, for tasks that are said to cost nothing. */
static const double KFI_LEAST_NS = 20;

#endif
