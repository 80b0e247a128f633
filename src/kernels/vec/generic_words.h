/* Words: what follows from the functions that a tier's vec_words_<isa>.h has. vec.h says what each does. */
#ifndef DROPWISE_GENERIC_WORDS_H
#define DROPWISE_GENERIC_WORDS_H

#include "kernels/vec/vec.h"

/* ---- vword: bitwise operators do for any type of vector, others for one whose lanes have 32 bits ---- */

#ifndef vword_add
static inline vword vword_add(vword a, vword b)
{
    return a + b;
}
#endif

#ifndef vword_xor
static inline vword vword_xor(vword a, vword b)
{
    return a ^ b;
}
#endif

#ifndef vword_xor3
static inline vword vword_xor3(vword a, vword b, vword c)
{
    return a ^ b ^ c;
}
#endif

/* 2^31 is 1. Folded once, a product of two numbers is below 2^32, and 0 or no multiple of 2^31 - 1. */
#ifndef vword_mul_mersenne31
static inline vword vword_mul_mersenne31(vword a, vword b)
{
    vword hi, lo;
    vword_mul(a, b, &hi, &lo);
    const vword folded = (lo & INT32_MAX) + (hi << 1 | lo >> 31);
    return (folded & INT32_MAX) + (folded >> 31);
}
#endif

#ifndef vword_load
static inline vword vword_load(const uint32_t *p)
{
    vword v;
    memcpy(&v, p, sizeof v);
    return v;
}
#endif

#ifndef vword_store
static inline void vword_store(uint8_t *p, vword v)
{
    memcpy(p, &v, sizeof v);
}
#endif

#ifndef vword_load_counters
static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    uint32_t low[VWORD_LANES], high[VWORD_LANES];
    for (unsigned lane = 0; lane < VWORD_LANES; lane++) {
        low[lane] = (uint32_t)p[lane];
        high[lane] = (uint32_t)(p[lane] >> 32);
    }
    *lo = vword_load(low);
    *hi = vword_load(high);
}
#endif

#ifndef vword_mul_counters
static inline void vword_mul_counters(uint32_t base, uint32_t vector, uint32_t step, uint32_t m, vword *hi,
                                      vword *lo)
{
    vword counters =
        vword_add(vword_set1(base + block_place(vector * VWORD_LANES, step)), vword_load(lane_numbers));
    if (VWORD_LANES > 4 && step != 4) {
        uint32_t more[VWORD_LANES];
        for (unsigned lane = 0; lane < VWORD_LANES; lane++)
            more[lane] = block_place(lane, step) - lane;
        counters = vword_add(counters, vword_load(more));
    }
    vword_mul(counters, vword_set1(m), hi, lo);
}
#endif

#ifndef vword_store_blocks
static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    enum { BYTES = VWORD_LANES * 4 };
    uint8_t vectors[4 * BYTES];
    uint8_t *to = VWORD_LANES == 1 ? p : vectors; /* of one lane, they are in turn as they are */
    vword_store(to, a);
    vword_store(to + BYTES, b);
    vword_store(to + 2 * BYTES, c);
    vword_store(to + 3 * BYTES, d);
    if (VWORD_LANES > 1)
        store_in_turn(p, 4, VWORD_LANES, 4, vectors);
}
#endif

#ifndef vword_store_products
static inline void vword_store_products(uint8_t *p, vword a, vword m, vword x, vword b, vword n, vword y)
{
    vword hi1, lo1, hi0, lo0;
    vword_mul(a, m, &hi1, &lo1);
    vword_mul(b, n, &hi0, &lo0);
    vword_store_blocks(p, vword_xor(hi1, x), lo1, vword_xor(hi0, y), lo0);
}
#endif

/* ---- vdword: of one lane, for general registers have both halves of a product of 64-bit words ---- */

#ifndef vdword
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
#endif

/* Not for vectors of x86, whose type has signed lanes: a sum beyond them is undefined. */
#ifndef vdword_add
static inline vdword vdword_add(vdword a, vdword b)
{
    return a + b;
}
#endif

#ifndef vdword_xor3
static inline vdword vdword_xor3(vdword a, vdword b, vdword c)
{
    return a ^ b ^ c;
}
#endif

/* ---- Bytes: eight are compared at once in a 64-bit word ---- */

#ifndef bits64_at_most
/* An answer is bit 7 of its byte; the product moves the answer of byte j to bit 56 + j. */
static inline uint64_t each_byte(uint8_t b)
{
    return UINT64_C(0x0101010101010101) * b;
}

static inline uint64_t gather_answers(uint64_t bit7)
{
    return (bit7 >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static inline uint64_t bits64_at_most(const uint8_t *p, uint8_t t)
{
    const uint64_t high = each_byte(0x80), vt = each_byte(t);
    uint64_t bits = 0;
    for (unsigned j = 0; j < 64; j += 8) {
        const uint64_t v = load_le64(p + j);
        const uint64_t low7_at_most = (vt | high) - (v & ~high); /* no byte borrows */
        const uint64_t at_most = (vt & ~v) | (~(v ^ vt) & low7_at_most);
        bits |= gather_answers(at_most & high) << j;
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
#endif

#ifndef mask64
typedef uint64_t mask64;

static inline mask64 mask64_of(uint64_t bits)
{
    return bits;
}

static inline mask64 mask64_at_most(const uint8_t *p, uint8_t t)
{
    return bits64_at_most(p, t);
}
#endif

#endif
