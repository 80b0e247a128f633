/*
 * AVX2 vectors. kernels/vec.h says what each function does.
 *
 * A vword keeps its words in the low halves of 64-bit lanes, where vpmuludq wants them. The high
 * halves hold whatever earlier operations left there and never reach a result. So a round of Philox needs
 * no shuffle: the product's low word is the product itself, its high word one shift away.
 */
#ifndef DROPWISE_VEC_AVX2_H
#define DROPWISE_VEC_AVX2_H

#include <immintrin.h>

#define VEC_OVERLAPS
#include "kernels/vec.h"

/* 16 registers: two vectors of four words, the multipliers and temporaries. */
typedef __m256i vword;
enum { VWORD_LANES = 4, VWORD_UNROLL = 4, VWORD_OVERLAPPED = 2 };

static inline vword vword_set1(uint32_t u)
{
    return _mm256_set1_epi32((int)u);
}

static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const __m256i in_order = _mm256_loadu_si256((const __m256i *)p);
    *lo = _mm256_permute4x64_epi64(in_order, _MM_SHUFFLE(3, 1, 2, 0));
    *hi = _mm256_srli_epi64(*lo, 32);
}

static inline vword vword_xor(vword a, vword b)
{
    return _mm256_xor_si256(a, b);
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

/*
 * Products of successive counters grow by m. Lanes hold blocks 0, 2, 1, 3: the order in which
 * vword_store_blocks needs no permutation.
 */
static inline void vword_mul_counters(uint32_t base, uint32_t vector, uint32_t m, vword *hi, vword *lo)
{
    const uint64_t first = (uint64_t)m * vector * VWORD_LANES;
    const __m256i growth = _mm256_set_epi64x((long long)(first + 3 * (uint64_t)m), (long long)(first + m),
                                             (long long)(first + 2 * (uint64_t)m), (long long)first);
    *lo = _mm256_add_epi64(_mm256_set1_epi64x((long long)((uint64_t)m * base)), growth);
    *hi = _mm256_srli_epi64(*lo, 32);
}

static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    /* Low halves of lanes are words 0 and 2 of each 128 bits. */
    const __m256 ab = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
    const __m256 cd = _mm256_shuffle_ps(_mm256_castsi256_ps(c), _mm256_castsi256_ps(d), 0x88);
    _mm256_storeu_ps((float *)(void *)p, _mm256_shuffle_ps(ab, cd, 0x88));
    _mm256_storeu_ps((float *)(void *)(p + 32), _mm256_shuffle_ps(ab, cd, 0xDD));
}

/* A product has its high half where the other one's words belong: one shift and no unpacking. */
static inline __m256 vword_product(vword a, vword m, vword x)
{
    return _mm256_castsi256_ps(_mm256_xor_si256(_mm256_mul_epu32(a, m), _mm256_slli_epi64(x, 32)));
}

static inline void vword_store_products(uint8_t *p, vword a, vword m, vword x, vword b, vword n, vword y)
{
    const __m256 am = vword_product(a, m, x), bn = vword_product(b, n, y);
    _mm256_storeu_ps((float *)(void *)p, _mm256_shuffle_ps(am, bn, 0x11));
    _mm256_storeu_ps((float *)(void *)(p + 32), _mm256_shuffle_ps(am, bn, 0xBB));
}

static inline vword vword_add(vword a, vword b)
{
    return _mm256_add_epi32(a, b);
}

static inline vword vword_load(const uint32_t *p)
{
    const __m256i in_order = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_permute4x64_epi64(in_order, _MM_SHUFFLE(3, 1, 2, 0));
}

static inline void vword_store(uint8_t *p, vword v)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 2, 6, 0, 4, 2, 6);
    const __m256i words = _mm256_permutevar8x32_epi32(v, order);
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(words));
}

/* Lanes hold blocks in order. */
typedef __m256i vdword;
enum { VDWORD_LANES = 4 };

