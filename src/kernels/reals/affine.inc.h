/* Kernels affine_kept and mix, for one type of elements. */
#include "kernels/template.h"

/* A NaN can only be that of x, which stays: no ISA makes another one of it. */
VEC_INLINE void OP_E(affine_block)(bool nontemporal, uint64_t word, const uint8_t *x, const NUMBER *p,
                                   uint8_t *y)
{
    OP_R(vec) dropped[OP_E(PARTS)];
    VEC_UNROLL
    for (unsigned k = 0; k < OP_E(PARTS); k++)
        dropped[k] = OP_R(set)(p[2]);
    VEC_UNROLL
    for (unsigned lane = 0; lane < OP_E(BLOCK); lane += LANES) {
        OP_R(vec) v[OP_E(PARTS)];
        OP_E(reals_of)(x + lane * ELEMENT_BYTES, v);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            v[k] = OP_R(add)(OP_R(mul)(v[k], OP_R(set)(p[0])), OP_R(set)(p[1]));
        OP_W(move_out)(nontemporal, y + lane * ELEMENT_BYTES,
                       OP_W(either)(OP_E(elements_of)(v), OP_E(elements_of)(dropped), word, lane));
    }
}

static void OP_E(affine_kept)(const void *bits, size_t n, const void *x, const dropwise_params *params,
                              void *y);

VEC_INLINE void OP_E(affine_loop)(bool nontemporal, const void *bits, size_t n, const void *x,
                                  const dropwise_params *params, void *y)
{
    const NUMBER p[3] = {params->REAL[0], params->REAL[1], params->REAL[2]};
    size_t i = 0;
    for (; n - i >= OP_E(BLOCK); i += OP_E(BLOCK))
        OP_E(affine_block)(nontemporal, bits_at(bits, i, OP_E(BLOCK)), (const uint8_t *)x + i * ELEMENT_BYTES,
                           p, (uint8_t *)y + i * ELEMENT_BYTES);
    if (OP_E(BLOCK) > 1 && i < n)
        affine_rest(OP_E(affine_kept), OP_E(BLOCK), ELEMENT_BYTES, bits, i, n, x, params, y);
}

static void OP_E(affine_kept)(const void *bits, size_t n, const void *x, const dropwise_params *params,
                              void *y)
{
    OP_E(affine_loop)(false, bits, n, x, params, y);
}

static void OP_E(affine_kept_nt)(const void *bits, size_t n, const void *x, const dropwise_params *params,
                                 void *y)
{
    OP_E(affine_loop)(true, bits, n, x, params, y);
}

/* ---- Two operands ---- */

typedef OP_R(vec) OP_E(combination)(OP_R(vec) a, OP_R(vec) b, const NUMBER *p);

/* A vector at a time; `rest` is the kernel for the elements that are left. */
VEC_INLINE void OP_E(combine)(OP_E(combination) *of, dropwise_combine_fn *rest, bool nontemporal, size_t n,
                              const void *a, const void *b, const dropwise_params *params, void *y)
{
    const NUMBER p[2] = {params->REAL[0], params->REAL[1]};
    size_t i = 0;
    for (; n - i >= LANES; i += LANES) {
        OP_R(vec) v[OP_E(PARTS)], other[OP_E(PARTS)];
        OP_E(reals_of)((const uint8_t *)a + i * ELEMENT_BYTES, v);
        OP_E(reals_of)((const uint8_t *)b + i * ELEMENT_BYTES, other);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            v[k] = of(v[k], other[k], p);
        OP_W(move_out)(nontemporal, (uint8_t *)y + i * ELEMENT_BYTES, OP_E(results_of)(v));
    }
    if (LANES > 1 && i < n)
        combine_rest(rest, LANES, ELEMENT_BYTES, i, n, a, b, params, y);
}

VEC_INLINE OP_R(vec) OP_E(mix_of)(OP_R(vec) a, OP_R(vec) b, const NUMBER *p)
{
    return OP_R(add)(OP_R(mul)(a, OP_R(set)(p[0])), OP_R(mul)(b, OP_R(set)(p[1])));
}

static void OP_E(mix)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_E(combine)(OP_E(mix_of), OP_E(mix), false, n, a, b, params, y);
}

static void OP_E(mix_nt)(size_t n, const void *a, const void *b, const dropwise_params *params, void *y)
{
    OP_E(combine)(OP_E(mix_of), OP_E(mix), true, n, a, b, params, y);
}
