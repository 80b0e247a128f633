/*
 * Kernels of the variants of dropout, for one type that is computed in.
 *
 * Included by variants_all.inc.h after fused.inc.h, whose loads and stores of a part of a vector they use,
 * once for f32 and once for f64, with these parameters:
 *   REAL, NUMBER, WIDTH  as in fused.inc.h
 *   BELOW_ONE            the largest number below 1
 */
#include "template.h"

#define OP(name) CONCAT(name, REAL)
#define VEC CONCAT(vec, REAL)
#define LANES CONCAT(LANES, WIDTH)

/* A whole vector of numbers, past the caches or not. */
VEC_INLINE void OP(put_whole)(bool streamed, void *p, size_t i, VEC v)
{
    uint8_t *out = (uint8_t *)p + i * sizeof(NUMBER);
    if (streamed)
        CONCAT(stream, WIDTH)(out, CONCAT(as, WIDTH)(v));
    else
        CONCAT(store, WIDTH)(out, CONCAT(as, WIDTH)(v));
}

/* ---- Alpha dropout ---- */

/* A NaN can only be that of x, which stays: no ISA makes another one of it. */
VEC_INLINE VEC OP(affine)(uint64_t word, unsigned lane, VEC x, const NUMBER *p)
{
    const VEC kept = OP(add)(OP(mul)(x, OP(set)(p[0])), OP(set)(p[1]));
    return CONCAT(as, REAL)(CONCAT(either, WIDTH)(CONCAT(as, WIDTH)(kept),
                                                  CONCAT(as, WIDTH)(OP(set)(p[2])), word, lane));
}

VEC_INLINE void OP(affine_loop)(bool streamed, const void *bits, size_t n, const void *x,
                                const dropwise_params *params, void *y)
{
    const NUMBER *p = params->REAL;
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        const uint64_t word = load_le64((const uint8_t *)bits + i / 8);
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += LANES)
            OP(put_whole)(streamed, y, i + lane,
                          OP(affine)(word, lane, OP(numbers)(x, i + lane, SIZE_MAX), p));
    }
    for (; i < n; i += LANES)
        OP(store_part)((uint8_t *)y + i * sizeof(NUMBER), n - i,
                       OP(affine)(OP(word)(bits, i, n), i % 64, OP(numbers)(x, i, n), p));
}

static void OP(affine_kept)(const void *bits, size_t n, const void *x, const dropwise_params *params, void *y)
{
    OP(affine_loop)(false, bits, n, x, params, y);
}

static void OP(affine_kept_stream)(const void *bits, size_t n, const void *x,
                                   const dropwise_params *params, void *y)
{
    OP(affine_loop)(true, bits, n, x, params, y);
}

/* ---- Two operands ---- */

typedef VEC OP(combination)(VEC a, VEC b, const NUMBER *p);

VEC_INLINE VEC OP(mix_of)(VEC a, VEC b, const NUMBER *p)
{
    return OP(add)(OP(mul)(a, OP(set)(p[0])), OP(mul)(b, OP(set)(p[1])));
}

VEC_INLINE VEC OP(modulate_of)(VEC a, VEC b, const NUMBER *p)
{
    return OP(mul)(a, OP(add)(OP(set)(p[0]), OP(mul)(b, OP(set)(p[1]))));
}

VEC_INLINE void OP(combine)(OP(combination) *of, bool streamed, size_t n, const void *a, const void *b,
                            const dropwise_params *params, void *y)
{
    const NUMBER *p = params->REAL;
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        OP(put_whole)(streamed, y, i,
                      OP(canonical)(of(OP(numbers)(a, i, SIZE_MAX), OP(numbers)(b, i, SIZE_MAX), p)));
    if (i < n)
        OP(put)(y, i, n, of(OP(numbers)(a, i, n), OP(numbers)(b, i, n), p));
}

static void OP(mix)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP(combine)(OP(mix_of), false, n, a, b, params, y);
}

static void OP(mix_stream)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP(combine)(OP(mix_of), true, n, a, b, params, y);
}

static void OP(modulate)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP(combine)(OP(modulate_of), false, n, a, b, params, y);
}

static void OP(modulate_stream)(size_t n, const void *a, const void *b, const dropwise_params *params,
                                void *y)
{
    OP(combine)(OP(modulate_of), true, n, a, b, params, y);
}

/* ---- Words to numbers ---- */

/* (w + 1/2) / 2^32, in the open interval from 0 to 1, of a word that was converted. */
VEC_INLINE VEC OP(uniform_of)(VEC word)
{
    const VEC u = OP(add)(OP(mul)(word, OP(set)((NUMBER)0x1p-32)), OP(set)((NUMBER)0x1p-33));
    const VEC largest = OP(set)(BELOW_ONE);
    return OP(select)(OP(above)(u, largest), largest, u);
}