static inline vdword vdword_set1(uint64_t u)
{
    return _mm256_set1_epi64x((long long)u);
}

static inline vdword vdword_counters(uint64_t base)
{
    return _mm256_add_epi64(vdword_set1(base), _mm256_setr_epi64x(0, 1, 2, 3));
}

static inline vdword vdword_add(vdword a, vdword b)
{
    return _mm256_add_epi64(a, b);
}

static inline vdword vdword_xor3(vdword a, vdword b, vdword c)
{
    return _mm256_xor_si256(a, _mm256_xor_si256(b, c));
}

/* By four products of halves; no sum reaches 2^64. */
static inline void vdword_mul(vdword a, vdword b, vdword *hi, vdword *lo)
{
    const __m256i low_half = _mm256_set1_epi64x(0xFFFFFFFF);
    const __m256i a_high = _mm256_srli_epi64(a, 32), b_high = _mm256_srli_epi64(b, 32);
    const __m256i low = _mm256_mul_epu32(a, b);
    const __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(a_high, b), _mm256_srli_epi64(low, 32));
    const __m256i other = _mm256_add_epi64(_mm256_mul_epu32(a, b_high), _mm256_and_si256(cross, low_half));
    const __m256i carried = _mm256_add_epi64(_mm256_srli_epi64(cross, 32), _mm256_srli_epi64(other, 32));
    *hi = _mm256_add_epi64(_mm256_mul_epu32(a_high, b_high), carried);
    *lo = _mm256_blend_epi32(low, _mm256_slli_epi64(other, 32), 0xAA);
}

static inline void vdword_store_blocks(uint8_t *p, vdword a, vdword b, vdword c, vdword d)
{
    const __m256i ab02 = _mm256_unpacklo_epi64(a, b), ab13 = _mm256_unpackhi_epi64(a, b);
    const __m256i cd02 = _mm256_unpacklo_epi64(c, d), cd13 = _mm256_unpackhi_epi64(c, d);
    __m256i *out = (__m256i *)(void *)p;
    _mm256_storeu_si256(out, _mm256_permute2x128_si256(ab02, cd02, 0x20));
    _mm256_storeu_si256(out + 1, _mm256_permute2x128_si256(ab13, cd13, 0x20));
    _mm256_storeu_si256(out + 2, _mm256_permute2x128_si256(ab02, cd02, 0x31));
    _mm256_storeu_si256(out + 3, _mm256_permute2x128_si256(ab13, cd13, 0x31));
}

/* AVX2 has no unsigned compare. The rounded average of p and 255 - t has its top bit where p >= t. */
static inline uint32_t bits32_not_below(const uint8_t *p, __m256i complement)
{
    const __m256i v = _mm256_loadu_si256((const __m256i *)p);
    return (uint32_t)_mm256_movemask_epi8(_mm256_avg_epu8(v, complement));
}

