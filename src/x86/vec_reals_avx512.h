/* Reals in AVX-512 vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_REALS_AVX512_H
#define DROPWISE_VEC_REALS_AVX512_H

#include "x86/vec_bits_avx512.h"

typedef __m512 vec_f32;
typedef __m512d vec_f64;

static inline vec_f32 set_f32(float x)
{
    return _mm512_set1_ps(x);
}

static inline vec_f64 set_f64(double x)
{
    return _mm512_set1_pd(x);
}

static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return _mm512_sqrt_ps(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return _mm512_sqrt_pd(v);
}

#define above_f32 above_f32
static inline choose32 above_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}

static inline choose64 above_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ);
}

static inline vec_f32 canonical_f32(vec_f32 v)
{
    const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), v, nan);
}

static inline vec_f64 canonical_f64(vec_f64 v)
{
    const __m512d nan = _mm512_castsi512_pd(_mm512_set1_epi64(0x7FF8000000000000));
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q), v, nan);
}

/* Two vectors are looked at at a time. */
#define canonical_all_f32 canonical_all_f32
VEC_INLINE void canonical_all_f32(vec_f32 *v, unsigned n)
{
    __mmask16 nan = 0;
    VEC_UNROLL
    for (unsigned k = 0; k < n; k += 2)
        nan |= _mm512_cmp_ps_mask(v[k], v[k + 1], _CMP_UNORD_Q);
    if (__builtin_expect(nan == 0, 1))
        return;
    VEC_UNROLL
    for (unsigned k = 0; k < n; k++)
        v[k] = canonical_f32(v[k]);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return _mm512_mask_blend_ps(choice, b, a);
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return _mm512_mask_blend_pd(choice, b, a);
}

#define min_f32 min_f32
static inline vec_f32 min_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_min_ps(a, b);
}

static inline vec_f32 max_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_max_ps(a, b);
}

static inline vec_f64 min_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_min_pd(a, b);
}

static inline vec_f64 max_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_max_pd(a, b);
}

#define sum_lanes_f32 sum_lanes_f32
static inline float sum_lanes_f32(vec_f32 v)
{
    const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static inline float largest_lane_f32(vec_f32 v)
{
    const __m256 eight = _mm256_max_ps(_mm512_extractf32x8_ps(v, 1), _mm512_castps512_ps256(v));
    const __m128 four = _mm_max_ps(_mm256_extractf128_ps(eight, 1), _mm256_castps256_ps128(eight));
    const __m128 two = _mm_max_ps(_mm_movehl_ps(four, four), four);
    return _mm_cvtss_f32(_mm_max_ss(_mm_movehdup_ps(two), two));
}

static inline vec_f32 zero_below_f32(vec_f32 v, vec_f32 x, vec_f32 limit)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, limit, _CMP_NLT_UQ), v);
}

#define mul_kept_f32 mul_kept_f32
static inline vec_f32 mul_kept_f32(vec_f32 a, vec_f32 b, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mul_ps((__mmask16)(bits >> lane), a, b);
}

static inline vec_f64 mul_kept_f64(vec_f64 a, vec_f64 b, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mul_pd((__mmask8)(bits >> lane), a, b);
}

#define load_masked_times_f32 load_masked_times_f32
static inline vec_b32 load_masked_times_f32(const uint8_t *p, float factor, const mask64 *mask, unsigned lane)
{
    const __mmask16 kept = mask64_lanes16(*mask, lane);
    return _mm512_castps_si512(_mm512_maskz_mul_ps(kept, _mm512_set1_ps(factor), _mm512_loadu_ps(p)));
}

static inline vec_b64 load_masked_times_f64(const uint8_t *p, double factor, const mask64 *mask,
                                            unsigned lane)
{
    const __mmask8 kept = mask64_lanes8(*mask, lane);
    return _mm512_castpd_si512(_mm512_maskz_mul_pd(kept, _mm512_set1_pd(factor), _mm512_loadu_pd(p)));
}

