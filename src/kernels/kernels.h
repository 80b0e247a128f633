/*
 * The kernels of a tier: what each kind does, and the table that a tier consists of.
 *
 * Kernels get integers, bit patterns and buffers that were checked before; n = 0 is allowed, no
 * pointer is aligned unless it says so, and no byte outside the arguments is touched.
 */
#ifndef DROPWISE_KERNELS_H
#define DROPWISE_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a generator's output depends on besides the low 64 bits of its counter. */
typedef struct dropwise_key {
    uint32_t key[4];    /* seed, low word first, and 0, 0, which Philox does without */
    uint32_t stream[2]; /* the upper two counter words: the stream, low word first */
} dropwise_key;

/* Writes the n_blocks 16-byte blocks of counters counter, counter + 1, ... (modulo 2^64). */
typedef void dropwise_generate_fn(const dropwise_key *key, uint64_t counter, size_t n_blocks, void *bytes);

/* The same for counters that are listed one by one. */
typedef void dropwise_generate_at_fn(const dropwise_key *key, const uint64_t *counters, size_t n_blocks,
                                     void *bytes);

/* What a generator works out once from the key and the high half of the counter; each in a way of its own. */
typedef struct dropwise_schedule {
    uint64_t words[24];
} dropwise_schedule;

typedef void dropwise_prepare_fn(const dropwise_key *key, uint32_t high, dropwise_schedule *schedule);

/*
 * What bytes are compared with: elements whose byte is at most `last` are kept, ties among them, whose byte
 * is `last` itself. Of word w of 64 elements, the answers are keep[w] and equal[w], bit j that of element j;
 * where one of them is NULL, nobody asks for it.
 */
typedef struct dropwise_threshold {
    uint8_t last;
    uint64_t *keep, *equal;
} dropwise_threshold;

/*
 * Draws and compares the bytes that generate would write for n_words times four counters, which follow each
 * other: the low halves of those of word w begin at low + w * step. None of these wraps.
 */
typedef void dropwise_draw_fn(const dropwise_schedule *schedule, uint32_t low, uint32_t step, size_t n_words,
                              const dropwise_threshold *threshold);

/* The step between words that follow each other. */
enum { DROPWISE_WORD_BLOCKS = 4 };

/* The answers for bytes that were drawn already, 64 for each word. */
typedef void dropwise_threshold_fn(const void *bytes, size_t n_words, const dropwise_threshold *threshold);

/* 64 elements for each word; x, y and scale are as for scale_kept. */
typedef struct dropwise_elements {
    const void *x;
    void *y;
    const void *scale;
} dropwise_elements;

/*
 * draw and scale_kept in one: the elements are those that are drawn. The result is how many words are done:
 * whole batches, so that fewer than DROPWISE_BATCH_WORDS are left.
 */
typedef size_t dropwise_forward_fn(const dropwise_schedule *schedule, uint32_t low, size_t n_words,
                                   const dropwise_threshold *threshold, const dropwise_elements *elements);

/* draw and scale_kept_nt in one, with the same result: words of one chunk are drawn while elements of another
 * one, whose bits are known, are scaled. */
typedef size_t dropwise_draw_scale_fn(const dropwise_schedule *schedule, uint32_t low, size_t n_words,
                                      const dropwise_threshold *threshold, const void *bits,
                                      const dropwise_elements *elements);

enum { DROPWISE_BATCH_WORDS = 8 };

/* The kernels of one generator. */
typedef struct dropwise_generator {
    dropwise_generate_fn *generate;
    dropwise_generate_at_fn *generate_at;
    dropwise_prepare_fn *prepare;
    dropwise_draw_fn *draw;
    /* or NULL */
    dropwise_forward_fn *forward_f64, *forward_f32, *forward_f16, *forward_bf16;
    dropwise_draw_scale_fn *draw_scale_f64, *draw_scale_f32, *draw_scale_f16, *draw_scale_bf16;
} dropwise_generator;

