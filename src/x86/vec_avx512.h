/*
 * AVX-512 vectors (F, BW, DQ, VL). kernels/vec.h says what each function does; words lie in 64-bit lanes as
 * vec_avx2.h explains.
 */
#ifndef DROPWISE_VEC_AVX512_H
#define DROPWISE_VEC_AVX512_H

#include <immintrin.h>

#define VEC_OVERLAPS
#include "kernels/vec.h"

typedef __m512i vword;
enum { VWORD_LANES = 8, VWORD_UNROLL = 4, VWORD_OVERLAPPED = 2 };

static inline vword vword_set1(uint32_t u)
{
    return _mm512_set1_epi32((int)u);
}

static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    *lo = _mm512_permutexvar_epi64(order, _mm512_loadu_si512(p));
    *hi = _mm512_srli_epi64(*lo, 32);
}

static inline vword vword_xor(vword a, vword b)
{
    return _mm512_xor_si512(a, b);
}

static inline vword vword_xor3(vword a, vword b, vword c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    *lo = _mm512_mul_epu32(a, b);
    *hi = _mm512_srli_epi64(*lo, 32);
}

/*
 * Products of successive counters grow by m. Even lanes hold blocks 0 to 3, odd ones 4 to 7: so
 * vword_store_blocks needs no permutation.
 */
static inline void vword_mul_counters(uint32_t base, uint32_t vector, uint32_t m, vword *hi, vword *lo)
{
    const __m512i block =
        _mm512_add_epi64(_mm512_set1_epi64(vector * VWORD_LANES), _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0));
    *lo = _mm512_add_epi64(_mm512_set1_epi64((long long)((uint64_t)m * base)),
                           _mm512_mul_epu32(block, _mm512_set1_epi64(m)));
    *hi = _mm512_srli_epi64(*lo, 32);
}

static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    const __m512i ab = _mm512_mask_shuffle_epi32(a, 0xAAAA, b, _MM_PERM_CCAA);
    const __m512i cd = _mm512_mask_shuffle_epi32(c, 0xAAAA, d, _MM_PERM_CCAA);
    _mm512_storeu_si512(p, _mm512_unpacklo_epi64(ab, cd));
    _mm512_storeu_si512(p + 64, _mm512_unpackhi_epi64(ab, cd));
}

/* A product has its high half where the other one's words belong: one shift and no unpacking. */
static inline __m512 vword_product(vword a, vword m, vword x)
{
    return _mm512_castsi512_ps(_mm512_xor_si512(_mm512_mul_epu32(a, m), _mm512_slli_epi64(x, 32)));
}

static inline void vword_store_products(uint8_t *p, vword a, vword m, vword x, vword b, vword n, vword y)
{
    const __m512 am = vword_product(a, m, x), bn = vword_product(b, n, y);
    _mm512_storeu_ps(p, _mm512_shuffle_ps(am, bn, 0x11));
    _mm512_storeu_ps(p + 64, _mm512_shuffle_ps(am, bn, 0xBB));
}

static inline vword vword_add(vword a, vword b)
{
    return _mm512_add_epi32(a, b);
}

static inline vword vword_load(const uint32_t *p)
{
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    const __m256i words = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_permutexvar_epi64(order, _mm512_cvtepu32_epi64(words));
}

static inline void vword_store(uint8_t *p, vword v)
{
    const __m512i order = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 14, 10, 6, 2, 12, 8, 4, 0);
    const __m512i words = _mm512_permutexvar_epi32(order, v);
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_castsi512_si256(words));
}

/* Lanes hold blocks in order. */
typedef __m512i vdword;
enum { VDWORD_LANES = 8 };

static inline vdword vdword_set1(uint64_t u)
{
    return _mm512_set1_epi64((long long)u);
}

static inline vdword vdword_counters(uint64_t base)
{
    return _mm512_add_epi64(vdword_set1(base), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0));
}

static inline vdword vdword_add(vdword a, vdword b)
{
    return _mm512_add_epi64(a, b);
}

