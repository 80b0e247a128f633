/*
 * Activations and slopes that are made without more than a comparison, for one type that is computed in.
 * Like those of functions_f32.inc.h and functions_f64.inc.h they take the place of their arguments, VECTORS
 * of them.
 */
#include "kernels/template.h"

typedef void OP_R(function)(OP_R(vec) *z);

VEC_INLINE void OP_R(relu)(OP_R(vec) *z)
{
    const OP_R(vec) zero = OP_R(set)(0);
    VEC_UNROLL
    for (unsigned k = 0; k < OP_R(VECTORS); k++)
        z[k] = OP_R(select)(OP_R(above)(zero, z[k]), zero, z[k]);
}

VEC_INLINE void OP_R(relu_slope)(OP_R(vec) *z)
{
    VEC_UNROLL
    for (unsigned k = 0; k < OP_R(VECTORS); k++)
        z[k] = OP_R(select)(OP_R(above)(z[k], OP_R(set)(0)), OP_R(set)(1), OP_R(set)(0));
}