/*
 * y[j] is x[j] * *scale (scale_kept) or x[j] itself (copy_kept) where bit j is 1, and +0.0 elsewhere. x and
 * y are the same or do not overlap. *scale is a double for f64 and a float for all others; copy_kept ignores
 * it. The product is rounded to nearest even where the elements are narrower than f32. product_kept is
 * scale_kept but for what is dropped, which it multiplies by 0: zeros have the sign of x[j], or it is NaN.
 *
 * add_kept adds the product to y[j], in f32 (f64 for f64), with one rounding to the type of elements and the
 * positive quiet NaN without payload for every NaN; y[j] stays as it is where the bit is 0. bits may be NULL,
 * for ones.
 *
 * The nt kernels (nontemporal) write past the caches, for a y that is aligned to DROPWISE_NT_ALIGN bytes;
 * where the ISA has no such stores they are the ordinary kernels. Their stores are weakly ordered: one
 * nt_fence after the last of them, before another thread may be told about them.
 */
typedef void dropwise_apply_fn(const void *bits, size_t n, const void *x, void *y, const void *scale);

enum { DROPWISE_NT_ALIGN = 64 };

/* y[j] = x[j] * *scale; the nt kernels as above. */
typedef void dropwise_scale_fn(size_t n, const void *x, void *y, const void *scale);

/* Bit j of bits is 1 if any bit of x[j] is; ceil(n / 8) bytes are written, unused bits are 0. */
typedef void dropwise_nonzero_fn(size_t n, const void *x, void *bits);

/* Zeroes n bytes, past the caches, as the nt kernels above do. */
typedef void dropwise_clear_fn(size_t n, void *y);

/*
 * Erodes n bytes of packed bits in place: a bit becomes 0 if the one that stood `distance` bits below it
 * (erode_up) or above it (erode_down) was 0, unless the same bit of the fence, of n bytes too, is 1. Reads,
 * besides, distance / 8 + 1 bytes before the first byte (erode_up) or after the last one (erode_down).
 */
typedef void dropwise_erode_fn(void *bits, size_t n, size_t distance, const void *fence);

/* How many bits of n bytes are 1. */
typedef uint64_t dropwise_count_fn(size_t n, const void *bits);

/*
 * Elements to f32 (exact; NaN quiet, but those of bf16 as they are) and back (rounded to nearest even; NaN
 * quiet). Beyond the largest number lies infinity, or NaN for E4M3, or, where the kernel's name ends in sat,
 * that number itself. Back, y may be in.
 */
typedef void dropwise_widen_fn(size_t n, const void *x, float *out);
typedef void dropwise_narrow_fn(size_t n, const float *in, void *y);

/*
 * The fused steps, computed in f32 or f64, on n elements of a row; every NaN that they write is the positive
 * quiet one without payload. Numbers passed by pointer (factor, scale, max, ...) are of that type, and so are
 * sums. Operands are too, but for those of the first three kinds and of softmax, which are also there for
 * elements of 16 bits: widened, computed with in f32, and rounded to nearest even, all in registers.
 *
 * Here drop(v) is v * *factor where the element's bit is 1, +0.0 elsewhere, bias and residual may be NULL for
 * zeros that are not added, and dropwise_fused.h has the formulas.
 *
 * residual       y = residual + drop(x + bias); the nt kernel as above
 * activate       y = drop(activation(x + bias))
 * activate_grad  dx = drop(dy) * slope(x + bias), +0.0 where dropped; sums, if not NULL, grow by dx before it
 *                is rounded to the type of elements
 */
typedef void dropwise_residual_fn(const void *bits, size_t n, const void *x, const void *bias,
                                  const void *residual, void *y, const void *factor);
typedef void dropwise_activate_fn(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                  const void *factor);
typedef void dropwise_activate_grad_fn(const void *bits, size_t n, const void *dy, const void *x,
                                       const void *bias, void *dx, const void *factor, void *sums);

