/* Reals in Advanced SIMD vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_REALS_NEON_H
#define DROPWISE_VEC_REALS_NEON_H

#include "arm/vec_bits_neon.h"

typedef float32x4_t vec_f32;
typedef float64x2_t vec_f64;

static inline vec_f32 set_f32(float x)
{
    return vdupq_n_f32(x);
}

static inline vec_f64 set_f64(double x)
{
    return vdupq_n_f64(x);
}

static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return vfmaq_f32(c, a, b);
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return vsqrtq_f32(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return vsqrtq_f64(v);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return vbslq_f32(choice, a, b);
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return vbslq_f64(choice, a, b);
}

#define load_f16 load_f16
static inline vec_f32 load_f16(const uint8_t *p)
{
    return vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(p)));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    vst1_u8(p, vreinterpret_u8_f16(vcvt_f16_f32(v)));
}

#define elements_of_f16 elements_of_f16
VEC_INLINE vec_b16 elements_of_f16(const vec_f32 *r)
{
    return vreinterpretq_u16_f16(vcvt_high_f16_f32(vcvt_f16_f32(r[0]), r[1]));
}

#define reals_of_bf16 reals_of_bf16
VEC_INLINE void reals_of_bf16(const uint8_t *p, vec_f32 *r)
{
    const uint16x8_t v = load_b16(p);
    r[0] = vreinterpretq_f32_u32(vshll_n_u16(vget_low_u16(v), 16));
    r[1] = vreinterpretq_f32_u32(vshll_high_n_u16(v, 16));
}

#define elements_of_bf16 elements_of_bf16
VEC_INLINE vec_b16 elements_of_bf16(const vec_f32 *r)
{
    const uint16x4_t low = vshrn_n_u32(round_to_bf16(vreinterpretq_u32_f32(r[0])), 16);
    return vshrn_high_n_u32(low, round_to_bf16(vreinterpretq_u32_f32(r[1])), 16);
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

#define word_pairs_f32 word_pairs_f32
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
    store_b32(p, vreinterpretq_u32_f32(vzip1q_f32(even, odd)));
    store_b32(p + 16, vreinterpretq_u32_f32(vzip2q_f32(even, odd)));
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    store_b64(p, vreinterpretq_u64_f64(vzip1q_f64(even, odd)));
    store_b64(p + 16, vreinterpretq_u64_f64(vzip2q_f64(even, odd)));
}

#ifdef DROPWISE_HAVE_SLEEF
#include <sleef.h>

#define SLEEF_F64(function, ulp) Sleef_finz_##function##d2_##ulp##advsimd
typedef Sleef_float64x2_t_2 sleef_pair_f64;
#endif

#include "kernels/vec/generic_reals.h"

#endif
