/*
 * Words in AVX2 vectors. kernels/vec/vec.h says what each function does.
 *
 * A vword keeps its words in the low halves of 64-bit lanes, where vpmuludq wants them. The high
 * halves hold whatever earlier operations left there and never reach a result. So a round of Philox needs
 * no shuffle: the product's low word is the product itself, its high word one shift away.
 */
#ifndef DROPWISE_VEC_WORDS_AVX2_H
#define DROPWISE_VEC_WORDS_AVX2_H

#include <immintrin.h>

#include "kernels/vec/vec.h"

/* 16 registers: two vectors of four words, the multipliers and temporaries. */
typedef __m256i vword;
enum { VWORD_LANES = 4, VWORD_UNROLL = 4, VWORD_OVERLAPPED = 3 };

static inline vword vword_set1(uint32_t u)
{
    return _mm256_set1_epi32((int)u);
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    *lo = _mm256_mul_epu32(a, b);
    *hi = _mm256_srli_epi64(*lo, 32);
}

/*
 * Products of successive counters grow by m, those of words by m times their step. Lanes hold blocks 0, 2, 1,
 * 3: the order in which vword_store_blocks needs no permutation.
 */
#define vword_mul_counters vword_mul_counters
static inline void vword_mul_counters(uint32_t base, uint32_t vector, uint32_t step, uint32_t m, vword *hi,
                                      vword *lo)
{
    const __m256i in_word =
        _mm256_set_epi64x((long long)(3 * (uint64_t)m), m, (long long)(2 * (uint64_t)m), 0);
    const __m256i growth =
        _mm256_add_epi64(in_word, _mm256_set1_epi64x((long long)((uint64_t)m * vector * step)));
    *lo = _mm256_add_epi64(_mm256_set1_epi64x((long long)((uint64_t)m * base)), growth);
    *hi = _mm256_srli_epi64(*lo, 32);
}

#define vword_load_counters vword_load_counters
static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const __m256i in_order = _mm256_loadu_si256((const __m256i *)p);
    *lo = _mm256_permute4x64_epi64(in_order, _MM_SHUFFLE(3, 1, 2, 0));
    *hi = _mm256_srli_epi64(*lo, 32);
}

#define vword_add vword_add
static inline vword vword_add(vword a, vword b)
{
    return _mm256_add_epi32(a, b);
}

#define vword_xor vword_xor
static inline vword vword_xor(vword a, vword b)
{
    return _mm256_xor_si256(a, b);
}

#define vword_xor3 vword_xor3
static inline vword vword_xor3(vword a, vword b, vword c)
{
    return _mm256_xor_si256(a, _mm256_xor_si256(b, c));
}

#define vword_mul_mersenne31 vword_mul_mersenne31
static inline vword vword_mul_mersenne31(vword a, vword b)
{
    const __m256i low31 = _mm256_set1_epi64x(INT32_MAX), product = _mm256_mul_epu32(a, b);
    const __m256i folded = _mm256_add_epi64(_mm256_and_si256(product, low31), _mm256_srli_epi64(product, 31));
    return _mm256_add_epi64(_mm256_and_si256(folded, low31), _mm256_srli_epi64(folded, 31));
}

#define vword_load vword_load
static inline vword vword_load(const uint32_t *p)
{
    const __m256i in_order = _mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)(const void *)p));
    return _mm256_permute4x64_epi64(in_order, _MM_SHUFFLE(3, 1, 2, 0));
}

#define vword_store vword_store
static inline void vword_store(uint8_t *p, vword v)
{
    const __m256i order = _mm256_setr_epi32(0, 4, 2, 6, 0, 4, 2, 6);
    const __m256i words = _mm256_permutevar8x32_epi32(v, order);
    _mm_storeu_si128((__m128i *)(void *)p, _mm256_castsi256_si128(words));
}

#define vword_store_blocks vword_store_blocks
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

#define vword_store_products vword_store_products
static inline void vword_store_products(uint8_t *p, vword a, vword m, vword x, vword b, vword n, vword y)
{
    const __m256 am = vword_product(a, m, x), bn = vword_product(b, n, y);
    _mm256_storeu_ps((float *)(void *)p, _mm256_shuffle_ps(am, bn, 0x11));
    _mm256_storeu_ps((float *)(void *)(p + 32), _mm256_shuffle_ps(am, bn, 0xBB));
}

/* Lanes hold blocks in order. */
#define vdword vdword
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

#define vdword_add vdword_add
static inline vdword vdword_add(vdword a, vdword b)
{
    return _mm256_add_epi64(a, b);
}

#define vdword_xor3 vdword_xor3
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

/* AVX2 has no unsigned compare, but what is at most t is the lesser of both. */
static inline __m256i bytes_at_most(const uint8_t *p, __m256i t)
{
    const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm256_cmpeq_epi8(_mm256_min_epu8(v, t), v);
}

#define bits64_at_most bits64_at_most
static inline uint64_t bits64_at_most(const uint8_t *p, uint8_t t)
{
    const __m256i vt = _mm256_set1_epi8((char)t);
    return (uint32_t)_mm256_movemask_epi8(bytes_at_most(p, vt)) |
           (uint64_t)(uint32_t)_mm256_movemask_epi8(bytes_at_most(p + 32, vt)) << 32;
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

/* Bytes of 0 or 255. */
#define mask64 mask64
typedef struct mask64 {
    uint8_t bytes[64];
} mask64;

static inline mask64 mask64_of_halves(__m256i low, __m256i high)
{
    mask64 mask;
    _mm256_storeu_si256((__m256i *)(void *)mask.bytes, low);
    _mm256_storeu_si256((__m256i *)(void *)(mask.bytes + 32), high);
    return mask;
}

static inline mask64 mask64_at_most(const uint8_t *p, uint8_t t)
{
    const __m256i vt = _mm256_set1_epi8((char)t);
    return mask64_of_halves(bytes_at_most(p, vt), bytes_at_most(p + 32, vt));
}

/* Each byte tests its own bit of a broadcast word. */
static inline __m256i bytes_of_bits32(uint32_t bits)
{
    const __m256i byte_of_lane = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2,
                                                  2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i lane_bit = _mm256_set1_epi64x((long long)UINT64_C(0x8040201008040201));
    const __m256i bytes = _mm256_shuffle_epi8(_mm256_set1_epi32((int)bits), byte_of_lane);
    return _mm256_cmpeq_epi8(_mm256_and_si256(bytes, lane_bit), lane_bit);
}

static inline mask64 mask64_of(uint64_t bits)
{
    return mask64_of_halves(bytes_of_bits32((uint32_t)bits), bytes_of_bits32((uint32_t)(bits >> 32)));
}

#include "kernels/vec/generic_words.h"

#endif