static inline uint64_t bits64_below(const uint8_t *p, uint8_t t)
{
    const __m256i complement = _mm256_set1_epi8((char)(255 - t));
    return ~(bits32_not_below(p, complement) | (uint64_t)bits32_not_below(p + 32, complement) << 32);
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
typedef __m256i vec_b8;
typedef __m256i vec_b16;
typedef __m256i vec_b32;
typedef __m256i vec_b64;
enum { LANES_b8 = 32, LANES_b16 = 16, LANES_b32 = 8, LANES_b64 = 4 };

static inline vec_b8 load_b8(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void store_b8(uint8_t *p, vec_b8 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

static inline void store_nt_b8(uint8_t *p, vec_b8 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline vec_b16 load_b16(const uint8_t *p)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

static inline void store_b16(uint8_t *p, vec_b16 v)
{
    _mm256_storeu_si256((__m256i *)(void *)p, v);
}

static inline void store_nt_b16(uint8_t *p, vec_b16 v)
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

static inline void store_nt_b32(uint8_t *p, vec_b32 v)
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

static inline void store_nt_b64(uint8_t *p, vec_b64 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

/* Each lane tests its own bit of a broadcast word, which serves several vectors where it is long enough. */
static inline __m256i kept_b8(uint64_t bits, unsigned lane)
{
    const __m256i byte_of_lane = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                                  2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i lane_bit = _mm256_set1_epi64x((long long)UINT64_C(0x8040201008040201));
    const __m256i word = _mm256_set1_epi32((int)(uint32_t)(bits >> lane));
    const __m256i bytes = _mm256_shuffle_epi8(word, byte_of_lane);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, lane_bit), lane_bit);
}

static inline vec_b8 keep_b8(vec_b8 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b8(bits, lane));
}

static inline vec_b8 either_b8(vec_b8 a, vec_b8 b, uint64_t bits, unsigned lane)
{
    return _mm256_blendv_epi8(b, a, kept_b8(bits, lane));
}

static inline __m256i kept_b16(uint64_t bits, unsigned lane)
{
    const __m256i lane_bit =
        _mm256_setr_epi16(1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384, -32768);
    /* One broadcast serves 64 elements; the two bytes of this vector are picked out of it. */
    const __m256i bytes = _mm256_set1_epi16((short)(lane / 8 * 0x0101 + 0x0100));
    const __m256i word = _mm256_shuffle_epi8(_mm256_set1_epi64x((long long)bits), bytes);
    return _mm256_cmpeq_epi16(_mm256_and_si256(word, lane_bit), lane_bit);
}

static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b16(bits, lane));
}

static inline vec_b16 either_b16(vec_b16 a, vec_b16 b, uint64_t bits, unsigned lane)
{
    return _mm256_blendv_epi8(b, a, kept_b16(bits, lane));
}

static inline __m256i kept_b32(uint64_t bits, unsigned lane)
{
    const __m256i lane_bit =
        _mm256_slli_epi32(_mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), (int)(lane % 32));
    const __m256i word = _mm256_set1_epi32((int)(uint32_t)(bits >> lane / 32 * 32));
    return _mm256_cmpeq_epi32(_mm256_and_si256(word, lane_bit), lane_bit);
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b32(bits, lane));
}

/* Blends and masked loads look at the top bit of a lane: its bit of the word need only be shifted there. */
static inline __m256i bits_to_top_b32(uint64_t bits, unsigned lane)
{
    const __m256i to_top = _mm256_sub_epi32(_mm256_setr_epi32(31, 30, 29, 28, 27, 26, 25, 24),
                                            _mm256_set1_epi32((int)(lane % 32)));
    return _mm256_sllv_epi32(_mm256_set1_epi32((int)(uint32_t)(bits >> lane / 32 * 32)), to_top);
}

static inline __m256i bits_to_top_b64(uint64_t bits, unsigned lane)
{
    const __m256i to_top =
        _mm256_sub_epi64(_mm256_setr_epi64x(63, 62, 61, 60), _mm256_set1_epi64x((long long)lane));
    return _mm256_sllv_epi64(_mm256_set1_epi64x((long long)bits), to_top);
}

static inline vec_b32 either_b32(vec_b32 a, vec_b32 b, uint64_t bits, unsigned lane)
{
    const __m256 chosen = _mm256_castsi256_ps(bits_to_top_b32(bits, lane));
    return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(b), _mm256_castsi256_ps(a), chosen));
}

static inline __m256i kept_b64(uint64_t bits, unsigned lane)
{
    const __m256i lane_bit = _mm256_slli_epi64(_mm256_setr_epi64x(1, 2, 4, 8), (int)lane);
    const __m256i word = _mm256_set1_epi64x((long long)bits);
    return _mm256_cmpeq_epi64(_mm256_and_si256(word, lane_bit), lane_bit);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b64(bits, lane));
}

static inline vec_b64 either_b64(vec_b64 a, vec_b64 b, uint64_t bits, unsigned lane)
{
    const __m256d chosen = _mm256_castsi256_pd(bits_to_top_b64(bits, lane));
    return _mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(b), _mm256_castsi256_pd(a), chosen));
}

