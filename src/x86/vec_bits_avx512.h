/* Bits in AVX-512 vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_BITS_AVX512_H
#define DROPWISE_VEC_BITS_AVX512_H

#include "x86/vec_words_avx512.h"

typedef __m512i vec_b8;
typedef __m512i vec_b16;
typedef __m512i vec_b32;
typedef __m512i vec_b64;
enum { LANES_b8 = 64, LANES_b16 = 32, LANES_b32 = 16, LANES_b64 = 8 };

#define nt_fence nt_fence
static inline void store_nt_b8(uint8_t *p, vec_b8 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline void store_nt_b16(uint8_t *p, vec_b16 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline void store_nt_b32(uint8_t *p, vec_b32 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline void store_nt_b64(uint8_t *p, vec_b64 v)
{
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline void nt_fence(void)
{
    _mm_sfence();
}

#define keep_b8 keep_b8
static inline vec_b8 keep_b8(vec_b8 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi8((__mmask64)(bits >> lane), v);
}

static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi16((__mmask32)(bits >> lane), v);
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi32((__mmask16)(bits >> lane), v);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return _mm512_maskz_mov_epi64((__mmask8)(bits >> lane), v);
}

#define masked_b8 masked_b8
static inline vec_b8 masked_b8(vec_b8 v, const mask64 *mask, unsigned lane)
{
    (void)lane; /* there are no others */
    return _mm512_maskz_mov_epi8(*mask, v);
}

static inline vec_b16 masked_b16(vec_b16 v, const mask64 *mask, unsigned lane)
{
    return _mm512_maskz_mov_epi16(mask64_lanes32(*mask, lane), v);
}

static inline vec_b32 masked_b32(vec_b32 v, const mask64 *mask, unsigned lane)
{
    return _mm512_maskz_mov_epi32(mask64_lanes16(*mask, lane), v);
}

static inline vec_b64 masked_b64(vec_b64 v, const mask64 *mask, unsigned lane)
{
    return _mm512_maskz_mov_epi64(mask64_lanes8(*mask, lane), v);
}

#define either_b8 either_b8
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

typedef __mmask16 choose32;
typedef __mmask8 choose64;

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

static inline vec_b32 set_b32(uint32_t u)
{
    return _mm512_set1_epi32((int)u);
}

static inline vec_b64 set_b64(uint64_t u)
{
    return _mm512_set1_epi64((long long)u);
}

#define add_b32 add_b32
static inline vec_b32 add_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_add_epi32(a, b);
}

static inline vec_b32 sub_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_sub_epi32(a, b);
}

static inline vec_b32 lookup_b32(const uint32_t *table, vec_b32 v)
{
    const __m256i eight = _mm256_loadu_si256((const __m256i *)(const void *)table);
    return _mm512_permutexvar_epi32(v, _mm512_broadcast_i32x8(eight));
}

#define and_b32 and_b32
static inline vec_b32 and_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_and_si512(a, b);
}

static inline vec_b32 or_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_or_si512(a, b);
}

static inline vec_b32 xor_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_xor_si512(a, b);
}

#define xor3_b32 xor3_b32
static inline vec_b32 xor3_b32(vec_b32 a, vec_b32 b, vec_b32 c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x96);
}

static inline vec_b32 xor_and_b32(vec_b32 a, vec_b32 b, vec_b32 c)
{
    return _mm512_ternarylogic_epi32(a, b, c, 0x78);
}

static inline vec_b32 merge_b32(vec_b32 mask, vec_b32 a, vec_b32 b)
{
    return _mm512_ternarylogic_epi32(mask, a, b, 0xCA);
}

/* A permutation looks at the two lowest bits of an index: the constants lie twice in its 128 bits. */
#define where_odd_b32 where_odd_b32
static inline vec_b32 where_odd_b32(vec_b32 v, uint32_t u)
{
    const int odd = (int)u;
    const __m512 even_odd = _mm512_castsi512_ps(
        _mm512_setr_epi32(0, odd, 0, odd, 0, odd, 0, odd, 0, odd, 0, odd, 0, odd, 0, odd));
    return _mm512_castps_si512(_mm512_permutevar_ps(even_odd, v));
}

#define min_b32 min_b32
static inline vec_b32 min_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_min_epu32(a, b);
}

#define shl_b32 shl_b32
static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return _mm512_slli_epi32(v, (unsigned)n);
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return _mm512_srli_epi32(v, (unsigned)n);
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return _mm512_slli_epi64(v, (unsigned)n);
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_cmpgt_epi32_mask(a, b);
}

#define at_most_b32 at_most_b32
static inline choose32 at_most_b32(vec_b32 a, vec_b32 b)
{
    return _mm512_cmple_epu32_mask(a, b);
}

static inline choose64 at_most_b64(vec_b64 a, vec_b64 b)
{
    return _mm512_cmple_epu64_mask(a, b);
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return _mm512_mask_blend_epi32(choice, b, a);
}

/* Each 128 bits hold blocks i, i + 4, i + 8, i + 12: as they are stored. */
static inline __m512i order_b32(void)
{
    return _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

#define counters_b32 counters_b32
static inline vec_b32 counters_b32(uint32_t base, uint32_t vector, uint32_t step)
{
    const vec_b32 words =
        _mm512_srli_epi32(order_b32(), 2); /* a block's word, from which it is a lane's rest */
    const vec_b32 place = _mm512_add_epi32(set_b32(4 * vector * step), order_b32());
    return _mm512_add_epi32(set_b32(base),
                            _mm512_add_epi32(place, _mm512_mullo_epi32(words, set_b32(step - 4))));
}

#define load_counters_b32 load_counters_b32
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

#define store_pairs_b32 store_pairs_b32
static inline void store_pairs_b32(uint8_t *p, vec_b32 low, vec_b32 high)
{
    const __m512i first = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i second = _mm512_set_epi32(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8);
    _mm512_storeu_si512(p, _mm512_permutex2var_epi32(low, first, high));
    _mm512_storeu_si512(p + 64, _mm512_permutex2var_epi32(low, second, high));
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

#include "kernels/vec/generic_bits.h"

#endif
