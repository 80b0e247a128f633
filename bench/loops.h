/* Loops as one writes them without a library, compiled by -O3 for the instructions of each tier (loops.c). */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include "dropwise.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void bench_drop(const dropwise_mask *mask, uint64_t first, size_t n, const float *x, float *y);

typedef struct bench_loops {
    dropwise_isa isa;
    /* Dropout by Philox4x32-10: a random word an element, as engines do; a byte an element, with our mask. */
    bench_drop *drop_by_words, *drop_by_bytes;
    /* y = s * x, row by row. */
    void (*scale_rows)(size_t rows, size_t width, size_t stride, float s, const float *x, float *y);
    /* y = residual + s * (x + bias) in bf16, computed in f32 and rounded once: what no mask is in. */
    void (*residual_bf16)(size_t rows, size_t width, float s, const uint16_t *x, const uint16_t *bias,
                          const uint16_t *residual, uint16_t *y);
} bench_loops;

/* Those of a tier that was built, else those of the scalar one. */
const bench_loops *bench_loops_of(dropwise_isa isa);

#ifdef __cplusplus
}
#endif

#endif