static inline uint64_t any_bit_b8(vec_b8 v)
{
    const __m256i zero = _mm256_cmpeq_epi8(v, _mm256_setzero_si256());
    return ~(uint32_t)_mm256_movemask_epi8(zero);
}

/* Packing answers to bytes leaves eight of them in each half. */
static inline uint64_t any_bit_b16(vec_b16 v)
{
    const __m256i zero = _mm256_cmpeq_epi16(v, _mm256_setzero_si256());
    const uint32_t bits = ~(uint32_t)_mm256_movemask_epi8(_mm256_packs_epi16(zero, zero));
    return (bits & 0xFF) | (bits >> 8 & 0xFF00);
}

static inline uint64_t any_bit_b32(vec_b32 v)
{
    const __m256i zero = _mm256_cmpeq_epi32(v, _mm256_setzero_si256());
    return ~(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(zero)) & 0xFF;
}

static inline uint64_t any_bit_b64(vec_b64 v)
{
    const __m256i zero = _mm256_cmpeq_epi64(v, _mm256_setzero_si256());
    return ~(uint32_t)_mm256_movemask_pd(_mm256_castsi256_pd(zero)) & 0xF;
}

static inline void nt_fence(void)
{
    _mm_sfence();
}

static inline vec_b32 load_times_f32(const uint8_t *p, float factor)
{
    return _mm256_castps_si256(_mm256_mul_ps(_mm256_castsi256_ps(load_b32(p)), _mm256_set1_ps(factor)));
}

static inline vec_b64 load_times_f64(const uint8_t *p, double factor)
{
    return _mm256_castpd_si256(_mm256_mul_pd(_mm256_castsi256_pd(load_b64(p)), _mm256_set1_pd(factor)));
}

/* The mask of a load is the top bit of each lane. Not loaded is 0, and so is its product with the factor. */
static inline vec_b32 load_kept_times_f32(const uint8_t *p, float factor, uint64_t bits, unsigned lane)
{
    const __m256 v = _mm256_maskload_ps((const float *)(const void *)p, bits_to_top_b32(bits, lane));
    return _mm256_castps_si256(_mm256_mul_ps(v, _mm256_set1_ps(factor)));
}

static inline vec_b64 load_kept_times_f64(const uint8_t *p, double factor, uint64_t bits, unsigned lane)
{
    const __m256d v = _mm256_maskload_pd((const double *)(const void *)p, bits_to_top_b64(bits, lane));
    return _mm256_castpd_si256(_mm256_mul_pd(v, _mm256_set1_pd(factor)));
}

/* Half a vector: conversions from memory spare the shuffles that conversions from a register need. */
static inline __m128i load_times_half_f16(const uint8_t *p, float factor)
{
    const __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m256 product = _mm256_mul_ps(_mm256_cvtph_ps(v), _mm256_set1_ps(factor));
    return _mm256_cvtps_ph(product, _MM_FROUND_TO_NEAREST_INT);
}

