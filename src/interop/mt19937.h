/* mt19937 in a struct of the caller's: walking on in its words, drawing elements, jumping. */
#ifndef DROPWISE_MT19937_H
#define DROPWISE_MT19937_H

#include "dropwise_interop.h"
#include "interop/draw.h"
#include "kernels/kernels.h"

enum {
    MT_BLOCK_WORDS = 624,
    MT_BLOCK_PAIRS = MT_BLOCK_WORDS / 2,
    MT_JUMP_WORDS = 312 /* of 64 bits: the coefficients of a polynomial below degree 19,937 */
};

/*
 * Pairs of words that come next, at most MT_MOST_PAIRS: of pair j, first[j] and second[j]. Who takes them
 * twists those 312 further on as he goes, 64 at a time, if even is not NULL: n is a multiple of 64 then, and
 * pairs beyond the first 312 are not there yet.
 */
typedef struct mt_part {
    const uint32_t *first, *second;
    uint32_t *even, *odd;
    size_t n;
} mt_part;

enum { MT_MOST_PAIRS = 1024 };

typedef struct mt_taker {
    void (*take)(struct mt_taker *to, const dropwise_kernels *kernels, const mt_part *part);
} mt_taker;

/*
 * Hands on the next n > 0 words in pairs, of which the last one may be half wanted. All but the last part are
 * multiples of 64 pairs.
 */
void dropwise_mt19937_walk(const dropwise_kernels *kernels, dropwise_mt19937 *engine, uint64_t n,
                           mt_taker *to);

/* A jump by so many blocks of words, or none yet. */
typedef struct mt_jump {
    uint64_t blocks;
    uint64_t polynomial[MT_JUMP_WORDS];
} mt_jump;

/* Moves on by n words. If that takes a jump, it is `latest` if that goes as far, and else becomes it. */
void dropwise_mt19937_move(const dropwise_kernels *kernels, dropwise_mt19937 *engine, uint64_t n,
                           mt_jump *latest);

/* Writes the next n > 0 words, in little-endian. */
void dropwise_mt19937_numbers(const dropwise_kernels *kernels, dropwise_mt19937 *engine, size_t n,
                              void *numbers);

/* The bits of a part's elements, of two words each, where the kernels' numbers are below the threshold. */
void dropwise_mt19937_part_bits(const dropwise_kernels *kernels, const mt_part *part, uint64_t threshold,
                                uint8_t bits[MT_MOST_PAIRS / 8]);

/* n elements of two words each are drawn as kernels of kind pairs do, and flipped where `drops` is 1. */
void dropwise_mt19937_draw(const dropwise_kernels *kernels, dropwise_mt19937 *engine, uint64_t threshold,
                           uint32_t drops, size_t n, piece_fn *use, void *arg);

/* The engine of a seed, as PyTorch, NumPy's RandomState and C++ have it. */
void dropwise_mt19937_from_seed(dropwise_mt19937 *engine, uint32_t seed);

/* ---- Jumps ---- */

/* Word k + n is word k + m, xored with what the matrix makes of words k and k + 1. */
typedef struct mt_recurrence {
    unsigned words, middle, width; /* n, m, bits of a word */
    uint64_t matrix;
} mt_recurrence;

static const mt_recurrence mt19937_recurrence = {624, 397, 32, UINT32_C(0x9908B0DF)};
static const mt_recurrence mt19937_64_recurrence = {312, 156, 64, UINT64_C(0xB5026F5AA96619E9)};

/* t^(n 2^doublings) modulo the characteristic polynomial. */
void dropwise_mt_power(const mt_recurrence *r, uint64_t polynomial[MT_JUMP_WORDS], uint64_t n,
                       unsigned doublings);

/* The words so many places further on as the power is of t. */
void dropwise_mt19937_apply(const dropwise_kernels *kernels, uint32_t words[MT_BLOCK_WORDS],
                            const uint64_t polynomial[MT_JUMP_WORDS]);

/* ---- mt19937_64 ---- */

enum { MT64_BLOCK_WORDS = 312 };

static inline uint64_t mt19937_64_twisted(uint64_t far, uint64_t w, uint64_t next)
{
    const uint64_t joined = (w & ~(uint64_t)INT32_MAX) | (next & INT32_MAX);
    return far ^ joined >> 1 ^ ((0 - (next & 1)) & mt19937_64_recurrence.matrix);
}

void dropwise_mt19937_64_apply(const dropwise_kernels *kernels, uint64_t words[MT64_BLOCK_WORDS],
                               const uint64_t polynomial[MT_JUMP_WORDS]);

#endif
