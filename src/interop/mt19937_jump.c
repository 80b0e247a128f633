/*
 * Jumps of mt19937. Its step is linear over GF(2), of degree 19,937. So the words J places on are sums of
 * the words that follow the first ones, those at the terms of t^J modulo the characteristic polynomial
 * (Haramoto et al., 2008).
 */
#include <string.h>

#include "interop/mt19937.h"

enum { DEGREE = 19937, PRODUCT_WORDS = 2 * MT_JUMP_WORDS };

/* The matrix that the words of odd numbers are multiplied by. */
#define TWIST UINT32_C(0x9908B0DF)

/* The exponents of the characteristic polynomial's terms but for the first, t^19937. */
typedef struct terms {
    uint16_t at[160];
    unsigned n;
} terms;

static void flip(uint64_t *polynomial, unsigned exponent)
{
    polynomial[exponent / 64] ^= UINT64_C(1) << exponent % 64;
}

/*
 * (t^624 + t^397) ((t^623 + t^396)^31 + sum of a_i (t^623 + t^396)^(30 - i)) + a_31, where a_i are the bits
 * of the matrix (Matsumoto and Nishimura, appendix A). A binomial coefficient is odd where the lower
 * number's bits are among those of the upper one.
 */
static terms characteristic(void)
{
    uint64_t p[MT_JUMP_WORDS] = {0};
    for (unsigned power = 0; power <= 31; power++) {
        if (power < 31 && (TWIST >> (30 - power) & 1) == 0)
            continue;
        for (unsigned j = 0; j <= power; j++) {
            if ((j & ~power) != 0)
                continue;
            const unsigned exponent = 623 * (power - j) + 396 * j;
            flip(p, exponent + 624);
            flip(p, exponent + 397);
        }
    }
    p[0] ^= TWIST >> 31;
    flip(p, DEGREE);
    terms t = {.n = 0};
    for (unsigned i = 0; i < DEGREE; i++)
        if (p[i / 64] >> i % 64 & 1)
            t.at[t.n++] = (uint16_t)i;
    return t;
}

/* Adds the terms of `high` times t^by, each in the place of its t^DEGREE. */
static void fold(const terms *t, uint64_t *p, uint64_t high, unsigned by)
{
    for (unsigned k = 0; k < t->n; k++) {
        const unsigned to = by + t->at[k];
        p[to / 64] ^= high << to % 64;
        p[to / 64 + 1] ^= to % 64 != 0 ? high >> (64 - to % 64) : 0;
    }
}

/* p modulo the characteristic polynomial; all its other terms are far below t^DEGREE. */
static void reduce(const terms *t, uint64_t *p, unsigned words)
{
    for (unsigned w = words - 1; w >= MT_JUMP_WORDS; w--)
        if (p[w] != 0)
            fold(t, p, p[w], 64 * w - DEGREE);
    const uint64_t high = p[DEGREE / 64] >> DEGREE % 64;
    p[DEGREE / 64] ^= high << DEGREE % 64;
    fold(t, p, high, 0);
}

/* The bits of x, with zeros between them. */
static uint64_t spread(uint32_t x)
{
    uint64_t v = x;
    v = (v | v << 16) & UINT64_C(0x0000FFFF0000FFFF);
    v = (v | v << 8) & UINT64_C(0x00FF00FF00FF00FF);
    v = (v | v << 4) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    v = (v | v << 2) & UINT64_C(0x3333333333333333);
    return (v | v << 1) & UINT64_C(0x5555555555555555);
}

/* The square of a sum is the sum of the squares here. */
static void square(const terms *t, uint64_t *p)
{
    uint64_t product[PRODUCT_WORDS];
    for (unsigned i = 0; i < MT_JUMP_WORDS; i++) {
        product[2 * i] = spread((uint32_t)p[i]);
        product[2 * i + 1] = spread((uint32_t)(p[i] >> 32));
    }
    reduce(t, product, PRODUCT_WORDS);
    memcpy(p, product, MT_JUMP_WORDS * sizeof *p);
}

