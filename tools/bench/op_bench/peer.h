/* oneDNN's best for the same shape, on the calling thread alone: milliseconds, the best of as many
 * runs as fit into `seconds`. NaN where it is not built in (KF_BENCH) or has none. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

#ifdef __cplusplus
extern "C" {
#endif

/* "oneDNN 2.6.3"; "no oneDNN". */
const char *bench_peer_name(void);

/* pass: 0 forward, 1 data gradient, 2 weight gradient. `before` rows of zeros on each side. */
typedef struct bench_peer_conv_shape {
    long batch, side, in, out, window, before;
    int pass;
} bench_peer_conv_shape;
double bench_peer_conv(const bench_peer_conv_shape *shape, double seconds);

typedef struct bench_peer_lstm_shape {
    long batch, steps, in, units;
    int backward;
} bench_peer_lstm_shape;
double bench_peer_lstm(const bench_peer_lstm_shape *shape, double seconds);

#ifdef __cplusplus
}
#endif
#endif