/* `count` words from word i on: where they are, or, if there are fewer, with zeros after them in a buffer. */
VEC_INLINE const uint8_t *OP(words_at)(const void *words, size_t i, size_t n, size_t count, uint8_t *buffer)
{
    const uint8_t *from = (const uint8_t *)words + i * 4;
    if (n - i >= count)
        return from;
    memset(buffer, 0, count * 4);
    memcpy(buffer, from, (n - i) * 4);
    return buffer;
}

static void OP(noise_uniform)(size_t n, const void *words, const dropwise_params *params, void *numbers)
{
    (void)params;
    for (size_t i = 0; i < n; i += LANES) {
        uint8_t part[LANES * 4];
        const VEC u = OP(uniform_of)(OP(words)(OP(words_at)(words, i, n, LANES, part), 0));
        OP(store_part)((uint8_t *)numbers + i * sizeof(NUMBER), n - i, u);
    }
}

#ifdef DROPWISE_HAVE_SLEEF
/* G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates", 1958. */
static void OP(noise_normal)(size_t n, const void *words, const dropwise_params *params, void *numbers)
{
    (void)params;
    for (size_t i = 0; i < n; i += 2 * LANES) {
        uint8_t part[2 * LANES * 4];
        VEC even, odd, sine, cosine;
        OP(word_pairs)(OP(words_at)(words, i, n, 2 * LANES, part), &even, &odd);
        const VEC r = OP(sqrt)(OP(mul)(OP(log)(OP(uniform_of)(even)), OP(set)(-2)));
        OP(sincospi)(OP(mul)(OP(uniform_of)(odd), OP(set)(2)), &sine, &cosine);
        const VEC first = OP(mul)(r, cosine), second = OP(mul)(r, sine);
        uint8_t *out = (uint8_t *)numbers + i * sizeof(NUMBER), last[2 * sizeof(VEC)];
        const bool whole = n - i >= 2 * LANES;
        OP(store_pairs)(whole ? out : last, first, second);
        if (!whole)
            memcpy(out, last, (n - i) * sizeof(NUMBER));
    }
}

/* The part that a relaxed mask keeps: 1 / (1 + exp((ln(u / (1 - u)) + p[0]) * p[1])). */
static void OP(noise_relaxed)(size_t n, const void *words, const dropwise_params *params, void *numbers)
{
    const NUMBER *p = params->REAL;
    const VEC one = OP(set)(1);
    for (size_t i = 0; i < n; i += LANES) {
        uint8_t part[LANES * 4];
        const uint8_t *from = OP(words_at)(words, i, n, LANES, part);
        const VEC u = OP(uniform_of)(OP(words)(from, 0));
        const VEC rest = OP(uniform_of)(OP(words)(from, UINT32_MAX)); /* 1 - u, with all of its digits */
        const VEC logit = OP(add)(OP(log)(OP(div)(u, rest)), OP(set)(p[0]));
        const VEC e = OP(exp)(OP(mul)(logit, OP(set)(p[1])));
        OP(store_part)((uint8_t *)numbers + i * sizeof(NUMBER), n - i, OP(div)(one, OP(add)(one, e)));
    }
}
#endif

/* ---- Sums, in f64 ---- */

static void OP(relaxed_grad)(size_t n, const void *dy, const void *x, const void *kept,
                             const dropwise_params *params, void *dx, double *sums)
{
    const NUMBER *p = params->REAL;
    vec_f64 partial[16 / LANES_b64];
    load_sums_f64(partial, sums);
    for (size_t i = 0; i < n; i += LANES) {
        const VEC part = OP(numbers)(kept, i, n);
        const VEC d = OP(mul)(OP(numbers)(dy, i, n), OP(mul)(part, OP(set)(p[0])));
        const VEC slope = OP(sub)(OP(set)(p[1]), OP(mul)(OP(sub)(OP(set)(1), part), OP(set)(p[2])));
        const VEC term = OP(mul)(OP(mul)(d, OP(numbers)(x, i, n)), slope);
        OP(put)(dx, i, n, d);
        OP(add_terms)(partial, i, term);
    }
    store_sums_f64(partial, sums);
}

static void OP(dot)(size_t n, const void *a, const void *b, double *sums)
{
    vec_f64 partial[16 / LANES_b64];
    load_sums_f64(partial, sums);
    for (size_t i = 0; i < n; i += LANES)
        OP(add_terms)(partial, i, OP(mul)(OP(numbers)(a, i, n), OP(numbers)(b, i, n)));
    store_sums_f64(partial, sums);
}

#undef OP
#undef VEC
#undef LANES
#undef REAL
#undef NUMBER
#undef WIDTH
#undef BELOW_ONE
