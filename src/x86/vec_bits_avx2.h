/* Bits in AVX2 vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_BITS_AVX2_H
#define DROPWISE_VEC_BITS_AVX2_H

#include "x86/vec_words_avx2.h"

typedef __m256i vec_b8;
typedef __m256i vec_b16;
typedef __m256i vec_b32;
typedef __m256i vec_b64;
enum { LANES_b8 = 32, LANES_b16 = 16, LANES_b32 = 8, LANES_b64 = 4 };

#define nt_fence nt_fence
static inline void store_nt_b8(uint8_t *p, vec_b8 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline void store_nt_b16(uint8_t *p, vec_b16 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline void store_nt_b32(uint8_t *p, vec_b32 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline void store_nt_b64(uint8_t *p, vec_b64 v)
{
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline void nt_fence(void)
{
    _mm_sfence();
}

/* Each lane tests its own bit of a broadcast word, which serves several vectors where it is long enough. */
static inline __m256i kept_b8(uint64_t bits, unsigned lane)
{
    return bytes_of_bits32((uint32_t)(bits >> lane));
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

static inline __m256i kept_b32(uint64_t bits, unsigned lane)
{
    const __m256i lane_bit =
        _mm256_slli_epi32(_mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128), (int)(lane % 32));
    const __m256i word = _mm256_set1_epi32((int)(uint32_t)(bits >> lane / 32 * 32));
    return _mm256_cmpeq_epi32(_mm256_and_si256(word, lane_bit), lane_bit);
}

static inline __m256i kept_b64(uint64_t bits, unsigned lane)
{
    const __m256i lane_bit = _mm256_slli_epi64(_mm256_setr_epi64x(1, 2, 4, 8), (int)lane);
    const __m256i word = _mm256_set1_epi64x((long long)bits);
    return _mm256_cmpeq_epi64(_mm256_and_si256(word, lane_bit), lane_bit);
}

#define keep_b8 keep_b8
static inline vec_b8 keep_b8(vec_b8 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b8(bits, lane));
}

static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b16(bits, lane));
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b32(bits, lane));
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return _mm256_and_si256(v, kept_b64(bits, lane));
}

#define masked_b8 masked_b8
static inline vec_b8 masked_b8(vec_b8 v, const mask64 *mask, unsigned lane)
{
    return _mm256_and_si256(v, _mm256_loadu_si256((const __m256i *)(const void *)(mask->bytes + lane)));
}

/*
 * A load widens answers to lanes for nothing, where a register would need shuffles; but compilers, which know
 * that the bytes are in a register too, take that.
 */
static inline vec_b16 masked_b16(vec_b16 v, const mask64 *mask, unsigned lane)
{
    typedef uint8_t bytes[16];
    __m256i kept;
    __asm__("vpmovsxbw %1, %0" : "=x"(kept) : "m"(*(const bytes *)(mask->bytes + lane)));
    return _mm256_and_si256(v, kept);
}

static inline vec_b32 masked_b32(vec_b32 v, const mask64 *mask, unsigned lane)
{
    typedef uint8_t bytes[8];
    __m256i kept;
    __asm__("vpmovsxbd %1, %0" : "=x"(kept) : "m"(*(const bytes *)(mask->bytes + lane)));
    return _mm256_and_si256(v, kept);
}

static inline vec_b64 masked_b64(vec_b64 v, const mask64 *mask, unsigned lane)
{
    typedef uint8_t bytes[4];
    __m256i kept;
    __asm__("vpmovsxbq %1, %0" : "=x"(kept) : "m"(*(const bytes *)(mask->bytes + lane)));
    return _mm256_and_si256(v, kept);
}

/* Blends look at the top bit of a lane: its bit of the word need only be shifted there. */
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

#define either_b8 either_b8
static inline vec_b8 either_b8(vec_b8 a, vec_b8 b, uint64_t bits, unsigned lane)
{
    return _mm256_blendv_epi8(b, a, kept_b8(bits, lane));
}

static inline vec_b16 either_b16(vec_b16 a, vec_b16 b, uint64_t bits, unsigned lane)
{
    return _mm256_blendv_epi8(b, a, kept_b16(bits, lane));
}

