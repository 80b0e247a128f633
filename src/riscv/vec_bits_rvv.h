/* Bits in RISC-V vectors. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_BITS_RVV_H
#define DROPWISE_VEC_BITS_RVV_H

#include "riscv/vec_words_rvv.h"

typedef RVV_VECTOR(uint8_t, 32) vec_b8;
typedef RVV_VECTOR(uint16_t, 16) vec_b16;
typedef RVV_VECTOR(uint32_t, 8) vec_b32;
typedef RVV_VECTOR(uint64_t, 4) vec_b64;
enum { LANES_b8 = 32, LANES_b16 = 16, LANES_b32 = 8, LANES_b64 = 4 };

/*
 * Bits become a mask register, and what is done with lanes of ones and zeros an instruction under that mask.
 * Four lanes are no whole byte: they are tested one by one.
 */
typedef bool rvv_bits32 __attribute__((ext_vector_type(32)));
typedef bool rvv_bits16 __attribute__((ext_vector_type(16)));
typedef bool rvv_bits8 __attribute__((ext_vector_type(8)));

static inline vec_b8 kept_b8(uint64_t bits, unsigned lane)
{
    const uint32_t of_lanes = (uint32_t)(bits >> lane);
    rvv_bits32 kept;
    memcpy(&kept, &of_lanes, sizeof of_lanes);
    return -__builtin_convertvector(kept, vec_b8);
}

static inline vec_b16 kept_b16(uint64_t bits, unsigned lane)
{
    const uint16_t of_lanes = (uint16_t)(bits >> lane);
    rvv_bits16 kept;
    memcpy(&kept, &of_lanes, sizeof of_lanes);
    return -__builtin_convertvector(kept, vec_b16);
}

static inline vec_b32 kept_b32(uint64_t bits, unsigned lane)
{
    const uint8_t of_lanes = (uint8_t)(bits >> lane);
    rvv_bits8 kept;
    memcpy(&kept, &of_lanes, sizeof of_lanes);
    return -__builtin_convertvector(kept, vec_b32);
}

static inline vec_b64 kept_b64(uint64_t bits, unsigned lane)
{
    const vec_b64 lane_bit = {1, 2, 4, 8};
    return (vec_b64)((bits >> lane & lane_bit) != 0);
}

static inline uint64_t any_bit_b8(vec_b8 v)
{
    const rvv_bits32 answers = __builtin_convertvector(v != 0, rvv_bits32);
    uint32_t bits;
    memcpy(&bits, &answers, sizeof bits);
    return bits;
}

static inline uint64_t any_bit_b16(vec_b16 v)
{
    const rvv_bits16 answers = __builtin_convertvector(v != 0, rvv_bits16);
    uint16_t bits;
    memcpy(&bits, &answers, sizeof bits);
    return bits;
}

/* Lanes of all ones or zeros. */
typedef RVV_VECTOR(int32_t, 8) choose32;
typedef RVV_VECTOR(int64_t, 4) choose64;

static inline uint8_t bits_of_choose32(choose32 c)
{
    const rvv_bits8 answers = __builtin_convertvector(c, rvv_bits8);
    uint8_t bits;
    memcpy(&bits, &answers, sizeof bits);
    return bits;
}

static inline uint8_t bits_of_choose64(choose64 low, choose64 high)
{
    return bits_of_choose32(
        __builtin_convertvector(__builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7), choose32));
}

static inline uint64_t any_bit_b32(vec_b32 v)
{
    return bits_of_choose32(v != 0);
}

static inline uint64_t any_bit_b64(vec_b64 v)
{
    return bits_of_choose64(v != 0, (choose64){0});
}

static inline uint64_t bits64_b32(const choose32 *c)
{
    uint64_t bits = 0;
    VEC_UNROLL
    for (unsigned i = 0; i < 8; i++)
        bits |= (uint64_t)bits_of_choose32(c[i]) << i * 8;
    return bits;
}

static inline uint64_t bits64_b64(const choose64 *c)
{
    uint64_t bits = 0;
    VEC_UNROLL
    for (unsigned i = 0; i < 8; i++)
        bits |= (uint64_t)bits_of_choose64(c[2 * i], c[2 * i + 1]) << i * 8;
    return bits;
}

static inline vec_b32 set_b32(uint32_t u)
{
    return vword_set1(u);
}

static inline vec_b64 set_b64(uint64_t u)
{
    return vdword_set1(u);
}

static inline choose32 above_b32(vec_b32 a, vec_b32 b)
{
    return (choose32)a > (choose32)b;
}

static inline vec_b32 lookup_b32(const uint32_t *table, vec_b32 v)
{
    vec_b32 found;
    for (unsigned lane = 0; lane < LANES_b32; lane++)
        found[lane] = table[v[lane] & 7];
    return found;
}

static inline vec_b32 select_b32(choose32 choice, vec_b32 a, vec_b32 b)
{
    return (a & (vec_b32)choice) | (b & ~(vec_b32)choice);
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
    const vword_zipped pairs = vword_zip(low, high);
    memcpy(p, &pairs, sizeof pairs);
}

static inline vec_b32 load_u8(const uint8_t *p)
{
    RVV_VECTOR(uint8_t, 8) v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec_b32);
}

static inline void store_u8(uint8_t *p, vec_b32 v)
{
    typedef RVV_VECTOR(uint8_t, 8) bytes;
    const bytes low = __builtin_convertvector(v, bytes);
    memcpy(p, &low, sizeof low);
}

static inline vec_b32 load_u16(const uint8_t *p)
{
    RVV_VECTOR(uint16_t, 8) v;
    memcpy(&v, p, sizeof v);
    return __builtin_convertvector(v, vec_b32);
}

static inline void store_u16(uint8_t *p, vec_b32 v)
{
    typedef RVV_VECTOR(uint16_t, 8) halves;
    const halves low = __builtin_convertvector(v, halves);
    memcpy(p, &low, sizeof low);
}

#include "kernels/vec/generic_bits.h"

#endif