static inline vdword vdword_xor3(vdword a, vdword b, vdword c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

/* By four products of halves; no sum reaches 2^64. */
static inline void vdword_mul(vdword a, vdword b, vdword *hi, vdword *lo)
{
    const __m512i low_half = _mm512_set1_epi64(0xFFFFFFFF);
    const __m512i a_high = _mm512_srli_epi64(a, 32), b_high = _mm512_srli_epi64(b, 32);
    const __m512i low = _mm512_mul_epu32(a, b);
    const __m512i cross = _mm512_add_epi64(_mm512_mul_epu32(a_high, b), _mm512_srli_epi64(low, 32));
    const __m512i other = _mm512_add_epi64(_mm512_mul_epu32(a, b_high), _mm512_and_si512(cross, low_half));
    const __m512i carried = _mm512_add_epi64(_mm512_srli_epi64(cross, 32), _mm512_srli_epi64(other, 32));
    *hi = _mm512_add_epi64(_mm512_mul_epu32(a_high, b_high), carried);
    *lo = _mm512_mask_shuffle_epi32(low, 0xAAAA, other, _MM_PERM_CCAA);
}

static inline void vdword_store_blocks(uint8_t *p, vdword a, vdword b, vdword c, vdword d)
{
    const __m512i even = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
    const __m512i odd = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
    const __m512i ab0246 = _mm512_unpacklo_epi64(a, b), ab1357 = _mm512_unpackhi_epi64(a, b);
    const __m512i cd0246 = _mm512_unpacklo_epi64(c, d), cd1357 = _mm512_unpackhi_epi64(c, d);
    const __m512i blocks02 = _mm512_permutex2var_epi64(ab0246, even, cd0246);
    const __m512i blocks13 = _mm512_permutex2var_epi64(ab1357, even, cd1357);
    const __m512i blocks46 = _mm512_permutex2var_epi64(ab0246, odd, cd0246);
    const __m512i blocks57 = _mm512_permutex2var_epi64(ab1357, odd, cd1357);
    _mm512_storeu_si512(p, _mm512_shuffle_i64x2(blocks02, blocks13, 0x44));
    _mm512_storeu_si512(p + 64, _mm512_shuffle_i64x2(blocks02, blocks13, 0xEE));
    _mm512_storeu_si512(p + 128, _mm512_shuffle_i64x2(blocks46, blocks57, 0x44));
    _mm512_storeu_si512(p + 192, _mm512_shuffle_i64x2(blocks46, blocks57, 0xEE));
}

static inline uint64_t bits64_below(const uint8_t *p, uint8_t t)
{
    return _mm512_cmplt_epu8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)t));
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    return _mm512_cmpeq_epu8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)t));
}

typedef __m512i vec_b8;
typedef __m512i vec_b16;
typedef __m512i vec_b32;
typedef __m512i vec_b64;
enum { LANES_b8 = 64, LANES_b16 = 32, LANES_b32 = 16, LANES_b64 = 8 };

static inline vec_b8 load_b8(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline void store_b8(uint8_t *p, vec_b8 v)
{
    _mm512_storeu_si512(p, v);
}

static inline void store_nt_b8(uint8_t *p, vec_b8 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline vec_b8 keep_b8(vec_b8 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi8((__mmask64)(bits >> lane), v);
}

static inline vec_b16 load_b16(const uint8_t *p)
{
    return _mm512_loadu_si512(p);
}

static inline void store_b16(uint8_t *p, vec_b16 v)
{
    _mm512_storeu_si512(p, v);
}

static inline void store_nt_b16(uint8_t *p, vec_b16 v)
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

static inline void store_nt_b32(uint8_t *p, vec_b32 v)
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

static inline void store_nt_b64(uint8_t *p, vec_b64 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi64((__mmask8)(bits >> lane), v);
}

static inline vec_b8 either_b8(vec_b8 a, vec_b8 b, uint64_t bits, unsigned lane)
{
    return _mm512_mask_blend_epi8((__mmask64)(bits >> lane), b, a);
}

static inline vec_b16 either_b16(vec_b16 a, vec_b16 b, uint64_t bits, unsigned lane)
{
    return _mm512_mask_blend_epi16((__mmask32)(bits >> lane), b, a);
}

static inline vec_b32 either_b32(vec_b32 a, vec_b32 b, uint64_t bits, unsigned lane)
{
    return _mm512_mask_blend_epi32((__mmask16)(bits >> lane), b, a);
}

static inline vec_b64 either_b64(vec_b64 a, vec_b64 b, uint64_t bits, unsigned lane)
{
    return _mm512_mask_blend_epi64((__mmask8)(bits >> lane), b, a);
}

static inline uint64_t any_bit_b8(vec_b8 v)
{
    return _mm512_test_epi8_mask(v, v);
}

static inline uint64_t any_bit_b16(vec_b16 v)
{
    return _mm512_test_epi16_mask(v, v);
}

static inline uint64_t any_bit_b32(vec_b32 v)
{
    return _mm512_test_epi32_mask(v, v);
}

static inline uint64_t any_bit_b64(vec_b64 v)
{
    return _mm512_test_epi64_mask(v, v);
}

static inline void nt_fence(void)
{
    _mm_sfence();
}

static inline vec_b32 load_times_f32(const uint8_t *p, float factor)
{
    return _mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(load_b32(p)), _mm512_set1_ps(factor)));
}

