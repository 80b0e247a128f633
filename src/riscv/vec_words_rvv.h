/*
 * Words in RISC-V vectors. kernels/vec/vec.h says what each function does.
 *
 * These are vectors of a fixed size, in the words that C compilers have for those of any ISA, of which Clang
 * makes instructions for vector registers of 128 bits or more. So they may lie in structs and arrays, as the
 * loops want it; RVV's own types have no size, and may not.
 */
#ifndef DROPWISE_VEC_WORDS_RVV_H
#define DROPWISE_VEC_WORDS_RVV_H

#include "kernels/vec/vec.h"

#define RVV_VECTOR(type, lanes) type __attribute__((vector_size((lanes) * sizeof(type))))

/* Of 32 bytes: 16 of them fit in registers of 128 bits, as on AVX2. */
typedef RVV_VECTOR(uint32_t, 8) vword;
typedef RVV_VECTOR(uint32_t, 16) vword_zipped;
typedef RVV_VECTOR(uint64_t, 8) vword_wide;
enum { VWORD_LANES = 8, VWORD_UNROLL = 2, VWORD_OVERLAPPED = 2 };

static inline vword vword_set1(uint32_t u)
{
    return u - (vword){0};
}

/* Compilers know the instructions for both halves of a product when they see this. */
static inline void vword_mul(vword a, vword b, vword *hi, vword *lo)
{
    const vword_wide product =
        __builtin_convertvector(a, vword_wide) * __builtin_convertvector(b, vword_wide);
    *hi = __builtin_convertvector(product >> 32, vword);
    *lo = a * b;
}

#define vword_load_counters vword_load_counters
static inline void vword_load_counters(const uint64_t *p, vword *lo, vword *hi)
{
    vword_wide counters;
    memcpy(&counters, p, sizeof counters);
    *lo = __builtin_convertvector(counters, vword);
    *hi = __builtin_convertvector(counters >> 32, vword);
}

/* The words of a and b in turn. */
static inline vword_zipped vword_zip(vword a, vword b)
{
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11, 4, 12, 5, 13, 6, 14, 7, 15);
}

static inline vword vword_low(vword_zipped z)
{
    return __builtin_shufflevector(z, z, 0, 1, 2, 3, 4, 5, 6, 7);
}

static inline vword vword_high(vword_zipped z)
{
    return __builtin_shufflevector(z, z, 8, 9, 10, 11, 12, 13, 14, 15);
}

/* Not by stores of segments, which want p aligned to words. */
#define vword_store_blocks vword_store_blocks
static inline void vword_store_blocks(uint8_t *p, vword a, vword b, vword c, vword d)
{
    const vword_zipped ac = vword_zip(a, c), bd = vword_zip(b, d);
    const vword_zipped low = vword_zip(vword_low(ac), vword_low(bd));
    const vword_zipped high = vword_zip(vword_high(ac), vword_high(bd));
    memcpy(p, &low, sizeof low);
    memcpy(p + sizeof low, &high, sizeof high);
}

/* Lanes hold blocks in order. */
#define vdword vdword
typedef RVV_VECTOR(uint64_t, 4) vdword;
enum { VDWORD_LANES = 4 };

static inline vdword vdword_set1(uint64_t u)
{
    return u - (vdword){0};
}

static inline vdword vdword_counters(uint64_t base)
{
    return base + (vdword){0, 1, 2, 3};
}

static inline void vdword_mul(vdword a, vdword b, vdword *hi, vdword *lo)
{
    __extension__ typedef unsigned __int128 u128;
    typedef RVV_VECTOR(u128, 4) wide;
    *hi = __builtin_convertvector(__builtin_convertvector(a, wide) * __builtin_convertvector(b, wide) >> 64,
                                  vdword);
    *lo = a * b;
}

static inline void vdword_store_blocks(uint8_t *p, vdword a, vdword b, vdword c, vdword d)
{
    const vdword words[4] = {a, b, c, d};
    store_in_turn(p, 4, VDWORD_LANES, sizeof(uint64_t), words);
}

/* Bits of 64 lanes, one each, as comparisons leave them in a mask register. */
typedef bool rvv_bits64 __attribute__((ext_vector_type(64)));
typedef RVV_VECTOR(uint8_t, 64) rvv_bytes64;

static inline uint64_t bits64_of(rvv_bits64 answers)
{
    uint64_t bits;
    memcpy(&bits, &answers, sizeof bits);
    return bits;
}

#define bits64_at_most bits64_at_most
static inline uint64_t bits64_at_most(const uint8_t *p, uint8_t t)
{
    rvv_bytes64 v;
    memcpy(&v, p, sizeof v);
    return bits64_of(__builtin_convertvector(v <= t, rvv_bits64));
}

static inline uint64_t bits64_equal(const uint8_t *p, uint8_t t)
{
    rvv_bytes64 v;
    memcpy(&v, p, sizeof v);
    return bits64_of(__builtin_convertvector(v == t, rvv_bits64));
}

#include "kernels/vec/generic_words.h"

#endif
