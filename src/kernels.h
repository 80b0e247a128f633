/*
 * The kernels of a tier: what each kind does, and the table that a tier consists of.
 *
 * Kernels get integers, bit patterns and buffers that were checked before; n = 0 is allowed, no
 * pointer is aligned unless it says so, and no byte outside the arguments is touched.
 */
#ifndef DROPWISE_KERNELS_H
#define DROPWISE_KERNELS_H

#include <stddef.h>
#include <stdint.h>

/* What a generator's output depends on besides the low 64 bits of its counter. */
typedef struct dropwise_key {
    uint32_t key[2];    /* seed, low word first                                   */
    uint32_t stream[2]; /* the upper two counter words: the stream, low word first */
} dropwise_key;

/* Writes the n_blocks 16-byte blocks of counters counter, counter + 1, ... (modulo 2^64). */
typedef void dropwise_generate_fn(const dropwise_key *key, uint64_t counter, size_t n_blocks,
                                  void *bytes);

/* The same for counters that are listed one by one. */
typedef void dropwise_generate_at_fn(const dropwise_key *key, const uint64_t *counters,
                                     size_t n_blocks, void *bytes);

/*
 * Compares n random bytes with a threshold: bit j of `below` is bytes[j] < threshold. If `equal` is not
 * NULL, its bit j is bytes[j] == threshold: an undecided element. ceil(n / 8) bytes are written to each,
 * unused bits of the last one are 0.
 */
typedef void dropwise_threshold_fn(const void *bytes, size_t n, uint8_t threshold, void *below,
                                   void *equal);

/*
 * y[j] is x[j] * *scale (scale_kept) or x[j] itself (copy_kept) where bit j is 1, and +0.0 elsewhere.
 * x and y are the same or do not overlap. *scale is a double for f64 and a float for all others; copy_kept
 * ignores it. The product is rounded to nearest even where the elements are narrower than f32.
 *
 * The stream kernels write past the caches, for a y that is aligned to DROPWISE_STREAM_ALIGN bytes;
 * where the ISA has no such stores they are the ordinary kernels. Their stores are weakly ordered: one
 * stream_fence after the last of them, before another thread may be told about them.
 */
typedef void dropwise_apply_fn(const void *bits, size_t n, const void *x, void *y, const void *scale);

enum { DROPWISE_STREAM_ALIGN = 64 };

/* y[j] = x[j] * *scale; the stream kernels as above. */
typedef void dropwise_scale_fn(size_t n, const void *x, void *y, const void *scale);

typedef struct dropwise_kernels {
    int32_t isa;       /* DROPWISE_ISA_...                                                     */
    uint64_t required; /* CPU features, DROPWISE_CPU_..., that the compiler was allowed to use */
    void (*stream_fence)(void);
#define DROPWISE_KERNEL(kind, name) dropwise_##kind##_fn *name;
#include "kernels.inc"
#undef DROPWISE_KERNEL
} dropwise_kernels;

/* One constant table for each tier that is built; src/meson.build says which. */
extern const dropwise_kernels dropwise_kernels_scalar;
extern const dropwise_kernels dropwise_kernels_neon;
extern const dropwise_kernels dropwise_kernels_avx2;
extern const dropwise_kernels dropwise_kernels_avx512;

/* The table of a tier that is built and that this machine can run, else NULL. */
const dropwise_kernels *dropwise_kernels_get(int32_t isa);

#endif
