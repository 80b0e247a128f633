/* Reals in AVX2 vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_REALS_AVX2_H
#define DROPWISE_VEC_REALS_AVX2_H

#include "x86/vec_bits_avx2.h"

typedef __m256 vec_f32;
typedef __m256d vec_f64;

static inline vec_f32 set_f32(float x)
{
    return _mm256_set1_ps(x);
}

static inline vec_f64 set_f64(double x)
{
    return _mm256_set1_pd(x);
}

static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return _mm256_sqrt_ps(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return _mm256_sqrt_pd(v);
}

#define above_f32 above_f32
static inline choose32 above_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

static inline choose64 above_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_cmp_pd(a, b, _CMP_GT_OQ);
}

/* A comparison with itself finds NaN; its sign is not the one that x86 makes. */
static inline vec_f32 canonical_f32(vec_f32 v)
{
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
    return _mm256_blendv_ps(v, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
}

static inline vec_f64 canonical_f64(vec_f64 v)
{
    const __m256d nan = _mm256_castsi256_pd(_mm256_set1_epi64x(0x7FF8000000000000));
    return _mm256_blendv_pd(v, nan, _mm256_cmp_pd(v, v, _CMP_UNORD_Q));
}

/* Two vectors are looked at at a time. */
#define canonical_all_f32 canonical_all_f32
VEC_INLINE void canonical_all_f32(vec_f32 *v, unsigned n)
{
    __m256 nan = _mm256_setzero_ps();
    VEC_UNROLL
    for (unsigned k = 0; k < n; k += 2)
        nan = _mm256_or_ps(nan, _mm256_cmp_ps(v[k], v[k + 1], _CMP_UNORD_Q));
    if (__builtin_expect(_mm256_testz_ps(nan, nan), 1))
        return;
    VEC_UNROLL
    for (unsigned k = 0; k < n; k++)
        v[k] = canonical_f32(v[k]);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return _mm256_blendv_ps(b, a, choice);
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return _mm256_blendv_pd(b, a, choice);
}

#define min_f32 min_f32
static inline vec_f32 min_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_min_ps(a, b);
}

static inline vec_f32 max_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_max_ps(a, b);
}

static inline vec_f64 min_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_min_pd(a, b);
}

static inline vec_f64 max_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_max_pd(a, b);
}

