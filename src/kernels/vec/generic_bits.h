/* Bits: what follows from the functions that a tier's vec_bits_<isa>.h has. vec.h says what each does. */
#ifndef DROPWISE_GENERIC_BITS_H
#define DROPWISE_GENERIC_BITS_H

#include "kernels/vec/vec.h"

/* ---- Moved ---- */

#ifndef load_b8
static inline vec_b8 load_b8(const uint8_t *p)
{
    vec_b8 v;
    memcpy(&v, p, sizeof v);
    return v;
}

static inline void store_b8(uint8_t *p, vec_b8 v)
{
    memcpy(p, &v, sizeof v);
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
#endif

/* Ordinary stores, where an ISA has no others or offers them as a hint only. */
#ifndef nt_fence
static inline void store_nt_b8(uint8_t *p, vec_b8 v)
{
    store_b8(p, v);
}

static inline void store_nt_b16(uint8_t *p, vec_b16 v)
{
    store_b16(p, v);
}

static inline void store_nt_b32(uint8_t *p, vec_b32 v)
{
    store_b32(p, v);
}

static inline void store_nt_b64(uint8_t *p, vec_b64 v)
{
    store_b64(p, v);
}

static inline void nt_fence(void)
{
}
#endif

/* ---- Kept or dropped ---- */

#ifndef keep_b8
static inline vec_b8 keep_b8(vec_b8 v, uint64_t bits, unsigned lane)
{
    return v & kept_b8(bits, lane);
}

static inline vec_b16 keep_b16(vec_b16 v, uint64_t bits, unsigned lane)
{
    return v & kept_b16(bits, lane);
}

static inline vec_b32 keep_b32(vec_b32 v, uint64_t bits, unsigned lane)
{
    return v & kept_b32(bits, lane);
}

static inline vec_b64 keep_b64(vec_b64 v, uint64_t bits, unsigned lane)
{
    return v & kept_b64(bits, lane);
}
#endif

#ifndef masked_b8
static inline vec_b8 masked_b8(vec_b8 v, const mask64 *mask, unsigned lane)
{
    return keep_b8(v, *mask, lane);
}

static inline vec_b16 masked_b16(vec_b16 v, const mask64 *mask, unsigned lane)
{
    return keep_b16(v, *mask, lane);
}

static inline vec_b32 masked_b32(vec_b32 v, const mask64 *mask, unsigned lane)
{
    return keep_b32(v, *mask, lane);
}

static inline vec_b64 masked_b64(vec_b64 v, const mask64 *mask, unsigned lane)
{
    return keep_b64(v, *mask, lane);
}
#endif

#ifndef either_b8
static inline vec_b8 either_b8(vec_b8 a, vec_b8 b, uint64_t bits, unsigned lane)
{
    const vec_b8 kept = kept_b8(bits, lane);
    return (a & kept) | (b & ~kept);
}

static inline vec_b16 either_b16(vec_b16 a, vec_b16 b, uint64_t bits, unsigned lane)
{
    const vec_b16 kept = kept_b16(bits, lane);
    return (a & kept) | (b & ~kept);
}

static inline vec_b32 either_b32(vec_b32 a, vec_b32 b, uint64_t bits, unsigned lane)
{
    const vec_b32 kept = kept_b32(bits, lane);
    return (a & kept) | (b & ~kept);
}

static inline vec_b64 either_b64(vec_b64 a, vec_b64 b, uint64_t bits, unsigned lane)
{
    const vec_b64 kept = kept_b64(bits, lane);
    return (a & kept) | (b & ~kept);
}
#endif

/* ---- Integers: bitwise operators do for any type of vector, others for one of lanes of that width ---- */

#ifndef add_b32
static inline vec_b32 add_b32(vec_b32 a, vec_b32 b)
{
    return a + b;
}

static inline vec_b32 sub_b32(vec_b32 a, vec_b32 b)
{
    return a - b;
}
#endif

#ifndef and_b32
static inline vec_b32 and_b32(vec_b32 a, vec_b32 b)
{
    return a & b;
}

static inline vec_b32 or_b32(vec_b32 a, vec_b32 b)
{
    return a | b;
}

static inline vec_b32 xor_b32(vec_b32 a, vec_b32 b)
{
    return a ^ b;
}
#endif

#ifndef shl_b32
static inline vec_b32 shl_b32(vec_b32 v, int n)
{
    return v << n;
}

static inline vec_b32 shr_b32(vec_b32 v, int n)
{
    return v >> n;
}

static inline vec_b64 shl_b64(vec_b64 v, int n)
{
    return v << n;
}
#endif

static inline vec_b32 rotl_b32(vec_b32 v, int n)
{
    return or_b32(shl_b32(v, n), shr_b32(v, 32 - n));
}

#ifndef xor3_b32
static inline vec_b32 xor3_b32(vec_b32 a, vec_b32 b, vec_b32 c)
{
    return xor_b32(xor_b32(a, b), c);
}

static inline vec_b32 xor_and_b32(vec_b32 a, vec_b32 b, vec_b32 c)
{
    return xor_b32(a, and_b32(b, c));
}

static inline vec_b32 merge_b32(vec_b32 mask, vec_b32 a, vec_b32 b)
{
    return xor_b32(b, and_b32(xor_b32(a, b), mask));
}
#endif

#ifndef where_odd_b32
static inline vec_b32 where_odd_b32(vec_b32 v, uint32_t u)
{
    return and_b32(sub_b32(set_b32(0), and_b32(v, set_b32(1))), set_b32(u));
}
#endif

#ifndef at_most_b32
static inline choose32 at_most_b32(vec_b32 a, vec_b32 b)
{
    return (choose32)(a <= b);
}

static inline choose64 at_most_b64(vec_b64 a, vec_b64 b)
{
    return (choose64)(a <= b);
}
#endif

#ifndef min_b32
static inline vec_b32 min_b32(vec_b32 a, vec_b32 b)
{
    return select_b32(at_most_b32(a, b), a, b);
}
#endif

/*
 * Rounded to nearest even by an addition below the cut; the result is in the upper halves of lanes. A NaN
 * needs no care: as the product of a bf16 it is quiet, and its lower half is 0, so nothing carries into the
 * half that stays. Infinity likewise.
 */
static inline vec_b32 round_to_bf16(vec_b32 v)
{
    return add_b32(add_b32(v, set_b32(0x7FFF)), and_b32(shr_b32(v, 16), set_b32(1)));
}

/* ---- Little-endian words ---- */

#ifndef load_le_b32
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
#endif

/* ---- Words of blocks ---- */

#ifndef counters_b32
static inline vec_b32 counters_b32(uint32_t base, uint32_t vector, uint32_t step)
{
    vec_b32 counters = add_b32(set_b32(base + block_place(vector * LANES_b32, step)),
                               load_b32((const uint8_t *)lane_numbers));
    if (LANES_b32 > 4 && step != 4) {
        uint32_t more[LANES_b32];
        for (unsigned lane = 0; lane < LANES_b32; lane++)
            more[lane] = block_place(lane, step) - lane;
        counters = add_b32(counters, load_b32((const uint8_t *)more));
    }
    return counters;
}
#endif

#ifndef load_counters_b32
static inline void load_counters_b32(const uint64_t *p, vec_b32 *lo, vec_b32 *hi)
{
    uint32_t low[LANES_b32], high[LANES_b32];
    for (unsigned lane = 0; lane < LANES_b32; lane++) {
        low[lane] = (uint32_t)p[lane];
        high[lane] = (uint32_t)(p[lane] >> 32);
    }
    *lo = load_b32((const uint8_t *)low);
    *hi = load_b32((const uint8_t *)high);
}

static inline void store_blocks_b32(uint8_t *p, vec_b32 a, vec_b32 b, vec_b32 c, vec_b32 d)
{
    enum { BYTES = sizeof(vec_b32) };
    uint8_t vectors[4 * BYTES];
    uint8_t *to = LANES_b32 == 1 ? p : vectors;
    store_le_b32(to, a);
    store_le_b32(to + BYTES, b);
    store_le_b32(to + 2 * BYTES, c);
    store_le_b32(to + 3 * BYTES, d);
    if (LANES_b32 > 1)
        store_in_turn(p, 4, LANES_b32, 4, vectors);
}
#endif

#ifndef store_pairs_b32
static inline void store_pairs_b32(uint8_t *p, vec_b32 low, vec_b32 high)
{
    uint8_t halves[2 * sizeof(vec_b32)];
    uint8_t *to = LANES_b32 == 1 ? p : halves;
    store_le_b32(to, low);
    store_le_b32(to + sizeof low, high);
    if (LANES_b32 > 1)
        store_in_turn(p, 2, LANES_b32, 4, halves);
}
#endif

#endif
