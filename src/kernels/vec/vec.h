/*
 * What vector headers have to offer: types and typed inline functions, over which the loops are written.
 *
 * A tier has a header for each kind of lane, vec_words_<isa>.h, vec_bits_<isa>.h and vec_reals_<isa>.h, and
 * vec_<isa>.h, which includes them in this order after this file. Each ends by including generic_words.h,
 * generic_bits.h or generic_reals.h of this folder. Those write what follows from other functions: the ones
 * with a star below. A tier that has something better for one of them writes it and, beside it, a line
 *
 *     #define vword_xor3 vword_xor3
 *
 * by which the generic header sees that it is there, and readers that it takes the place of another one, as
 * in Linux. Functions that a generic header has under one such word go together. A tier without bits and
 * reals includes those of the scalar tier, vectors of one lane: so a new tier begins with its words. The
 * scalar tier has the plainest ones to read.
 *
 * Pointers are to bytes and need no alignment. Starred functions that store are for little-endian machines.
 *
 * ---- Words ----
 *
 *   vword                         VWORD_LANES 32-bit words, one word of as many different blocks
 *   VWORD_UNROLL                  vectors of words worth working on at the same time
 *   VWORD_OVERLAPPED              likewise while f32 elements are scaled
 *   vword_set1(u)                 u in every lane
 *   vword_mul(a,b,hi,lo)          the halves of the 64-bit products
 * * vword_mul_counters(u,v,s,m,hi,lo)
 *                                 the halves of m times u + block_place(b, s), b = VWORD_LANES v, that + 1,
 *                                 ..., the counters of vector v; any numbers for those beyond 2^32
 * * vword_load_counters(p,lo,hi)  the low and high words of VWORD_LANES 64-bit counters
 * * vword_add(a,b)                a + b modulo 2^32
 * * vword_mul_mersenne31(a,b)     a b modulo 2^31 - 1, of numbers below it
 * * vword_mul_mersenne31(a,b)     a b modulo 2^31 - 1, where neither is a multiple of it; 0 of 0
 * * vword_xor(a,b), vword_xor3(a,b,c)
 * * vword_load(p)                 a word of each block, from VWORD_LANES words of the host in the order of
 *                                 blocks
 * * vword_store(p,v)              a word of each block in that order, in little-endian
 * * vword_store_blocks(p,a,b,c,d) VWORD_LANES blocks, each its words a, b, c, d in little-endian
 * * vword_store_products(p,a,m,x,b,n,y)
 *                                 likewise the words (high half of a m) ^ x, low half of a m, and those of
 *                                 b n and y
 * * vdword                        VDWORD_LANES 64-bit words, one word of as many different blocks; vdword,
 *                                 VDWORD_LANES, vdword_set1(u), vdword_counters(u), vdword_mul and
 *                                 vdword_store_blocks, as above, are starred together
 * * vdword_add, vdword_xor3
 * * bits64_at_most(p,t)          bit j is p[j] <= t, for 64 bytes
 * * bits64_equal(p,t)             bit j is p[j] == t, for 64 bytes
 * * mask64                        64 answers in the form that elements are kept by at the least cost; it
 *                                 lies in registers, or in memory that the next loads find in L1
 * * mask64_of(bits)               from bits; starred together with mask64_at_most
 * * mask64_at_most(p,t)           from 64 bytes, as above
 *
 * ---- Bits: elements of 8 to 64 bits, whatever they mean; integers of 32 and 64 bits ----
 *
 *   vec_b8, vec_b16, vec_b32, vec_b64
 *                                 LANES_b8, ... elements of so many bits; with WIDTH for b8, ...:
 * * load_WIDTH(p), store_WIDTH(p,v)
 * * store_nt_WIDTH(p,v)           past the caches, p aligned to the vector
 * * nt_fence()                    orders such stores before later ones
 *   kept_WIDTH(bits,lane)         all bits of lane i are what bit lane + i is; only for the next two
 * * keep_WIDTH(v,bits,lane)       lane i of v where bit lane + i is 1, else 0
 * * masked_WIDTH(v,mask,lane)     likewise by the answers lane + i of a mask64, which is passed by pointer
 * * either_WIDTH(a,b,bits,lane)   lane i of a where bit lane + i is 1, else of b
 *   any_bit_WIDTH(v)              bit i of the result is 1 where lane i has a bit that is
 *   choose32, choose64            a choice for each lane of vec_b32 and vec_b64
 *   bits64_b32(c), bits64_b64(c)  the choices of 64 lanes, in an array, as bits
 *   set_b32(u), set_b64           u in every lane
 * * add_b32, sub_b32, and_b32, or_b32, xor_b32, shl_b32(v,n), shr_b32(v,n), shl_b64
 * * rotl_b32(v,n)                 n is 1 to 31
 * * xor3_b32(a,b,c), xor_and_b32(a,b,c)
 *                                 a ^ b ^ c, a ^ (b & c)
 * * merge_b32(mask,a,b)           the bits of a where the mask has ones, else those of b
 * * where_odd_b32(v,u)            u in lanes whose number is odd, else 0
 *   above_b32(a,b)                the lanes with a > b, as signed numbers
 * * at_most_b32(a,b), at_most_b64 the lanes with a <= b, as unsigned numbers
 * * min_b32(a,b)                  the smaller ones, as unsigned numbers
 *   select_b32(choice,a,b)        a where it is chosen, else b
 * * load_le_b32(p), load_le_b64, store_le_b32(p,v)
 *                                 little-endian words
 * * counters_b32(u,v,s), load_counters_b32(p,lo,hi), store_blocks_b32(p,a,b,c,d)
 *                                 as those of vword, for LANES_b32 blocks: words without room for products
 * * store_pairs_b32(p,low,high)   lane i of low and of high as the halves of the little-endian 64-bit word i
 *   lookup_b32(table,v)           of a table of eight, the one that the three lowest bits of a lane say
 *   load_u8(p), store_u8(p,v)     LANES_b32 bytes, each in a lane of a vec_b32; load_u16, store_u16
 *
 * ---- Reals ----
 *
 *   vec_f32, vec_f64              LANES_b32 and LANES_b64 numbers
 * * as_f32(b32), as_b32(f32), as_f64, as_b64
 *                                 the same bits
 *   set_f32(x), set_f64           x in every lane
 * * add_f32, sub_f32, mul_f32, div_f32, and of f64
 *   fma_f32(a,b,c)                a * b + c, rounded once
 * * fnma_f32(a,b,c)               c - a * b likewise
 *   sqrt_f32(v), sqrt_f64         correctly rounded
 * * above_f32(a,b), above_f64     the lanes with a > b; false for NaN
 *   select_f32(choice,a,b), select_f64
 * * min_f32(a,b), max_f32(a,b), and of f64
 *                                 the smaller and the larger one; b if one of them is NaN, or both are 0
 * * sum_lanes_f32(v), sum_lanes_f64
 *                                 lanes i and i + n / 2 of n are added, again and again, until one is left
 * * largest_lane_f32(v), largest_lane_f64
 *                                 likewise the larger one is taken, the former if one of them is NaN
 * * zero_below_f32(v,x,limit)     the lanes of v, but +0.0 where x < limit
 * * canonical_f32(v), canonical_f64
 *                                 v, with the positive quiet NaN without payload for every NaN
 * * canonical_all_f32(v,n), and of f64
 *                                 that of each of n vectors, an even number; few have a NaN
 * * mul_kept_f32(a,b,bits,lane), mul_kept_f64
 *                                 lane i of the product where bit lane + i is 1, else +0.0
 * * load_times_f32(p,factor), load_times_f64, load_times_f16, load_times_bf16
 *                                 the product of the elements at p and the factor; of f16 and bf16 computed
 *                                 in f32 and rounded to nearest even
 * * load_masked_times_f32(p,factor,mask,lane), load_masked_times_f64
 *                                 likewise, and 0 as masked_WIDTH has it
 * * load_f16(p), store_f16(p,v)   LANES_b32 numbers of type f16 as a vec_f32; rounded to nearest even
 * * reals_of_f32(p,r), and of f64, f16, bf16
 *                                 a vector of elements as vectors of reals, in an order of lanes that only
 *                                 the next four know: r[0], and r[1] where there are HALF_PARTS, two, as
 *                                 elements have 16 bits
 * * times_kept_f32(r,factor,bits,lane), and of f64, f16, bf16
 *                                 r times the factor where the element's bit is 1, else +0.0
 * * elements_of_f32(r), and of f64, f16, bf16
 *                                 reals as a vector of elements, rounded to nearest even. NaN stay NaN if
 *                                 the lower half of their bits is 0, as of those that come from a bf16
 * * store_kept_bf16(p,r,n,least,bits)
 *                                 the numbers of n vectors (HALF_PARTS is 2: even) as elements of bf16, as
 *                                 above, but 0 where the element's bit is 0, or the number below `least`
 * * results_of_f32(r), and of f64, f16, bf16
 *                                 likewise, with the positive quiet NaN without payload for every NaN
 * * in_order_f32(r), and of f64, f16, bf16
 *                                 reals in the order of elements: r[1] is what follows on r[0]
 * * transpose_lanes_f32(v)        of LANES_b32 vectors, lane i of vector k and lane k of vector i change
 *                                 places
 *   f64_of_f32(p)                 LANES_b64 numbers of type f32 as a vec_f64
 *   words_f32(p,flip), words_f64  LANES_b32 or LANES_b64 little-endian 32-bit words, each ^ flip, as numbers,
 *                                 rounded to nearest
 * * word_pairs_f32(p,even,odd), word_pairs_f64
 *                                 twice as many words, those at even and at odd places, in an order of lanes
 * * store_pairs_f32(p,even,odd), store_pairs_f64
 *                                 that this undoes
 *   SLEEF_F64(function,ulp), sleef_pair_f64
 *                                 the names of SLEEF's deterministic functions on such vectors, where
 *                                 DROPWISE_HAVE_SLEEF is defined; a tier that SLEEF has none for includes
 *                                 scalar/sleef_by_lane.h instead
 * * exp_f64, erf_f64, tanh_f64, log_of_f64, sincospi_f64(v,sine,cosine)
 *                                 of 1 ULP; the last two, which noise is made of, of 3.5 ULP at half the time
 *
 * VEC_OVERLAPS is defined where elements are better scaled between the rounds of a generator than after
 * them, and where kernels of kind draw_scale are worth having. Without vectors that would gain nothing, and
 * be large; on NEON, by llvm-mca's models, it takes longer than drawing and scaling in turns (on Neoverse N1
 * by a quarter), and none was measured.
 */
