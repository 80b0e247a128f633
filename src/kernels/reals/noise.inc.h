/*
 * Kernels noise_NAME, words of the stream to reals, modulate, relaxed_grad and dot, for one type that is
 * computed in. Sums are in f64 whatever the type: add_terms, which kernels/all_kernels.inc.h has for both.
 *
 * BELOW_ONE, a parameter, is the largest number below 1.
 */
#include "kernels/template.h"

/* (w + 1/2) / 2^32, in the open interval from 0 to 1, of a word that was converted; times a power of 2. */
VEC_INLINE OP_R(vec) OP_R(uniform_of)(OP_R(vec) word, NUMBER scale)
{
    const OP_R(vec) u =
        OP_R(add)(OP_R(mul)(word, OP_R(set)(scale * (NUMBER)0x1p-32)), OP_R(set)(scale * (NUMBER)0x1p-33));
    return OP_R(min)(OP_R(set)(scale * BELOW_ONE), u);
}

/* `count` words from word i on: where they are, or, if there are fewer, with zeros after them in a buffer. */
VEC_INLINE const uint8_t *OP_R(words_at)(const void *words, size_t i, size_t n, size_t count, uint8_t *buffer)
{
    const uint8_t *from = (const uint8_t *)words + i * 4;
    if (n - i >= count)
        return from;
    memset(buffer, 0, count * 4);
    memcpy(buffer, from, (n - i) * 4);
    return buffer;
}

static void OP_R(noise_uniform)(size_t n, const void *words, const dropwise_params *params, void *numbers)
{
    (void)params;
    for (size_t i = 0; i < n; i += LANES) {
        uint8_t part[LANES * 4];
        const OP_R(vec) u = OP_R(uniform_of)(OP_R(words)(OP_R(words_at)(words, i, n, LANES, part), 0), 1);
        OP_R(store_part)((uint8_t *)numbers + i * sizeof(NUMBER), n - i, u);
    }
}

#ifndef WITHOUT_FUNCTIONS
/* G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", 1958. */
static void OP_R(noise_normal)(size_t n, const void *words, const dropwise_params *params, void *numbers)
{
    (void)params;
    enum { PAIR = 2 * LANES, STEP = OP_R(VECTORS) * PAIR };
    for (size_t i = 0; i < n; i += STEP) {
        uint8_t part[STEP * 4], last[STEP * sizeof(NUMBER)];
        const uint8_t *from = OP_R(words_at)(words, i, n, STEP, part);
        const bool whole = n - i >= STEP;
        uint8_t *out = (uint8_t *)numbers + i * sizeof(NUMBER), *to = whole ? out : last;
        OP_R(vec) u[OP_R(VECTORS)], quarters[OP_R(VECTORS)], sine[OP_R(VECTORS)], cosine[OP_R(VECTORS)];
        VEC_UNROLL
        for (unsigned k = 0; k < OP_R(VECTORS); k++) {
            OP_R(vec) odd;
            OP_R(word_pairs)(from + k * PAIR * 4, &u[k], &odd);
            u[k] = OP_R(uniform_of)(u[k], 1);
            quarters[k] = OP_R(uniform_of)(odd, 4);
        }
        OP_R(log)(u);
        OP_R(sincos)(quarters, sine, cosine);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_R(VECTORS); k++) {
            const OP_R(vec) r = OP_R(sqrt)(OP_R(mul)(u[k], OP_R(set)(-2)));
            OP_R(store_pairs)(to + k * PAIR * sizeof(NUMBER), OP_R(mul)(r, cosine[k]), OP_R(mul)(r, sine[k]));
        }
        if (!whole)
            memcpy(out, last, (n - i) * sizeof(NUMBER));
    }
}

/* The part that a relaxed mask keeps: 1 / (1 + exp((ln(u / (1 - u)) + p[0]) * p[1])). */
static void OP_R(noise_relaxed)(size_t n, const void *words, const dropwise_params *params, void *numbers)
{
    const NUMBER *p = params->REAL;
    enum { STEP = OP_R(VECTORS) * LANES };
    for (size_t i = 0; i < n; i += STEP) {
        uint8_t part[STEP * 4], last[STEP * sizeof(NUMBER)];
        const uint8_t *from = OP_R(words_at)(words, i, n, STEP, part);
        const bool whole = n - i >= STEP;
        uint8_t *out = (uint8_t *)numbers + i * sizeof(NUMBER), *to = whole ? out : last;
        OP_R(vec) u[OP_R(VECTORS)], rest[OP_R(VECTORS)]; /* 1 - u, with all of its digits */
        VEC_UNROLL
        for (unsigned k = 0; k < OP_R(VECTORS); k++) {
            u[k] = OP_R(uniform_of)(OP_R(words)(from + k * LANES * 4, 0), 1);
            rest[k] = OP_R(uniform_of)(OP_R(words)(from + k * LANES * 4, UINT32_MAX), 1);
        }
        OP_R(log_ratio)(u, rest);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_R(VECTORS); k++)
            u[k] = OP_R(mul)(OP_R(add)(u[k], OP_R(set)(p[0])), OP_R(set)(-p[1]));
        OP_R(logistic)(u);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_R(VECTORS); k++)
            OP_R(store_part)(to + k * LANES * sizeof(NUMBER), LANES, u[k]);
        if (!whole)
            memcpy(out, last, (n - i) * sizeof(NUMBER));
    }
}
#endif

/* ---- Noise and elements ---- */

VEC_INLINE OP_R(vec) OP_R(modulate_of)(OP_R(vec) a, OP_R(vec) b, const NUMBER *p)
{
    return OP_R(mul)(a, OP_R(add)(OP_R(set)(p[0]), OP_R(mul)(b, OP_R(set)(p[1]))));
}

static void OP_R(modulate)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_R(combine)(OP_R(modulate_of), OP_R(modulate), false, n, a, b, params, y);
}

static void OP_R(modulate_nt)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_R(combine)(OP_R(modulate_of), OP_R(modulate), true, n, a, b, params, y);
}

/* ---- Sums, in f64 ---- */

static void OP_R(relaxed_grad)(size_t n, const void *dy, const void *x, const void *kept,
                               const dropwise_params *params, void *dx, double *sums)
{
    const NUMBER *p = params->REAL;
    vec_f64 partial[16 / LANES_b64];
    load_sums_f64(partial, sums);
    for (size_t i = 0; i < n; i += LANES) {
        const OP_R(vec) part = OP_R(load_reals)(kept, i, n);
        const OP_R(vec) d = OP_R(mul)(OP_R(load_reals)(dy, i, n), OP_R(mul)(part, OP_R(set)(p[0])));
        const OP_R(vec) slope =
            OP_R(sub)(OP_R(set)(p[1]), OP_R(mul)(OP_R(sub)(OP_R(set)(1), part), OP_R(set)(p[2])));
        const OP_R(vec) term = OP_R(mul)(OP_R(mul)(d, OP_R(load_reals)(x, i, n)), slope);
        OP_R(store_reals)(dx, i, n, d);
        OP_R(add_terms)(partial, i, term);
    }
    store_sums_f64(partial, sums);
}

static void OP_R(dot)(size_t n, const void *a, const void *b, double *sums)
{
    vec_f64 partial[16 / LANES_b64];
    load_sums_f64(partial, sums);
    for (size_t i = 0; i < n; i += LANES)
        OP_R(add_terms)(partial, i, OP_R(mul)(OP_R(load_reals)(a, i, n), OP_R(load_reals)(b, i, n)));
    store_sums_f64(partial, sums);
}
