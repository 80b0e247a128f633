/* Reals: what follows from the functions that a tier's vec_reals_<isa>.h has. vec.h says what each does. */
#ifndef DROPWISE_GENERIC_REALS_H
#define DROPWISE_GENERIC_REALS_H

#include "kernels/vec/generic_bits.h"

/* ---- The same bits ---- */

static inline vec_b32 as_b32(vec_f32 v)
{
    vec_b32 u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static inline vec_f32 as_f32(vec_b32 v)
{
    vec_f32 x;
    memcpy(&x, &v, sizeof x);
    return x;
}

static inline vec_b64 as_b64(vec_f64 v)
{
    vec_b64 u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static inline vec_f64 as_f64(vec_b64 v)
{
    vec_f64 x;
    memcpy(&x, &v, sizeof x);
    return x;
}

/* ---- Arithmetic: the operators of C, which compilers have for the vectors of every ISA ---- */

static inline vec_f32 add_f32(vec_f32 a, vec_f32 b)
{
    return a + b;
}

static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b)
{
    return a - b;
}

static inline vec_f32 mul_f32(vec_f32 a, vec_f32 b)
{
    return a * b;
}

static inline vec_f32 div_f32(vec_f32 a, vec_f32 b)
{
    return a / b;
}

static inline vec_f64 add_f64(vec_f64 a, vec_f64 b)
{
    return a + b;
}

static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b)
{
    return a - b;
}

static inline vec_f64 mul_f64(vec_f64 a, vec_f64 b)
{
    return a * b;
}

static inline vec_f64 div_f64(vec_f64 a, vec_f64 b)
{
    return a / b;
}

/* Comparisons have a type of their own: a tier whose choices are something else writes these. */
#ifndef above_f32
static inline choose32 above_f32(vec_f32 a, vec_f32 b)
{
    return (choose32)(a > b);
}

static inline choose64 above_f64(vec_f64 a, vec_f64 b)
{
    return (choose64)(a > b);
}

static inline vec_f32 canonical_f32(vec_f32 v)
{
    return select_f32((choose32)(v == v), v, as_f32(set_b32(0x7FC00000)));
}

static inline vec_f64 canonical_f64(vec_f64 v)
{
    return select_f64((choose64)(v == v), v, as_f64(set_b64(UINT64_C(0x7FF8000000000000))));
}
#endif

#ifndef canonical_all_f32
VEC_INLINE void canonical_all_f32(vec_f32 *v, unsigned n)
{
    VEC_UNROLL
    for (unsigned k = 0; k < n; k++)
        v[k] = canonical_f32(v[k]);
}
#endif

VEC_INLINE void canonical_all_f64(vec_f64 *v, unsigned n)
{
    VEC_UNROLL
    for (unsigned k = 0; k < n; k++)
        v[k] = canonical_f64(v[k]);
}

static inline vec_f32 fnma_f32(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return fma_f32(-a, b, c);
}

#ifndef min_f32
static inline vec_f32 min_f32(vec_f32 a, vec_f32 b)
{
    return select_f32(above_f32(b, a), a, b);
}

static inline vec_f32 max_f32(vec_f32 a, vec_f32 b)
{
    return select_f32(above_f32(a, b), a, b);
}

static inline vec_f64 min_f64(vec_f64 a, vec_f64 b)
{
    return select_f64(above_f64(b, a), a, b);
}

static inline vec_f64 max_f64(vec_f64 a, vec_f64 b)
{
    return select_f64(above_f64(a, b), a, b);
}

static inline vec_f32 zero_below_f32(vec_f32 v, vec_f32 x, vec_f32 limit)
{
    return select_f32(above_f32(limit, x), set_f32(0), v);
}
#endif

/* ---- Products of elements ---- */

#ifndef mul_kept_f32
static inline vec_f32 mul_kept_f32(vec_f32 a, vec_f32 b, uint64_t bits, unsigned lane)
{
    return as_f32(keep_b32(as_b32(mul_f32(a, b)), bits, lane));
}

static inline vec_f64 mul_kept_f64(vec_f64 a, vec_f64 b, uint64_t bits, unsigned lane)
{
    return as_f64(keep_b64(as_b64(mul_f64(a, b)), bits, lane));
}
#endif

static inline vec_b32 load_times_f32(const uint8_t *p, float factor)
{
    return as_b32(mul_f32(as_f32(load_b32(p)), set_f32(factor)));
}

static inline vec_b64 load_times_f64(const uint8_t *p, double factor)
{
    return as_b64(mul_f64(as_f64(load_b64(p)), set_f64(factor)));
}

#ifndef load_masked_times_f32
static inline vec_b32 load_masked_times_f32(const uint8_t *p, float factor, const mask64 *mask, unsigned lane)
{
    return masked_b32(load_times_f32(p, factor), mask, lane);
}

static inline vec_b64 load_masked_times_f64(const uint8_t *p, double factor, const mask64 *mask,
                                            unsigned lane)
{
    return masked_b64(load_times_f64(p, factor), mask, lane);
}
#endif

#include "kernels/elements/small_floats.inc.h"