#ifndef DROPWISE_VEC_H
#define DROPWISE_VEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/multiply.h"
#include "tiers/cpu.h"
#include "kernels/kernels.h"

/* A loop that is written once takes constants that each kernel fixes: it must be inlined. */
#define VEC_INLINE static inline __attribute__((always_inline))

/* A kernel of a template that is also included by files which put another part of it into their table. */
#define VEC_KERNEL static __attribute__((unused))

/* A loop that kernels share: a copy of it for each of them would take more room than it saves time. */
#define VEC_SHARED static __attribute__((noinline))

/* A type that may lie in memory of another type. */
#define VEC_ALIASING __attribute__((may_alias))

/*
 * Stores element 0 of each of `count` vectors, then element 1 of each, and so on. The vectors lie one after
 * the other, `lanes` elements of so many bytes each.
 */
VEC_INLINE void store_in_turn(uint8_t *p, unsigned count, unsigned lanes, size_t bytes, const void *vectors)
{
    const uint8_t *from = vectors;
    for (unsigned lane = 0; lane < lanes; lane++) {
        for (unsigned k = 0; k < count; k++)
            memcpy(p + (lane * count + k) * bytes, from + (k * lanes + lane) * bytes, bytes);
    }
}

/*
 * Copies n < 64 bytes by moves that may overlap: a call of memcpy takes longer. Not by masked moves, for
 * which QEMU 7.2 reads what the mask leaves out.
 */
