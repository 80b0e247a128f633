/* AArch64 Advanced SIMD vectors, little-endian. kernels/vec.h says what each function does. */
#ifndef DROPWISE_VEC_NEON_H
#define DROPWISE_VEC_NEON_H

#include <arm_neon.h>

#include "kernels/vec.h"

typedef uint32x4_t vword;
enum { VWORD_LANES = 4, VWORD_UNROLL = 2, VWORD_OVERLAPPED = 2 };

static inline vword vword_set1(uint32_t u)
{
    return vdupq_n_u32(u);
}

static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    const uint32x4_t first = vreinterpretq_u32_u64(vld1q_u64(p));
    const uint32x4_t second = vreinterpretq_u32_u64(vld1q_u64(p + 2));
    *lo = vuzp1q_u32(first, second);
    *hi = vuzp2q_u32(first, second);
}

static inline vword vword_xor(vword a, vword b)
{
    return veorq_u32(a, b);
}

static inline vword vword_xor3(vword a, vword b, vword c)
{
    return veorq_u32(a, veorq_u32(b, c));
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    const uint32x4_t first = vreinterpretq_u32_u64(vmull_u32(vget_low_u32(a), vget_low_u32(b)));
    const uint32x4_t second = vreinterpretq_u32_u64(vmull_high_u32(a, b));
    *lo = vuzp1q_u32(first, second);
    *hi = vuzp2q_u32(first, second);
}

static inline void vword_mul_counters(uint32_t base, uint32_t vector, uint32_t m, vword *hi, vword *lo)
{
    static const uint32_t lanes[4] = {0, 1, 2, 3};
    const uint32x4_t counters = vaddq_u32(vdupq_n_u32(base + vector * VWORD_LANES), vld1q_u32(lanes));
    vword_mul(counters, vdupq_n_u32(m), hi, lo);
}

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

static inline void vword_store_products(uint8_t *p, vword a, vword m, vword x, vword b, vword n, vword y)
{
    vword hi1, lo1, hi0, lo0;
    vword_mul(a, m, &hi1, &lo1);
    vword_mul(b, n, &hi0, &lo0);
    vword_store_blocks(p, veorq_u32(hi1, x), lo1, veorq_u32(hi0, y), lo0);
}

static inline vword vword_add(vword a, vword b)
{
    return vaddq_u32(a, b);
}

static inline vword vword_load(const uint32_t *p)
{
    return vld1q_u32(p);
}

static inline void vword_store(uint8_t *p, vword v)
{
    vst1q_u8(p, vreinterpretq_u8_u32(v));
}

/* One lane: NEON has no product of 64-bit words, and general registers have both halves of it. */
typedef uint64_t vdword;
enum { VDWORD_LANES = 1 };

static inline vdword vdword_set1(uint64_t u)
{
    return u;
}

static inline vdword vdword_counters(uint64_t base)
{
    return base;
}

static inline vdword vdword_add(vdword a, vdword b)
{
    return a + b;
}

static inline vdword vdword_xor3(vdword a, vdword b, vdword c)
{
    return a ^ b ^ c;
}

static inline void vdword_mul(vdword a, vdword b, vdword *hi, vdword *lo)
{
    multiply_u64(a, b, hi, lo);
}