static void times_t(const terms *t, uint64_t *p)
{
    for (unsigned i = MT_JUMP_WORDS - 1; i != 0; i--)
        p[i] = p[i] << 1 | p[i - 1] >> 63;
    p[0] <<= 1;
    reduce(t, p, MT_JUMP_WORDS);
}

void dropwise_mt19937_power(uint64_t polynomial[MT_JUMP_WORDS], uint64_t n, unsigned doublings)
{
    const terms t = characteristic();
    memset(polynomial, 0, MT_JUMP_WORDS * sizeof *polynomial);
    polynomial[0] = 1;
    for (unsigned bit = 64; bit-- != 0;) {
        if (n >> bit == 0)
            continue;
        square(&t, polynomial);
        if (n >> bit & 1)
            times_t(&t, polynomial);
    }
    for (unsigned d = 0; d < doublings; d++)
        square(&t, polynomial);
}

/* ---- Applying ---- */

enum {
    PART = 512, /* pairs whose windows are summed at a time */
    TWISTED = 576,
    HELD = MT_BLOCK_PAIRS + TWISTED + 64
};

/* Sums over windows, of words at even and at odd places. */
typedef struct window_sum {
    uint32_t even[DROPWISE_MT_WINDOW], odd[DROPWISE_MT_WINDOW];
} window_sum;

/* Adds the windows that begin at the terms of the polynomial's 16 words for these pairs. */
static void add_windows(const dropwise_kernels *kernels, const uint64_t *polynomial, size_t n_words,
                        const uint32_t *even, const uint32_t *odd, window_sum *sum)
{
    uint16_t at[2][PART];
    size_t n[2] = {0, 0};
    for (size_t w = 0; w < n_words; w++) {
        for (uint64_t bits = polynomial[w]; bits != 0; bits &= bits - 1) {
            const unsigned term = (unsigned)(64 * w) + (unsigned)__builtin_ctzll(bits);
            at[term % 2][n[term % 2]++] = (uint16_t)(term / 2);
        }
    }
    kernels->windows_mt19937(n[0], at[0], even, sum->even);
    kernels->windows_mt19937(n[0], at[0], odd, sum->odd);
    kernels->windows_mt19937(n[1], at[1], odd, sum->even);
    kernels->windows_mt19937(n[1], at[1], even + 1, sum->odd);
}

/*
 * Of a block that a seed filled, 31 bits of the first word are not part of the sequence. What they would be
 * follows from the word that is a block further on than the one before them.
 */
static uint32_t first_word(const uint32_t *words)
{
    const uint32_t twisted = words[MT_BLOCK_WORDS - 1] ^ words[396], odd = twisted >> 31;
    const uint32_t lower = (twisted ^ (odd != 0 ? TWIST : 0)) << 1 | odd;
    return (words[0] & UINT32_C(0x80000000)) | (lower & UINT32_C(0x7FFFFFFF));
}

void dropwise_mt19937_apply(const dropwise_kernels *kernels, uint32_t words[MT_BLOCK_WORDS],
                            const uint64_t polynomial[MT_JUMP_WORDS])
{
    enum { PART_WORDS = 2 * PART / 64 };
    uint32_t even[HELD] = {0}, odd[HELD] = {0};
    window_sum sum = {{0}, {0}};
    for (size_t i = 0; i < MT_BLOCK_PAIRS; i++) {
        even[i] = words[2 * i];
        odd[i] = words[2 * i + 1];
    }
    even[0] = first_word(words);
    for (size_t w = 0; w < MT_JUMP_WORDS; w += PART_WORDS) {
        kernels->twist_mt19937(TWISTED / 64, even, odd);
        add_windows(kernels, polynomial + w, MT_JUMP_WORDS - w < PART_WORDS ? MT_JUMP_WORDS - w : PART_WORDS,
                    even, odd, &sum);
        memmove(even, even + PART, MT_BLOCK_PAIRS * sizeof *even);
        memmove(odd, odd + PART, MT_BLOCK_PAIRS * sizeof *odd);
    }
    for (size_t i = 0; i < MT_BLOCK_PAIRS; i++) {
        words[2 * i] = sum.even[i];
        words[2 * i + 1] = sum.odd[i];
    }
}