static inline vec_b64 load_times_f64(const uint8_t *p, double factor)
{
    return _mm512_castpd_si512(_mm512_mul_pd(_mm512_castsi512_pd(load_b64(p)), _mm512_set1_pd(factor)));
}

/* As in vec_avx2.h. */
static inline __m256i load_times_half_f16(const uint8_t *p, float factor)
{
    const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    const __m512 product = _mm512_mul_ps(_mm512_cvtph_ps(v), _mm512_set1_ps(factor));
    return _mm512_cvtps_ph(product, _MM_FROUND_TO_NEAREST_INT);
}

static inline vec_b16 load_times_f16(const uint8_t *p, float factor)
{
    const __m256i low = load_times_half_f16(p, factor);
    const __m256i high = load_times_half_f16(p + 32, factor);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* In integers, as vec_avx2.h does it: the instruction of AVX512_BF16 would flush subnormals. */
static inline __m512i round_to_bf16(__m512 v)
{
    const __m512i u = _mm512_castps_si512(v);
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
    return _mm512_add_epi32(_mm512_add_epi32(u, _mm512_set1_epi32(0x7FFF)), odd);
}

static inline vec_b16 load_times_bf16(const uint8_t *p, float factor)
{
    const __m512i v = load_b16(p);
    const __m512 s = _mm512_set1_ps(factor);
    const __m512i upper = _mm512_set1_epi32((int)0xFFFF0000);
    const __m512 even = _mm512_castsi512_ps(_mm512_slli_epi32(v, 16));
    const __m512 odd = _mm512_castsi512_ps(_mm512_and_si512(v, upper));
    const __m512i even_product = round_to_bf16(_mm512_mul_ps(even, s));
    const __m512i odd_product = round_to_bf16(_mm512_mul_ps(odd, s));
    return _mm512_mask_blend_epi16(0xAAAAAAAA, _mm512_srli_epi32(even_product, 16), odd_product);
}

static inline vec_b32 load_kept_times_f32(const uint8_t *p, float factor, uint64_t bits, unsigned lane)
{
    return keep_b32(load_times_f32(p, factor), bits, lane);
}

static inline vec_b64 load_kept_times_f64(const uint8_t *p, double factor, uint64_t bits, unsigned lane)
{
    return keep_b64(load_times_f64(p, factor), bits, lane);
}

/* ---- Numbers ---- */

typedef __m512 vec_f32;
typedef __m512d vec_f64;
typedef __mmask16 choose32;
typedef __mmask8 choose64;

static inline vec_b32 as_b32(vec_f32 v)
{
    return _mm512_castps_si512(v);
}

static inline vec_f32 as_f32(vec_b32 v)
{
    return _mm512_castsi512_ps(v);
}

static inline vec_b64 as_b64(vec_f64 v)
{
    return _mm512_castpd_si512(v);
}

static inline vec_f64 as_f64(vec_b64 v)
{
    return _mm512_castsi512_pd(v);
}

static inline vec_f32 set_f32(float x)
{
    return _mm512_set1_ps(x);
}

static inline vec_f32 add_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_add_ps(a, b);
}

static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_sub_ps(a, b);
}

static inline vec_f32 mul_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_mul_ps(a, b);
}

static inline vec_f32 div_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_div_ps(a, b);
}

static inline choose32 above_f32(vec_f32 a, vec_f32 b)
{
    return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return _mm512_mask_blend_ps(choice, b, a);
}