static inline vec_b16 load_times_f16(const uint8_t *p, float factor)
{
    return _mm256_set_m128i(load_times_half_f16(p + 16, factor), load_times_half_f16(p, factor));
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
static inline vec_b16 load_times_bf16(const uint8_t *p, float factor)
{
    const __m256i v = load_b16(p);
    const __m256 s = _mm256_set1_ps(factor);
    const __m256i upper = _mm256_set1_epi32((int)0xFFFF0000);
    const __m256 even = _mm256_castsi256_ps(_mm256_slli_epi32(v, 16));
    const __m256 odd = _mm256_castsi256_ps(_mm256_and_si256(v, upper));
    const __m256i even_product = round_to_bf16(_mm256_mul_ps(even, s));
    const __m256i odd_product = round_to_bf16(_mm256_mul_ps(odd, s));
    return _mm256_blend_epi16(_mm256_srli_epi32(even_product, 16), odd_product, 0xAA);
}

/* ---- Numbers ---- */

typedef __m256 vec_f32;
typedef __m256d vec_f64;
typedef __m256 choose32;
typedef __m256d choose64;

static inline vec_b32 as_b32(vec_f32 v)
{
    return _mm256_castps_si256(v);
}

static inline vec_f32 as_f32(vec_b32 v)
{
    return _mm256_castsi256_ps(v);
}

static inline vec_b64 as_b64(vec_f64 v)
{
    return _mm256_castpd_si256(v);
}

static inline vec_f64 as_f64(vec_b64 v)
{
    return _mm256_castsi256_pd(v);
}

static inline vec_f32 set_f32(float x)
{
    return _mm256_set1_ps(x);
}

static inline vec_f32 add_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_add_ps(a, b);
}

static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_sub_ps(a, b);
}

static inline vec_f32 mul_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_mul_ps(a, b);
}

static inline vec_f32 div_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_div_ps(a, b);
}

static inline choose32 above_f32(vec_f32 a, vec_f32 b)
{
    return _mm256_cmp_ps(a, b, _CMP_GT_OQ);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return _mm256_blendv_ps(b, a, choice);
}

static inline vec_f64 set_f64(double x)
{
    return _mm256_set1_pd(x);
}

static inline vec_f64 add_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_add_pd(a, b);
}

static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_sub_pd(a, b);
}

static inline vec_f64 mul_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_mul_pd(a, b);
}

static inline vec_f64 div_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_div_pd(a, b);
}

static inline choose64 above_f64(vec_f64 a, vec_f64 b)
{
    return _mm256_cmp_pd(a, b, _CMP_GT_OQ);
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return _mm256_blendv_pd(b, a, choice);
}

static inline vec_f32 mul_kept_f32(vec_f32 a, vec_f32 b, uint64_t bits, unsigned lane)
{
    return as_f32(keep_b32(as_b32(mul_f32(a, b)), bits, lane));
}

static inline vec_f64 mul_kept_f64(vec_f64 a, vec_f64 b, uint64_t bits, unsigned lane)
{
    return as_f64(keep_b64(as_b64(mul_f64(a, b)), bits, lane));
}

static inline vec_b32 set_b32(uint32_t u)
{
    return _mm256_set1_epi32((int)u);
}

static inline vec_b32 add_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_add_epi32(a, b);
}

static inline vec_b32 sub_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_sub_epi32(a, b);
}

static inline vec_b32 and_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_and_si256(a, b);
}

static inline vec_b32 or_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_or_si256(a, b);
}

static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return _mm256_slli_epi32(v, n);
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return _mm256_srli_epi32(v, n);
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return as_f32(_mm256_cmpgt_epi32(a, b));
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return as_b32(select_f32(choice, as_f32(a), as_f32(b)));
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
    return _mm256_xor_si256(a, b);
}

static inline vec_b32 rotl_b32(vec_b32 v, int n)
{
    return _mm256_or_si256(_mm256_slli_epi32(v, n), _mm256_srli_epi32(v, 32 - n));
}

/* The lower 128 bits hold blocks 0, 2, 4, 6, the upper ones 1, 3, 5, 7: again as they are stored. */
static inline vec_b32 counters_b32(uint32_t base, uint32_t vector)
{
    const int first = (int)(vector * LANES_b32);
    const __m256i order =
        _mm256_setr_epi32(first, first + 2, first + 4, first + 6, first + 1, first + 3, first + 5, first + 7);
    return _mm256_add_epi32(set_b32(base), order);
}

