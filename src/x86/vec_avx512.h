/*
 * AVX-512 vectors (F, BW, DQ, VL). ../vec.h says what each function does; words lie in 64-bit lanes as
 * vec_avx2.h explains.
 */
#ifndef DROPWISE_VEC_AVX512_H
#define DROPWISE_VEC_AVX512_H

#include <immintrin.h>

#include "vec.h"

typedef __m512i vword;
enum { VWORD_LANES = 8, VWORD_UNROLL = 2 };

static inline vword vword_set1(uint32_t u)
{
    return _mm512_set1_epi64(u);
}

/* Even lanes hold blocks 0 to 3, odd ones 4 to 7: vword_store_blocks needs no permutation. */
static inline vword vword_counters(uint32_t base)
{
    return _mm512_add_epi32(_mm512_set1_epi64(base), _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0));
}

static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    *lo = _mm512_permutexvar_epi64(order, _mm512_loadu_si512(p));
    *hi = _mm512_srli_epi64(*lo, 32);
}

static inline vword vword_add(vword a, vword b)
{
    return _mm512_add_epi32(a, b);
}

static inline vword vword_xor3(vword a, vword b, vword c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    *lo = _mm512_mul_epu32(a, b);
    *hi = _mm512_srli_epi64(*lo, 32);
}

static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    const __m512i ab = _mm512_mask_shuffle_epi32(a, 0xAAAA, b, _MM_PERM_CCAA);
    const __m512i cd = _mm512_mask_shuffle_epi32(c, 0xAAAA, d, _MM_PERM_CCAA);
    _mm512_storeu_si512(p, _mm512_unpacklo_epi64(ab, cd));
    _mm512_storeu_si512(p + 64, _mm512_unpackhi_epi64(ab, cd));
}

static inline uint64_t bits64_below(const uint8_t *p, uint8_t t)
{
    return _mm512_cmplt_epu8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)t));
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    return _mm512_cmpeq_epu8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)t));
}

typedef __m512i vec_b16;
typedef __m512i vec_b32;
typedef __m512i vec_b64;
enum { LANES_b16 = 32, LANES_b32 = 16, LANES_b64 = 8 };

static inline vec_b16 load_b16(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline void store_b16(uint8_t *p, vec_b16 v)
{
    _mm512_storeu_si512(p, v);
}

static inline void stream_b16(uint8_t *p, vec_b16 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi16((__mmask32)(bits >> lane), v);
}

static inline vec_b32 load_b32(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline void store_b32(uint8_t *p, vec_b32 v)
{
    _mm512_storeu_si512(p, v);
}

static inline void stream_b32(uint8_t *p, vec_b32 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi32((__mmask16)(bits >> lane), v);
}

static inline vec_b64 load_b64(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline void store_b64(uint8_t *p, vec_b64 v)
{
    _mm512_storeu_si512(p, v);
}

static inline void stream_b64(uint8_t *p, vec_b64 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi64((__mmask8)(bits >> lane), v);
}

static inline void stream_fence(void)
{
    _mm_sfence();
}

static inline vec_b32 times_f32(vec_b32 v, float factor)
{
    return _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(v), _mm512_set1_ps(factor)));
}

static inline vec_b64 times_f64(vec_b64 v, double factor)
{
    return _mm512_castpd_si512(_mm512_mul_pd(_mm512_castsi512_pd(v), _mm512_set1_pd(factor)));
}

static inline __m256i times_half_f16(__m256i v, float factor)
{
    const __m512 product = _mm512_mul_ps(_mm512_cvtph_ps(v), _mm512_set1_ps(factor));
    return _mm512_cvtps_ph(product, _MM_FROUND_TO_NEAREST_INT);
}

static inline vec_b16 times_f16(vec_b16 v, float factor)
{
    const __m256i low = times_half_f16(_mm512_castsi512_si256(v), factor);
    const __m256i high = times_half_f16(_mm512_extracti64x4_epi64(v, 1), factor);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* In integers, as vec_avx2.h does it: the instruction of AVX512_BF16 would flush subnormals. */
static inline __m512i round_to_bf16(__m512 v)
{
    const __m512i u = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7FFF)), odd);
}

static inline vec_b16 times_bf16(vec_b16 v, float factor)
{
    const __m512 s = _mm512_set1_ps(factor);
    const __m512i upper = _mm512_set1_epi32((int)0xFFFF0000);
    const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
    const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(v, upper));
    const __m512i even_product = round_to_bf16(_mm512_mul_ps(even, s));
    const __m512i odd_product = round_to_bf16(_mm512_mul_ps(odd, s));
    return _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_srli_epi32(even_product, 16), odd_product);
}

#endif