static inline vec_b32 either_b32(vec_b32 a, vec_b32 b, uint64_t bits, unsigned lane)
{
    const __m256 chosen = _mm256_castsi256_ps(bits_to_top_b32(bits, lane));
    return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(b), _mm256_castsi256_ps(a), chosen));
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

typedef __m256 choose32;
typedef __m256d choose64;

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

static inline vec_b32 set_b32(uint32_t u)
{
    return _mm256_set1_epi32((int)u);
}

static inline vec_b64 set_b64(uint64_t u)
{
    return _mm256_set1_epi64x((long long)u);
}

#define add_b32 add_b32
static inline vec_b32 add_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_add_epi32(a, b);
}

static inline vec_b32 sub_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_sub_epi32(a, b);
}

#define and_b32 and_b32
static inline vec_b32 and_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_and_si256(a, b);
}

static inline vec_b32 or_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_or_si256(a, b);
}

static inline vec_b32 xor_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_xor_si256(a, b);
}

/* A permutation looks at the two lowest bits of an index: the constants lie twice in its 128 bits. */
#define where_odd_b32 where_odd_b32
static inline vec_b32 where_odd_b32(vec_b32 v, uint32_t u)
{
    const int odd = (int)u;
    const __m256i even_odd = _mm256_setr_epi32(0, odd, 0, odd, 0, odd, 0, odd);
    return _mm256_castps_si256(_mm256_permutevar_ps(_mm256_castsi256_ps(even_odd), v));
}

#define min_b32 min_b32
static inline vec_b32 min_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_min_epu32(a, b);
}

#define shl_b32 shl_b32
static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return _mm256_slli_epi32(v, n);
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return _mm256_srli_epi32(v, n);
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return _mm256_slli_epi64(v, n);
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b));
}

#define at_most_b32 at_most_b32
static inline choose32 at_most_b32(vec_b32 a, vec_b32 b)
{
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_min_epu32(a, b), a));
}

/* Numbers become signed ones in the same order. */
static inline choose64 at_most_b64(vec_b64 a, vec_b64 b)
{
    const __m256i sign = _mm256_set1_epi64x((long long)(UINT64_C(1) << 63));
    const __m256i above = _mm256_cmpgt_epi64(_mm256_xor_si256(a, sign), _mm256_xor_si256(b, sign));
    return _mm256_castsi256_pd(_mm256_xor_si256(above, _mm256_set1_epi64x(-1)));
}

static inline vec_b32 lookup_b32(const uint32_t *table, vec_b32 v)
{
    return _mm256_permutevar8x32_epi32(_mm256_loadu_si256((const __m256i *)(const void *)table), v);
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return _mm256_castps_si256(_mm256_blendv_ps(_mm256_castsi256_ps(b), _mm256_castsi256_ps(a), choice));
}

/* The lower 128 bits hold blocks 0, 2, 4, 6, the upper ones 1, 3, 5, 7: again as they are stored. */
#define counters_b32 counters_b32
static inline vec_b32 counters_b32(uint32_t base, uint32_t vector, uint32_t step)
{
    const int a = (int)(2 * vector * step), b = a + (int)step;
    return _mm256_add_epi32(set_b32(base), _mm256_setr_epi32(a, a + 2, b, b + 2, a + 1, a + 3, b + 1, b + 3));
}

#define load_counters_b32 load_counters_b32
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

#define store_pairs_b32 store_pairs_b32
static inline void store_pairs_b32(uint8_t *p, vec_b32 low, vec_b32 high)
{
    const __m256i pairs0145 = _mm256_unpacklo_epi32(low, high), pairs2367 = _mm256_unpackhi_epi32(low, high);
    _mm256_storeu_si256((__m256i *)p, _mm256_permute2x128_si256(pairs0145, pairs2367, 0x20));
    _mm256_storeu_si256((__m256i *)(p + 32), _mm256_permute2x128_si256(pairs0145, pairs2367, 0x31));
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

#include "kernels/vec/generic_bits.h"

#endif