static inline void load_counters_b32(const uint64_t *p, vec_b32 *lo, vec_b32 *hi)
{
    const __m256i even_then_odd = _mm256_setr_epi32(0, 4, 2, 6, 1, 5, 3, 7);
    const __m256i first = _mm256_loadu_si256((const __m256i *)p);        /* l0 h0 l1 h1  l2 h2 l3 h3 */
    const __m256i second = _mm256_loadu_si256((const __m256i *)(p + 4)); /* l4 h4 l5 h5  l6 h6 l7 h7 */
    const __m256 a = _mm256_castsi256_ps(first), b = _mm256_castsi256_ps(second);
    /* l0 l1 l4 l5  l2 l3 l6 l7, then l0 l2 l4 l6  l1 l3 l5 l7. */
    *lo = _mm256_permutevar8x32_epi32(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)), even_then_odd);
    *hi = _mm256_permutevar8x32_epi32(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xDD)), even_then_odd);
}

static inline void store_blocks_b32(uint8_t *p, vec_b32 a, vec_b32 b, vec_b32 c, vec_b32 d)
{
    const __m256i ab_low = _mm256_unpacklo_epi32(a, b), ab_high = _mm256_unpackhi_epi32(a, b);
    const __m256i cd_low = _mm256_unpacklo_epi32(c, d), cd_high = _mm256_unpackhi_epi32(c, d);
    _mm256_storeu_si256((__m256i *)p, _mm256_unpacklo_epi64(ab_low, cd_low));
    _mm256_storeu_si256((__m256i *)(p + 32), _mm256_unpackhi_epi64(ab_low, cd_low));
    _mm256_storeu_si256((__m256i *)(p + 64), _mm256_unpacklo_epi64(ab_high, cd_high));
    _mm256_storeu_si256((__m256i *)(p + 96), _mm256_unpackhi_epi64(ab_high, cd_high));
}

static inline void store_pairs_b32(uint8_t *p, vec_b32 low, vec_b32 high)
{
    const __m256i pairs0145 = _mm256_unpacklo_epi32(low, high), pairs2367 = _mm256_unpackhi_epi32(low, high);
    store_b64(p, _mm256_permute2x128_si256(pairs0145, pairs2367, 0x20));
    store_b64(p + 32, _mm256_permute2x128_si256(pairs0145, pairs2367, 0x31));
}

static inline vec_b64 set_b64(uint64_t u)
{
    return _mm256_set1_epi64x((long long)u);
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return _mm256_slli_epi64(v, n);
}

static inline choose32 at_most_b32(vec_b32 a, vec_b32 b)
{
    return as_f32(_mm256_cmpeq_epi32(_mm256_min_epu32(a, b), a));
}

/* Numbers become signed ones in the same order. */
static inline choose64 at_most_b64(vec_b64 a, vec_b64 b)
{
    const __m256i sign = _mm256_set1_epi64x((long long)(UINT64_C(1) << 63));
    const __m256i above = _mm256_cmpgt_epi64(_mm256_xor_si256(a, sign), _mm256_xor_si256(b, sign));
    return as_f64(_mm256_xor_si256(above, _mm256_set1_epi64x(-1)));
}

static inline uint64_t bits64_b32(const choose32 *c)
{
    uint64_t bits = 0;
    VEC_UNROLL
    for (unsigned i = 0; i < 8; i++)
        bits |= (uint64_t)(unsigned)_mm256_movemask_ps(c[i]) << i * 8;
    return bits;
}

static inline uint64_t bits64_b64(const choose64 *c)
{
    uint64_t bits = 0;
    VEC_UNROLL
    for (unsigned i = 0; i < 16; i++)
        bits |= (uint64_t)(unsigned)_mm256_movemask_pd(c[i]) << i * 4;
    return bits;
}

static inline vec_b32 load_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

