/* The thresholds that decide who runs what: worker.c acts on them, simulate.c replays them. */
#ifndef KFI_SCHEDULER_POLICY_H
#define KFI_SCHEDULER_POLICY_H

/* A run shorter than this in all gains nothing from a second worker, nor does one of which others
 * could take over no more than half of it. */
static const double KFI_ALONE_NS = 20e3;
/* Up to this one that shares its data may lose more by it than it gains: it is tried. */
static const double KFI_SHORT_NS = 200e3;

/* Below this a task is done before another worker could have fetched it and its data. */
static const double KFI_CHEAP_NS = 2e3;
/* Cheap work that a worker keeps to itself at most; the same for how long it holds other work. */
static const double KFI_KEEP_NS = 20e3;
/* Published work that is worth waking somebody for. */
static const double KFI_WAKE_NS = 20e3;
/* How long a worker without work looks for more before it sleeps: long enough to bridge the serial
 * code between two runs, short enough not to be noticed. */
static const double KFI_SPIN_NS = 100e3;
/* What a worker has made ready itself is in its cache: only a task that is more critical by so much
 * is taken instead. */
static const double KFI_PREFER_NS = 20e3;
/* A piece of work as long as this is foretold: whoever has nothing to do until its end sleeps, and
 * is up again LEAD before it. Waking a sleeper takes 50 to 120 us in a virtual machine. */
static const double KFI_LONG_NS = 300e3, KFI_LEAD_NS = 150e3;
/* What any task takes at least, for tasks that are said to cost nothing. */
static const double KFI_LEAST_NS = 20;

#endif
