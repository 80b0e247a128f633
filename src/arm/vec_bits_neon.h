/* Bits in Advanced SIMD vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_BITS_NEON_H
#define DROPWISE_VEC_BITS_NEON_H

#include "arm/vec_words_neon.h"

typedef uint8x16_t vec_b8;
typedef uint16x8_t vec_b16;
typedef uint32x4_t vec_b32;
typedef uint64x2_t vec_b64;
enum { LANES_b8 = 16, LANES_b16 = 8, LANES_b32 = 4, LANES_b64 = 2 };

/* Loads and stores go through bytes, as those of wider elements promise the compiler an aligned pointer. */
#define load_b8 load_b8
static inline vec_b8 load_b8(const uint8_t *p)
{
    return vld1q_u8(p);
}

static inline void store_b8(uint8_t *p, vec_b8 v)
{
    vst1q_u8(p, v);
}

static inline vec_b16 load_b16(const uint8_t *p)
{
    return vreinterpretq_u16_u8(vld1q_u8(p));
}

static inline void store_b16(uint8_t *p, vec_b16 v)
{
    vst1q_u8(p, vreinterpretq_u8_u16(v));
}

static inline vec_b32 load_b32(const uint8_t *p)
{
    return vreinterpretq_u32_u8(vld1q_u8(p));
}

static inline void store_b32(uint8_t *p, vec_b32 v)
{
    vst1q_u8(p, vreinterpretq_u8_u32(v));
}

static inline vec_b64 load_b64(const uint8_t *p)
{
    return vreinterpretq_u64_u8(vld1q_u8(p));
}

static inline void store_b64(uint8_t *p, vec_b64 v)
{
    vst1q_u8(p, vreinterpretq_u8_u64(v));
}

/* Each lane tests its own bit of a broadcast word. */
static inline vec_b8 kept_b8(uint64_t bits, unsigned lane)
{
    const uint8x16_t lane_bit = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    const uint8x16_t word =
        vcombine_u8(vdup_n_u8((uint8_t)(bits >> lane)), vdup_n_u8((uint8_t)(bits >> (lane + 8))));
    return vtstq_u8(word, lane_bit);
}

static inline vec_b16 kept_b16(uint64_t bits, unsigned lane)
{
    static const uint16_t lane_bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t word = vdupq_n_u16((uint16_t)(bits >> lane));
    return vtstq_u16(word, vld1q_u16(lane_bits));
}

static inline vec_b32 kept_b32(uint64_t bits, unsigned lane)
{
    static const uint32_t low_bits[4] = {1, 2, 4, 8};
    const uint32x4_t lane_bit = vshlq_u32(vld1q_u32(low_bits), vdupq_n_s32((int32_t)(lane % 32)));
    const uint32x4_t word = vdupq_n_u32((uint32_t)(bits >> lane / 32 * 32));
    return vtstq_u32(word, lane_bit);
}

static inline vec_b64 kept_b64(uint64_t bits, unsigned lane)
{
    static const uint64_t low_bits[2] = {1, 2};
    const uint64x2_t lane_bit = vshlq_u64(vld1q_u64(low_bits), vdupq_n_s64((int64_t)lane));
    return vtstq_u64(vdupq_n_u64(bits), lane_bit);
}

#define either_b8 either_b8
static inline vec_b8 either_b8(vec_b8 a, vec_b8 b, uint64_t bits, unsigned lane)
{
    return vbslq_u8(kept_b8(bits, lane), a, b);
}

static inline vec_b16 either_b16(vec_b16 a, vec_b16 b, uint64_t bits, unsigned lane)
{
    return vbslq_u16(kept_b16(bits, lane), a, b);
}

static inline vec_b32 either_b32(vec_b32 a, vec_b32 b, uint64_t bits, unsigned lane)
{
    return vbslq_u32(kept_b32(bits, lane), a, b);
}

static inline vec_b64 either_b64(vec_b64 a, vec_b64 b, uint64_t bits, unsigned lane)
{
    return vbslq_u64(kept_b64(bits, lane), a, b);
}

static inline uint64_t any_bit_b8(vec_b8 v)
{
    const uint8x16_t place = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    const uint8x16_t bits = vandq_u8(vtstq_u8(v, v), place);
    return vaddv_u8(vget_low_u8(bits)) | (uint64_t)vaddv_u8(vget_high_u8(bits)) << 8;
}

