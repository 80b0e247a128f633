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
#include "template.h"

#define OP(name) CONCAT(name, REAL)
#define VEC CONCAT(vec, REAL)
#define LANES CONCAT(LANES, WIDTH)

/* n <= LANES numbers from p on, the others 0. */
VEC_INLINE VEC OP(load_part)(const uint8_t *p, size_t n)
{
    if (n >= LANES)
        return CONCAT(as, REAL)(CONCAT(load, WIDTH)(p));
    uint8_t part[sizeof(VEC)] = {0};
    memcpy(part, p, n * sizeof(NUMBER));
    return CONCAT(as, REAL)(CONCAT(load, WIDTH)(part));
}

VEC_INLINE void OP(store_part)(uint8_t *p, size_t n, VEC v)
{
    if (n >= LANES) {
        CONCAT(store, WIDTH)(p, CONCAT(as, WIDTH)(v));
        return;
    }
    uint8_t part[sizeof(VEC)];
    CONCAT(store, WIDTH)(part, CONCAT(as, WIDTH)(v));
    memcpy(p, part, n * sizeof(NUMBER));
}

VEC_INLINE VEC OP(kept)(VEC v, uint64_t bits, unsigned lane)
{
    return CONCAT(as, REAL)(CONCAT(keep, WIDTH)(CONCAT(as, WIDTH)(v), bits, lane));
}

/* The numbers from element i on; NULL stands for zeros where a kernel says so. */
VEC_INLINE VEC OP(numbers)(const void *p, size_t i, size_t n)
{
    return OP(load_part)((const uint8_t *)p + i * sizeof(NUMBER), n - i);
}

VEC_INLINE void OP(put)(void *p, size_t i, size_t n, VEC v)
{
    OP(store_part)((uint8_t *)p + i * sizeof(NUMBER), n - i, OP(canonical)(v));
}

/* The word of keep bits that element i is in; lane i % 64 is its own. */
VEC_INLINE uint64_t OP(word)(const void *bits, size_t i, size_t n)
{
    const uint8_t *from = (const uint8_t *)bits + i / 64 * 8;
    const size_t rest = n - i / 64 * 64;
    return rest >= 64 ? load_le64(from) : load_le64_part(from, bytes_of_bits(rest));
}

/* ---- Residual ---- */

VEC_INLINE VEC OP(residual_vector)(uint64_t word, unsigned lane, size_t i, size_t n, const void *x,
                                   const void *bias, const void *residual, NUMBER factor)
{
    VEC v = OP(numbers)(x, i, n);
    if (bias != NULL)
        v = OP(add)(v, OP(numbers)(bias, i, n));
    v = OP(kept)(OP(mul)(v, OP(set)(factor)), word, lane);
    if (residual != NULL)
        v = OP(add)(OP(numbers)(residual, i, n), v);
    return OP(canonical)(v);
}

VEC_INLINE void OP(residual_loop)(bool streamed, const void *bits, size_t n, const void *x, const void *bias,
                                  const void *residual, void *y, const void *factor)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    size_t i = 0;
    for (; n - i >= 64; i += 64) {
        const uint64_t word = load_le64((const uint8_t *)bits + i / 8);
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += LANES) {
            const VEC v = OP(residual_vector)(word, lane, i + lane, SIZE_MAX, x, bias, residual, s);
            uint8_t *out = (uint8_t *)y + (i + lane) * sizeof(NUMBER);
            if (streamed)
                CONCAT(stream, WIDTH)(out, CONCAT(as, WIDTH)(v));
            else
                CONCAT(store, WIDTH)(out, CONCAT(as, WIDTH)(v));
        }
    }
    for (; i < n; i += LANES)
        OP(put)(y, i, n, OP(residual_vector)(OP(word)(bits, i, n), i % 64, i, n, x, bias, residual, s));
}

static void OP(residual)(const void *bits, size_t n, const void *x, const void *bias, const void *residual,
                         void *y, const void *factor)
{
    OP(residual_loop)(false, bits, n, x, bias, residual, y, factor);
}

