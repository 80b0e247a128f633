/*
 * Kernels of the fused steps of a transformer, for one type that is computed in.
 *
 * Included by fused_all.inc.h once for f32 and once for f64, with these parameters:
 *   REAL      f32 or f64
 *   NUMBER    float or double
 *   WIDTH     b32 or b64
 *
 * A loop works on vectors; the last one may be a part of one and goes through whole ones on the stack.
 * Multiply and add are two roundings everywhere, and NaN that leave are the one quiet NaN: so results are the
 * same bits on every ISA, which else differ in the NaN that they make.
 */
#include "kernels/template.h"

/* n <= LANES numbers from p on, the others 0. */
VEC_INLINE OP_R(vec) OP_R(load_part)(const uint8_t *p, size_t n)
{
    if (n >= LANES)
        return OP_R(as)(OP_W(load)(p));
    uint8_t part[sizeof(OP_R(vec))] = {0};
    memcpy(part, p, n * sizeof(NUMBER));
    return OP_R(as)(OP_W(load)(part));
}

VEC_INLINE void OP_R(store_part)(uint8_t *p, size_t n, OP_R(vec) v)
{
    if (n >= LANES) {
        OP_W(store)(p, OP_W(as)(v));
        return;
    }
    uint8_t part[sizeof(OP_R(vec))];
    OP_W(store)(part, OP_W(as)(v));
    memcpy(p, part, n * sizeof(NUMBER));
}

VEC_INLINE OP_R(vec) OP_R(kept)(OP_R(vec) v, uint64_t bits, unsigned lane)
{
    return OP_R(as)(OP_W(keep)(OP_W(as)(v), bits, lane));
}

/* The numbers from element i on; NULL stands for zeros where a kernel says so. */
VEC_INLINE OP_R(vec) OP_R(load_reals)(const void *p, size_t i, size_t n)
{
    return OP_R(load_part)((const uint8_t *)p + i * sizeof(NUMBER), n - i);
}

VEC_INLINE void OP_R(store_reals)(void *p, size_t i, size_t n, OP_R(vec) v)
{
    OP_R(store_part)((uint8_t *)p + i * sizeof(NUMBER), n - i, OP_R(canonical)(v));
}

/* The word of keep bits that element i is in; lane i % 64 is its own. */
VEC_INLINE uint64_t OP_R(word)(const void *bits, size_t i, size_t n)
{
    const uint8_t *from = (const uint8_t *)bits + i / 64 * 8;
    const size_t rest = n - i / 64 * 64;
    return rest >= 64 ? load_le64(from) : load_le64_part(from, bytes_of_bits(rest));
}

/* ---- Residual ---- */

VEC_INLINE OP_R(vec) OP_R(residual_vector)(uint64_t word, unsigned lane, size_t i, size_t n, const void *x,
                                           const void *bias, const void *residual, NUMBER factor)
{
    OP_R(vec) v = OP_R(load_reals)(x, i, n);
    if (bias != NULL)
        v = OP_R(add)(v, OP_R(load_reals)(bias, i, n));
    v = OP_R(kept)(OP_R(mul)(v, OP_R(set)(factor)), word, lane);
    if (residual != NULL)
        v = OP_R(add)(OP_R(load_reals)(residual, i, n), v);
    return OP_R(canonical)(v);
}

VEC_INLINE void OP_R(residual_loop)(bool nontemporal, const void *bits, size_t n, const void *x,
                                    const void *bias, const void *residual, void *y, const void *factor)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        const uint64_t word = load_le64((const uint8_t *)bits + i / 8);
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += LANES) {
            const OP_R(vec) v = OP_R(residual_vector)(word, lane, i + lane, SIZE_MAX, x, bias, residual, s);
            uint8_t *out = (uint8_t *)y + (i + lane) * sizeof(NUMBER);
            if (nontemporal)
                OP_W(store_nt)(out, OP_W(as)(v));
            else
                OP_W(store)(out, OP_W(as)(v));
        }
    }
    for (; i < n; i += LANES)
        OP_R(store_reals)(y, i, n,
                          OP_R(residual_vector)(OP_R(word)(bits, i, n), i % 64, i, n, x, bias, residual, s));
}

static void OP_R(residual)(const void *bits, size_t n, const void *x, const void *bias, const void *residual,
                           void *y, const void *factor)
{
    OP_R(residual_loop)(false, bits, n, x, bias, residual, y, factor);
}

static void OP_R(residual_nt)(const void *bits, size_t n, const void *x, const void *bias,
                              const void *residual, void *y, const void *factor)
{
    OP_R(residual_loop)(true, bits, n, x, bias, residual, y, factor);
}

/* ---- Activations ---- */

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
VEC_INLINE OP_R(vec) OP_R(gelu)(OP_R(vec) z)
{
    const OP_R(vec) half_z = OP_R(mul)(OP_R(set)((NUMBER)0.5), z);
    const OP_R(vec) e = OP_R(erf)(OP_R(mul)(z, OP_R(set)((NUMBER)0.70710678118654752440)));
    return OP_R(mul)(half_z, OP_R(add)(OP_R(set)(1), e));
}