#ifndef load_f16
static inline vec_f32 load_f16(const uint8_t *p)
{
    return widen(format_f16, load_u16(p));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    store_u16(p, narrow(format_f16, v));
}
#endif

/* ---- A vector of elements as reals, and back ---- */

enum { HALF_PARTS = LANES_b16 / LANES_b32 };

VEC_INLINE void reals_of_f64(const uint8_t *p, vec_f64 *r)
{
    r[0] = as_f64(load_b64(p));
}

VEC_INLINE void times_kept_f64(vec_f64 *r, double factor, uint64_t bits, unsigned lane)
{
    r[0] = mul_kept_f64(r[0], set_f64(factor), bits, lane);
}

VEC_INLINE void in_order_f64(vec_f64 *r)
{
    (void)r;
}

VEC_INLINE vec_b64 elements_of_f64(const vec_f64 *r)
{
    return as_b64(r[0]);
}

VEC_INLINE vec_b64 results_of_f64(const vec_f64 *r)
{
    return as_b64(canonical_f64(r[0]));
}

VEC_INLINE void reals_of_f32(const uint8_t *p, vec_f32 *r)
{
    r[0] = as_f32(load_b32(p));
}

VEC_INLINE void times_kept_f32(vec_f32 *r, float factor, uint64_t bits, unsigned lane)
{
    r[0] = mul_kept_f32(r[0], set_f32(factor), bits, lane);
}

VEC_INLINE void in_order_f32(vec_f32 *r)
{
    (void)r;
}

VEC_INLINE vec_b32 elements_of_f32(const vec_f32 *r)
{
    return as_b32(r[0]);
}

VEC_INLINE vec_b32 results_of_f32(const vec_f32 *r)
{
    return as_b32(canonical_f32(r[0]));
}

/* Those of 16 bits, in order where a tier has no better one. */
VEC_INLINE void reals_of_f16(const uint8_t *p, vec_f32 *r)
{
    VEC_UNROLL
    for (unsigned k = 0; k < HALF_PARTS; k++)
        r[k] = load_f16(p + k * LANES_b32 * 2);
}

VEC_INLINE void times_kept_f16(vec_f32 *r, float factor, uint64_t bits, unsigned lane)
{
    VEC_UNROLL
    for (unsigned k = 0; k < HALF_PARTS; k++)
        r[k] = mul_kept_f32(r[k], set_f32(factor), bits, lane + k * LANES_b32);
}

VEC_INLINE void in_order_f16(vec_f32 *r)
{
    (void)r;
}

#ifndef elements_of_f16
VEC_INLINE vec_b16 elements_of_f16(const vec_f32 *r)
{
    uint8_t elements[sizeof(vec_b16)];
    VEC_UNROLL
    for (unsigned k = 0; k < HALF_PARTS; k++)
        store_f16(elements + k * LANES_b32 * 2, r[k]);
    return load_b16(elements);
}
#endif

#ifndef reals_of_bf16
VEC_INLINE void reals_of_bf16(const uint8_t *p, vec_f32 *r)
{
    VEC_UNROLL
    for (unsigned k = 0; k < HALF_PARTS; k++)
        r[k] = load_bf16(p + k * LANES_b32 * 2);
}
#endif

#ifndef times_kept_bf16
VEC_INLINE void times_kept_bf16(vec_f32 *r, float factor, uint64_t bits, unsigned lane)
{
    times_kept_f16(r, factor, bits, lane);
}

VEC_INLINE void in_order_bf16(vec_f32 *r)
{
    (void)r;
}
#endif

#ifndef elements_of_bf16
VEC_INLINE vec_b16 elements_of_bf16(const vec_f32 *r)
{
    uint8_t elements[sizeof(vec_b16)];
    VEC_UNROLL
    for (unsigned k = 0; k < HALF_PARTS; k++)
        store_u16(elements + k * LANES_b32 * 2, shr_b32(round_to_bf16(as_b32(r[k])), 16));
    return load_b16(elements);
}
#endif

#ifndef sum_lanes_f32
VEC_INLINE float fold_lanes_f32(vec_f32 v, float (*both)(float, float))
{
    float lanes[LANES_b32];
    memcpy(lanes, &v, sizeof lanes);
    VEC_UNROLL
    for (unsigned half = LANES_b32 / 2; half != 0; half /= 2) {
        VEC_UNROLL
        for (unsigned k = 0; k < half; k++)
            lanes[k] = both(lanes[k], lanes[k + half]);
    }
    return lanes[0];
}

VEC_INLINE float sum_of_two_f32(float a, float b)
{
    return a + b;
}

VEC_INLINE float larger_of_two_f32(float a, float b)
{
    return b > a ? b : a;
}

VEC_INLINE float sum_lanes_f32(vec_f32 v)
{
    return fold_lanes_f32(v, sum_of_two_f32);
}

VEC_INLINE float largest_lane_f32(vec_f32 v)
{
    return fold_lanes_f32(v, larger_of_two_f32);
}
#endif

