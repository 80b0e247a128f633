/* Kernels affine_kept, mix and modulate, for one type that is computed in. */
#include "kernels/template.h"

/* A NaN can only be that of x, which stays: no ISA makes another one of it. */
VEC_INLINE OP_R(vec) OP_R(affine)(uint64_t word, unsigned lane, OP_R(vec) x, const NUMBER *p)
{
    const OP_R(vec) kept = OP_R(add)(OP_R(mul)(x, OP_R(set)(p[0])), OP_R(set)(p[1]));
    return OP_R(as)(OP_W(either)(OP_W(as)(kept), OP_W(as)(OP_R(set)(p[2])), word, lane));
}

VEC_INLINE void OP_R(affine_loop)(bool nontemporal, const void *bits, size_t n, const void *x,
                                  const dropwise_params *params, void *y)
{
    const NUMBER *p = params->REAL;
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        const uint64_t word = load_le64((const uint8_t *)bits + i / 8);
        for (unsigned from = 0; from < 64; from += UNROLLED) {
            VEC_UNROLL
            for (unsigned lane = 0; lane < UNROLLED; lane += LANES) {
                const OP_R(vec) in = OP_R(load_reals)(x, i + from + lane, SIZE_MAX);
                OP_R(put_whole)(nontemporal, y, i + from + lane, OP_R(affine)(word >> from, lane, in, p));
            }
        }
    }
    for (; i < n; i += LANES)
        OP_R(store_part)((uint8_t *)y + i * sizeof(NUMBER), n - i,
                         OP_R(affine)(OP_R(word)(bits, i, n), i % 64, OP_R(load_reals)(x, i, n), p));
}

static void OP_R(affine_kept)(const void *bits, size_t n, const void *x, const dropwise_params *params,
                              void *y)
{
    OP_R(affine_loop)(false, bits, n, x, params, y);
}

static void OP_R(affine_kept_nt)(const void *bits, size_t n, const void *x, const dropwise_params *params,
                                 void *y)
{
    OP_R(affine_loop)(true, bits, n, x, params, y);
}

/* ---- Two operands ---- */

typedef OP_R(vec) OP_R(combination)(OP_R(vec) a, OP_R(vec) b, const NUMBER *p);

VEC_INLINE OP_R(vec) OP_R(mix_of)(OP_R(vec) a, OP_R(vec) b, const NUMBER *p)
{
    return OP_R(add)(OP_R(mul)(a, OP_R(set)(p[0])), OP_R(mul)(b, OP_R(set)(p[1])));
}

VEC_INLINE OP_R(vec) OP_R(modulate_of)(OP_R(vec) a, OP_R(vec) b, const NUMBER *p)
{
    return OP_R(mul)(a, OP_R(add)(OP_R(set)(p[0]), OP_R(mul)(b, OP_R(set)(p[1]))));
}

VEC_INLINE void OP_R(combine)(OP_R(combination) *of, bool nontemporal, size_t n, const void *a, const void *b,
                              const dropwise_params *params, void *y)
{
    const NUMBER *p = params->REAL;
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        OP_R(put_whole)(
            nontemporal, y, i,
            OP_R(canonical)(of(OP_R(load_reals)(a, i, SIZE_MAX), OP_R(load_reals)(b, i, SIZE_MAX), p)));
    if (i < n)
        OP_R(store_reals)(y, i, n, of(OP_R(load_reals)(a, i, n), OP_R(load_reals)(b, i, n), p));
}

static void OP_R(mix)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_R(combine)(OP_R(mix_of), false, n, a, b, params, y);
}

static void OP_R(mix_nt)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_R(combine)(OP_R(mix_of), true, n, a, b, params, y);
}

static void OP_R(modulate)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_R(combine)(OP_R(modulate_of), false, n, a, b, params, y);
}

static void OP_R(modulate_nt)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_R(combine)(OP_R(modulate_of), true, n, a, b, params, y);
}