static void OP(residual_stream)(const void *bits, size_t n, const void *x, const void *bias,
                                const void *residual, void *y, const void *factor)
{
    OP(residual_loop)(true, bits, n, x, bias, residual, y, factor);
}

/* ---- Activations ---- */

VEC_INLINE VEC OP(relu)(VEC z)
{
    const VEC zero = OP(set)(0);
    return OP(select)(OP(above)(zero, z), zero, z);
}

VEC_INLINE VEC OP(relu_slope)(VEC z)
{
    return OP(select)(OP(above)(z, OP(set)(0)), OP(set)(1), OP(set)(0));
}

VEC_INLINE VEC OP(identity_slope)(VEC z)
{
    (void)z;
    return OP(set)(1);
}

#ifdef DROPWISE_HAVE_SLEEF
/* D. Hendrycks, K. Gimpel, "Gaussian error linear units (GELUs)", arXiv:1606.08415. */
VEC_INLINE VEC OP(gelu)(VEC z)
{
    const VEC half_z = OP(mul)(OP(set)((NUMBER)0.5), z);
    const VEC e = OP(erf)(OP(mul)(z, OP(set)((NUMBER)0.70710678118654752440)));
    return OP(mul)(half_z, OP(add)(OP(set)(1), e));
}

/* Phi(z) + z phi(z), with the distribution and the density of the standard normal. */
VEC_INLINE VEC OP(gelu_slope)(VEC z)
{
    const VEC half = OP(set)((NUMBER)0.5), one = OP(set)(1);
    const VEC e = OP(erf)(OP(mul)(z, OP(set)((NUMBER)0.70710678118654752440)));
    const VEC distribution = OP(mul)(half, OP(add)(one, e));
    const VEC power = OP(mul)(OP(mul)(z, z), OP(set)((NUMBER)-0.5));
    const VEC density = OP(mul)(OP(exp)(power), OP(set)((NUMBER)0.39894228040143267794));
    return OP(add)(distribution, OP(mul)(z, density));
}

/* sqrt(2 / pi) (z + 0.044715 z^3), of the same paper. */
VEC_INLINE VEC OP(gelu_inner)(VEC z)
{
    const VEC cube = OP(mul)(OP(mul)(z, z), z);
    const VEC sum = OP(add)(z, OP(mul)(cube, OP(set)((NUMBER)0.044715)));
    return OP(mul)(sum, OP(set)((NUMBER)0.79788456080286535588));
}

VEC_INLINE VEC OP(gelu_tanh)(VEC z)
{
    const VEC half_z = OP(mul)(OP(set)((NUMBER)0.5), z);
    return OP(mul)(half_z, OP(add)(OP(set)(1), OP(tanh)(OP(gelu_inner)(z))));
}

VEC_INLINE VEC OP(gelu_tanh_slope)(VEC z)
{
    const VEC half = OP(set)((NUMBER)0.5), one = OP(set)(1);
    const VEC t = OP(tanh)(OP(gelu_inner)(z));
    const VEC square = OP(mul)(OP(mul)(z, z), OP(set)((NUMBER)(3 * 0.044715)));
    const VEC inner_slope = OP(mul)(OP(add)(one, square), OP(set)((NUMBER)0.79788456080286535588));
    const VEC tanh_slope = OP(sub)(one, OP(mul)(t, t));
    const VEC right = OP(mul)(OP(mul)(OP(mul)(half, z), tanh_slope), inner_slope);
    return OP(add)(OP(mul)(half, OP(add)(one, t)), right);
}

VEC_INLINE VEC OP(logistic)(VEC z)
{
    const VEC one = OP(set)(1);
    return OP(div)(one, OP(add)(one, OP(exp)(OP(sub)(OP(set)(0), z))));
}

/* S. Elfwing, E. Uchibe, K. Doya, "Sigmoid-weighted linear units ...", arXiv:1702.03118. */
VEC_INLINE VEC OP(silu)(VEC z)
{
    return OP(mul)(z, OP(logistic)(z));
}

