/*
 * Activations and their slopes, for one type that is computed in. Those with a function of SLEEF's in them
 * are out of line: what loops over them costs little beside it, and there is one for each type of elements.
 */
#include "kernels/template.h"

VEC_INLINE OP_R(vec) OP_R(relu)(OP_R(vec) z)
{
    const OP_R(vec) zero = OP_R(set)(0);
    return OP_R(select)(OP_R(above)(zero, z), zero, z);
}

VEC_INLINE OP_R(vec) OP_R(relu_slope)(OP_R(vec) z)
{
    return OP_R(select)(OP_R(above)(z, OP_R(set)(0)), OP_R(set)(1), OP_R(set)(0));
}

VEC_INLINE OP_R(vec) OP_R(identity_slope)(OP_R(vec) z)
{
    (void)z;
    return OP_R(set)(1);
}

#ifdef DROPWISE_HAVE_SLEEF
/* D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415. */
VEC_SHARED OP_R(vec) OP_R(gelu)(OP_R(vec) z)
{
    const OP_R(vec) half_z = OP_R(mul)(OP_R(set)((NUMBER)0.5), z);
    const OP_R(vec) e = OP_R(erf)(OP_R(mul)(z, OP_R(set)((NUMBER)0.70710678118654752440)));
    return OP_R(mul)(half_z, OP_R(add)(OP_R(set)(1), e));
}

/* Phi(z) + z phi(z), with the distribution and the density of the standard normal. */
VEC_SHARED OP_R(vec) OP_R(gelu_slope)(OP_R(vec) z)
{
    const OP_R(vec) half = OP_R(set)((NUMBER)0.5), one = OP_R(set)(1);
    const OP_R(vec) e = OP_R(erf)(OP_R(mul)(z, OP_R(set)((NUMBER)0.70710678118654752440)));
    const OP_R(vec) distribution = OP_R(mul)(half, OP_R(add)(one, e));
    const OP_R(vec) power = OP_R(mul)(OP_R(mul)(z, z), OP_R(set)((NUMBER)-0.5));
    const OP_R(vec) density = OP_R(mul)(OP_R(exp)(power), OP_R(set)((NUMBER)0.39894228040143267794));
    return OP_R(add)(distribution, OP_R(mul)(z, density));
}

/* sqrt(2 / pi) (z + 0.044715 z^3), of the same paper. */
VEC_INLINE OP_R(vec) OP_R(gelu_inner)(OP_R(vec) z)
{
    const OP_R(vec) cube = OP_R(mul)(OP_R(mul)(z, z), z);
    const OP_R(vec) sum = OP_R(add)(z, OP_R(mul)(cube, OP_R(set)((NUMBER)0.044715)));
    return OP_R(mul)(sum, OP_R(set)((NUMBER)0.79788456080286535588));
}

VEC_SHARED OP_R(vec) OP_R(gelu_tanh)(OP_R(vec) z)
{
    const OP_R(vec) half_z = OP_R(mul)(OP_R(set)((NUMBER)0.5), z);
    return OP_R(mul)(half_z, OP_R(add)(OP_R(set)(1), OP_R(tanh)(OP_R(gelu_inner)(z))));
}

VEC_SHARED OP_R(vec) OP_R(gelu_tanh_slope)(OP_R(vec) z)
{
    const OP_R(vec) half = OP_R(set)((NUMBER)0.5), one = OP_R(set)(1);
    const OP_R(vec) t = OP_R(tanh)(OP_R(gelu_inner)(z));
    const OP_R(vec) square = OP_R(mul)(OP_R(mul)(z, z), OP_R(set)((NUMBER)(3 * 0.044715)));
    const OP_R(vec) inner_slope =
        OP_R(mul)(OP_R(add)(one, square), OP_R(set)((NUMBER)0.79788456080286535588));
    const OP_R(vec) tanh_slope = OP_R(sub)(one, OP_R(mul)(t, t));
    const OP_R(vec) right = OP_R(mul)(OP_R(mul)(OP_R(mul)(half, z), tanh_slope), inner_slope);
    return OP_R(add)(OP_R(mul)(half, OP_R(add)(one, t)), right);
}

VEC_INLINE OP_R(vec) OP_R(logistic)(OP_R(vec) z)
{
    const OP_R(vec) one = OP_R(set)(1);
    return OP_R(div)(one, OP_R(add)(one, OP_R(exp)(OP_R(sub)(OP_R(set)(0), z))));
}

/* S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units ...", arXiv:1702.03118. */
VEC_SHARED OP_R(vec) OP_R(silu)(OP_R(vec) z)
{
    return OP_R(mul)(z, OP_R(logistic)(z));
}

VEC_SHARED OP_R(vec) OP_R(silu_slope)(OP_R(vec) z)
{
    const OP_R(vec) one = OP_R(set)(1), g = OP_R(logistic)(z);
    return OP_R(mul)(g, OP_R(add)(one, OP_R(mul)(z, OP_R(sub)(one, g))));
}
#endif

typedef OP_R(vec) OP_R(function)(OP_R(vec) z);