#define sum_lanes_f32 sum_lanes_f32
static inline float sum_lanes_f32(vec_f32 v)
{
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float largest_lane_f32(vec_f32 v)
{
    const __m128 four = _mm_max_ps(_mm256_extractf128_ps(v, 1), _mm256_castps256_ps128(v));
    const __m128 two = _mm_max_ps(_mm_movehl_ps(four, four), four);
    return _mm_cvtss_f32(_mm_max_ss(_mm_movehdup_ps(two), two));
}

static inline vec_f32 zero_below_f32(vec_f32 v, vec_f32 x, vec_f32 limit)
{
    return _mm256_and_ps(v, _mm256_cmp_ps(x, limit, _CMP_NLT_UQ));
}

#define load_f16 load_f16
static inline vec_f32 load_f16(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

#define elements_of_f16 elements_of_f16
VEC_INLINE vec_b16 elements_of_f16(const vec_f32 *r)
{
    return _mm256_set_m128i(_mm256_cvtps_ph(r[1], _MM_FROUND_TO_NEAREST_INT),
                            _mm256_cvtps_ph(r[0], _MM_FROUND_TO_NEAREST_INT));
}

/* The even and the odd elements, each in the upper halves of 32-bit lanes, where they are f32 already. */
#define reals_of_bf16 reals_of_bf16
VEC_INLINE void reals_of_bf16(const uint8_t *p, vec_f32 *r)
{
    const __m256i v = load_b16(p);
    r[0] = _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
    r[1] = _mm256_castsi256_ps(_mm256_and_si256(v, _mm256_set1_epi32((int)0xFFFF0000)));
}

#define times_kept_bf16 times_kept_bf16 /* in the order of reals_of_bf16 */
VEC_INLINE void times_kept_bf16(vec_f32 *r, float factor, uint64_t bits, unsigned lane)
{
    const __m256i even = _mm256_setr_epi32(1, 1 << 2, 1 << 4, 1 << 6, 1 << 8, 1 << 10, 1 << 12, 1 << 14);
    const __m256i word = _mm256_set1_epi32((int)(uint32_t)(bits >> lane / 32 * 32));
    VEC_UNROLL
    for (unsigned k = 0; k < 2; k++) {
        const __m256i lane_bit = _mm256_slli_epi32(even, (int)(lane % 32 + k));
        const __m256i kept = _mm256_cmpeq_epi32(_mm256_and_si256(word, lane_bit), lane_bit);
        r[k] = _mm256_and_ps(_mm256_mul_ps(r[k], _mm256_set1_ps(factor)), _mm256_castsi256_ps(kept));
    }
}

VEC_INLINE void in_order_bf16(vec_f32 *r)
{
    const __m256 low = _mm256_unpacklo_ps(r[0], r[1]), high = _mm256_unpackhi_ps(r[0], r[1]);
    r[0] = _mm256_permute2f128_ps(low, high, 0x20);
    r[1] = _mm256_permute2f128_ps(low, high, 0x31);
}

/*
 * The halves of both vectors are rounded together: up where the lower one is more than half a unit, or half
 * of one beside an odd upper one. The mean has 17 bits before it is halved: its highest one is the carry.
 */
#define elements_of_bf16 elements_of_bf16
VEC_INLINE vec_b16 elements_of_bf16(const vec_f32 *r)
{
    const __m256i even = _mm256_castps_si256(r[0]), odd = _mm256_castps_si256(r[1]);
    const __m256i upper = _mm256_blend_epi16(_mm256_srli_epi32(even, 16), odd, 0xAA);
    const __m256i lower = _mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xAA);
    const __m256i rest = _mm256_or_si256(lower, _mm256_and_si256(upper, _mm256_set1_epi16(1)));
    const __m256i carry = _mm256_srli_epi16(_mm256_avg_epu16(rest, _mm256_set1_epi16(0x7FFE)), 15);
    return _mm256_add_epi16(upper, carry);
}

/* Pairs, fours, and halves. */
#define transpose_lanes_f32 transpose_lanes_f32
VEC_INLINE void transpose_lanes_f32(vec_f32 *v)
{
    __m256 pairs[8], fours[8];
    VEC_UNROLL
    for (unsigned k = 0; k < 8; k += 2) {
        pairs[k] = _mm256_unpacklo_ps(v[k], v[k + 1]);
        pairs[k + 1] = _mm256_unpackhi_ps(v[k], v[k + 1]);
    }
    VEC_UNROLL
    for (unsigned k = 0; k < 8; k++) {
        const unsigned first = k / 4 * 4 + k % 4 / 2;
        fours[k] = k % 2 == 0 ? _mm256_shuffle_ps(pairs[first], pairs[first + 2], _MM_SHUFFLE(1, 0, 1, 0))
                              : _mm256_shuffle_ps(pairs[first], pairs[first + 2], _MM_SHUFFLE(3, 2, 3, 2));
    }
    VEC_UNROLL
    for (unsigned k = 0; k < 4; k++) {
        v[k] = _mm256_permute2f128_ps(fours[k], fours[k + 4], 0x20);
        v[k + 4] = _mm256_permute2f128_ps(fours[k], fours[k + 4], 0x31);
    }
}

static inline vec_f64 f64_of_f32(const uint8_t *p)
{
    return _mm256_cvtps_pd(_mm_loadu_ps((const float *)(const void *)p));
}

/* AVX2 converts signed words only: the halves of unsigned ones are exact, and their sum is rounded once. */
static inline vec_f32 f32_of_words(__m256i v)
{
    const __m256 high = _mm256_cvtepi32_ps(_mm256_srli_epi32(v, 16));
    const __m256 low = _mm256_cvtepi32_ps(_mm256_and_si256(v, _mm256_set1_epi32(0xFFFF)));
    return _mm256_add_ps(_mm256_mul_ps(high, _mm256_set1_ps(65536)), low);
}

/* A word below 2^32 is the fraction of a number from 2^52 on. */
static inline vec_f64 f64_of_words(__m256i v)
{
    const __m256d base = _mm256_set1_pd(0x1p52);
    return _mm256_sub_pd(_mm256_or_pd(_mm256_castsi256_pd(v), base), base);
}

static inline vec_f32 words_f32(const uint8_t *p, uint32_t flip)
{
    return f32_of_words(_mm256_xor_si256(load_b32(p), _mm256_set1_epi32((int)flip)));
}

static inline vec_f64 words_f64(const uint8_t *p, uint32_t flip)
{
    const __m128i words = _mm_loadu_si128((const __m128i *)(const void *)p);
    return f64_of_words(_mm256_cvtepu32_epi64(_mm_xor_si128(words, _mm_set1_epi32((int)flip))));
}

/* The places of each 128 bits of two vectors: what unpacking puts back. */
#define word_pairs_f32 word_pairs_f32
static inline void word_pairs_f32(const uint8_t *p, vec_f32 *even, vec_f32 *odd)
{
    const __m256 first = _mm256_loadu_ps((const float *)(const void *)p);
    const __m256 second = _mm256_loadu_ps((const float *)(const void *)(p + 32));
    *even = f32_of_words(_mm256_castps_si256(_mm256_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0))));
    *odd = f32_of_words(_mm256_castps_si256(_mm256_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))));
}

static inline void word_pairs_f64(const uint8_t *p, vec_f64 *even, vec_f64 *odd)
{
    const __m256i pairs = load_b64(p);
    *even = f64_of_words(_mm256_blend_epi32(pairs, _mm256_setzero_si256(), 0xAA));
    *odd = f64_of_words(_mm256_srli_epi64(pairs, 32));
}

static inline void store_pairs_f32(uint8_t *p, vec_f32 even, vec_f32 odd)
{
    _mm256_storeu_ps((float *)(void *)p, _mm256_unpacklo_ps(even, odd));
    _mm256_storeu_ps((float *)(void *)(p + 32), _mm256_unpackhi_ps(even, odd));
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    const __m256d low = _mm256_unpacklo_pd(even, odd), high = _mm256_unpackhi_pd(even, odd);
    _mm256_storeu_pd((double *)(void *)p, _mm256_permute2f128_pd(low, high, 0x20));
    _mm256_storeu_pd((double *)(void *)(p + 32), _mm256_permute2f128_pd(low, high, 0x31));
}

#ifdef DROPWISE_HAVE_SLEEF
#include <sleef.h>

#define SLEEF_F64(function, ulp) Sleef_finz_##function##d4_##ulp##avx2
typedef Sleef___m256d_2 sleef_pair_f64;
#endif

#include "kernels/vec/generic_reals.h"

#endif
