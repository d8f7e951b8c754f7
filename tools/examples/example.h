/* What every example does beside its topic: it reads --small, checks what it built and what it
 * learned, and makes up data. A page then shows its model and little else. */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <kf.h>

#include <stdbool.h>

/* True with --small: train at a size that takes a moment, on any machine. Models are still built
 * and checked at full size. Any other argument ends the program. */
bool example_begin(int argc, char **argv);

/* Reports and remembers what does not hold; the program goes on. */
void example_expect(bool holds, const char *what);

/* With the batch axis: example_expect_shape(y, KF_ANY, 10). */
#define example_expect_shape(tensor, ...)                                                          \
    example_expect_dims((tensor), (const int64_t[]){__VA_ARGS__},                                  \
                        (int32_t)(sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t)))
void example_expect_dims(const kf_tensor *tensor, const int64_t *dims, int32_t rank);

/* Prints the model's summary; it must have so many parameters. */
void example_show(const kf_model *model, int64_t parameters);

/* Prints the loss of the first and the last epoch; it must have fallen to `part` of the first. */
void example_learned(kf_status status, const kf_history *history, double part);

/* The program's exit code: 0 if all went as expected. */
int example_end(void);

/* The same numbers in every run: uniform in [-0.5, 0.5), and whole ones from 0 to n - 1. */
float example_random(void);
int32_t example_random_below(int32_t n);
void example_fill(float *values, int64_t n);

/* Noise, with the label's tenth of the pixels a little brighter: the least that can be told apart,
 * and its one-hot target. */
void example_digit(float *pixels, int32_t n, float target[10], int32_t label);

#endif