VEC_INLINE VEC OP(silu_slope)(VEC z)
{
    const VEC one = OP(set)(1), g = OP(logistic)(z);
    return OP(mul)(g, OP(add)(one, OP(mul)(z, OP(sub)(one, g))));
}
#endif

typedef VEC OP(function)(VEC z);

VEC_INLINE void OP(activate)(OP(function) *activation, const void *bits, size_t n, const void *x,
                             const void *bias, void *y, const void *factor)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    for (size_t i = 0; i < n; i += LANES) {
        VEC z = OP(numbers)(x, i, n);
        if (bias != NULL)
            z = OP(add)(z, OP(numbers)(bias, i, n));
        const VEC v = OP(mul)(activation(z), OP(set)(s));
        OP(put)(y, i, n, OP(kept)(v, OP(word)(bits, i, n), i % 64));
    }
}

VEC_INLINE void OP(activate_grad)(OP(function) *slope, bool needs_x, const void *bits, size_t n,
                                  const void *dy, const void *x, const void *bias, void *dx,
                                  const void *factor, void *sums)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    for (size_t i = 0; i < n; i += LANES) {
        VEC d = OP(kept)(OP(mul)(OP(numbers)(dy, i, n), OP(set)(s)), OP(word)(bits, i, n), i % 64);
        if (needs_x) {
            VEC z = OP(numbers)(x, i, n);
            if (bias != NULL)
                z = OP(add)(z, OP(numbers)(bias, i, n));
            /* A dropped element has no gradient, whatever the slope at its place. */
            d = OP(kept)(OP(mul)(d, slope(z)), OP(word)(bits, i, n), i % 64);
        }
        OP(put)(dx, i, n, d);
        if (sums != NULL)
            OP(put)(sums, i, n, OP(add)(OP(numbers)(sums, i, n), d));
    }
}

#define ACTIVATION(name)                                                                                     \
    static void CONCAT(activate_##name, REAL)(const void *bits, size_t n, const void *x, const void *bias,   \
                                              void *y, const void *factor)                                   \
    {                                                                                                        \
        OP(activate)(OP(name), bits, n, x, bias, y, factor);                                                 \
    }