static inline vec_b32 load_u16(const uint8_t *p)
{
    return _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

/* Words below 2^16: the packing saturates nothing. */
static inline __m128i packed_u16(vec_b32 v)
{
    return _mm_packus_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
}

static inline void store_u8(uint8_t *p, vec_b32 v)
{
    const __m128i words = packed_u16(v);
    _mm_storel_epi64((__m128i *)(void *)p, _mm_packus_epi16(words, words));
}

static inline void store_u16(uint8_t *p, vec_b32 v)
{
    _mm_storeu_si128((__m128i *)(void *)p, packed_u16(v));
}

static inline vec_f32 load_f16(const uint8_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

/* A comparison with itself finds NaN; its sign is not the one that x86 makes. */
static inline vec_f32 canonical_f32(vec_f32 v)
{
    const __m256 nan = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FC00000));
    return _mm256_blendv_ps(v, nan, _mm256_cmp_ps(v, v, _CMP_UNORD_Q));
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return _mm256_sqrt_ps(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return _mm256_sqrt_pd(v);
}

static inline vec_f64 canonical_f64(vec_f64 v)
{
    const __m256d nan = _mm256_castsi256_pd(_mm256_set1_epi64x(0x7FF8000000000000));
    return _mm256_blendv_pd(v, nan, _mm256_cmp_pd(v, v, _CMP_UNORD_Q));
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
static inline void word_pairs_f32(const uint8_t *p, vec_f32 *even, vec_f32 *odd)
{
    const __m256 first = as_f32(load_b32(p)), second = as_f32(load_b32(p + 32));
    *even = f32_of_words(as_b32(_mm256_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0))));
    *odd = f32_of_words(as_b32(_mm256_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1))));
}

static inline void word_pairs_f64(const uint8_t *p, vec_f64 *even, vec_f64 *odd)
{
    const __m256i pairs = load_b64(p);
    *even = f64_of_words(_mm256_blend_epi32(pairs, _mm256_setzero_si256(), 0xAA));
    *odd = f64_of_words(_mm256_srli_epi64(pairs, 32));
}

static inline void store_pairs_f32(uint8_t *p, vec_f32 even, vec_f32 odd)
{
    store_b32(p, as_b32(_mm256_unpacklo_ps(even, odd)));
    store_b32(p + 32, as_b32(_mm256_unpackhi_ps(even, odd)));
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    const __m256d low = _mm256_unpacklo_pd(even, odd), high = _mm256_unpackhi_pd(even, odd);
    store_b64(p, as_b64(_mm256_permute2f128_pd(low, high, 0x20)));
    store_b64(p + 32, as_b64(_mm256_permute2f128_pd(low, high, 0x31)));
}

#ifdef DROPWISE_HAVE_SLEEF
#include <sleef.h>

static inline vec_f32 exp_f32(vec_f32 v)
{
    return Sleef_finz_expf8_u10avx2(v);
}

static inline vec_f32 erf_f32(vec_f32 v)
{
    return Sleef_finz_erff8_u10avx2(v);
}

static inline vec_f32 tanh_f32(vec_f32 v)
{
    return Sleef_finz_tanhf8_u10avx2(v);
}

static inline vec_f64 exp_f64(vec_f64 v)
{
    return Sleef_finz_expd4_u10avx2(v);
}

static inline vec_f64 erf_f64(vec_f64 v)
{
    return Sleef_finz_erfd4_u10avx2(v);
}

static inline vec_f64 tanh_f64(vec_f64 v)
{
    return Sleef_finz_tanhd4_u10avx2(v);
}

static inline vec_f32 log_f32(vec_f32 v)
{
    return Sleef_finz_logf8_u35avx2(v);
}

static inline void sincospi_f32(vec_f32 v, vec_f32 *sine, vec_f32 *cosine)
{
    const Sleef___m256_2 both = Sleef_finz_sincospif8_u35avx2(v);
    *sine = both.x;
    *cosine = both.y;
}

static inline vec_f64 log_f64(vec_f64 v)
{
    return Sleef_finz_logd4_u35avx2(v);
}

static inline void sincospi_f64(vec_f64 v, vec_f64 *sine, vec_f64 *cosine)
{
    const Sleef___m256d_2 both = Sleef_finz_sincospid4_u35avx2(v);
    *sine = both.x;
    *cosine = both.y;
}
#endif

#endif
