/*
 * Jumps of mt19937 and mt19937_64. Their step is linear over GF(2), of degree 19,937. So the words J places
 * on are sums of the words that follow the first ones, those at the terms of t^J modulo the characteristic
 * polynomial (Haramoto et al., 2008).
 */
#include <string.h>

#include "interop/mt19937.h"

enum { DEGREE = 19937, PRODUCT_WORDS = 2 * MT_JUMP_WORDS };

/* The exponents of the characteristic polynomial's terms but for the first, t^19937. */
typedef struct terms {
    uint16_t at[1024];
    unsigned n;
} terms;

static void flip(uint64_t *polynomial, unsigned exponent)
{
    polynomial[exponent / 64] ^= UINT64_C(1) << exponent % 64;
}

/*
 * Adds (t^n + t^m)^a (t^(n - 1) + t^(m - 1))^b. A binomial coefficient is odd where the lower number's bits
 * are among those of the upper one.
 */
static void add_product(const mt_recurrence *r, unsigned a, unsigned b, uint64_t *p)
{
    for (unsigned j = 0; j <= a + b; j++)
        if ((j & ~(a + b)) == 0)
            flip(p, r->middle * a + (r->middle - 1) * b + (r->words - r->middle) * j);
}

/*
 * With a_i the bits of the matrix, of w, and r = 31 (Matsumoto and Nishimura, appendix A):
 * (t^n + t^m)^(w - r) ((t^(n - 1) + t^(m - 1))^r + sum over i < r of a_i (t^(n - 1) + t^(m - 1))^(r - 1 - i))
 * + sum over i >= r of a_i (t^n + t^m)^(w - 1 - i).
 */
static terms characteristic(const mt_recurrence *r)
{
    enum { R = 31 };
    uint64_t p[MT_JUMP_WORDS + 1] = {0};
    add_product(r, r->width - R, R, p);
    for (unsigned i = 0; i < r->width; i++) {
        if ((r->matrix >> i & 1) == 0)
            continue;
        if (i < R)
            add_product(r, r->width - R, R - 1 - i, p);
        else
            add_product(r, r->width - 1 - i, 0, p);
    }
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

void dropwise_mt_power(const mt_recurrence *r, uint64_t polynomial[MT_JUMP_WORDS], uint64_t n,
                       unsigned doublings)
{
    const terms t = characteristic(r);
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
    const uint32_t lower = (twisted ^ (odd != 0 ? (uint32_t)mt19937_recurrence.matrix : 0)) << 1 | odd;
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

/* ---- mt19937_64 ---- */

static uint64_t first_word_64(const uint64_t *words)
{
    const uint64_t twisted = words[MT64_BLOCK_WORDS - 1] ^ words[155], odd = twisted >> 63;
    const uint64_t lower = (twisted ^ (odd != 0 ? mt19937_64_recurrence.matrix : 0)) << 1 | odd;
    return (words[0] & ~(uint64_t)INT32_MAX) | (lower & INT32_MAX);
}

/* Words of 64 bits are windows of as many halves. */
void dropwise_mt19937_64_apply(const dropwise_kernels *kernels, uint64_t words[MT64_BLOCK_WORDS],
                               const uint64_t polynomial[MT_JUMP_WORDS])
{
    enum { TERMS = 256, WINDOW = DROPWISE_MT_WINDOW, LINE = TERMS + WINDOW + 8 };
    uint64_t line[LINE] = {0}, sum[WINDOW] = {0};
    memcpy(line, words, MT64_BLOCK_WORDS * sizeof *line);
    line[0] = first_word_64(words);
    for (size_t w = 0; w < MT_JUMP_WORDS; w += TERMS / 64) {
        uint16_t at[TERMS];
        size_t n = 0;
        for (unsigned i = 0; i < TERMS; i++)
            line[MT64_BLOCK_WORDS + i] = mt19937_64_twisted(line[156 + i], line[i], line[i + 1]);
        for (unsigned term = 0; term < TERMS; term++)
            if (w + term / 64 < MT_JUMP_WORDS && polynomial[w + term / 64] >> term % 64 & 1)
                at[n++] = (uint16_t)(2 * term);
        const uint32_t *const halves = (const uint32_t *)(const void *)line;
        uint32_t *const sums = (uint32_t *)(void *)sum;
        kernels->windows_mt19937(n, at, halves, sums);
        kernels->windows_mt19937(n, at, halves + WINDOW, sums + WINDOW);
        memmove(line, line + TERMS, MT64_BLOCK_WORDS * sizeof *line);
    }
    memcpy(words, sum, MT64_BLOCK_WORDS * sizeof *words);
}
