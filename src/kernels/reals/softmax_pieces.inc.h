/*
 * Kernels row_max, row_exp, row_drop, row_dot and row_grad, for one type that is computed in: the passes of
 * the softmax of rows that are too long for softmax.inc.h, on a piece of a row each.
 */
#include "kernels/template.h"

static void OP_R(row_max)(size_t n, const void *x, const void *add, const void *scale, void *max)
{
    NUMBER s, m;
    memcpy(&s, scale, sizeof s);
    memcpy(&m, max, sizeof m);
    m = OP_R(largest)(n, x, add, s, m);
    memcpy(max, &m, sizeof m);
}

#ifndef WITHOUT_FUNCTIONS
static void OP_R(row_exp)(size_t n, const void *x, const void *add, const void *scale, const void *max,
                          void *e, void *sums)
{
    NUMBER s, m;
    memcpy(&s, scale, sizeof s);
    memcpy(&m, max, sizeof m);
    OP_R(vec) partial[16 / LANES];
    OP_R(load_sums)(partial, sums);
    OP_R(exp_row)(n, x, add, s, m, e, partial);
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
