/*
 * Kernel add_kept, for one type of elements: y = y + x * *scale where the bit is 1, else y as it is. The sum
 * is rounded to the type once.
 */
#include "kernels/template.h"

VEC_INLINE void OP_E(add_block)(uint64_t word, const uint8_t *x, uint8_t *y, NUMBER scale)
{
    VEC_UNROLL
    for (unsigned lane = 0; lane < OP_E(BLOCK); lane += LANES) {
        OP_R(vec) v[OP_E(PARTS)];
        uint8_t *at = y + lane * ELEMENT_BYTES;
        OP_E(reals_of)(x + lane * ELEMENT_BYTES, v);
        OP_E(scale_reals)(v, scale);
        OP_E(add_elements)(v, at);
        OP_W(store)(at, OP_W(either)(OP_E(results_of)(v), OP_W(load)(at), word, lane));
    }
}

static void OP_E(add_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    NUMBER s;
    memcpy(&s, scale, sizeof s);
    size_t i = 0;
    for (; n - i >= OP_E(BLOCK); i += OP_E(BLOCK))
        OP_E(add_block)(bits != NULL ? bits_at(bits, i, OP_E(BLOCK)) : UINT64_MAX,
                        (const uint8_t *)x + i * ELEMENT_BYTES, (uint8_t *)y + i * ELEMENT_BYTES, s);
    if (OP_E(BLOCK) > 1 && i < n)
        add_rest(OP_E(add_kept), OP_E(BLOCK), ELEMENT_BYTES, bits, i, n, x, y, scale);
}
