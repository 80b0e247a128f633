/*
 * Words in AVX-512 vectors (F, BW, DQ, VL). kernels/vec/vec.h says what each function does; words
 * lie in 64-bit lanes as vec_words_avx2.h explains.
 */
#ifndef DROPWISE_VEC_WORDS_AVX512_H
#define DROPWISE_VEC_WORDS_AVX512_H

#include <immintrin.h>

#include "kernels/vec/vec.h"

typedef __m512i vword;
enum { VWORD_LANES = 8, VWORD_UNROLL = 4, VWORD_OVERLAPPED = 3 };

static inline vword vword_set1(uint32_t u)
{
    return _mm512_set1_epi32((int)u);
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
#define vword_mul_counters vword_mul_counters
static inline void vword_mul_counters(uint32_t base, uint32_t vector, uint32_t step, uint32_t m, vword *hi,
                                      vword *lo)
{
    const uint64_t of_step = (uint64_t)m * step;
    const long long m1 = (long long)m, m2 = (long long)(2 * (uint64_t)m), m3 = (long long)(3 * (uint64_t)m);
    const __m512i in_word = _mm512_set_epi64(m3, m3, m2, m2, m1, m1, 0, 0);
    const __m512i odd = _mm512_set_epi64(-1, 0, -1, 0, -1, 0, -1, 0); /* lanes of the vector's second word */
    const __m512i in_vector =
        _mm512_add_epi64(in_word, _mm512_and_si512(odd, _mm512_set1_epi64((long long)of_step)));
    const __m512i growth = _mm512_add_epi64(in_vector, _mm512_set1_epi64((long long)(2 * vector * of_step)));
    *lo = _mm512_add_epi64(_mm512_set1_epi64((long long)((uint64_t)m * base)), growth);
    *hi = _mm512_srli_epi64(*lo, 32);
}

#define vword_load_counters vword_load_counters
static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    *lo = _mm512_permutexvar_epi64(order, _mm512_loadu_si512(p));
    *hi = _mm512_srli_epi64(*lo, 32);
}

#define vword_add vword_add
static inline vword vword_add(vword a, vword b)
{
    return _mm512_add_epi32(a, b);
}

#define vword_xor vword_xor
static inline vword vword_xor(vword a, vword b)
{
    return _mm512_xor_si512(a, b);
}

#define vword_xor3 vword_xor3
static inline vword vword_xor3(vword a, vword b, vword c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

#define vword_mul_mersenne31 vword_mul_mersenne31
static inline vword vword_mul_mersenne31(vword a, vword b)
{
    const __m512i low31 = _mm512_set1_epi64(INT32_MAX), product = _mm512_mul_epu32(a, b);
    const __m512i folded = _mm512_add_epi64(_mm512_and_si512(product, low31), _mm512_srli_epi64(product, 31));
    return _mm512_add_epi64(_mm512_and_si512(folded, low31), _mm512_srli_epi64(folded, 31));
}

#define vword_load vword_load
static inline vword vword_load(const uint32_t *p)
{
    const __m512i order = _mm512_set_epi64(7, 3, 6, 2, 5, 1, 4, 0);
    const __m256i words = _mm256_loadu_si256((const __m256i *)(const void *)p);
    return _mm512_permutexvar_epi64(order, _mm512_cvtepu32_epi64(words));
}

#define vword_store vword_store
static inline void vword_store(uint8_t *p, vword v)
{
    const __m512i order = _mm512_set_epi32(0, 0, 0, 0, 0, 0, 0, 0, 14, 10, 6, 2, 12, 8, 4, 0);
    const __m512i words = _mm512_permutexvar_epi32(order, v);
    _mm256_storeu_si256((__m256i *)(void *)p, _mm512_castsi512_si256(words));
}

#define vword_store_blocks vword_store_blocks
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

#define vword_store_products vword_store_products
static inline void vword_store_products(uint8_t *p, vword a, vword m, vword x, vword b, vword n, vword y)
{
    const __m512 am = vword_product(a, m, x), bn = vword_product(b, n, y);
    _mm512_storeu_ps(p, _mm512_shuffle_ps(am, bn, 0x11));
    _mm512_storeu_ps(p + 64, _mm512_shuffle_ps(am, bn, 0xBB));
}

/* Lanes hold blocks in order. */
#define vdword vdword
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

#define vdword_add vdword_add
static inline vdword vdword_add(vdword a, vdword b)
{
    return _mm512_add_epi64(a, b);
}

#define vdword_xor3 vdword_xor3
static inline vdword vdword_xor3(vdword a, vdword b, vdword c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

#define bits64_at_most bits64_at_most
static inline uint64_t bits64_at_most(const uint8_t *p, uint8_t t)
{
    return _mm512_cmple_epu8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)t));
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    return _mm512_cmpeq_epu8_mask(_mm512_loadu_si512(p), _mm512_set1_epi8((char)t));
}

#define mask64 mask64
typedef __mmask64 mask64;

static inline mask64 mask64_of(uint64_t bits)
{
    return bits;
}

static inline mask64 mask64_at_most(const uint8_t *p, uint8_t t)
{
    return bits64_at_most(p, t);
}

/*
 * The answers of 8, 16 or 32 lanes from one on. By instructions, as for shifts and conversions compilers go
 * through general or vector registers (GCC 12, Clang 14).
 */
static inline __mmask8 mask64_lanes8(mask64 mask, unsigned lane)
{
    __mmask8 lanes;
    switch (lane / 8) {
    case 1:
        __asm__("kshiftrq $8, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 2:
        __asm__("kshiftrq $16, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 3:
        __asm__("kshiftrq $24, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 4:
        __asm__("kshiftrq $32, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 5:
        __asm__("kshiftrq $40, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 6:
        __asm__("kshiftrq $48, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 7:
        __asm__("kshiftrq $56, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    default:
        __asm__("" : "=k"(lanes) : "0"(mask));
        break;
    }
    return lanes;
}

static inline __mmask16 mask64_lanes16(mask64 mask, unsigned lane)
{
    __mmask16 lanes;
    switch (lane / 16) {
    case 1:
        __asm__("kshiftrq $16, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 2:
        __asm__("kshiftrq $32, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    case 3:
        __asm__("kshiftrq $48, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    default:
        __asm__("" : "=k"(lanes) : "0"(mask));
        break;
    }
    return lanes;
}

static inline __mmask32 mask64_lanes32(mask64 mask, unsigned lane)
{
    __mmask32 lanes;
    switch (lane / 32) {
    case 1:
        __asm__("kshiftrq $32, %1, %0" : "=k"(lanes) : "k"(mask));
        break;
    default:
        __asm__("" : "=k"(lanes) : "0"(mask));
        break;
    }
    return lanes;
}

#include "kernels/vec/generic_words.h"

#endif
