/*
 * Kernel product_kept, for one type of elements: y = x * (bit ? *scale : 0), as systems have it that
 * multiply by a mask. So what is dropped is a zero with the sign of the element, or a NaN.
 */
#include "kernels/template.h"

VEC_INLINE void OP_E(product_block)(uint64_t word, const uint8_t *x, uint8_t *y, NUMBER scale)
{
    VEC_UNROLL
    for (unsigned lane = 0; lane < OP_E(BLOCK); lane += LANES) {
        OP_R(vec) v[OP_E(PARTS)], by[OP_E(PARTS)];
        OP_E(reals_of)(x + lane * ELEMENT_BYTES, v);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            by[k] = OP_R(set)(1);
        OP_E(times_kept)(by, scale, word, lane);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            v[k] = OP_R(mul)(v[k], by[k]);
        OP_W(store)(y + lane * ELEMENT_BYTES, OP_E(elements_of)(v));
    }
}

static void OP_E(product_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    NUMBER s;
    memcpy(&s, scale, sizeof s);
    size_t i = 0;
    for (; n - i >= OP_E(BLOCK); i += OP_E(BLOCK))
        OP_E(product_block)(bits_at(bits, i, OP_E(BLOCK)), (const uint8_t *)x + i * ELEMENT_BYTES,
                            (uint8_t *)y + i * ELEMENT_BYTES, s);
    if (OP_E(BLOCK) > 1 && i < n)
        apply_rest(OP_E(product_kept), OP_E(BLOCK), ELEMENT_BYTES, bits, i, n, x, y, scale);
}