/* Phi(z) + z phi(z), with the distribution and the density of the standard normal. */
VEC_INLINE OP_R(vec) OP_R(gelu_slope)(OP_R(vec) z)
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

VEC_INLINE OP_R(vec) OP_R(gelu_tanh)(OP_R(vec) z)
{
    const OP_R(vec) half_z = OP_R(mul)(OP_R(set)((NUMBER)0.5), z);
    return OP_R(mul)(half_z, OP_R(add)(OP_R(set)(1), OP_R(tanh)(OP_R(gelu_inner)(z))));
}

VEC_INLINE OP_R(vec) OP_R(gelu_tanh_slope)(OP_R(vec) z)
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
VEC_INLINE OP_R(vec) OP_R(silu)(OP_R(vec) z)
{
    return OP_R(mul)(z, OP_R(logistic)(z));
}

VEC_INLINE OP_R(vec) OP_R(silu_slope)(OP_R(vec) z)
{
    const OP_R(vec) one = OP_R(set)(1), g = OP_R(logistic)(z);
    return OP_R(mul)(g, OP_R(add)(one, OP_R(mul)(z, OP_R(sub)(one, g))));
}
#endif

typedef OP_R(vec) OP_R(function)(OP_R(vec) z);

VEC_INLINE void OP_R(activate)(OP_R(function) *activation, const void *bits, size_t n, const void *x,
                               const void *bias, void *y, const void *factor)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    for (size_t i = 0; i < n; i += LANES) {
        OP_R(vec) z = OP_R(load_reals)(x, i, n);
        if (bias != NULL)
            z = OP_R(add)(z, OP_R(load_reals)(bias, i, n));
        const OP_R(vec) v = OP_R(mul)(activation(z), OP_R(set)(s));
        OP_R(store_reals)(y, i, n, OP_R(kept)(v, OP_R(word)(bits, i, n), i % 64));
    }
}

VEC_INLINE void OP_R(activate_grad)(OP_R(function) *slope, bool needs_x, const void *bits, size_t n,
                                    const void *dy, const void *x, const void *bias, void *dx,
                                    const void *factor, void *sums)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    for (size_t i = 0; i < n; i += LANES) {
        OP_R(vec) d =
            OP_R(kept)(OP_R(mul)(OP_R(load_reals)(dy, i, n), OP_R(set)(s)), OP_R(word)(bits, i, n), i % 64);
        if (needs_x) {
            OP_R(vec) z = OP_R(load_reals)(x, i, n);
            if (bias != NULL)
                z = OP_R(add)(z, OP_R(load_reals)(bias, i, n));
            /* A dropped element has no gradient, whatever the slope at its place. */
            d = OP_R(kept)(OP_R(mul)(d, slope(z)), OP_R(word)(bits, i, n), i % 64);
        }
        OP_R(store_reals)(dx, i, n, d);
        if (sums != NULL)
            OP_R(store_reals)(sums, i, n, OP_R(add)(OP_R(load_reals)(sums, i, n), d));
    }
}

#define ACTIVATION(name) \
    static void OP_R(activate_##name)(const void *bits, size_t n, const void *x, const void *bias, void *y, \
                                      const void *factor) \
    { \
        OP_R(activate)(OP_R(name), bits, n, x, bias, y, factor); \
    }