static inline void vdword_store_blocks(uint8_t *p, vdword a, vdword b, vdword c, vdword d)
{
    store_le64(p, a);
    store_le64(p + 8, b);
    store_le64(p + 16, c);
    store_le64(p + 24, d);
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

static inline uint64_t bits64_below(const uint8_t *p, uint8_t t)
{
    const uint8x16_t vt = vdupq_n_u8(t);
    return bits64_of(vcltq_u8(vld1q_u8(p), vt), vcltq_u8(vld1q_u8(p + 16), vt),
                     vcltq_u8(vld1q_u8(p + 32), vt), vcltq_u8(vld1q_u8(p + 48), vt));
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    const uint8x16_t vt = vdupq_n_u8(t);
    return bits64_of(vceqq_u8(vld1q_u8(p), vt), vceqq_u8(vld1q_u8(p + 16), vt),
                     vceqq_u8(vld1q_u8(p + 32), vt), vceqq_u8(vld1q_u8(p + 48), vt));
}

typedef uint8x16_t vec_b8;
typedef uint16x8_t vec_b16;
typedef uint32x4_t vec_b32;
typedef uint64x2_t vec_b64;
enum { LANES_b8 = 16, LANES_b16 = 8, LANES_b32 = 4, LANES_b64 = 2 };

/*
 * Loads and stores go through bytes, as those of wider elements promise the compiler an aligned pointer.
 * Streams are ordinary stores: stnp is only a hint, and compilers offer no intrinsic for it.
 */
static inline vec_b8 load_b8(const uint8_t *p)
{
    return vld1q_u8(p);
}

static inline void store_b8(uint8_t *p, vec_b8 v)
{
    vst1q_u8(p, v);
}

static inline void store_nt_b8(uint8_t *p, vec_b8 v)
{
    store_b8(p, v);
}

static inline vec_b16 load_b16(const uint8_t *p)
{
    return vreinterpretq_u16_u8(vld1q_u8(p));
}

static inline void store_b16(uint8_t *p, vec_b16 v)
{
    vst1q_u8(p, vreinterpretq_u8_u16(v));
}

static inline void store_nt_b16(uint8_t *p, vec_b16 v)
{
    store_b16(p, v);
}

static inline vec_b32 load_b32(const uint8_t *p)
{
    return vreinterpretq_u32_u8(vld1q_u8(p));
}

static inline void store_b32(uint8_t *p, vec_b32 v)
{
    vst1q_u8(p, vreinterpretq_u8_u32(v));
}

static inline void store_nt_b32(uint8_t *p, vec_b32 v)
{
    store_b32(p, v);
}

static inline vec_b64 load_b64(const uint8_t *p)
{
    return vreinterpretq_u64_u8(vld1q_u8(p));
}

static inline void store_b64(uint8_t *p, vec_b64 v)
{
    vst1q_u8(p, vreinterpretq_u8_u64(v));
}

static inline void store_nt_b64(uint8_t *p, vec_b64 v)
{
    store_b64(p, v);
}

/* Each lane tests its own bit of a broadcast word. */
static inline vec_b8 kept_b8(uint64_t bits, unsigned lane)
{
    const uint8x16_t lane_bit = vreinterpretq_u8_u64(vdupq_n_u64(UINT64_C(0x8040201008040201)));
    const uint8x16_t word =
        vcombine_u8(vdup_n_u8((uint8_t)(bits >> lane)), vdup_n_u8((uint8_t)(bits >> (lane + 8))));
    return vtstq_u8(word, lane_bit);
}

static inline vec_b8 keep_b8(vec_b8 v, uint64_t bits, unsigned lane)
{
    return vandq_u8(v, kept_b8(bits, lane));
}

static inline vec_b8 either_b8(vec_b8 a, vec_b8 b, uint64_t bits, unsigned lane)
{
    return vbslq_u8(kept_b8(bits, lane), a, b);
}

static inline vec_b16 kept_b16(uint64_t bits, unsigned lane)
{
    static const uint16_t lane_bits[8] = {1, 2, 4, 8, 16, 32, 64, 128};
    const uint16x8_t word = vdupq_n_u16((uint16_t)(bits >> lane));
    return vtstq_u16(word, vld1q_u16(lane_bits));
}

static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    return vandq_u16(v, kept_b16(bits, lane));
}

static inline vec_b16 either_b16(vec_b16 a, vec_b16 b, uint64_t bits, unsigned lane)
{
    return vbslq_u16(kept_b16(bits, lane), a, b);
}

