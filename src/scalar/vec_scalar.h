/* Vectors of one lane, in portable C. kernels/vec.h says what each function does. */
#ifndef DROPWISE_VEC_SCALAR_H
#define DROPWISE_VEC_SCALAR_H

#include "kernels/vec.h"

typedef uint32_t vword;
enum { VWORD_LANES = 1, VWORD_UNROLL = 4, VWORD_OVERLAPPED = 4 };

static inline vword vword_set1(uint32_t u)
{
    return u;
}

static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    *lo = (uint32_t)*p;
    *hi = (uint32_t)(*p >> 32);
}

static inline vword vword_xor(vword a, vword b)
{
    return a ^ b;
}

static inline vword vword_xor3(vword a, vword b, vword c)
{
    return a ^ b ^ c;
}

static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    const uint64_t product = (uint64_t)a * b;
    *hi = (uint32_t)(product >> 32);
    *lo = (uint32_t)product;
}

static inline void vword_mul_counters(uint32_t base, uint32_t vector, uint32_t m, vword *hi, vword *lo)
{
    vword_mul(base + vector, m, hi, lo);
}

static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    store_le32(p, a);
    store_le32(p + 4, b);
    store_le32(p + 8, c);
    store_le32(p + 12, d);
}

static inline void vword_store_products(uint8_t *p, vword a, vword m, vword x, vword b, vword n, vword y)
{
    vword hi1, lo1, hi0, lo0;
    vword_mul(a, m, &hi1, &lo1);
    vword_mul(b, n, &hi0, &lo0);
    vword_store_blocks(p, hi1 ^ x, lo1, hi0 ^ y, lo0);
}

static inline vword vword_add(vword a, vword b)
{
    return a + b;
}

static inline vword vword_load(const uint32_t *p)
{
    return *p;
}

static inline void vword_store(uint8_t *p, vword v)
{
    store_le32(p, v);
}

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
 * Eight bytes are compared at once in a 64-bit word. An answer is bit 7 of its byte; the product moves the
 * answer of byte j to bit 56 + j.
 */
static inline uint64_t each_byte(uint8_t b)
{
    return UINT64_C(0x0101010101010101) * b;
}

