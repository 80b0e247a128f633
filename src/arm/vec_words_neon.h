/* Words in Advanced SIMD vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_WORDS_NEON_H
#define DROPWISE_VEC_WORDS_NEON_H

#include <arm_neon.h>

#include "kernels/vec/vec.h"

typedef uint32x4_t vword;
enum { VWORD_LANES = 4, VWORD_UNROLL = 2, VWORD_OVERLAPPED = 2 };

static inline vword vword_set1(uint32_t u)
{
    return vdupq_n_u32(u);
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    const uint32x4_t first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), vget_low_u32(b)));
    const uint32x4_t second = vreinterpretq_u32_u64(vmull_high_u32(a, b));
    *lo = vuzp1q_u32(first, second);
    *hi = vuzp2q_u32(first, second);
}

#define vword_xor3 vword_xor3
static inline vword vword_xor3(vword a, vword b, vword c)
{
    return veorq_u32(a, veorq_u32(b, c));
}

#define vword_load vword_load
static inline vword vword_load(const uint32_t *p)
{
    return vld1q_u32(p);
}

#define vword_store vword_store
static inline void vword_store(uint8_t *p, vword v)
{
    vst1q_u8(p, vreinterpretq_u8_u32(v));
}

#define vword_load_counters vword_load_counters
static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const uint32x4_t first = vreinterpretq_u32_u64(vld1q_u64(p));
    const uint32x4_t second = vreinterpretq_u32_u64(vld1q_u64(p + 2));
    *lo = vuzp1q_u32(first, second);
    *hi = vuzp2q_u32(first, second);
}

#define vword_store_blocks vword_store_blocks
static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    const uint32x4x2_t ac = vzipq_u32(a, c);
    const uint32x4x2_t bd = vzipq_u32(b, d);
    const uint32x4x2_t blocks01 = vzipq_u32(ac.val[0], bd.val[0]);
    const uint32x4x2_t blocks23 = vzipq_u32(ac.val[1], bd.val[1]);
    vst1q_u8(p, vreinterpretq_u8_u32(blocks01.val[0]));
    vst1q_u8(p + 16, vreinterpretq_u8_u32(blocks01.val[1]));
    vst1q_u8(p + 32, vreinterpretq_u8_u32(blocks23.val[0]));
    vst1q_u8(p + 48, vreinterpretq_u8_u32(blocks23.val[1]));
}

/*
 * NEON has no movemask: each byte of the answers (0 or 255) keeps the bit that is its place in eight,
 * and three pairwise additions gather 64 of them into 8 bytes.
 */
static inline uint64_t bits64_of(uint8x16_t a, uint8x16_t b, uint8x16_t c, uint8x16_t d)
{
    const uint8x16_t place = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    const uint8x16_t ab = vpaddq_u8(vandq_u8(a, place), vandq_u8(b, place));
    const uint8x16_t cd = vpaddq_u8(vandq_u8(c, place), vandq_u8(d, place));
    const uint8x16_t abcd = vpaddq_u8(ab, cd);
    return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(abcd, abcd)), 0);
}

#define bits64_at_most bits64_at_most
static inline uint64_t bits64_at_most(const uint8_t *p, uint8_t t)
{
    const uint8x16_t vt = vdupq_n_u8(t);
    return bits64_of(vcleq_u8(vld1q_u8(p), vt), vcleq_u8(vld1q_u8(p + 16), vt),
                     vcleq_u8(vld1q_u8(p + 32), vt), vcleq_u8(vld1q_u8(p + 48), vt));
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    const uint8x16_t vt = vdupq_n_u8(t);
    return bits64_of(vceqq_u8(vld1q_u8(p), vt), vceqq_u8(vld1q_u8(p + 16), vt),
                     vceqq_u8(vld1q_u8(p + 32), vt), vceqq_u8(vld1q_u8(p + 48), vt));
}

#include "kernels/vec/generic_words.h"

#endif