/*
 * Softmax of logits = *scale * x + add, where add may be NULL, of rows of n <= DROPWISE_SOFTMAX_ROW elements:
 * forward, or backward with dy as x and dx as y. Steps from row to row are in bytes. Of row r the first
 * visible + r * visible_step columns count, none or all of them where that is less or more; outputs are +0.0
 * behind these.
 */
enum { DROPWISE_SOFTMAX_ROW = 4096 };

typedef struct dropwise_softmax_rows {
    size_t rows, n;
    const uint8_t *x, *add, *bits; /* each row's bits begin with a byte */
    uint8_t *probabilities, *y;    /* the first may be NULL forward, and is read backward */
    size_t bits_step;
    ptrdiff_t x_step, add_step, y_step;
    int64_t visible, visible_step;
    const void *scale, *factor;
} dropwise_softmax_rows;

typedef void dropwise_softmax_fn(const dropwise_softmax_rows *rows);
typedef dropwise_softmax_fn dropwise_softmax_grad_fn;

/*
 * The passes of longer rows, on a piece of a row. n is a multiple of 16 in all calls for a row but the last;
 * sums are 16 numbers, to which element i of the row is added at i mod 16.
 *
 * row_max   *max grows to the largest logit; NaN are passed over
 * row_exp   e = exp(logits - *max), sums grow by e; e has room for a multiple of 64 numbers
 * row_drop  probabilities, if not NULL, = e * *inverse, y = drop(e * *inverse)
 * row_dot   sums grow by drop(dy) * probabilities
 * row_grad  dx = probabilities * (drop(dy) - *dot) * *scale
 */
typedef void dropwise_row_max_fn(size_t n, const void *x, const void *add, const void *scale, void *max);
typedef void dropwise_row_exp_fn(size_t n, const void *x, const void *add, const void *scale, const void *max,
                                 void *e, void *sums);
typedef void dropwise_row_drop_fn(const void *bits, size_t n, const void *e, const void *inverse,
                                  const void *factor, void *probabilities, void *y);
typedef void dropwise_row_dot_fn(const void *bits, size_t n, const void *dy, const void *probabilities,
                                 const void *factor, void *sums);
typedef void dropwise_row_grad_fn(const void *bits, size_t n, const void *dy, const void *probabilities,
                                  const void *factor, const void *dot, const void *scale, void *dx);

/* Parameters of a kernel, in the type that it computes in. */
typedef union dropwise_params {
    double f64[3];
    float f32[3];
} dropwise_params;

/*
 * Variants, in f32 or f64, or by width where nothing is computed; affine and mix are there for elements of 16
 * bits as well. NaN as in the fused steps. Where an output
 * is one buffer with an input, elements are at the same places; the nt kernels are as above, with all
 * outputs aligned.
 *
 * affine        y = x * params[0] + params[1] where the bit is 1, else params[2]; NaN of x stay, quiet
 * blend         y = a where the bit is 1, else b
 * split         kept = x where the bit is 1, else +0.0; dropped the other way round
 * combine       mix: y = a * params[0] + b * params[1]; modulate: y = a * (params[0] + b * params[1])
 * noise         n random words (a multiple of 4, from a block's first one on) to n numbers, docs/stream.md:
 *               uniform, normal, or the part that a relaxed mask of logit params[0] keeps, at a temperature
 *               of which params[1] is the reciprocal
 * relaxed_grad  dx = d with d = dy * (kept * params[0]);
 *               sums grow by d * x * (params[1] - (1 - kept) * params[2])
 * dot           sums grow by a * b
 *
 * Here sums are 16 doubles, whatever the type: terms are rounded to it, converted, and added, that of element
 * i to sum i mod 16.
 */
typedef void dropwise_affine_fn(const void *bits, size_t n, const void *x, const dropwise_params *params,
                                void *y);
