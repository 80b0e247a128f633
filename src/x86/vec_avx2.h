/*
 * AVX2 vectors. ../vec.h says what each function does.
 *
 * A vword keeps its words in the low halves of 64-bit lanes, where vpmuludq wants them. The high
 * halves hold whatever earlier operations left there and never reach a result. So a round of Philox needs
 * no shuffle: the product's low word is the product itself, its high word one shift away.
 */
#ifndef DROPWISE_VEC_AVX2_H
#define DROPWISE_VEC_AVX2_H

#include <immintrin.h>

#include "vec.h"

/* 16 registers: two vectors of four words, the multipliers and temporaries. */
typedef __m256i vword;
enum { VWORD_LANES = 4, VWORD_UNROLL = 2 };

static inline vword vword_set1(uint32_t u)
{
    return _mm256_set1_epi64x(u);
}

/* Lanes hold blocks 0, 2, 1, 3: the order in which vword_store_blocks needs no permutation. */
static inline vword vword_counters(uint32_t base)
{
    return _mm256_add_epi32(_mm256_set1_epi64x(base), _mm256_set_epi64x(3, 1, 2, 0));
}

static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const __m256i in_order = _mm256_loadu_si256((const __m256i *)p);
    *lo = _mm256_permute4x64_epi64(in_order, _MM_SHUFFLE(3, 1, 2, 0));
    *hi = _mm256_srli_epi64(*lo, 32);
}

static inline vword vword_add(vword a, vword b)
{
    return _mm256_add_epi32(a, b);
}

static inline vword vword_xor3(vword a, vword b, vword c)
{
    return _mm256_xor_si256(a, _mm256_xor_si256(b, c));
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    *lo = _mm256_mul_epu32(a, b);
    *hi = _mm256_srli_epi64(*lo, 32);
}

static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    const __m256i ab = _mm256_blend_epi32(a, _mm256_slli_epi64(b, 32), 0xAA);
    const __m256i cd = _mm256_blend_epi32(c, _mm256_slli_epi64(d, 32), 0xAA);
    _mm256_storeu_si256((__m256i *)p, _mm256_unpacklo_epi64(ab, cd));
    _mm256_storeu_si256((__m256i *)(p + 32), _mm256_unpackhi_epi64(ab, cd));
}

/* AVX2 has no unsigned compare: max(p, t) == p is p >= t. */
static inline uint32_t bits32_below(const uint8_t *p, __m256i t)
{
    const __m256i v = _mm256_loadu_si256((const __m256i *)p);
    return ~(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_max_epu8(v, t), v));
}

static inline uint64_t bits64_below(const uint8_t *p, uint8_t t)
{
    const __m256i vt = _mm256_set1_epi8((char)t);
    return bits32_below(p, vt) | (uint64_t)bits32_below(p + 32, vt) << 32;
}

static inline uint32_t bits32_equal(const uint8_t *p, __m256i t)
{
    const __m256i v = _mm256_loadu_si256((const __m256i *)p);
    return (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, t));
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    const __m256i vt = _mm256_set1_epi8((char)t);
    return bits32_equal(p, vt) | (uint64_t)bits32_equal(p + 32, vt) << 32;
}

/* Elements of 16, 32 or 64 bits, whatever they mean: moved, and kept or dropped. */
typedef __m256i vec_b16;
typedef __m256i vec_b32;
typedef __m256i vec_b64;
enum { LANES_b16 = 16, LANES_b32 = 8, LANES_b64 = 4 };

static inline vec_b16 load_b16(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void store_b16(uint8_t *p, vec_b16 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

static inline void stream_b16(uint8_t *p, vec_b16 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline vec_b32 load_b32(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void store_b32(uint8_t *p, vec_b32 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

static inline void stream_b32(uint8_t *p, vec_b32 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline vec_b64 load_b64(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void store_b64(uint8_t *p, vec_b64 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

static inline void stream_b64(uint8_t *p, vec_b64 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

/* Each lane tests its own bit of a broadcast word, which serves several vectors where it is long enough. */
static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    const __m256i lane_bit = _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096,
                                               8192, 16384, -32768);
    const __m256i word = _mm256_set1_epi16((short)(uint16_t)(bits >> lane));
    const __m256i kept = _mm256_cmpeq_epi16(_mm256_and_si256(word, lane_bit), lane_bit);
    return _mm256_and_si256(v, kept);
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    const __m256i lane_bit = _mm256_slli_epi32(
        _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), (int)(lane % 32));
    const __m256i word = _mm256_set1_epi32((int)(uint32_t)(bits >> lane / 32 * 32));
    const __m256i kept = _mm256_cmpeq_epi32(_mm256_and_si256(word, lane_bit), lane_bit);
    return _mm256_and_si256(v, kept);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    const __m256i lane_bit = _mm256_slli_epi64(_mm256_setr_epi64x(1, 2, 4, 8), (int)lane);
    const __m256i word = _mm256_set1_epi64x((long long)bits);
    const __m256i kept = _mm256_cmpeq_epi64(_mm256_and_si256(word, lane_bit), lane_bit);
    return _mm256_and_si256(v, kept);
}

static inline void stream_fence(void)
{
    _mm_sfence();
}

static inline vec_b32 times_f32(vec_b32 v, float factor)
{
    return _mm256_castps_si256(_mm256_mul_ps(_mm256_castsi256_ps(v), _mm256_set1_ps(factor)));
}

static inline vec_b64 times_f64(vec_b64 v, double factor)
{
    return _mm256_castpd_si256(_mm256_mul_pd(_mm256_castsi256_pd(v), _mm256_set1_pd(factor)));
}

static inline __m128i times_half_f16(__m128i v, float factor)
{
    const __m256 product = _mm256_mul_ps(_mm256_cvtph_ps(v), _mm256_set1_ps(factor));
    return _mm256_cvtps_ph(product, _MM_FROUND_TO_NEAREST_INT);
}

static inline vec_b16 times_f16(vec_b16 v, float factor)
{
    return _mm256_set_m128i(times_half_f16(_mm256_extracti128_si256(v, 1), factor),
                            times_half_f16(_mm256_castsi256_si128(v), factor));
}

/*
 * Rounded to nearest even by an addition below the cut. A NaN needs no care: as the product of a bf16 it is
 * quiet, and its lower half is 0, so nothing carries into the half that stays. Infinity likewise.
 */
static inline __m256i round_to_bf16(__m256 v)
{
    const __m256i u = _mm256_castps_si256(v);
    const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
    return _mm256_add_epi32(_mm256_add_epi32(u, _mm256_set1_epi32(0x7FFF)), odd);
}

/* The even and the odd elements, each in the upper halves of 32-bit lanes, where they are f32 already. */
static inline vec_b16 times_bf16(vec_b16 v, float factor)
{
    const __m256 s = _mm256_set1_ps(factor);
    const __m256i upper = _mm256_set1_epi32((int)0xFFFF0000);
    const __m256 even = _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
    const __m256 odd = _mm256_castsi256_ps(_mm256_and_si256(v, upper));
    const __m256i even_product = round_to_bf16(_mm256_mul_ps(even, s));
    const __m256i odd_product = round_to_bf16(_mm256_mul_ps(odd, s));
    return _mm256_blend_epi16(_mm256_srli_epi32(even_product, 16), odd_product, 0xAA);
}

#endif