static inline vec_f64 set_f64(double x)
{
    return _mm512_set1_pd(x);
}

static inline vec_f64 add_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_add_pd(a, b);
}

static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_sub_pd(a, b);
}

static inline vec_f64 mul_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_mul_pd(a, b);
}

static inline vec_f64 div_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_div_pd(a, b);
}

static inline choose64 above_f64(vec_f64 a, vec_f64 b)
{
    return _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ);
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return _mm512_mask_blend_pd(choice, b, a);
}

static inline vec_f32 mul_kept_f32(vec_f32 a, vec_f32 b, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mul_ps((__mmask16)(bits >> lane), a, b);
}

static inline vec_f64 mul_kept_f64(vec_f64 a, vec_f64 b, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mul_pd((__mmask8)(bits >> lane), a, b);
}

static inline vec_b32 set_b32(uint32_t u)
{
    return _mm512_set1_epi32((int)u);
}

static inline vec_b32 add_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_add_epi32(a, b);
}

static inline vec_b32 sub_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_sub_epi32(a, b);
}

static inline vec_b32 and_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_and_si512(a, b);
}

static inline vec_b32 or_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_or_si512(a, b);
}

static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return _mm512_slli_epi32(v, (unsigned)n);
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return _mm512_srli_epi32(v, (unsigned)n);
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_cmpgt_epi32_mask(a, b);
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return _mm512_mask_blend_epi32(choice, b, a);
}

static inline vec_b32 load_le_b32(const uint8_t *p)
{
    return load_b32(p);
}

static inline vec_b64 load_le_b64(const uint8_t *p)
{
    return load_b64(p);
}

static inline void store_le_b32(uint8_t *p, vec_b32 v)
{
    store_b32(p, v);
}

static inline vec_b32 xor_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_xor_si512(a, b);
}

static inline vec_b32 rotl_b32(vec_b32 v, int n)
{
    return _mm512_or_si512(_mm512_slli_epi32(v, (unsigned)n), _mm512_srli_epi32(v, (unsigned)(32 - n)));
}

/* Each 128 bits hold blocks i, i + 4, i + 8, i + 12: as they are stored. */
static inline __m512i order_b32(void)
{
    return _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

static inline vec_b32 counters_b32(uint32_t base, uint32_t vector)
{
    return _mm512_add_epi32(set_b32(base), _mm512_add_epi32(set_b32(vector * LANES_b32), order_b32()));
}

static inline void load_counters_b32(const uint64_t *p, vec_b32 *lo, vec_b32 *hi)
{
    const __m512i first = _mm512_loadu_si512(p), second = _mm512_loadu_si512(p + 8);
    const __m512i low_words = _mm512_slli_epi32(order_b32(), 1);
    *lo = _mm512_permutex2var_epi32(first, low_words, second);
    *hi = _mm512_permutex2var_epi32(first, _mm512_add_epi32(low_words, set_b32(1)), second);
}

static inline void store_blocks_b32(uint8_t *p, vec_b32 a, vec_b32 b, vec_b32 c, vec_b32 d)
{
    const __m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
    const __m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);
    _mm512_storeu_si512(p, _mm512_unpacklo_epi64(ab_low, cd_low));
    _mm512_storeu_si512(p + 64, _mm512_unpackhi_epi64(ab_low, cd_low));
    _mm512_storeu_si512(p + 128, _mm512_unpacklo_epi64(ab_high, cd_high));
    _mm512_storeu_si512(p + 192, _mm512_unpackhi_epi64(ab_high, cd_high));
}

static inline void store_pairs_b32(uint8_t *p, vec_b32 low, vec_b32 high)
{
    const __m512i first = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i second = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    store_b64(p, _mm512_permutex2var_epi32(low, first, high));
    store_b64(p + 64, _mm512_permutex2var_epi32(low, second, high));
}

static inline vec_b64 set_b64(uint64_t u)
{
    return _mm512_set1_epi64((long long)u);
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return _mm512_slli_epi64(v, (unsigned)n);
}

static inline choose32 at_most_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_cmple_epu32_mask(a, b);
}

static inline choose64 at_most_b64(vec_b64 a, vec_b64 b)
{
    return _mm512_cmple_epu64_mask(a, b);
}

