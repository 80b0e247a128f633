/*
 * Kernels activate_NAME and activate_grad_NAME, for one type of elements. FUNCTION_LOOP is VEC_INLINE where
 * each function has a loop of its own, in which it is inlined, or VEC_SHARED where one loop calls all of
 * them. WITHOUT_FUNCTIONS leaves out those that need more than a comparison.
 */
#include "kernels/template.h"

/* `rest` is the kernel for the elements that are left. */
VEC_INLINE void OP_E(activate)(OP_R(function) *activation, dropwise_activate_fn *rest, const void *bits,
                               size_t n, const void *x, const void *bias, void *y, const void *factor)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    OP_R(vec) factors[OP_E(TOGETHER)][OP_E(PARTS)];
    OP_E(set_step)(factors, s);
    size_t i = 0;
    for (; n - i >= OP_E(STEP); i += OP_E(STEP)) {
        const size_t at = i * ELEMENT_BYTES;
        const uint64_t word = bits_at(bits, i, OP_E(STEP));
        OP_R(vec) z[OP_E(TOGETHER)][OP_E(PARTS)];
        OP_E(load_step)((const uint8_t *)x + at, bias == NULL ? NULL : (const uint8_t *)bias + at, z);
        activation(z[0]);
        OP_E(store_kept_times)((uint8_t *)y + at, z, factors, word);
    }
    if (OP_E(STEP) > 1 && i < n)
        activate_rest(rest, OP_E(STEP), ELEMENT_BYTES, bits, i, n, x, bias, y, factor);
}

/* Each of the sums plus its real of a step, if that is kept. Out of line, as few calls have sums. */
VEC_SHARED void OP_E(add_to_sums_of)(NUMBER *sums, OP_R(vec) (*r)[OP_E(PARTS)], uint64_t word)
{
    const unsigned lanes = LANES / OP_E(PARTS);
    for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
        OP_E(in_order)(r[j]);
        for (unsigned k = 0; k < OP_E(PARTS); k++) {
            const unsigned at = j * LANES + k * lanes;
            OP_R(store_reals)(
                sums, at, SIZE_MAX,
                OP_R(add)(OP_R(load_reals)(sums, at, SIZE_MAX), OP_R(kept)(r[j][k], word >> at, 0)));
        }
    }
}

/* No slope stands for that of the identity, 1. */
VEC_INLINE void OP_E(activate_grad)(OP_R(function) *slope, dropwise_activate_grad_fn *rest, const void *bits,
                                    size_t n, const void *dy, const void *x, const void *bias, void *dx,
                                    const void *factor, void *sums)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    OP_R(vec) factors[OP_E(TOGETHER)][OP_E(PARTS)];
    OP_E(set_step)(factors, s);
    size_t i = 0;
    for (; n - i >= OP_E(STEP); i += OP_E(STEP)) {
        const size_t at = i * ELEMENT_BYTES;
        const uint64_t word = bits_at(bits, i, OP_E(STEP));
        OP_R(vec) d[OP_E(TOGETHER)][OP_E(PARTS)], z[OP_E(TOGETHER)][OP_E(PARTS)];
        if (slope != NULL) {
            OP_E(load_step)((const uint8_t *)x + at, bias == NULL ? NULL : (const uint8_t *)bias + at, z);
            slope(z[0]);
        }
        OP_E(load_step)((const uint8_t *)dy + at, NULL, d);
        if (slope != NULL) {
            VEC_UNROLL
            for (unsigned j = 0; j < OP_E(TOGETHER); j++)
                OP_E(scale_reals)(d[j], s);
        }
        /* Dropped last of all: such an element has no gradient, whatever the slope at its place. */
        OP_E(store_kept_times)((uint8_t *)dx + at, d, slope != NULL ? z : factors, word);
        if (sums != NULL) {
            OP_R(vec) terms[OP_E(TOGETHER)][OP_E(PARTS)]; /* so that d need not be in memory */
            memcpy(terms, d, sizeof terms);
            OP_E(add_to_sums_of)((NUMBER *)sums + i, terms, word);
        }
    }
    if (OP_E(STEP) > 1 && i < n)
        activate_grad_rest(rest, OP_E(STEP), ELEMENT_BYTES, sizeof(NUMBER), bits, i, n, dy, x, bias, dx,
                           factor, sums);
}

static void OP_E(activate_grad_identity)(const void *bits, size_t n, const void *dy, const void *x,
                                         const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad)(NULL, OP_E(activate_grad_identity), bits, n, dy, x, bias, dx, factor, sums);
}

static void OP_E(activate_relu)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                const void *factor)
{
    OP_E(activate)(OP_R(relu), OP_E(activate_relu), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_relu)(const void *bits, size_t n, const void *dy, const void *x,
                                     const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad)(OP_R(relu_slope), OP_E(activate_grad_relu), bits, n, dy, x, bias, dx, factor, sums);
}

#ifndef WITHOUT_FUNCTIONS
FUNCTION_LOOP void OP_E(activate_by)(OP_R(function) *activation, dropwise_activate_fn *rest, const void *bits,
                                     size_t n, const void *x, const void *bias, void *y, const void *factor)
{
    OP_E(activate)(activation, rest, bits, n, x, bias, y, factor);
}

FUNCTION_LOOP void OP_E(activate_grad_by)(OP_R(function) *slope, dropwise_activate_grad_fn *rest,
                                          const void *bits, size_t n, const void *dy, const void *x,
                                          const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad)(slope, rest, bits, n, dy, x, bias, dx, factor, sums);
}

static void OP_E(activate_gelu)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                const void *factor)
{
    OP_E(activate_by)(OP_R(gelu), OP_E(activate_gelu), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_gelu)(const void *bits, size_t n, const void *dy, const void *x,
                                     const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad_by)(OP_R(gelu_slope), OP_E(activate_grad_gelu), bits, n, dy, x, bias, dx, factor,
                           sums);
}

static void OP_E(activate_gelu_tanh)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                     const void *factor)
{
    OP_E(activate_by)(OP_R(gelu_tanh), OP_E(activate_gelu_tanh), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_gelu_tanh)(const void *bits, size_t n, const void *dy, const void *x,
                                          const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad_by)(OP_R(gelu_tanh_slope), OP_E(activate_grad_gelu_tanh), bits, n, dy, x, bias, dx,
                           factor, sums);
}

static void OP_E(activate_silu)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                const void *factor)
{
    OP_E(activate_by)(OP_R(silu), OP_E(activate_silu), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_silu)(const void *bits, size_t n, const void *dy, const void *x,
                                     const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad_by)(OP_R(silu_slope), OP_E(activate_grad_silu), bits, n, dy, x, bias, dx, factor,
                           sums);
}
#endif