#define ACTIVATION_GRAD(name, needs_x) \
    static void OP_R(activate_grad_##name)(const void *bits, size_t n, const void *dy, const void *x, \
                                           const void *bias, void *dx, const void *factor, void *sums) \
    { \
        OP_R(activate_grad)(OP_R(name##_slope), needs_x, bits, n, dy, x, bias, dx, factor, sums); \
    }
ACTIVATION_GRAD(identity, false)
ACTIVATION(relu)
ACTIVATION_GRAD(relu, true)
#ifdef DROPWISE_HAVE_SLEEF
ACTIVATION(gelu)
ACTIVATION_GRAD(gelu, true)
ACTIVATION(gelu_tanh)
ACTIVATION_GRAD(gelu_tanh, true)
ACTIVATION(silu)
ACTIVATION_GRAD(silu, true)
#endif
#undef ACTIVATION
#undef ACTIVATION_GRAD

/* ---- Rows of attention ---- */

/* scale * x + add: what the softmax is taken of. */
VEC_INLINE OP_R(vec) OP_R(logits)(const void *x, const void *add, OP_R(vec) scale, size_t i, size_t n)
{
    OP_R(vec) v = OP_R(mul)(OP_R(load_reals)(x, i, n), scale);
    if (add != NULL)
        v = OP_R(add)(v, OP_R(load_reals)(add, i, n));
    return v;
}

/* Sets the lanes of a last, partial vector that hold nothing. */
VEC_INLINE OP_R(vec) OP_R(or_else)(OP_R(vec) v, size_t i, size_t n, NUMBER otherwise)
{
    if (n - i >= LANES)
        return v;
    NUMBER lanes[LANES];
    OP_W(store)((uint8_t *)lanes, OP_W(as)(v));
    for (size_t lane = n - i; lane < LANES; lane++)
        lanes[lane] = otherwise;
    return OP_R(as)(OP_W(load)((const uint8_t *)lanes));
}

static void OP_R(row_max)(size_t n, const void *x, const void *add, const void *scale, void *max)
{
    NUMBER s, m, lanes[LANES];
    memcpy(&s, scale, sizeof s);
    memcpy(&m, max, sizeof m);
    OP_R(vec) v = OP_R(set)(m);
    for (size_t i = 0; i < n; i += LANES) {
        const OP_R(vec) logits = OP_R(or_else)(OP_R(logits)(x, add, OP_R(set)(s), i, n), i, n, m);
        v = OP_R(select)(OP_R(above)(logits, v), logits, v);
    }
    OP_W(store)((uint8_t *)lanes, OP_W(as)(v));
    for (unsigned lane = 0; lane < LANES; lane++)
        m = lanes[lane] > m ? lanes[lane] : m;
    memcpy(max, &m, sizeof m);
}

/* Adds a vector of elements i, i + 1, ... to the partial sums, element i to sum i mod 16. */
VEC_INLINE void OP_R(add_to_sums)(OP_R(vec) *partial, size_t i, OP_R(vec) v)
{
    OP_R(vec) *sum = &partial[i / LANES % (16 / LANES)];
    *sum = OP_R(add)(*sum, v);
}

VEC_INLINE void OP_R(load_sums)(OP_R(vec) *partial, const void *sums)
{
    for (unsigned k = 0; k < 16 / LANES; k++)
        partial[k] = OP_R(load_reals)(sums, k * LANES, 16);
}

VEC_INLINE void OP_R(store_sums)(const OP_R(vec) *partial, void *sums)
{
    for (unsigned k = 0; k < 16 / LANES; k++)
        OP_R(store_reals)(sums, k * LANES, 16, partial[k]);
}

#ifdef DROPWISE_HAVE_SLEEF
static void OP_R(row_exp)(size_t n, const void *x, const void *add, const void *scale, const void *max,
                          void *out, void *sums)
{
    NUMBER s, m;
    memcpy(&s, scale, sizeof s);
    memcpy(&m, max, sizeof m);
    OP_R(vec) partial[16 / LANES];
    OP_R(load_sums)(partial, sums);
    for (size_t i = 0; i < n; i += LANES) {
        const OP_R(vec) logits = OP_R(logits)(x, add, OP_R(set)(s), i, n);
        const OP_R(vec) e = OP_R(or_else)(OP_R(exp)(OP_R(sub)(logits, OP_R(set)(m))), i, n, 0);
        OP_R(store_reals)(out, i, n, e);
        OP_R(add_to_sums)(partial, i, e);
    }
    OP_R(store_sums)(partial, sums);
}
#endif

static void OP_R(row_drop)(const void *bits, size_t n, const void *e, const void *inverse, const void *factor,
                           void *probabilities, void *y)
{
    NUMBER r, s;
    memcpy(&r, inverse, sizeof r);
    memcpy(&s, factor, sizeof s);
    for (size_t i = 0; i < n; i += LANES) {
        const OP_R(vec) p = OP_R(mul)(OP_R(load_reals)(e, i, n), OP_R(set)(r));
        if (probabilities != NULL)
            OP_R(store_reals)(probabilities, i, n, p);
        OP_R(store_reals)(y, i, n, OP_R(kept)(OP_R(mul)(p, OP_R(set)(s)), OP_R(word)(bits, i, n), i % 64));
    }
}

/* The gradient of what dropout was applied to. */
VEC_INLINE OP_R(vec) OP_R(undropped)(const void *bits, const void *dy, NUMBER s, size_t i, size_t n)
{
    return OP_R(kept)(OP_R(mul)(OP_R(load_reals)(dy, i, n), OP_R(set)(s)), OP_R(word)(bits, i, n), i % 64);
}

static void OP_R(row_dot)(const void *bits, size_t n, const void *dy, const void *probabilities,
                          const void *factor, void *sums)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    OP_R(vec) partial[16 / LANES];
    OP_R(load_sums)(partial, sums);
    for (size_t i = 0; i < n; i += LANES)
        OP_R(add_to_sums)(
            partial, i, OP_R(mul)(OP_R(undropped)(bits, dy, s, i, n), OP_R(load_reals)(probabilities, i, n)));
    OP_R(store_sums)(partial, sums);
}

static void OP_R(row_grad)(const void *bits, size_t n, const void *dy, const void *probabilities,
                           const void *factor, const void *dot, const void *scale, void *dx)
{
    NUMBER s, d, x_scale;
    memcpy(&s, factor, sizeof s);
    memcpy(&d, dot, sizeof d);
    memcpy(&x_scale, scale, sizeof x_scale);
    for (size_t i = 0; i < n; i += LANES) {
        const OP_R(vec) g = OP_R(sub)(OP_R(undropped)(bits, dy, s, i, n), OP_R(set)(d));
        OP_R(store_reals)(dx, i, n,
                          OP_R(mul)(OP_R(mul)(OP_R(load_reals)(probabilities, i, n), g), OP_R(set)(x_scale)));
    }
}

#undef REAL
#undef NUMBER
#undef WIDTH