static inline uint64_t bits64_b32(const choose32 *c)
{
    return c[0] | (uint64_t)c[1] << 16 | (uint64_t)c[2] << 32 | (uint64_t)c[3] << 48;
}

static inline uint64_t bits64_b64(const choose64 *c)
{
    uint64_t bits = 0;
    VEC_UNROLL
    for (unsigned i = 0; i < 8; i++)
        bits |= (uint64_t)c[i] << i * 8;
    return bits;
}

static inline vec_b32 load_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline vec_b32 load_u16(const uint8_t *p)
{
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline void store_u8(uint8_t *p, vec_b32 v)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm512_cvtepi32_epi8(v));
}

static inline void store_u16(uint8_t *p, vec_b32 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtepi32_epi16(v));
}

static inline vec_f32 load_f16(const uint8_t *p)
{
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

static inline vec_f32 canonical_f32(vec_f32 v)
{
    const __m512 nan = _mm512_castsi512_ps(_mm512_set1_epi32(0x7FC00000));
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), v, nan);
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return _mm512_sqrt_ps(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return _mm512_sqrt_pd(v);
}

static inline vec_f64 canonical_f64(vec_f64 v)
{
    const __m512d nan = _mm512_castsi512_pd(_mm512_set1_epi64(0x7FF8000000000000));
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(v, v, _CMP_UNORD_Q), v, nan);
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
static inline void word_pairs_f32(const uint8_t *p, vec_f32 *even, vec_f32 *odd)
{
    const __m512 first = as_f32(load_b32(p)), second = as_f32(load_b32(p + 64));
    *even = _mm512_cvtepu32_ps(as_b32(_mm512_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0))));
    *odd = _mm512_cvtepu32_ps(as_b32(_mm512_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))));
}

static inline void word_pairs_f64(const uint8_t *p, vec_f64 *even, vec_f64 *odd)
{
    const __m512i pairs = load_b64(p);
    *even = _mm512_cvtepu64_pd(_mm512_maskz_mov_epi32(0x5555, pairs));
    *odd = _mm512_cvtepu64_pd(_mm512_srli_epi64(pairs, 32));
}

static inline void store_pairs_f32(uint8_t *p, vec_f32 even, vec_f32 odd)
{
    store_b32(p, as_b32(_mm512_unpacklo_ps(even, odd)));
    store_b32(p + 64, as_b32(_mm512_unpackhi_ps(even, odd)));
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
    const __m512i second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
    store_b64(p, as_b64(_mm512_permutex2var_pd(even, first, odd)));
    store_b64(p + 64, as_b64(_mm512_permutex2var_pd(even, second, odd)));
}

#ifdef DROPWISE_HAVE_SLEEF
#include <sleef.h>

static inline vec_f32 exp_f32(vec_f32 v)
{
    return Sleef_finz_expf16_u10avx512f(v);
}

static inline vec_f32 erf_f32(vec_f32 v)
{
    return Sleef_finz_erff16_u10avx512f(v);
}

static inline vec_f32 tanh_f32(vec_f32 v)
{
    return Sleef_finz_tanhf16_u10avx512f(v);
}

static inline vec_f64 exp_f64(vec_f64 v)
{
    return Sleef_finz_expd8_u10avx512f(v);
}

static inline vec_f64 erf_f64(vec_f64 v)
{
    return Sleef_finz_erfd8_u10avx512f(v);
}

static inline vec_f64 tanh_f64(vec_f64 v)
{
    return Sleef_finz_tanhd8_u10avx512f(v);
}

static inline vec_f32 log_f32(vec_f32 v)
{
    return Sleef_finz_logf16_u35avx512f(v);
}

static inline void sincospi_f32(vec_f32 v, vec_f32 *sine, vec_f32 *cosine)
{
    const Sleef___m512_2 both = Sleef_finz_sincospif16_u35avx512f(v);
    *sine = both.x;
    *cosine = both.y;
}

static inline vec_f64 log_f64(vec_f64 v)
{
    return Sleef_finz_logd8_u35avx512f(v);
}

static inline void sincospi_f64(vec_f64 v, vec_f64 *sine, vec_f64 *cosine)
{
    const Sleef___m512d_2 both = Sleef_finz_sincospid8_u35avx512f(v);
    *sine = both.x;
    *cosine = both.y;
}
#endif

#endif
