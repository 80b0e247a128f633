/*
 * Narrow floating-point formats in integers: to f32 and back, over the operations of a vector header on
 * lanes of 32 bits. Included by vector headers that need it for themselves, and by convert.inc.h.
 *
 * A format has a sign, exponent bits, and fraction_bits; its bit pattern without the sign is its code. Codes
 * of finite numbers grow with their value. Subnormals are multiples of a quantum. With a `magic` power of two
 * whose neighbouring floats are one quantum apart, adding it rounds a number to such a multiple,
 * and leaves the multiple in the low bits of the sum.
 */
#ifndef DROPWISE_NARROW_INC_H
#define DROPWISE_NARROW_INC_H

typedef struct small_float {
    int fraction_bits;
    int bits;            /* in all                                                    */
    int bias_difference; /* 127, the bias of f32's exponents, less that of the format */
    uint32_t magic;      /* as bits of an f32                                         */
    uint32_t largest;    /* the code of the largest finite number                     */
    uint32_t overflow;   /* the code for what is beyond it                            */
    uint32_t first_nan;  /* NaN have this code and those above it                     */
    uint32_t nan;        /* the quiet NaN, without payload                            */
} small_float;

/* IEEE 754 binary16. */
static const small_float format_f16 = {10, 16, 112, 0x3F000000, 0x7BFF, 0x7C00, 0x7C01, 0x7E00};

/* Exact. A NaN becomes quiet and keeps its payload. */
VEC_INLINE vec_f32 widen(small_float f, vec_b32 v)
{
    const int shift = 23 - f.fraction_bits;
    const uint32_t sign_bit = 1u << (f.bits - 1);
    const vec_b32 sign = shl_b32(and_b32(v, set_b32(sign_bit)), 32 - f.bits);
    const vec_b32 code = and_b32(v, set_b32(sign_bit - 1));
    const vec_b32 fraction = shl_b32(code, shift);
    const vec_b32 normal = add_b32(fraction, set_b32((uint32_t)f.bias_difference << 23));
    const vec_f32 magic = as_f32(set_b32(f.magic));
    const vec_b32 subnormal = as_b32(sub_f32(as_f32(or_b32(code, set_b32(f.magic))), magic));
    const vec_b32 infinity = or_b32(fraction, set_b32(0x7F800000));
    const vec_b32 nan = or_b32(infinity, set_b32(0x00400000));
    vec_b32 u = select_b32(above_b32(set_b32(1u << f.fraction_bits), code), subnormal, normal);
    u = select_b32(above_b32(code, set_b32(f.largest)), infinity, u);
    u = select_b32(above_b32(code, set_b32(f.first_nan - 1)), nan, u);
    return as_f32(or_b32(u, sign));
}

/* Rounded to the nearest, ties to even; subnormals by the rounding mode, which is that. */
VEC_INLINE vec_b32 narrow(small_float f, vec_f32 v)
{
    const int shift = 23 - f.fraction_bits;
    const vec_b32 u = as_b32(v);
    const vec_b32 sign = and_b32(shr_b32(u, 32 - f.bits), set_b32(1u << (f.bits - 1)));
    const vec_b32 size = and_b32(u, set_b32(0x7FFFFFFF));
    const vec_b32 odd = and_b32(shr_b32(size, shift), set_b32(1));
    const uint32_t rebias = (1u << (shift - 1)) - 1 - ((uint32_t)f.bias_difference << 23);
    const vec_b32 normal = shr_b32(add_b32(add_b32(size, set_b32(rebias)), odd), shift);
    const vec_b32 magic = set_b32(f.magic);
    const vec_b32 subnormal = sub_b32(as_b32(add_f32(as_f32(size), as_f32(magic))), magic);
    const uint32_t smallest_normal = (uint32_t)(f.bias_difference + 1) << 23;
    vec_b32 code = select_b32(above_b32(set_b32(smallest_normal), size), subnormal, normal);
    code = select_b32(above_b32(code, set_b32(f.largest)), set_b32(f.overflow), code);
    const vec_b32 payload = and_b32(shr_b32(size, shift), set_b32((1u << f.fraction_bits) - 1));
    const vec_b32 nan = or_b32(payload, set_b32(f.nan));
    code = select_b32(above_b32(size, set_b32(0x7F800000)), nan, code);
    return or_b32(code, sign);
}

/* Rounded to nearest even by an addition below the cut; a NaN becomes quiet and keeps what fits of it. */
static inline vec_b32 code_of_bf16(vec_f32 v)
{
    const vec_b32 u = as_b32(v);
    const vec_b32 upper = shr_b32(u, 16);
    const vec_b32 rounded = add_b32(add_b32(u, set_b32(0x7FFF)), and_b32(upper, set_b32(1)));
    const vec_b32 size = and_b32(u, set_b32(0x7FFFFFFF));
    return select_b32(above_b32(size, set_b32(0x7F800000)), or_b32(upper, set_b32(0x40)),
                      shr_b32(rounded, 16));
}

/* ---- From memory, as f32, and back ---- */

static inline vec_f32 load_bf16(const uint8_t *p)
{
    return as_f32(shl_b32(load_u16(p), 16));
}

static inline void store_bf16(uint8_t *p, vec_f32 v)
{
    store_u16(p, code_of_bf16(v));
}

VEC_INLINE vec_f32 load_small_float(small_float f, const uint8_t *p)
{
    return widen(f, f.bits == 8 ? load_u8(p) : load_u16(p));
}

VEC_INLINE void store_small_float(small_float f, uint8_t *p, vec_f32 v)
{
    if (f.bits == 8)
        store_u8(p, narrow(f, v));
    else
        store_u16(p, narrow(f, v));
}

#define DROPWISE_SATURATING(number, name, bits, widens, narrows, ...) \
    static const small_float format_##name = {__VA_ARGS__}; \
    static inline void store_##name(uint8_t *p, vec_f32 v) \
    { \
        store_small_float(format_##name, p, v); \
    }
#define DROPWISE_SMALL_FLOAT(number, name, bits, widens, narrows, ...) \
    DROPWISE_SATURATING(number, name, bits, widens, narrows, __VA_ARGS__) \
    static inline vec_f32 load_##name(const uint8_t *p) \
    { \
        return load_small_float(format_##name, p); \
    }
#include "kernels/dtypes.inc"

#endif