static inline uint64_t gather_answers(uint64_t bit7)
{
    return (bit7 >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline uint64_t bits64_below(const uint8_t *p, uint8_t t)
{
    const uint64_t high = each_byte(0x80), vt = each_byte(t);
    uint64_t bits = 0;
    for (unsigned j = 0; j < 64; j += 8) {
        const uint64_t v = load_le64(p + j);
        const uint64_t low7_not_below = (v | high) - (vt & ~high); /* no byte borrows */
        const uint64_t not_below = (v & ~vt) | (~(v ^ vt) & low7_not_below);
        bits |= gather_answers(~not_below & high) << j;
    }
    return bits;
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    const uint64_t low7 = each_byte(0x7F), vt = each_byte(t);
    uint64_t bits = 0;
    for (unsigned j = 0; j < 64; j += 8) {
        const uint64_t differ = load_le64(p + j) ^ vt;
        bits |= gather_answers(~(((differ & low7) + low7) | differ | low7)) << j;
    }
    return bits;
}

typedef uint8_t vec_b8;
typedef uint16_t vec_b16;
typedef uint32_t vec_b32;
typedef uint64_t vec_b64;
enum { LANES_b8 = 1, LANES_b16 = 1, LANES_b32 = 1, LANES_b64 = 1 };

static inline vec_b8 load_b8(const uint8_t *p)
{
    return *p;
}

static inline void store_b8(uint8_t *p, vec_b8 v)
{
    *p = v;
}

static inline void store_nt_b8(uint8_t *p, vec_b8 v)
{
    *p = v;
}

/* By a mask, as a branch on random bits is mispredicted half of the time. */
static inline vec_b8 keep_b8(vec_b8 v, uint64_t bits, unsigned lane)
{
    return (vec_b8)(v & (0 - (uint32_t)(bits >> lane & 1)));
}

static inline vec_b16 load_b16(const uint8_t *p)
{
    vec_b16 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store_b16(uint8_t *p, vec_b16 v)
{
    memcpy(p, &v, sizeof v);
}

static inline void store_nt_b16(uint8_t *p, vec_b16 v)
{
    store_b16(p, v);
}

static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    return (vec_b16)(v & (0 - (uint32_t)(bits >> lane & 1)));
}

static inline vec_b32 load_b32(const uint8_t *p)
{
    vec_b32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store_b32(uint8_t *p, vec_b32 v)
{
    memcpy(p, &v, sizeof v);
}

static inline void store_nt_b32(uint8_t *p, vec_b32 v)
{
    store_b32(p, v);
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    return v & (0 - (uint32_t)(bits >> lane & 1));
}

static inline vec_b64 load_b64(const uint8_t *p)
{
    vec_b64 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store_b64(uint8_t *p, vec_b64 v)
{
    memcpy(p, &v, sizeof v);
}

static inline void store_nt_b64(uint8_t *p, vec_b64 v)
{
    store_b64(p, v);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return v & (0 - (bits >> lane & 1));
}

static inline vec_b8 either_b8(vec_b8 a, vec_b8 b, uint64_t bits, unsigned lane)
{
    return bits >> lane & 1 ? a : b;
}

static inline vec_b16 either_b16(vec_b16 a, vec_b16 b, uint64_t bits, unsigned lane)
{
    return bits >> lane & 1 ? a : b;
}

static inline vec_b32 either_b32(vec_b32 a, vec_b32 b, uint64_t bits, unsigned lane)
{
    return bits >> lane & 1 ? a : b;
}

static inline vec_b64 either_b64(vec_b64 a, vec_b64 b, uint64_t bits, unsigned lane)
{
    return bits >> lane & 1 ? a : b;
}

static inline uint64_t any_bit_b8(vec_b8 v)
{
    return v != 0;
}

static inline uint64_t any_bit_b16(vec_b16 v)
{
    return v != 0;
}

static inline uint64_t any_bit_b32(vec_b32 v)
{
    return v != 0;
}

static inline uint64_t any_bit_b64(vec_b64 v)
{
    return v != 0;
}

static inline void nt_fence(void)
{
}

static inline vec_b32 load_times_f32(const uint8_t *p, float factor)
{
    float x;
    vec_b32 v;
    memcpy(&x, p, sizeof x);
    x *= factor;
    memcpy(&v, &x, sizeof v);
    return v;
}

static inline vec_b64 load_times_f64(const uint8_t *p, double factor)
{
    double x;
    vec_b64 v;
    memcpy(&x, p, sizeof x);
    x *= factor;
    memcpy(&v, &x, sizeof v);
    return v;
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

typedef float vec_f32;
typedef double vec_f64;
typedef bool choose32;
typedef bool choose64;

static inline vec_b32 as_b32(vec_f32 v)
{
    vec_b32 u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static inline vec_f32 as_f32(vec_b32 v)
{
    vec_f32 x;
    memcpy(&x, &v, sizeof x);
    return x;
}

static inline vec_b64 as_b64(vec_f64 v)
{
    vec_b64 u;
    memcpy(&u, &v, sizeof u);
    return u;
}

static inline vec_f64 as_f64(vec_b64 v)
{
    vec_f64 x;
    memcpy(&x, &v, sizeof x);
    return x;
}

static inline vec_f32 set_f32(float x)
{
    return x;
}

static inline vec_f32 add_f32(vec_f32 a, vec_f32 b)
{
    return a + b;
}

static inline vec_f32 sub_f32(vec_f32 a, vec_f32 b)
{
    return a - b;
}

static inline vec_f32 mul_f32(vec_f32 a, vec_f32 b)
{
    return a * b;
}

static inline vec_f32 div_f32(vec_f32 a, vec_f32 b)
{
    return a / b;
}

static inline choose32 above_f32(vec_f32 a, vec_f32 b)
{
    return a > b;
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return choice ? a : b;
}

static inline vec_f64 set_f64(double x)
{
    return x;
}

static inline vec_f64 add_f64(vec_f64 a, vec_f64 b)
{
    return a + b;
}

static inline vec_f64 sub_f64(vec_f64 a, vec_f64 b)
{
    return a - b;
}

static inline vec_f64 mul_f64(vec_f64 a, vec_f64 b)
{
    return a * b;
}

static inline vec_f64 div_f64(vec_f64 a, vec_f64 b)
{
    return a / b;
}

static inline choose64 above_f64(vec_f64 a, vec_f64 b)
{
    return a > b;
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return choice ? a : b;
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
    return u;
}

static inline vec_b32 add_b32(vec_b32 a, vec_b32 b)
{
    return a + b;
}

static inline vec_b32 sub_b32(vec_b32 a, vec_b32 b)
{
    return a - b;
}

static inline vec_b32 and_b32(vec_b32 a, vec_b32 b)
{
    return a & b;
}

static inline vec_b32 or_b32(vec_b32 a, vec_b32 b)
{
    return a | b;
}

static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return v << n;
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return v >> n;
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return (int32_t)a > (int32_t)b;
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return choice ? a : b;
}

static inline vec_b32 load_le_b32(const uint8_t *p)
{
    return load_le32(p);
}

static inline vec_b64 load_le_b64(const uint8_t *p)
{
    return load_le64(p);
}

static inline void store_le_b32(uint8_t *p, vec_b32 v)
{
    store_le32(p, v);
}

static inline vec_b32 xor_b32(vec_b32 a, vec_b32 b)
{
    return a ^ b;
}

static inline vec_b32 rotl_b32(vec_b32 v, int n)
{
    return v << n | v >> (32 - n);
}

static inline vec_b32 counters_b32(uint32_t base, uint32_t vector)
{
    return base + vector;
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
    store_le32(p, low);
    store_le32(p + 4, high);
}

static inline vec_b64 set_b64(uint64_t u)
{
    return u;
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return v << n;
}

static inline choose32 at_most_b32(vec_b32 a, vec_b32 b)
{
    return a <= b;
}

static inline choose64 at_most_b64(vec_b64 a, vec_b64 b)
{
    return a <= b;
}

static inline uint64_t bits64_b32(const choose32 *c)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < 64; i++)
        bits |= (uint64_t)c[i] << i;
    return bits;
}

static inline uint64_t bits64_b64(const choose64 *c)
{
    return bits64_b32(c);
}

static inline vec_b32 load_u8(const uint8_t *p)
{
    return *p;
}

static inline void store_u8(uint8_t *p, vec_b32 v)
{
    *p = (uint8_t)v;
}

static inline vec_b32 load_u16(const uint8_t *p)
{
    return load_b16(p);
}

static inline void store_u16(uint8_t *p, vec_b32 v)
{
    store_b16(p, (uint16_t)v);
}

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return __builtin_sqrtf(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return __builtin_sqrt(v);
}

static inline vec_f32 canonical_f32(vec_f32 v)
{
    return v == v ? v : as_f32(0x7FC00000);
}

static inline vec_f64 canonical_f64(vec_f64 v)
{
    return v == v ? v : as_f64(UINT64_C(0x7FF8000000000000));
}

static inline vec_f64 f64_of_f32(const uint8_t *p)
{
    return (vec_f64)as_f32(load_b32(p));
}

static inline vec_f32 words_f32(const uint8_t *p, uint32_t flip)
{
    return (vec_f32)(load_le32(p) ^ flip);
}

static inline vec_f64 words_f64(const uint8_t *p, uint32_t flip)
{
    return (vec_f64)(load_le32(p) ^ flip);
}

static inline void word_pairs_f32(const uint8_t *p, vec_f32 *even, vec_f32 *odd)
{
    *even = words_f32(p, 0);
    *odd = words_f32(p + 4, 0);
}

static inline void word_pairs_f64(const uint8_t *p, vec_f64 *even, vec_f64 *odd)
{
    *even = words_f64(p, 0);
    *odd = words_f64(p + 4, 0);
}

static inline void store_pairs_f32(uint8_t *p, vec_f32 even, vec_f32 odd)
{
    store_b32(p, as_b32(even));
    store_b32(p + sizeof even, as_b32(odd));
}

static inline void store_pairs_f64(uint8_t *p, vec_f64 even, vec_f64 odd)
{
    store_b64(p, as_b64(even));
    store_b64(p + sizeof even, as_b64(odd));
}

#ifdef DROPWISE_HAVE_SLEEF
/* The header hides them where the compiler may not use FMA itself; who calls them checks the CPU. */
#ifndef FP_FAST_FMA
#define FP_FAST_FMA 1
#endif
#ifndef FP_FAST_FMAF
#define FP_FAST_FMAF 1
#endif
#include <sleef.h>

static inline vec_f32 exp_f32(vec_f32 v)
{
    return Sleef_finz_expf1_u10purecfma(v);
}

static inline vec_f32 erf_f32(vec_f32 v)
{
    return Sleef_finz_erff1_u10purecfma(v);
}

static inline vec_f32 tanh_f32(vec_f32 v)
{
    return Sleef_finz_tanhf1_u10purecfma(v);
}

static inline vec_f64 exp_f64(vec_f64 v)
{
    return Sleef_finz_expd1_u10purecfma(v);
}

static inline vec_f64 erf_f64(vec_f64 v)
{
    return Sleef_finz_erfd1_u10purecfma(v);
}

static inline vec_f64 tanh_f64(vec_f64 v)
{
    return Sleef_finz_tanhd1_u10purecfma(v);
}

static inline vec_f32 log_f32(vec_f32 v)
{
    return Sleef_finz_logf1_u35purecfma(v);
}

static inline void sincospi_f32(vec_f32 v, vec_f32 *sine, vec_f32 *cosine)
{
    const Sleef_float_2 both = Sleef_finz_sincospif1_u35purecfma(v);
    *sine = both.x;
    *cosine = both.y;
}

static inline vec_f64 log_f64(vec_f64 v)
{
    return Sleef_finz_logd1_u35purecfma(v);
}

static inline void sincospi_f64(vec_f64 v, vec_f64 *sine, vec_f64 *cosine)
{
    const Sleef_double_2 both = Sleef_finz_sincospid1_u35purecfma(v);
    *sine = both.x;
    *cosine = both.y;
}
#endif

#include "kernels/elements/small_floats.inc.h"

static inline vec_f32 load_f16(const uint8_t *p)
{
    return widen(format_f16, load_u16(p));
}

static inline void store_f16(uint8_t *p, vec_f32 v)
{
    store_u16(p, narrow(format_f16, v));
}

static inline vec_b16 load_times_f16(const uint8_t *p, float factor)
{
    return (vec_b16)narrow(format_f16, widen(format_f16, load_b16(p)) * factor);
}

/*
 * Rounded to nearest even by an addition below the cut. A NaN needs no care: as the product of a bf16 it is
 * quiet, and its lower half is 0, so nothing carries into the half that stays. Infinity likewise.
 */
static inline uint32_t round_to_bf16(uint32_t v)
{
    return (v + 0x7FFF + (v >> 16 & 1)) >> 16;
}

static inline vec_b16 load_times_bf16(const uint8_t *p, float factor)
{
    const float product = as_f32((uint32_t)load_b16(p) << 16) * factor;
    return (vec_b16)round_to_bf16(as_b32(product));
}

#endif