typedef void dropwise_blend_fn(const void *bits, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *y);
typedef void dropwise_split_fn(const void *bits, size_t n, const uint8_t *x, uint8_t *kept, uint8_t *dropped);
typedef void dropwise_combine_fn(size_t n, const void *a, const void *b, const dropwise_params *params,
                                 void *y);
typedef void dropwise_noise_fn(size_t n, const void *words, const dropwise_params *params, void *numbers);
typedef void dropwise_relaxed_grad_fn(size_t n, const void *dy, const void *x, const void *kept,
                                      const dropwise_params *params, void *dx, double *sums);
typedef void dropwise_dot_fn(size_t n, const void *a, const void *b, double *sums);

/*
 * DropConnect, in f32 or f64: products of a matrix, whose row r begins r * a_step bytes after `a`, with a
 * mask, whose row begins r * bits_step bytes after bits. keep(v) is v where the bit is 1, +0.0 elsewhere.
 * Sums are a matrix of 16 rows, sums_step bytes apart, with a column for each total.
 *
 * masked_dot     sums[i mod 16][r] grow by keep(a[r][i] * x[i]); n is a multiple of 16 in all calls for a row
 *                but the last
 * masked_axpy    sums[r mod 16][i] grow by keep(coefficients[r] * a[r][i]); `rows` is a multiple of 16 in all
 *                calls but the last
 * dot_moments    for one row and no mask: sums[i mod 16][0] grow by a[i] * x[i], squares by its square
 * fold_sums      y[i] = *scale * (the sum of column i) + add[i], by the fixed tree of dropwise_dropconnect.h;
 *                add may be NULL or y, and so may one sum be. n_sums is 1, 2, 4, 8 or 16: rows from there on,
 *                which are not read, are all +0.0
 * sample_normal  y = mean + sqrt(variance) * z; y may be z
 *
 * The last two write the positive quiet NaN without payload for every NaN.
 */
typedef void dropwise_masked_dot_fn(const void *bits, size_t bits_step, size_t rows, size_t n, const void *a,
                                    size_t a_step, const void *x, void *sums, size_t sums_step);
typedef void dropwise_masked_axpy_fn(const void *bits, size_t bits_step, size_t rows, size_t n,
                                     const void *coefficients, const void *a, size_t a_step, void *sums,
                                     size_t sums_step);
typedef void dropwise_dot_moments_fn(size_t n, const void *a, const void *x, void *sums, void *squares,
                                     size_t sums_step);
typedef void dropwise_fold_sums_fn(size_t n_sums, size_t n, const void *sums, size_t sums_step,
                                   const void *scale, const void *add, void *y);
typedef void dropwise_sample_normal_fn(const void *mean, const void *variance, size_t n, const void *z,
                                       void *y);

/*
 * Attention, in f32. Steps are in bytes.
 *
 * matmul          c = x y, or c += x y: `rows` is a multiple of DROPWISE_MATMUL_ROWS, columns of 16, and
 *                 depth at least 1. Element (i, k) of x is at x + i * x_row + k * x_step; columns of y are in
 *                 blocks of 64, y_block apart, in which rows are y_row apart. An element of c is a chain of
 *                 fused multiply-adds by k
 * transpose       element (i, j) of x, whose rows are x_row apart, becomes element (j, i) of y, whose rows
 *                 are 64 numbers; those from `rows` <= 64 on become 0. y has a multiple of 16 rows; what
 *                 stands in those from `columns` on does not count
 * matmul_bf16     the same of elements of bf16: `rows`, depth and columns are multiples of 32. Elements of a
 *                 row of x follow each other. Rows of y are pairs of rows: element (2 k, j) and then
 *                 (2 k + 1, j), in 32 bits. Sums are those of matmul_bf16.inc.h. All elements are 0, as large
 *                 as pack's `least` makes sure, infinite or NaN
 * pack            y = x, of elements of bf16, but 0 for those whose bits without the sign are below `least`
 * pair            element i of a and of b become a pair, of a multiple of 16 elements
 * attention       scores become dropped probabilities that are not normalised; top, sum and shrink as
 *                 dropwise_attention.h says
 * attention_grad  scores become p = 2^(x * factor - lse), dropped, times kept; d, dp of that header, becomes
 *                 p * (keep(d) * kept_factor - delta)
 */
