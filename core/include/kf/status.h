/* What a function that does something returns, and where its message is. */
#ifndef KF_STATUS_H
#define KF_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define KF_API __attribute__((visibility("default")))
#else
#define KF_API
#endif

/* The values are also the exit codes of kfrun and kfprof. */
typedef enum kf_status {
    KF_OK = 0,
    KF_USAGE = 2,    /* the call itself is wrong: an argument, an option, the order of calls */
    KF_INVALID = 3,  /* a model, a file's content or a batch of data is wrong                */
    KF_IO = 4,       /* the operating system refused: open, read, write, full disk           */
    KF_MEMORY = 5,   /* an allocation failed                                                 */
    KF_DIVERGED = 6, /* the loss is no longer a finite number                                */
    KF_STOPPED = 7   /* a callback or kf_stop asked to stop                                  */
} kf_status;

/* The message of the last call that failed on this thread, without a final newline: what was
 * being done, what was expected, what was got. Valid until the next failure on this thread;
 * "" if there was none. */
KF_API const char *kf_last_error(void);

/* The status of that call, for makers that return NULL; KF_OK if there was none. */
KF_API kf_status kf_last_status(void);

#ifdef __cplusplus
}
#endif
#endif