static inline vec_b32 kept_b32(uint64_t bits, unsigned lane)
{
    static const uint32_t low_bits[4] = {1, 2, 4, 8};
    const uint32x4_t lane_bit = vshlq_u32(vld1q_u32(low_bits), vdupq_n_s32((int32_t)(lane % 32)));
    const uint32x4_t word = vdupq_n_u32((uint32_t)(bits >> lane / 32 * 32));
    return vtstq_u32(word, lane_bit);
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    return vandq_u32(v, kept_b32(bits, lane));
}

static inline vec_b32 either_b32(vec_b32 a, vec_b32 b, uint64_t bits, unsigned lane)
{
    return vbslq_u32(kept_b32(bits, lane), a, b);
}

static inline vec_b64 kept_b64(uint64_t bits, unsigned lane)
{
    static const uint64_t low_bits[2] = {1, 2};
    const uint64x2_t lane_bit = vshlq_u64(vld1q_u64(low_bits), vdupq_n_s64((int64_t)lane));
    return vtstq_u64(vdupq_n_u64(bits), lane_bit);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return vandq_u64(v, kept_b64(bits, lane));
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

static inline void nt_fence(void)
{
}

static inline vec_b32 load_times_f32(const uint8_t *p, float factor)
{
    return vreinterpretq_u32_f32(vmulq_f32(vreinterpretq_f32_u32(load_b32(p)), vdupq_n_f32(factor)));
}

static inline vec_b64 load_times_f64(const uint8_t *p, double factor)
{
    return vreinterpretq_u64_f64(vmulq_f64(vreinterpretq_f64_u64(load_b64(p)), vdupq_n_f64(factor)));
}

static inline vec_b16 load_times_f16(const uint8_t *p, float factor)
{
    const float16x8_t x = vreinterpretq_f16_u16(load_b16(p));
    const float32x4_t s = vdupq_n_f32(factor);
    const float16x4_t low = vcvt_f16_f32(vmulq_f32(vcvt_f32_f16(vget_low_f16(x)), s));
    return vreinterpretq_u16_f16(vcvt_high_f16_f32(low, vmulq_f32(vcvt_high_f32_f16(x), s)));
}

/*
 * Rounded to nearest even by an addition below the cut. A NaN needs no care: as the product of a bf16 it is
 * quiet, and its lower half is 0, so nothing carries into the half that stays. Infinity likewise.
 */
static inline uint32x4_t round_to_bf16(float32x4_t v)
{
    const uint32x4_t u = vreinterpretq_u32_f32(v);
    const uint32x4_t odd = vandq_u32(vshrq_n_u32(u, 16), vdupq_n_u32(1));
    return vaddq_u32(vaddq_u32(u, vdupq_n_u32(0x7FFF)), odd);
}

static inline vec_b16 load_times_bf16(const uint8_t *p, float factor)
{
    const uint16x8_t v = load_b16(p);
    const float32x4_t s = vdupq_n_f32(factor);
    const float32x4_t low = vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(v), 16));
    const float32x4_t high = vreinterpretq_f32_u32(vshll_high_n_u16(v, 16));
    const uint16x4_t low_cut = vshrn_n_u32(round_to_bf16(vmulq_f32(low, s)), 16);
    return vshrn_high_n_u32(low_cut, round_to_bf16(vmulq_f32(high, s)), 16);
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

typedef float32x4_t vec_f32;
typedef float64x2_t vec_f64;
typedef uint32x4_t choose32;
typedef uint64x2_t choose64;

static inline vec_b32 as_b32(vec_f32 v)
{
    return vreinterpretq_u32_f32(v);
}

static inline vec_f32 as_f32(vec_b32 v)
{
    return vreinterpretq_f32_u32(v);
}

static inline vec_b64 as_b64(vec_f64 v)
{
    return vreinterpretq_u64_f64(v);
}

static inline vec_f64 as_f64(vec_b64 v)
{
    return vreinterpretq_f64_u64(v);
}

static inline vec_f32 set_f32(float x)
{
    return vdupq_n_f32(x);
}

static inline vec_f32 add_f32(vec_f32 a, vec_f32 b)
{
    return vaddq_f32(a, b);
}