#define ACTIVATION_GRAD(name, needs_x)                                                                       \
    static void CONCAT(activate_grad_##name, REAL)(const void *bits, size_t n, const void *dy,               \
                                                   const void *x, const void *bias, void *dx,                \
                                                   const void *factor, void *sums)                           \
    {                                                                                                        \
        OP(activate_grad)(OP(name##_slope), needs_x, bits, n, dy, x, bias, dx, factor, sums);                \
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
VEC_INLINE VEC OP(logits)(const void *x, const void *add, VEC scale, size_t i, size_t n)
{
    VEC v = OP(mul)(OP(numbers)(x, i, n), scale);
    if (add != NULL)
        v = OP(add)(v, OP(numbers)(add, i, n));
    return v;
}

/* Sets the lanes of a last, partial vector that hold nothing. */
VEC_INLINE VEC OP(or_else)(VEC v, size_t i, size_t n, NUMBER otherwise)
{
    if (n - i >= LANES)
        return v;
    NUMBER lanes[LANES];
    CONCAT(store, WIDTH)((uint8_t *)lanes, CONCAT(as, WIDTH)(v));
    for (size_t lane = n - i; lane < LANES; lane++)
        lanes[lane] = otherwise;
    return CONCAT(as, REAL)(CONCAT(load, WIDTH)((const uint8_t *)lanes));
}

static void OP(row_max)(size_t n, const void *x, const void *add, const void *scale, void *max)
{
    NUMBER s, m, lanes[LANES];
    memcpy(&s, scale, sizeof s);
    memcpy(&m, max, sizeof m);
    VEC v = OP(set)(m);
    for (size_t i = 0; i < n; i += LANES) {
        const VEC logits = OP(or_else)(OP(logits)(x, add, OP(set)(s), i, n), i, n, m);
        v = OP(select)(OP(above)(logits, v), logits, v);
    }
    CONCAT(store, WIDTH)((uint8_t *)lanes, CONCAT(as, WIDTH)(v));
    for (unsigned lane = 0; lane < LANES; lane++)
        m = lanes[lane] > m ? lanes[lane] : m;
    memcpy(max, &m, sizeof m);
}

/* Adds a vector of elements i, i + 1, ... to the partial sums, element i to sum i mod 16. */
VEC_INLINE void OP(add_to_sums)(VEC *partial, size_t i, VEC v)
{
    VEC *sum = &partial[i / LANES % (16 / LANES)];
    *sum = OP(add)(*sum, v);
}

VEC_INLINE void OP(load_sums)(VEC *partial, const void *sums)
{
    for (unsigned k = 0; k < 16 / LANES; k++)
        partial[k] = OP(numbers)(sums, k * LANES, 16);
}

VEC_INLINE void OP(store_sums)(const VEC *partial, void *sums)
{
    for (unsigned k = 0; k < 16 / LANES; k++)
        OP(put)(sums, k * LANES, 16, partial[k]);
}

#ifdef DROPWISE_HAVE_SLEEF
static void OP(row_exp)(size_t n, const void *x, const void *add, const void *scale, const void *max,
                        void *out, void *sums)
{
    NUMBER s, m;
    memcpy(&s, scale, sizeof s);
    memcpy(&m, max, sizeof m);
    VEC partial[16 / LANES];
    OP(load_sums)(partial, sums);
    for (size_t i = 0; i < n; i += LANES) {
        const VEC logits = OP(logits)(x, add, OP(set)(s), i, n);
        const VEC e = OP(or_else)(OP(exp)(OP(sub)(logits, OP(set)(m))), i, n, 0);
        OP(put)(out, i, n, e);
        OP(add_to_sums)(partial, i, e);
    }
    OP(store_sums)(partial, sums);
}
#endif

static void OP(row_drop)(const void *bits, size_t n, const void *e, const void *inverse, const void *factor,
                         void *probabilities, void *y)
{
    NUMBER r, s;
    memcpy(&r, inverse, sizeof r);
    memcpy(&s, factor, sizeof s);
    for (size_t i = 0; i < n; i += LANES) {
        const VEC p = OP(mul)(OP(numbers)(e, i, n), OP(set)(r));
        if (probabilities != NULL)
            OP(put)(probabilities, i, n, p);
        OP(put)(y, i, n, OP(kept)(OP(mul)(p, OP(set)(s)), OP(word)(bits, i, n), i % 64));
    }
}

/* The gradient of what dropout was applied to. */
VEC_INLINE VEC OP(undropped)(const void *bits, const void *dy, NUMBER s, size_t i, size_t n)
{
    return OP(kept)(OP(mul)(OP(numbers)(dy, i, n), OP(set)(s)), OP(word)(bits, i, n), i % 64);
}

static void OP(row_dot)(const void *bits, size_t n, const void *dy, const void *probabilities,
                        const void *factor, void *sums)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    VEC partial[16 / LANES];
    OP(load_sums)(partial, sums);
    for (size_t i = 0; i < n; i += LANES)
        OP(add_to_sums)(partial, i,
                        OP(mul)(OP(undropped)(bits, dy, s, i, n), OP(numbers)(probabilities, i, n)));
    OP(store_sums)(partial, sums);
}

static void OP(row_grad)(const void *bits, size_t n, const void *dy, const void *probabilities,
                         const void *factor, const void *dot, const void *scale, void *dx)
{
    NUMBER s, d, x_scale;
    memcpy(&s, factor, sizeof s);
    memcpy(&d, dot, sizeof d);
    memcpy(&x_scale, scale, sizeof x_scale);
    for (size_t i = 0; i < n; i += LANES) {
        const VEC g = OP(sub)(OP(undropped)(bits, dy, s, i, n), OP(set)(d));
        OP(put)(dx, i, n, OP(mul)(OP(mul)(OP(numbers)(probabilities, i, n), g), OP(set)(x_scale)));
    }
}

#undef OP
#undef VEC
#undef LANES
#undef REAL
#undef NUMBER
#undef WIDTH