enum { DROPWISE_MATMUL_ROWS = 6 };

typedef struct dropwise_matmul {
    size_t rows, depth, columns;
    const uint8_t *x, *y;
    uint8_t *c;
    ptrdiff_t x_row, x_step, y_row;
    size_t y_block, c_row;
    bool adds;
} dropwise_matmul;

typedef struct dropwise_attention_rows {
    size_t rows, n;
    uint8_t *x, *d; /* rows of n numbers, `step` apart */
    size_t step;
    const uint8_t *bits; /* each row's begin with a byte; NULL: nothing is dropped */
    size_t bits_step;
    float factor; /* of x, which makes logits in powers of 2 */
    bool first;   /* top and sum hold nothing yet             */
    float *top, *sum, *shrink;
    bool packs;               /* forward: rows of bf16 are to be written where those of x are */
    float least;              /* below this they are 0 */
    const float *lse, *delta; /* in powers of 2; times the scale of scores */
    float kept, kept_factor;  /* of probabilities, of d                     */
} dropwise_attention_rows;

typedef void dropwise_matmul_fn(const dropwise_matmul *m);
typedef void dropwise_transpose_fn(size_t rows, size_t columns, const uint8_t *x, ptrdiff_t x_row,
                                   uint8_t *y);
typedef dropwise_matmul_fn dropwise_matmul_bf16_fn;
typedef void dropwise_pack_fn(size_t n, uint16_t least, const void *x, void *y);
typedef void dropwise_pair_fn(size_t n, const void *a, const void *b, void *y);
typedef void dropwise_attention_fn(const dropwise_attention_rows *rows);
typedef dropwise_attention_fn dropwise_attention_grad_fn;

/*
 * ARS depends on AES instructions, which CPUs have or lack whatever their tier; so its kernels are tables of
 * their own. A tier uses the best one that this CPU can run, that gives a known answer, and whose vectors are
 * not wider than its own.
 */
typedef struct dropwise_ars_kernels {
    int32_t isa;       /* the tier from which on it is used                        */
    const char *name;  /* of the instructions                                      */
    uint64_t required; /* CPU features that the compiler was allowed to use, as below */
    dropwise_generator generator;
} dropwise_ars_kernels;

/*
 * Mask layouts of other systems. Block k of a run has the counter words first[w] + k / group * step[w],
 * modulo 2^32, and in word 0 k % group besides; group is 1, 2 or 4. Generators of two words take no groups.
 */
typedef struct dropwise_counters {
    uint32_t key[2];
    uint32_t first[4];
    uint32_t step[4];
    uint32_t group;
} dropwise_counters;

/* Counter word 0 of block k is first[0] + k; the others are constant. */
typedef struct dropwise_counters64 {
    uint64_t key[2];
    uint64_t first[4];
} dropwise_counters64;

/*
 * What a generator makes of the counters of n_blocks blocks, in little-endian words: all words of each block,
 * or what the name of the kernel says, as words.inc.h explains.
 */
typedef void dropwise_words_fn(const dropwise_counters *counters, size_t n_blocks, void *words);
typedef void dropwise_dwords_fn(const dropwise_counters64 *counters, size_t n_blocks, void *words);

/*
 * Bit j is 1 if number j, transformed as compare.inc.h says, is at most last, or, where drops is 1, if it is
 * not. Numbers are little-endian; ceil(n / 8) bytes are written, unused bits of the last one are 0.
 */
typedef struct dropwise_compare {
    uint64_t last;
    uint32_t shift, flip, drops;
} dropwise_compare;

typedef void dropwise_compare_fn(const void *numbers, size_t n, const dropwise_compare *how, void *bits);