VEC_INLINE double fold_lanes_f64(vec_f64 v, double (*both)(double, double))
{
    double lanes[LANES_b64];
    memcpy(lanes, &v, sizeof lanes);
    VEC_UNROLL
    for (unsigned half = LANES_b64 / 2; half != 0; half /= 2) {
        VEC_UNROLL
        for (unsigned k = 0; k < half; k++)
            lanes[k] = both(lanes[k], lanes[k + half]);
    }
    return lanes[0];
}

VEC_INLINE double sum_of_two_f64(double a, double b)
{
    return a + b;
}

VEC_INLINE double larger_of_two_f64(double a, double b)
{
    return b > a ? b : a;
}

VEC_INLINE double sum_lanes_f64(vec_f64 v)
{
    return fold_lanes_f64(v, sum_of_two_f64);
}

VEC_INLINE double largest_lane_f64(vec_f64 v)
{
    return fold_lanes_f64(v, larger_of_two_f64);
}

#ifndef store_kept_bf16
VEC_INLINE void store_kept_bf16(uint8_t *p, const vec_f32 *r, unsigned n, float least, uint64_t bits)
{
    VEC_UNROLL
    for (unsigned k = 0; k < n; k++) {
        const vec_b32 kept =
            keep_b32(as_b32(zero_below_f32(r[k], r[k], set_f32(least))), bits, k * LANES_b32);
        store_u16(p + 2 * k * LANES_b32, shr_b32(round_to_bf16(kept), 16));
    }
}
#endif

VEC_INLINE vec_b16 results_of_f16(const vec_f32 *r)
{
    vec_f32 results[HALF_PARTS];
    memcpy(results, r, sizeof results);
    canonical_all_f32(results, HALF_PARTS);
    return elements_of_f16(results);
}

VEC_INLINE vec_b16 results_of_bf16(const vec_f32 *r)
{
    vec_f32 results[HALF_PARTS];
    memcpy(results, r, sizeof results);
    canonical_all_f32(results, HALF_PARTS);
    return elements_of_bf16(results);
}

VEC_INLINE void times_halves(vec_f32 *r, float factor)
{
    VEC_UNROLL
    for (unsigned k = 0; k < HALF_PARTS; k++)
        r[k] = mul_f32(r[k], set_f32(factor));
}

static inline vec_b16 load_times_f16(const uint8_t *p, float factor)
{
    vec_f32 r[HALF_PARTS];
    reals_of_f16(p, r);
    times_halves(r, factor);
    return elements_of_f16(r);
}

static inline vec_b16 load_times_bf16(const uint8_t *p, float factor)
{
    vec_f32 r[HALF_PARTS];
    reals_of_bf16(p, r);
    times_halves(r, factor);
    return elements_of_bf16(r);
}

/* ---- Places ---- */

#ifndef transpose_lanes_f32
VEC_INLINE void transpose_lanes_f32(vec_f32 *v)
{
    float from[LANES_b32][LANES_b32], to[LANES_b32][LANES_b32];
    memcpy(from, v, sizeof from);
    for (unsigned i = 0; i < LANES_b32; i++)
        for (unsigned k = 0; k < LANES_b32; k++)
            to[k][i] = from[i][k];
    memcpy(v, to, sizeof to);
}
#endif

/* ---- Words as numbers ---- */

#ifndef word_pairs_f32
static inline void word_pairs_f32(const uint8_t *p, vec_f32 *even, vec_f32 *odd)
{
    uint8_t words[2][LANES_b32 * 4];
    store_in_turn(words[0], LANES_b32, 2, 4, p);
    *even = words_f32(words[0], 0);
    *odd = words_f32(words[1], 0);
}

static inline void word_pairs_f64(const uint8_t *p, vec_f64 *even, vec_f64 *odd)
{
    uint8_t words[2][LANES_b64 * 4];
    store_in_turn(words[0], LANES_b64, 2, 4, p);
    *even = words_f64(words[0], 0);
    *odd = words_f64(words[1], 0);
}

static inline void store_pairs_f32(uint8_t *p, vec_f32 even, vec_f32 odd)
{
    const vec_f32 pair[2] = {even, odd};
    store_in_turn(p, 2, LANES_b32, sizeof(float), pair);
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    const vec_f64 pair[2] = {even, odd};
    store_in_turn(p, 2, LANES_b64, sizeof(double), pair);
}
#endif

/* ---- SLEEF's functions ---- */

#if defined(DROPWISE_HAVE_SLEEF) && !defined(exp_f64)
static inline vec_f64 exp_f64(vec_f64 v)
{
    return SLEEF_F64(exp, u10)(v);
}

static inline vec_f64 erf_f64(vec_f64 v)
{
    return SLEEF_F64(erf, u10)(v);
}

static inline vec_f64 tanh_f64(vec_f64 v)
{
    return SLEEF_F64(tanh, u10)(v);
}

static inline vec_f64 log_of_f64(vec_f64 v)
{
    return SLEEF_F64(log, u35)(v);
}

static inline void sincospi_f64(vec_f64 v, vec_f64 *sine, vec_f64 *cosine)
{
    const sleef_pair_f64 both = SLEEF_F64(sincospi, u35)(v);
    *sine = both.x;
    *cosine = both.y;
}
#endif

#endif
