/* Bits of one element, in portable C. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_BITS_SCALAR_H
#define DROPWISE_VEC_BITS_SCALAR_H

#include "kernels/vec/vec.h"

typedef uint8_t vec_b8;
typedef uint16_t vec_b16;
typedef uint32_t vec_b32;
typedef uint64_t vec_b64;
enum { LANES_b8 = 1, LANES_b16 = 1, LANES_b32 = 1, LANES_b64 = 1 };

/* By a mask, as a branch on random bits is mispredicted half of the time. */
static inline vec_b8 kept_b8(uint64_t bits, unsigned lane)
{
    return (vec_b8)(0 - (uint32_t)(bits >> lane & 1));
}

static inline vec_b16 kept_b16(uint64_t bits, unsigned lane)
{
    return (vec_b16)(0 - (uint32_t)(bits >> lane & 1));
}

static inline vec_b32 kept_b32(uint64_t bits, unsigned lane)
{
    return 0 - (uint32_t)(bits >> lane & 1);
}

static inline vec_b64 kept_b64(uint64_t bits, unsigned lane)
{
    return 0 - (bits >> lane & 1);
}

#define either_b8 either_b8
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

typedef bool choose32;
typedef bool choose64;

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

static inline vec_b32 set_b32(uint32_t u)
{
    return u;
}

static inline vec_b64 set_b64(uint64_t u)
{
    return u;
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return (int32_t)a > (int32_t)b;
}

static inline vec_b32 lookup_b32(const uint32_t *table, vec_b32 v)
{
    return table[v & 7];
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return choice ? a : b;
}

#define load_le_b32 load_le_b32 /* on any machine */
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
    uint16_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store_u16(uint8_t *p, vec_b32 v)
{
    const uint16_t low = (uint16_t)v;
    memcpy(p, &low, sizeof low);
}

#include "kernels/vec/generic_bits.h"

#endif
