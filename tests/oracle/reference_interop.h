/*
 * The second half of the oracle: masks of other systems, decided element by element with the systems' own
 * arithmetic in floating point. Written from the definitions in docs/interop.md; it shares nothing with src/.
 */
#ifndef REFERENCE_INTEROP_H
#define REFERENCE_INTEROP_H

#include <stddef.h>
#include <stdint.h>

#include "dropwise_interop.h" /* for the numbers of layouts */
#include "oracle/reference.h"

/* What a system was given; each reads of it what it knows. */
typedef struct ref_interop {
    uint32_t layout; /* DROPWISE_LAYOUT_... */
    ref_dtype draws, dtype;
    double p; /* of dropping; JAX gets 1 - p */
    uint64_t seed, offset;
    uint64_t seed2; /* TensorFlow's second seed, cuRAND's subsequence, upper half of NumPy's key */
    uint64_t size;  /* all elements */
    uint64_t threads, vector;
    uint64_t rows, columns;
    uint64_t counter[4]; /* NumPy */
    uint64_t before;     /* elements or words drawn before */
    uint64_t run;        /* ONNX Runtime */
} ref_interop;

/* The random number that decides on element i: 64, 32, 16 or 8 bits; and the decision on a number. */
uint64_t ref_interop_number(const ref_interop *r, uint64_t i);
int ref_interop_decide(const ref_interop *r, uint64_t number);
int ref_interop_keep(const ref_interop *r, uint64_t i);

/* Whether numbers `size` further on take part, of which ref_interop_decide assumes the least. */
int ref_interop_is_high(const ref_interop *r);

/* What kept elements are multiplied by; 0 for p = 1. */
double ref_interop_scale(const ref_interop *r);

/* What the tests give to systems; p is 0 in all. */
extern const ref_interop ref_interop_cases[];
extern const size_t ref_interop_n_cases;

/* The generators, for known answers. */
void ref_philox4x32(int rounds, const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);
void ref_philox4x64(const uint64_t counter[4], const uint64_t key[2], uint64_t out[4]);
void ref_mt19937_seed(uint32_t state[624], uint32_t seed);
uint32_t ref_mt19937_word(uint32_t state[624], unsigned *position);
void ref_threefry2x32(const uint32_t counter[2], const uint32_t key[2], uint32_t out[2]);

#endif
