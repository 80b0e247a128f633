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

typedef __m256 vf32;
enum { VF32_LANES = 8 };

static inline vf32 vf32_load(const uint8_t *p)
{
    return _mm256_loadu_ps((const float *)(const void *)p);
}

static inline void vf32_store(uint8_t *p, vf32 v)
{
    _mm256_storeu_ps((float *)(void *)p, v);
}

static inline __m256i vf32_first_lanes(size_t n)
{
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lanes);
}

static inline vf32 vf32_load_part(const uint8_t *p, size_t n)
{
    return _mm256_maskload_ps((const float *)(const void *)p, vf32_first_lanes(n));
}

static inline void vf32_store_part(uint8_t *p, vf32 v, size_t n)
{
    _mm256_maskstore_ps((float *)(void *)p, vf32_first_lanes(n), v);
}

static inline void vf32_store_stream(uint8_t *p, vf32 v)
{
    _mm256_stream_ps((float *)(void *)p, v);
}

static inline void vec_stream_fence(void)
{
    _mm_sfence();
}

static inline vf32 vf32_set1(float f)
{
    return _mm256_set1_ps(f);
}

static inline vf32 vf32_mul(vf32 a, vf32 b)
{
    return _mm256_mul_ps(a, b);
}

/* One broadcast serves 32 lanes; each lane tests its own bit of it. */
static inline vf32 vf32_keep(vf32 v, uint64_t bits, unsigned lane)
{
    const __m256i lane_bit = _mm256_slli_epi32(
        _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), (int)(lane % 32));
    const __m256i word = _mm256_set1_epi32((int)(uint32_t)(bits >> lane / 32 * 32));
    const __m256i kept = _mm256_cmpeq_epi32(_mm256_and_si256(word, lane_bit), lane_bit);
    return _mm256_and_ps(v, _mm256_castsi256_ps(kept));
}

#endif