static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b)
{
    return vsubq_f32(a, b);
}

static inline vec_f32 mul_f32(vec_f32 a, vec_f32 b)
{
    return vmulq_f32(a, b);
}

static inline vec_f32 div_f32(vec_f32 a, vec_f32 b)
{
    return vdivq_f32(a, b);
}

static inline choose32 above_f32(vec_f32 a, vec_f32 b)
{
    return vcgtq_f32(a, b);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return vbslq_f32(choice, a, b);
}

static inline vec_f64 set_f64(double x)
{
    return vdupq_n_f64(x);
}

static inline vec_f64 add_f64(vec_f64 a, vec_f64 b)
{
    return vaddq_f64(a, b);
}

static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b)
{
    return vsubq_f64(a, b);
}

static inline vec_f64 mul_f64(vec_f64 a, vec_f64 b)
{
    return vmulq_f64(a, b);
}

static inline vec_f64 div_f64(vec_f64 a, vec_f64 b)
{
    return vdivq_f64(a, b);
}

static inline choose64 above_f64(vec_f64 a, vec_f64 b)
{
    return vcgtq_f64(a, b);
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return vbslq_f64(choice, a, b);
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
    return vdupq_n_u32(u);
}

static inline vec_b32 add_b32(vec_b32 a, vec_b32 b)
{
    return vaddq_u32(a, b);
}

static inline vec_b32 sub_b32(vec_b32 a, vec_b32 b)
{
    return vsubq_u32(a, b);
}

static inline vec_b32 and_b32(vec_b32 a, vec_b32 b)
{
    return vandq_u32(a, b);
}

static inline vec_b32 or_b32(vec_b32 a, vec_b32 b)
{
    return vorrq_u32(a, b);
}

static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return vshlq_u32(v, vdupq_n_s32(n));
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return vshlq_u32(v, vdupq_n_s32(-n));
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return vcgtq_s32(vreinterpretq_s32_u32(a), vreinterpretq_s32_u32(b));
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return vbslq_u32(choice, a, b);
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
    return veorq_u32(a, b);
}

static inline vec_b32 rotl_b32(vec_b32 v, int n)
{
    return vorrq_u32(vshlq_u32(v, vdupq_n_s32(n)), vshlq_u32(v, vdupq_n_s32(n - 32)));
}

static inline vec_b32 counters_b32(uint32_t base, uint32_t vector)
{
    static const uint32_t lanes[4] = {0, 1, 2, 3};
    return vaddq_u32(vdupq_n_u32(base + vector * LANES_b32), vld1q_u32(lanes));
}

static inline void load_counters_b32(const uint64_t *p, vec_b32 *lo, vec_b32 *hi)
{
    vword_load_counters(p, lo, hi);
}

static inline void store_blocks_b32(uint8_t *p, vec_b32 a, vec_b32 b, vec_b32 c, vec_b32 d)
{
    vword_store_blocks(p, a, b, c, d);
}

static inline void store_pairs_b32(uint8_t *p, vec_b32 low, vec_b32 high)
{
    vst1q_u8(p, vreinterpretq_u8_u32(vzip1q_u32(low, high)));
    vst1q_u8(p + 16, vreinterpretq_u8_u32(vzip2q_u32(low, high)));
}

static inline vec_b64 set_b64(uint64_t u)
{
    return vdupq_n_u64(u);
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return vshlq_u64(v, vdupq_n_s64(n));
}

static inline choose32 at_most_b32(vec_b32 a, vec_b32 b)
{
    return vcleq_u32(a, b);
}

static inline choose64 at_most_b64(vec_b64 a, vec_b64 b)
{
    return vcleq_u64(a, b);
}

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

static inline vec_f32 load_f16(const uint8_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    vst1_u8(p, vreinterpret_u8_f16(vcvt_f16_f32(v)));
}

