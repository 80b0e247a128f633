/* Kernels row_max, row_exp, row_drop, row_dot and row_grad, for one type that is computed in. */
#include "kernels/template.h"

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
