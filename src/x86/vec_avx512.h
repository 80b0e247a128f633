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

typedef __m512 vf32;
enum { VF32_LANES = 16 };

static inline vf32 vf32_load(const uint8_t *p)
{
    return _mm512_loadu_ps(p);
}

static inline void vf32_store(uint8_t *p, vf32 v)
{
    _mm512_storeu_ps(p, v);
}

static inline __mmask16 vf32_first_lanes(size_t n)
{
    return (__mmask16)((1u << n) - 1);
}

static inline vf32 vf32_load_part(const uint8_t *p, size_t n)
{
    return _mm512_maskz_loadu_ps(vf32_first_lanes(n), p);
}

static inline void vf32_store_part(uint8_t *p, vf32 v, size_t n)
{
    _mm512_mask_storeu_ps(p, vf32_first_lanes(n), v);
}

static inline void vf32_store_stream(uint8_t *p, vf32 v)
{
    _mm512_stream_ps((float *)(void *)p, v);
}

static inline void vec_stream_fence(void)
{
    _mm_sfence();
}

static inline vf32 vf32_set1(float f)
{
    return _mm512_set1_ps(f);
}

static inline vf32 vf32_mul(vf32 a, vf32 b)
{
    return _mm512_mul_ps(a, b);
}

static inline vf32 vf32_keep(vf32 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_ps((__mmask16)(bits >> lane), v);
}

#endif