#define load_f16 load_f16
static inline vec_f32 load_f16(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

#define elements_of_f16 elements_of_f16
VEC_INLINE vec_b16 elements_of_f16(const vec_f32 *r)
{
    const __m256i low = _mm512_cvtps_ph(r[0], _MM_FROUND_TO_NEAREST_INT);
    const __m256i high = _mm512_cvtps_ph(r[1], _MM_FROUND_TO_NEAREST_INT);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* As in vec_reals_avx2.h. */
#define reals_of_bf16 reals_of_bf16
VEC_INLINE void reals_of_bf16(const uint8_t *p, vec_f32 *r)
{
    const __m512i v = load_b16(p);
    r[0] = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
    r[1] = _mm512_castsi512_ps(_mm512_and_si512(v, _mm512_set1_epi32((int)0xFFFF0000)));
}

#define times_kept_bf16 times_kept_bf16 /* in the order of reals_of_bf16 */
VEC_INLINE void times_kept_bf16(vec_f32 *r, float factor, uint64_t bits, unsigned lane)
{
    const __m512i even =
        _mm512_setr_epi32(1, 1 << 2, 1 << 4, 1 << 6, 1 << 8, 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18,
                          1 << 20, 1 << 22, 1 << 24, 1 << 26, 1 << 28, 1 << 30);
    const __m512i word = _mm512_set1_epi32((int)(uint32_t)(bits >> lane)), odd = _mm512_slli_epi32(even, 1);
    r[0] = _mm512_maskz_mul_ps(_mm512_test_epi32_mask(word, even), r[0], _mm512_set1_ps(factor));
    r[1] = _mm512_maskz_mul_ps(_mm512_test_epi32_mask(word, odd), r[1], _mm512_set1_ps(factor));
}

VEC_INLINE void in_order_bf16(vec_f32 *r)
{
    const __m512i first = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i second = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    const __m512 even = r[0], odd = r[1];
    r[0] = _mm512_permutex2var_ps(even, first, odd);
    r[1] = _mm512_permutex2var_ps(even, second, odd);
}

/* Of the upper halves, those of the even elements go where the lower ones of the odd elements are. */
static inline vec_b16 upper_halves(__m512i even, __m512i odd)
{
    return _mm512_mask_alignr_epi8(odd, UINT64_C(0x3333333333333333), even, even, 2);
}

/*
 * In integers, as the instruction of AVX512_BF16 would flush subnormals: both vectors together, as in
 * vec_reals_avx2.h.
 */
#define elements_of_bf16 elements_of_bf16
VEC_INLINE vec_b16 elements_of_bf16(const vec_f32 *r)
{
    const __m512i even = _mm512_castps_si512(r[0]), odd = _mm512_castps_si512(r[1]);
    const __m512i upper = upper_halves(even, odd), one = _mm512_set1_epi16(1);
    const __m512i lower = _mm512_mask_alignr_epi8(even, UINT64_C(0xCCCCCCCCCCCCCCCC), odd, odd, 14);
    const __m512i rest = _mm512_ternarylogic_epi32(lower, upper, one, 0xF8); /* lower | (upper & one) */
    const __mmask32 up = _mm512_cmpgt_epu16_mask(rest, _mm512_set1_epi16((short)0x8000));
    return _mm512_mask_add_epi16(upper, up, upper, one);
}

/* What round_to_bf16 adds in two steps is added in one, and to some lanes only: others are `other`. */
static inline __m512i round_some_to_bf16(__m512i other, __mmask16 some, __m512 v)
{
    const __m512i u = _mm512_castps_si512(v);
    const __mmask16 odd = _mm512_mask_test_epi32_mask(some, u, _mm512_set1_epi32(0x10000));
    const __m512i down = _mm512_mask_add_epi32(other, some, u, _mm512_set1_epi32(0x7FFF));
    return _mm512_mask_add_epi32(down, odd, u, _mm512_set1_epi32(0x8000));
}

#define store_kept_bf16 store_kept_bf16
VEC_INLINE void store_kept_bf16(uint8_t *p, const vec_f32 *r, unsigned n, float least, uint64_t bits)
{
    const __m512i upper = _mm512_set_epi16(63, 61, 59, 57, 55, 53, 51, 49, 47, 45, 43, 41, 39, 37, 35, 33, 31,
                                           29, 27, 25, 23, 21, 19, 17, 15, 13, 11, 9, 7, 5, 3, 1);
    __m512i rounded[2];
    VEC_UNROLL
    for (unsigned k = 0; k < n; k++) {
        const __mmask16 some =
            _mm512_mask_cmp_ps_mask((__mmask16)(bits >> 16 * k), r[k], _mm512_set1_ps(least), _CMP_NLT_UQ);
        rounded[k % 2] = round_some_to_bf16(_mm512_setzero_si512(), some, r[k]);
        if (k % 2 == 1)
            store_b16(p + 32 * (k - 1), _mm512_permutex2var_epi16(rounded[0], upper, rounded[1]));
    }
}

/* Pairs and fours in each 128 bits, and these as a matrix of four by four. */
#define transpose_lanes_f32 transpose_lanes_f32
VEC_INLINE void transpose_lanes_f32(vec_f32 *v)
{
    __m512 pairs[16], fours[16], halves[16];
    VEC_UNROLL
    for (unsigned k = 0; k < 16; k += 2) {
        pairs[k] = _mm512_unpacklo_ps(v[k], v[k + 1]);
        pairs[k + 1] = _mm512_unpackhi_ps(v[k], v[k + 1]);
    }
    VEC_UNROLL
    for (unsigned k = 0; k < 16; k++) {
        const unsigned first = k / 4 * 4 + k % 4 / 2;
        fours[k] = k % 2 == 0 ? _mm512_shuffle_ps(pairs[first], pairs[first + 2], _MM_SHUFFLE(1, 0, 1, 0))
                              : _mm512_shuffle_ps(pairs[first], pairs[first + 2], _MM_SHUFFLE(3, 2, 3, 2));
    }
    VEC_UNROLL
    for (unsigned k = 0; k < 4; k++) {
        halves[k] = _mm512_shuffle_f32x4(fours[k], fours[k + 4], _MM_SHUFFLE(2, 0, 2, 0));
        halves[k + 4] = _mm512_shuffle_f32x4(fours[k], fours[k + 4], _MM_SHUFFLE(3, 1, 3, 1));
        halves[k + 8] = _mm512_shuffle_f32x4(fours[k + 8], fours[k + 12], _MM_SHUFFLE(2, 0, 2, 0));
        halves[k + 12] = _mm512_shuffle_f32x4(fours[k + 8], fours[k + 12], _MM_SHUFFLE(3, 1, 3, 1));
    }
    VEC_UNROLL
    for (unsigned k = 0; k < 8; k++) {
        v[k] = _mm512_shuffle_f32x4(halves[k], halves[k + 8], _MM_SHUFFLE(2, 0, 2, 0));
        v[k + 8] = _mm512_shuffle_f32x4(halves[k], halves[k + 8], _MM_SHUFFLE(3, 1, 3, 1));
    }
}

static inline vec_f64 f64_of_f32(const uint8_t *p)
{
    return _mm512_cvtps_pd(_mm256_loadu_ps((const float *)(const void *)p));
}

/*
 * The value, hidden from the compiler but for 0. GCC makes of an exclusive or with all ones, and of all ones
 * alone, an instruction that reads what its target held before: in a loop with calls, each turn would wait
 * for the one before.
 */
static inline uint32_t opaque_u32(uint32_t u)
{
    if (u != 0)
        __asm__("" : "+r"(u));
    return u;
}

static inline vec_f32 words_f32(const uint8_t *p, uint32_t flip)
{
    const __m512i flips = _mm512_set1_epi32((int)opaque_u32(flip));
    return _mm512_cvtepu32_ps(_mm512_xor_si512(load_b32(p), flips));
}

static inline vec_f64 words_f64(const uint8_t *p, uint32_t flip)
{
    const __m256i words = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_cvtepu32_pd(_mm256_xor_si256(words, _mm256_set1_epi32((int)opaque_u32(flip))));
}

/* The places of each 128 bits of two vectors: what unpacking puts back. */
#define word_pairs_f32 word_pairs_f32
static inline void word_pairs_f32(const uint8_t *p, vec_f32 *even, vec_f32 *odd)
{
    const __m512 first = _mm512_loadu_ps(p), second = _mm512_loadu_ps(p + 64);
    *even =
        _mm512_cvtepu32_ps(_mm512_castps_si512(_mm512_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0))));
    *odd = _mm512_cvtepu32_ps(_mm512_castps_si512(_mm512_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))));
}

static inline void word_pairs_f64(const uint8_t *p, vec_f64 *even, vec_f64 *odd)
{
    const __m512i pairs = load_b64(p);
    *even = _mm512_cvtepu64_pd(_mm512_maskz_mov_epi32(0x5555, pairs));
    *odd = _mm512_cvtepu64_pd(_mm512_srli_epi64(pairs, 32));
}

static inline void store_pairs_f32(uint8_t *p, vec_f32 even, vec_f32 odd)
{
    _mm512_storeu_ps(p, _mm512_unpacklo_ps(even, odd));
    _mm512_storeu_ps(p + 64, _mm512_unpackhi_ps(even, odd));
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    _mm512_storeu_pd(p, _mm512_permutex2var_pd(even, first, odd));
    _mm512_storeu_pd(p + 64, _mm512_permutex2var_pd(even, second, odd));
}

#ifdef DROPWISE_HAVE_SLEEF
#include <sleef.h>

#define SLEEF_F64(function, ulp) Sleef_finz_##function##d8_##ulp##avx512f
typedef Sleef___m512d_2 sleef_pair_f64;
#endif

#include "kernels/vec/generic_reals.h"

#endif
