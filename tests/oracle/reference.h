/*
 * The oracle: what docs/stream.md and the header say, one element at a time, in the plainest way. It
 * shares no code with src/, not even a header.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <stddef.h>
#include <stdint.h>

typedef enum ref_generator {
#define REF_GENERATOR(number, name, user_name, cipher, rounds) REF_##number,
#include "oracle/generators.inc"
    REF_GENERATORS
} ref_generator;

typedef struct ref_mask {
    uint64_t seed;
    uint64_t stream;
    uint64_t threshold; /* keep probability times 2^40 */
    ref_generator generator;
} ref_mask;

ref_mask ref_mask_of(double p, uint64_t seed, uint64_t stream);

/* The 16 bytes that a generator makes of a 128-bit counter, the stream above the low 64 bits. */
void ref_generate(ref_generator generator, uint64_t seed, uint64_t stream, uint64_t counter, uint8_t out[16]);

/* The same of Philox4x32-10. */
void ref_block(uint64_t seed, uint64_t stream, uint64_t counter, uint8_t out[16]);

/* 1 if element i is kept. */
int ref_keep(const ref_mask *mask, uint64_t i);

/* The same for n elements from first on, a byte each. */
void ref_keep_range(const ref_mask *mask, uint64_t first, size_t n, uint8_t *keep);

/* The word of element i in a domain of words. */
uint32_t ref_word(uint64_t seed, uint64_t stream, unsigned domain, uint64_t i);

/* Packs n bytes of 0 or 1: bit j % 8 of byte j / 8, unused bits 0. */
void ref_pack(const uint8_t *keep, size_t n, uint8_t *bits);

/* The factors of what is kept in training (inverted scaling) and of everything at inference (standard). */
double ref_inverted_scale(const ref_mask *mask);
double ref_standard_scale(const ref_mask *mask);

typedef enum ref_dtype {
#define REF_DTYPE(number, name, bytes) REF_##number,
#include "oracle/dtypes.inc"
    REF_DTYPES
} ref_dtype;

size_t ref_bytes(ref_dtype dtype);

/* A number narrower than f32 as one, and the nearest one of the type: ties to even, NaN quiet. */
float ref_widen(ref_dtype dtype, unsigned bits);
unsigned ref_narrow(ref_dtype dtype, float v);

/*
 * Dropout by keep, a byte an element; scale NULL leaves what is kept as it is; it is rounded to f32 for all
 * dtypes but f64. Unaligned buffers.
 */
void ref_apply(ref_dtype dtype, const uint8_t *keep, size_t n, const void *x, void *y, const double *scale);

/* The product of x with the scale or, where it is dropped, with 0; f64, f32, f16 and bf16. */
void ref_multiply(ref_dtype dtype, const uint8_t *keep, size_t n, const void *x, void *y, double scale);

/*
 * y grows by the product of x with the scale where it is kept, and stays where it is dropped: computed in f64
 * for f64, else in f32, with one rounding to the dtype; NaN are quiet, positive and without payload.
 */
void ref_add(ref_dtype dtype, const uint8_t *keep, size_t n, const void *x, void *y, double scale);

/*
 * What becomes of words, computed in f64 for REF_F64, else in f32: the uniform number, exactly; and, by the
 * formulas in double with the C library, the normal number of an even or odd element and the part 1 - z that
 * concrete dropout keeps.
 */
double ref_uniform(ref_dtype dtype, uint32_t word);
double ref_normal(ref_dtype dtype, uint32_t word0, uint32_t word1, int odd);
double ref_relaxed(ref_dtype dtype, uint32_t word, double logit, double temperature);

/* Alpha dropout: what is kept becomes a x + b, what is dropped another constant; in double. */
typedef struct ref_affine {
    double a, b, dropped;
} ref_affine;

ref_affine ref_alpha(const ref_mask *mask);

/* FNV-1a, 64 bits: of the golden values. */
uint64_t ref_hash(uint64_t hash, const void *data, size_t n);
#define REF_HASH_START UINT64_C(0xcbf29ce484222325)

#endif
