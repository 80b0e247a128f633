/* Vectors of one lane, in portable C. vec.h says what each function does. */
#ifndef DROPWISE_VEC_SCALAR_H
#define DROPWISE_VEC_SCALAR_H

#include "vec.h"

typedef uint32_t vword;
enum { VWORD_LANES = 1, VWORD_UNROLL = 2 };

static inline vword vword_set1(uint32_t u)
{
    return u;
}

static inline vword vword_counters(uint32_t base)
{
    return base;
}

static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    *lo = (uint32_t)*p;
    *hi = (uint32_t)(*p >> 32);
}

static inline vword vword_add(vword a, vword b)
{
    return a + b;
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

static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    store_le32(p, a);
    store_le32(p + 4, b);
    store_le32(p + 8, c);
    store_le32(p + 12, d);
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

typedef uint16_t vec_b16;
typedef uint32_t vec_b32;
typedef uint64_t vec_b64;
enum { LANES_b16 = 1, LANES_b32 = 1, LANES_b64 = 1 };

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

static inline void stream_b16(uint8_t *p, vec_b16 v)
{
    store_b16(p, v);
}

/* By a mask, as a branch on random bits is mispredicted half of the time. */
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

static inline void stream_b32(uint8_t *p, vec_b32 v)
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

static inline void stream_b64(uint8_t *p, vec_b64 v)
{
    store_b64(p, v);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return v & (0 - (bits >> lane & 1));
}

static inline void stream_fence(void)
{
}

static inline vec_b32 times_f32(vec_b32 v, float factor)
{
    float x;
    memcpy(&x, &v, sizeof x);
    x *= factor;
    memcpy(&v, &x, sizeof v);
    return v;
}

static inline vec_b64 times_f64(vec_b64 v, double factor)
{
    double x;
    memcpy(&x, &v, sizeof x);
    x *= factor;
    memcpy(&v, &x, sizeof v);
    return v;
}

/* binary16 in integers. The exponents' biases differ by 127 - 15 = 112. */
static inline uint32_t f32_of_f16(uint32_t h)
{
    const uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 0x3FF;
    if (exponent == 31) /* infinity, or NaN, which becomes quiet */
        return sign | 0x7F800000 | fraction << 13 | (fraction != 0 ? 0x400000 : 0);
    if (exponent == 0) {
        if (fraction == 0)
            return sign;
        /* 2^-24 * fraction: its leading bit becomes the implicit one. */
        unsigned shift = 0;
        uint32_t f = fraction;
        for (; (f & 0x400) == 0; f <<= 1)
            shift++;
        return sign | (113 - shift) << 23 | (f & 0x3FF) << 13;
    }
    return sign | (exponent + 112) << 23 | fraction << 13;
}

static inline uint32_t f16_of_f32(uint32_t v)
{
    const uint32_t sign = v >> 16 & 0x8000, magnitude = v & 0x7FFFFFFF;
    uint32_t h;
    if (magnitude > 0x7F800000) {
        h = 0x7E00 | (magnitude >> 13 & 0x3FF);
    } else if (magnitude >= 0x477FF000) { /* 65520 and more round to infinity */
        h = 0x7C00;
    } else if (magnitude >= 0x38800000) { /* 2^-14: the smallest normal */
        const uint32_t rebiased = magnitude - (112u << 23);
        h = (rebiased + 0xFFF + (rebiased >> 13 & 1)) >> 13;
    } else if (magnitude > 0x33000000) { /* above 2^-25: rounds to a subnormal, or to the smallest normal */
        const uint32_t fraction = (magnitude & 0x7FFFFF) | 0x800000;
        const uint32_t shift = 126 - (magnitude >> 23); /* 14 to 24 */
        const uint32_t half = 1u << (shift - 1), rest = fraction & ((1u << shift) - 1);
        h = fraction >> shift;
        h += rest > half || (rest == half && (h & 1));
    } else {
        h = 0;
    }
    return sign | h;
}

/*
 * Rounded to nearest even by an addition below the cut. A NaN needs no care: as the product of a bf16 it is
 * quiet, and its lower half is 0, so nothing carries into the half that stays. Infinity likewise.
 */
static inline uint32_t round_to_bf16(uint32_t v)
{
    return (v + 0x7FFF + (v >> 16 & 1)) >> 16;
}

static inline vec_b16 times_f16(vec_b16 v, float factor)
{
    return (vec_b16)f16_of_f32(times_f32(f32_of_f16(v), factor));
}

static inline vec_b16 times_bf16(vec_b16 v, float factor)
{
    return (vec_b16)round_to_bf16(times_f32((uint32_t)v << 16, factor));
}

#endif