static inline vec_f32 canonical_f32(vec_f32 v)
{
    return vbslq_f32(vceqq_f32(v, v), v, vreinterpretq_f32_u32(vdupq_n_u32(0x7FC00000)));
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return vsqrtq_f32(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return vsqrtq_f64(v);
}

static inline vec_f64 canonical_f64(vec_f64 v)
{
    return vbslq_f64(vceqq_f64(v, v), v, vreinterpretq_f64_u64(vdupq_n_u64(UINT64_C(0x7FF8000000000000))));
}

static inline vec_f64 f64_of_f32(const uint8_t *p)
{
    return vcvt_f64_f32(vreinterpret_f32_u8(vld1_u8(p)));
}

static inline vec_f32 words_f32(const uint8_t *p, uint32_t flip)
{
    return vcvtq_f32_u32(veorq_u32(load_b32(p), vdupq_n_u32(flip)));
}

static inline vec_f64 words_f64(const uint8_t *p, uint32_t flip)
{
    const uint32x2_t words = veor_u32(vreinterpret_u32_u8(vld1_u8(p)), vdup_n_u32(flip));
    return vcvtq_f64_u64(vmovl_u32(words));
}

static inline void word_pairs_f32(const uint8_t *p, vec_f32 *even, vec_f32 *odd)
{
    const uint32x4_t first = load_b32(p), second = load_b32(p + 16);
    *even = vcvtq_f32_u32(vuzp1q_u32(first, second));
    *odd = vcvtq_f32_u32(vuzp2q_u32(first, second));
}

static inline void word_pairs_f64(const uint8_t *p, vec_f64 *even, vec_f64 *odd)
{
    const uint64x2_t pairs = load_b64(p);
    *even = vcvtq_f64_u64(vandq_u64(pairs, vdupq_n_u64(0xFFFFFFFF)));
    *odd = vcvtq_f64_u64(vshrq_n_u64(pairs, 32));
}

static inline void store_pairs_f32(uint8_t *p, vec_f32 even, vec_f32 odd)
{
    store_b32(p, as_b32(vzip1q_f32(even, odd)));
    store_b32(p + 16, as_b32(vzip2q_f32(even, odd)));
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    store_b64(p, as_b64(vzip1q_f64(even, odd)));
    store_b64(p + 16, as_b64(vzip2q_f64(even, odd)));
}

#ifdef DROPWISE_HAVE_SLEEF
#include <sleef.h>

static inline vec_f32 exp_f32(vec_f32 v)
{
    return Sleef_finz_expf4_u10advsimd(v);
}

static inline vec_f32 erf_f32(vec_f32 v)
{
    return Sleef_finz_erff4_u10advsimd(v);
}

static inline vec_f32 tanh_f32(vec_f32 v)
{
    return Sleef_finz_tanhf4_u10advsimd(v);
}

static inline vec_f64 exp_f64(vec_f64 v)
{
    return Sleef_finz_expd2_u10advsimd(v);
}

static inline vec_f64 erf_f64(vec_f64 v)
{
    return Sleef_finz_erfd2_u10advsimd(v);
}

static inline vec_f64 tanh_f64(vec_f64 v)
{
    return Sleef_finz_tanhd2_u10advsimd(v);
}

static inline vec_f32 log_f32(vec_f32 v)
{
    return Sleef_finz_logf4_u35advsimd(v);
}

static inline void sincospi_f32(vec_f32 v, vec_f32 *sine, vec_f32 *cosine)
{
    const Sleef_float32x4_t_2 both = Sleef_finz_sincospif4_u35advsimd(v);
    *sine = both.x;
    *cosine = both.y;
}

static inline vec_f64 log_f64(vec_f64 v)
{
    return Sleef_finz_logd2_u35advsimd(v);
}

static inline void sincospi_f64(vec_f64 v, vec_f64 *sine, vec_f64 *cosine)
{
    const Sleef_float64x2_t_2 both = Sleef_finz_sincospid2_u35advsimd(v);
    *sine = both.x;
    *cosine = both.y;
}
#endif

#endif