VEC_INLINE void copy_few(uint8_t *to, const uint8_t *from, size_t n)
{
    uint8_t first[32], last[32];
    if (n >= 32) {
        memcpy(first, from, 32);
        memcpy(last, from + n - 32, 32);
        memcpy(to, first, 32);
        memcpy(to + n - 32, last, 32);
    } else if (n >= 16) {
        memcpy(first, from, 16);
        memcpy(last, from + n - 16, 16);
        memcpy(to, first, 16);
        memcpy(to + n - 16, last, 16);
    } else if (n >= 8) {
        memcpy(first, from, 8);
        memcpy(last, from + n - 8, 8);
        memcpy(to, first, 8);
        memcpy(to + n - 8, last, 8);
    } else if (n >= 4) {
        memcpy(first, from, 4);
        memcpy(last, from + n - 4, 4);
        memcpy(to, first, 4);
        memcpy(to + n - 4, last, 4);
    } else {
        for (size_t i = 0; i < n; i++)
            to[i] = from[i];
    }
}

/* The numbers of lanes, in order. */
static const uint32_t lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* How far the counter of a block is from that of block 0, where the four blocks of a word of 64 elements
 * follow each other, and words are `step` apart. */
VEC_INLINE uint32_t block_place(uint32_t block, uint32_t step)
{
    return block / 4 * step + block % 4;
}

/* How many bytes ahead lines are prefetched into L2: memory takes a while to fill it. Between 4 and 32 KiB
 * ahead differ by a few per cent; multiples of 4 KiB are behind the others. */
enum { PREFETCH_READ = 6144 };

#if defined(__SANITIZE_ADDRESS__)
#define VEC_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define VEC_SANITIZED
#endif
#endif

/* Unrolls the loop that follows: its counter selects constants. Not under sanitizers, whose checks would make
 * minutes of the compilation. */
#if defined(VEC_SANITIZED)
#define VEC_UNROLL
#elif defined(__clang__)
#define VEC_UNROLL _Pragma("clang loop unroll(full)")
#else
#define VEC_UNROLL _Pragma("GCC unroll 64")
#endif

/* Keeps a loop over whole batches as it is. Clang makes four copies of it, more than the cache of decoded
 * instructions holds. */
#if defined(__clang__)
#define VEC_ROLLED _Pragma("clang loop unroll(disable)")
#else
#define VEC_ROLLED
#endif

#endif
