/* Kernel residual, for one type of elements: y = residual + drop(x + bias). */
#include "kernels/template.h"

/* The block from element i on. Each step is done to several vectors before the next one. */
VEC_INLINE void OP_E(residual_block)(bool nontemporal, uint64_t word, size_t i, const uint8_t *x,
                                     const uint8_t *bias, const uint8_t *residual, uint8_t *y, NUMBER factor)
{
    VEC_UNROLL
    for (unsigned from = 0; from < OP_E(BLOCK); from += OP_E(TOGETHER) * LANES) {
        const size_t at = (i + from) * ELEMENT_BYTES, step = sizeof(OP_W(vec));
        OP_R(vec) v[OP_E(TOGETHER)][OP_E(PARTS)];
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++)
            OP_E(reals_of)(x + at + j * step, v[j]);
        if (bias != NULL) {
            VEC_UNROLL
            for (unsigned j = 0; j < OP_E(TOGETHER); j++)
                OP_E(add_elements)(v[j], bias + at + j * step);
        }
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++)
            OP_E(times_kept)(v[j], factor, word, from + j * LANES);
        if (residual != NULL) {
            VEC_UNROLL
            for (unsigned j = 0; j < OP_E(TOGETHER); j++)
                OP_E(add_elements)(v[j], residual + at + j * step);
        }
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++)
            OP_W(move_out)(nontemporal, y + at + j * step, OP_E(results_of)(v[j]));
    }
}

static void OP_E(residual)(const void *bits, size_t n, const void *x, const void *bias, const void *residual,
                           void *y, const void *factor);

VEC_INLINE void OP_E(residual_loop)(bool nontemporal, const void *bits, size_t n, const void *x,
                                    const void *bias, const void *residual, void *y, const void *factor)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    size_t i = 0;
    for (; n - i >= OP_E(BLOCK); i += OP_E(BLOCK))
        OP_E(residual_block)(nontemporal, bits_at(bits, i, OP_E(BLOCK)), i, x, bias, residual, y, s);
    if (OP_E(BLOCK) > 1 && i < n)
        residual_rest(OP_E(residual), OP_E(BLOCK), ELEMENT_BYTES, bits, i, n, x, bias, residual, y, factor);
}

static void OP_E(residual)(const void *bits, size_t n, const void *x, const void *bias, const void *residual,
                           void *y, const void *factor)
{
    OP_E(residual_loop)(false, bits, n, x, bias, residual, y, factor);
}

static void OP_E(residual_nt)(const void *bits, size_t n, const void *x, const void *bias,
                              const void *residual, void *y, const void *factor)
{
    OP_E(residual_loop)(true, bits, n, x, bias, residual, y, factor);
}
