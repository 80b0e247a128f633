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
    OP_E(TOGETHER) = LANES == 1 ? 1 : 4 / OP_E(PARTS),
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
