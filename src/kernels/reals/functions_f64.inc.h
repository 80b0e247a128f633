/*
 * Powers of e, GELU, GELU by tanh, SiLU and their slopes, and what noise is made of, in f64, by SLEEF's
 * functions, one vector after the other: beside a call of those, what loops over them costs little.
 */

#ifdef DROPWISE_HAVE_SLEEF
VEC_SHARED void exp_minus_f64(vec_f64 *z)
{
    for (unsigned k = 0; k < VECTORS_f64; k++)
        z[k] = exp_f64(sub_f64(set_f64(0), z[k]));
}

/* D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415. */
VEC_SHARED void gelu_f64(vec_f64 *z)
{
    for (unsigned k = 0; k < VECTORS_f64; k++) {
        const vec_f64 half_z = mul_f64(set_f64(0.5), z[k]);
        const vec_f64 e = erf_f64(mul_f64(z[k], set_f64(0.70710678118654752440)));
        z[k] = mul_f64(half_z, add_f64(set_f64(1), e));
    }
}

/* Phi(z) + z phi(z), with the distribution and the density of the standard normal. */
VEC_SHARED void gelu_slope_f64(vec_f64 *z)
{
    for (unsigned k = 0; k < VECTORS_f64; k++) {
        const vec_f64 e = erf_f64(mul_f64(z[k], set_f64(0.70710678118654752440)));
        const vec_f64 distribution = mul_f64(set_f64(0.5), add_f64(set_f64(1), e));
        const vec_f64 power = mul_f64(mul_f64(z[k], z[k]), set_f64(-0.5));
        const vec_f64 density = mul_f64(exp_f64(power), set_f64(0.39894228040143267794));
        z[k] = add_f64(distribution, mul_f64(z[k], density));
    }
}

/* sqrt(2 / pi) (z + 0.044715 z^3), of the same paper. */
VEC_INLINE vec_f64 gelu_inner_f64(vec_f64 z)
{
    const vec_f64 cube = mul_f64(mul_f64(z, z), z);
    return mul_f64(add_f64(z, mul_f64(cube, set_f64(0.044715))), set_f64(0.79788456080286535588));
}

VEC_SHARED void gelu_tanh_f64(vec_f64 *z)
{
    for (unsigned k = 0; k < VECTORS_f64; k++) {
        const vec_f64 half_z = mul_f64(set_f64(0.5), z[k]);
        z[k] = mul_f64(half_z, add_f64(set_f64(1), tanh_f64(gelu_inner_f64(z[k]))));
    }
}

VEC_SHARED void gelu_tanh_slope_f64(vec_f64 *z)
{
    const vec_f64 half = set_f64(0.5), one = set_f64(1);
    for (unsigned k = 0; k < VECTORS_f64; k++) {
        const vec_f64 t = tanh_f64(gelu_inner_f64(z[k]));
        const vec_f64 square = mul_f64(mul_f64(z[k], z[k]), set_f64(3 * 0.044715));
        const vec_f64 inner_slope = mul_f64(add_f64(one, square), set_f64(0.79788456080286535588));
        const vec_f64 tanh_slope = sub_f64(one, mul_f64(t, t));
        const vec_f64 right = mul_f64(mul_f64(mul_f64(half, z[k]), tanh_slope), inner_slope);
        z[k] = add_f64(mul_f64(half, add_f64(one, t)), right);
    }
}

VEC_INLINE vec_f64 logistic_of_f64(vec_f64 z)
{
    const vec_f64 one = set_f64(1);
    return div_f64(one, add_f64(one, exp_f64(sub_f64(set_f64(0), z))));
}

VEC_INLINE void logistic_f64(vec_f64 *z)
{
    for (unsigned k = 0; k < VECTORS_f64; k++)
        z[k] = logistic_of_f64(z[k]);
}

/* S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units ...", arXiv:1702.03118. */
VEC_SHARED void silu_f64(vec_f64 *z)
{
    for (unsigned k = 0; k < VECTORS_f64; k++)
        z[k] = mul_f64(z[k], logistic_of_f64(z[k]));
}

VEC_SHARED void silu_slope_f64(vec_f64 *z)
{
    const vec_f64 one = set_f64(1);
    for (unsigned k = 0; k < VECTORS_f64; k++) {
        const vec_f64 g = logistic_of_f64(z[k]);
        z[k] = mul_f64(g, add_f64(one, mul_f64(z[k], sub_f64(one, g))));
    }
}

VEC_INLINE void log_f64(vec_f64 *u)
{
    for (unsigned k = 0; k < VECTORS_f64; k++)
        u[k] = log_of_f64(u[k]);
}

VEC_INLINE void log_ratio_f64(vec_f64 *u, const vec_f64 *v)
{
    for (unsigned k = 0; k < VECTORS_f64; k++)
        u[k] = log_of_f64(div_f64(u[k], v[k]));
}

VEC_INLINE void sincos_f64(const vec_f64 *quarters, vec_f64 *sine, vec_f64 *cosine)
{
    for (unsigned k = 0; k < VECTORS_f64; k++)
        sincospi_f64(mul_f64(quarters[k], set_f64(0.5)), &sine[k], &cosine[k]);
}
#endif