static inline uint64_t any_bit_b16(vec_b16 v)
{
    const uint8x8_t place = vcreate_u8(UINT64_C(0x8040201008040201));
    return vaddv_u8(vand_u8(vmovn_u16(vtstq_u16(v, v)), place));
}

static inline uint64_t any_bit_b32(vec_b32 v)
{
    static const uint32_t place[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vtstq_u32(v, v), vld1q_u32(place)));
}

static inline uint64_t any_bit_b64(vec_b64 v)
{
    return (vgetq_lane_u64(v, 0) != 0) | (uint64_t)(vgetq_lane_u64(v, 1) != 0) << 1;
}

typedef uint32x4_t choose32;
typedef uint64x2_t choose64;

/* Four times four answers, each to a byte. */
static inline uint8x16_t narrowed_b32(const choose32 *c)
{
    const uint16x8_t first = vuzp1q_u16(vreinterpretq_u16_u32(c[0]), vreinterpretq_u16_u32(c[1]));
    const uint16x8_t second = vuzp1q_u16(vreinterpretq_u16_u32(c[2]), vreinterpretq_u16_u32(c[3]));
    return vuzp1q_u8(vreinterpretq_u8_u16(first), vreinterpretq_u8_u16(second));
}

static inline uint64_t bits64_b32(const choose32 *c)
{
    return bits64_of(narrowed_b32(c), narrowed_b32(c + 4), narrowed_b32(c + 8), narrowed_b32(c + 12));
}

static inline uint64_t bits64_b64(const choose64 *c)
{
    choose32 narrow[16];
    VEC_UNROLL
    for (unsigned i = 0; i < 16; i++)
        narrow[i] = vuzp1q_u32(vreinterpretq_u32_u64(c[2 * i]), vreinterpretq_u32_u64(c[2 * i + 1]));
    return bits64_b32(narrow);
}

static inline vec_b32 set_b32(uint32_t u)
{
    return vdupq_n_u32(u);
}

static inline vec_b64 set_b64(uint64_t u)
{
    return vdupq_n_u64(u);
}

#define min_b32 min_b32
static inline vec_b32 min_b32(vec_b32 a, vec_b32 b)
{
    return vminq_u32(a, b);
}

#define shl_b32 shl_b32
static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return vshlq_u32(v, vdupq_n_s32(n));
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return vshlq_u32(v, vdupq_n_s32(-n));
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return vshlq_u64(v, vdupq_n_s64(n));
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return vcgtq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b));
}

/* By bytes: 4 k to 4 k + 3, where k is the three lowest bits. */
static inline vec_b32 lookup_b32(const uint32_t *table, vec_b32 v)
{
    const uint8x16x2_t bytes = {{vld1q_u8((const uint8_t *)table), vld1q_u8((const uint8_t *)table + 16)}};
    const uint32x4_t k = vandq_u32(v, vdupq_n_u32(7));
    const uint32x4_t at = vmlaq_n_u32(vdupq_n_u32(0x03020100), k, 0x04040404);
    return vreinterpretq_u32_u8(vqtbl2q_u8(bytes, vreinterpretq_u8_u32(at)));
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return vbslq_u32(choice, a, b);
}

/* vec_b32 is what vword is. */
#define load_counters_b32 load_counters_b32
static inline void load_counters_b32(const uint64_t *p, vec_b32 *lo, vec_b32 *hi)
{
    vword_load_counters(p, lo, hi);
}

static inline void store_blocks_b32(uint8_t *p, vec_b32 a, vec_b32 b, vec_b32 c, vec_b32 d)
{
    vword_store_blocks(p, a, b, c, d);
}

#define store_pairs_b32 store_pairs_b32
static inline void store_pairs_b32(uint8_t *p, vec_b32 low, vec_b32 high)
{
    vst1q_u8(p, vreinterpretq_u8_u32(vzip1q_u32(low, high)));
    vst1q_u8(p + 16, vreinterpretq_u8_u32(vzip2q_u32(low, high)));
}

static inline vec_b32 load_u8(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
}

static inline vec_b32 load_u16(const uint8_t *p)
{
    return vmovl_u16(vreinterpret_u16_u8(vld1_u8(p)));
}

static inline void store_u8(uint8_t *p, vec_b32 v)
{
    const uint16x4_t words = vmovn_u32(v);
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(words, words));
    const uint32_t four = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    memcpy(p, &four, sizeof four);
}

static inline void store_u16(uint8_t *p, vec_b32 v)
{
    vst1_u8(p, vreinterpret_u8_u16(vmovn_u32(v)));
}

#include "kernels/vec/generic_bits.h"

#endif
