/*
 * Elements of one type as reals, a vector of elements at a time: what the templates of this folder share
 * whose kernels take elements of 16 bits as they are. The reals of a vector of elements are in PARTS vectors,
 * in an order that is the vector header's own.
 *
 * Such kernels go over blocks of BLOCK elements, and nothing but whole vectors. The elements that are left in
 * the end are copied to buffers of a block, and the kernel called for it.
 *
 * Included before those templates by kernels/all_kernels.inc.h, once for each ELEMENT.
 */
#include "kernels/template.h"

enum {
    OP_E(PARTS) = LANES * sizeof(NUMBER) / sizeof(OP_R(vec)),
    OP_E(BLOCK) = LANES == 1 ? 1 : 64,
    /* Vectors that go step by step together, so that one need not wait for what the other does. */
    OP_E(TOGETHER) = OP_R(VECTORS) / OP_E(PARTS),
    OP_E(STEP) = OP_E(TOGETHER) * LANES, /* elements of these */
};

/* Reals plus those of LANES elements. */
VEC_INLINE void OP_E(add_elements)(OP_R(vec) *r, const uint8_t *p)
{
    OP_R(vec) other[OP_E(PARTS)];
    OP_E(reals_of)(p, other);
    VEC_UNROLL
    for (unsigned k = 0; k < OP_E(PARTS); k++)
        r[k] = OP_R(add)(r[k], other[k]);
}

VEC_INLINE void OP_E(scale_reals)(OP_R(vec) *r, NUMBER factor)
{
    VEC_UNROLL
    for (unsigned k = 0; k < OP_E(PARTS); k++)
        r[k] = OP_R(mul)(r[k], OP_R(set)(factor));
}

/* The reals of a step, and these plus those of another one, which may be NULL for none. */
VEC_INLINE void OP_E(add_step)(const uint8_t *p, OP_R(vec) (*r)[OP_E(PARTS)])
{
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++)
        OP_E(add_elements)(r[j], p + j * sizeof(OP_W(vec)));
}

VEC_INLINE void OP_E(load_step)(const uint8_t *p, const uint8_t *other, OP_R(vec) (*r)[OP_E(PARTS)])
{
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++)
        OP_E(reals_of)(p + j * sizeof(OP_W(vec)), r[j]);
    if (other != NULL)
        OP_E(add_step)(other, r);
}

/* Writes the reals of a step as elements; every NaN becomes the one. */
VEC_INLINE void OP_E(store_step)(uint8_t *p, OP_R(vec) (*r)[OP_E(PARTS)])
{
    if (OP_E(PARTS) == 1)
        OP_R(canonical_all)(r[0], OP_E(TOGETHER));
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++)
        OP_W(store)(p + j * sizeof(OP_W(vec)),
                    OP_E(PARTS) == 1 ? OP_E(elements_of)(r[j]) : OP_E(results_of)(r[j]));
}

/*
 * Likewise these times factors, with +0.0 where a bit is 0. Two vectors of reals are dropped as one of
 * elements.
 */
VEC_INLINE void OP_E(store_kept_times)(uint8_t *p, OP_R(vec) (*r)[OP_E(PARTS)],
                                       OP_R(vec) (*factors)[OP_E(PARTS)], uint64_t bits)
{
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            r[j][k] = OP_E(PARTS) == 1 ? OP_R(mul_kept)(r[j][k], factors[j][k], bits, j * LANES)
                                       : OP_R(mul)(r[j][k], factors[j][k]);
    }
    if (OP_E(PARTS) == 1) {
        OP_E(store_step)(p, r);
        return;
    }
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++)
        OP_W(store)(p + j * sizeof(OP_W(vec)), OP_W(keep)(OP_E(results_of)(r[j]), bits, j * LANES));
}

VEC_INLINE void OP_E(set_step)(OP_R(vec) (*r)[OP_E(PARTS)], NUMBER x)
{
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            r[j][k] = OP_R(set)(x);
    }
}
