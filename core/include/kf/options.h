/* What can be given to training and to what takes part in it, read from the tables that also check
 * it: for help texts, and for programs that fill in options by name. */
#ifndef KF_OPTIONS_H
#define KF_OPTIONS_H

#include "kf/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kf_option {
    const char *name;      /* Keras's argument: "batch_size" */
    const char *type;      /* in words: "an integer" */
    const char *holds;     /* its member in C: "int64_t", "const char *"; NULL: see the header */
    size_t offset;         /* of the member in the struct of options */
    const char *otherwise; /* the default as text; NULL: it must be given */
    double low, high;      /* range of numbers, inclusive; both 0: any; high below low: no end */
    const char *choices;   /* "true|batch|false"; NULL: all of the type */
    const char *help;      /* one line; may be NULL */
} kf_option;

/* Who has options: "fit", "run" and "compile" of the kinds that are called so (kf_fit_options,
 * kf_run_options, kf_compile_options), and the names of each "optimizer", "callback", "loss",
 * "metric" and "preparation". NULL: there is no kind of that name, or no more of it. */
KF_API const char *kf_option_owner(const char *kind, int32_t index);

/* How many options it has, in any case of letters and, for callbacks, by both names; -1: unknown.
 */
KF_API int32_t kf_options(const char *kind, const char *owner);

/* KF_USAGE: there is no such option. The texts are static. */
KF_API kf_status kf_option_at(const char *kind, const char *owner, int32_t index,
                              kf_option *option);

#ifdef __cplusplus
}
#endif
#endif