/* first, first * multiplier, ... modulo 2^31 - 1: n numbers, in little-endian words. */
typedef void dropwise_lehmer_fn(uint32_t first, uint32_t multiplier, size_t n, void *words);

/*
 * mt19937, whose words of even and of odd places lie apart: pair i is even[i], odd[i]. The kernels go over
 * 64 pairs for each of n_words, and read up to one word more.
 *
 * twist    pairs 312 further on: even[312] to even[312 + 64 * n_words - 1], and of odd likewise, from the
 *          312 pairs before each and one word
 * pairs    draws 64 * n_words elements: bit j is 1 where the lower 53 bits of high[j] and low[j], the
 *          numbers that words become, are below the threshold, which is 1 to 2^53. Then it twists, if even
 *          is not NULL; high and low are even and odd from the same pair on, or odd and what follows in even;
 *          then, if x is not NULL, it multiplies such elements of f32 as product_kept_f32 does, and bits may
 *          be NULL
 * temper   the numbers of first[0], second[0], first[1], ..., in little-endian
 * windows  sum[j] is xored with words[at[k] + j] for all k < n and all j < DROPWISE_MT_WINDOW
 */
typedef struct dropwise_pairs {
    const uint32_t *high, *low;
    uint32_t *even, *odd;
    uint64_t threshold;
    const void *x; /* or NULL */
    void *y;
    float scale;
} dropwise_pairs;

enum { DROPWISE_MT_WINDOW = 320 };

typedef void dropwise_twist_fn(size_t n_words, uint32_t *even, uint32_t *odd);
typedef void dropwise_pairs_fn(const dropwise_pairs *pairs, size_t n_words, void *bits);
typedef void dropwise_temper_fn(size_t n_words, const uint32_t *first, const uint32_t *second, void *words);
typedef void dropwise_windows_fn(size_t n, const uint16_t *at, const uint32_t *words, uint32_t *sum);

typedef struct dropwise_kernels {
    int32_t isa;            /* DROPWISE_ISA_...                                                     */
    uint64_t required;      /* CPU features, DROPWISE_CPU_..., that the compiler was allowed to use */
    uint64_t math_required; /* CPU features that SLEEF's functions for this tier need besides       */
    bool has_math;          /* built with SLEEF                                                     */
    void (*nt_fence)(void);
    dropwise_matmul_bf16_fn *matmul_tiles; /* matmul_bf16 by a matrix unit, or NULL: see tiers/dispatch.h */
    bool (*may_use_tiles)(void);
#define DROPWISE_GENERATOR(number, name, user_name, template) dropwise_generator name;
#define DROPWISE_KERNEL(kind, name, template) dropwise_##kind##_fn *name; /* NULL: not in this build */
#include "kernels/kernels.inc"
} dropwise_kernels;

/* One constant table for each tier that is built; src/sources.txt says which. */
extern const dropwise_kernels dropwise_kernels_scalar;
extern const dropwise_kernels dropwise_kernels_neon;
extern const dropwise_kernels dropwise_kernels_avx2;
extern const dropwise_kernels dropwise_kernels_avx512;
extern const dropwise_kernels dropwise_kernels_rvv;

/* The table of a tier that is built and that this machine can run, else NULL. */
const dropwise_kernels *dropwise_kernels_get(int32_t isa);

/* Likewise of ARS, the plainest first; src/sources.txt says which there are. */
extern const dropwise_ars_kernels dropwise_ars7_software;
extern const dropwise_ars_kernels dropwise_ars7_neon;
extern const dropwise_ars_kernels dropwise_ars7_aesni;
extern const dropwise_ars_kernels dropwise_ars7_vaes256;
extern const dropwise_ars_kernels dropwise_ars7_vaes512;

/* The table of ARS that a tier uses. */
const dropwise_ars_kernels *dropwise_ars_of(const dropwise_kernels *kernels);

#endif
