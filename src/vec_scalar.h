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

/* The bit pattern, as moving a float may change a signalling NaN on some machines. */
typedef uint32_t vf32;
enum { VF32_LANES = 1 };

static inline vf32 vf32_load(const uint8_t *p)
{
    vf32 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void vf32_store(uint8_t *p, vf32 v)
{
    memcpy(p, &v, sizeof v);
}

/* A part of one lane is no lane: these are never called, but the loops name them. */
static inline vf32 vf32_load_part(const uint8_t *p, size_t n)
{
    vf32 v = 0;
    memcpy(&v, p, n * sizeof v);
    return v;
}

static inline void vf32_store_part(uint8_t *p, vf32 v, size_t n)
{
    memcpy(p, &v, n * sizeof v);
}

static inline void vf32_store_stream(uint8_t *p, vf32 v)
{
    vf32_store(p, v);
}

static inline void vec_stream_fence(void)
{
}

static inline vf32 vf32_set1(float f)
{
    vf32 v;
    memcpy(&v, &f, sizeof v);
    return v;
}

static inline vf32 vf32_mul(vf32 a, vf32 b)
{
    float x, y;
    memcpy(&x, &a, sizeof x);
    memcpy(&y, &b, sizeof y);
    return vf32_set1(x * y);
}

static inline vf32 vf32_keep(vf32 v, uint64_t bits, unsigned lane)
{
    return v & (0 - (uint32_t)(bits >> lane & 1));
}

#endif
