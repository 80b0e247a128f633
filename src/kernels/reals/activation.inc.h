/* Kernels activate_NAME and activate_grad_NAME, for one type of elements. */
#include "kernels/template.h"

/* A vector at a time; `rest` is the kernel for the elements that are left. */
VEC_INLINE void OP_E(activate)(OP_R(function) *activation, dropwise_activate_fn *rest, const void *bits,
                               size_t n, const void *x, const void *bias, void *y, const void *factor)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    size_t i = 0;
    for (; n - i >= LANES; i += LANES) {
        OP_R(vec) z[OP_E(PARTS)];
        OP_E(reals_of)((const uint8_t *)x + i * ELEMENT_BYTES, z);
        if (bias != NULL)
            OP_E(add_elements)(z, (const uint8_t *)bias + i * ELEMENT_BYTES);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            z[k] = OP_R(canonical)(OP_R(mul)(activation(z[k]), OP_R(set)(s)));
        OP_W(store)((uint8_t *)y + i * ELEMENT_BYTES,
                    OP_W(keep)(OP_E(elements_of)(z), bits_at(bits, i, LANES), 0));
    }
    if (LANES > 1 && i < n)
        activate_rest(rest, LANES, ELEMENT_BYTES, bits, i, n, x, bias, y, factor);
}

/* Each of the sums plus its real, if that is kept. */
VEC_INLINE void OP_E(add_to)(NUMBER *sums, OP_R(vec) *r, uint64_t word)
{
    const unsigned lanes = LANES / OP_E(PARTS);
    OP_E(in_order)(r);
    VEC_UNROLL
    for (unsigned k = 0; k < OP_E(PARTS); k++)
        OP_R(store_reals)(
            sums, k * lanes, SIZE_MAX,
            OP_R(add)(OP_R(load_reals)(sums, k * lanes, SIZE_MAX), OP_R(kept)(r[k], word, k * lanes)));
}

VEC_INLINE void OP_E(activate_grad)(OP_R(function) *slope, bool needs_x, dropwise_activate_grad_fn *rest,
                                    const void *bits, size_t n, const void *dy, const void *x,
                                    const void *bias, void *dx, const void *factor, void *sums)
{
    NUMBER s;
    memcpy(&s, factor, sizeof s);
    size_t i = 0;
    for (; n - i >= LANES; i += LANES) {
        OP_R(vec) d[OP_E(PARTS)], z[OP_E(PARTS)];
        const uint64_t word = bits_at(bits, i, LANES);
        OP_E(reals_of)((const uint8_t *)dy + i * ELEMENT_BYTES, d);
        OP_E(scale_reals)(d, s);
        if (needs_x) {
            OP_E(reals_of)((const uint8_t *)x + i * ELEMENT_BYTES, z);
            if (bias != NULL)
                OP_E(add_elements)(z, (const uint8_t *)bias + i * ELEMENT_BYTES);
        }
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++)
            d[k] = OP_R(canonical)(needs_x ? OP_R(mul)(d[k], slope(z[k])) : d[k]);
        /* Last of all, as a dropped element has no gradient, whatever the slope at its place. */
        OP_W(store)((uint8_t *)dx + i * ELEMENT_BYTES, OP_W(keep)(OP_E(elements_of)(d), word, 0));
        if (sums != NULL)
            OP_E(add_to)((NUMBER *)sums + i, d, word);
    }
    if (LANES > 1 && i < n)
        activate_grad_rest(rest, LANES, ELEMENT_BYTES, sizeof(NUMBER), bits, i, n, dy, x, bias, dx, factor,
                           sums);
}

static void OP_E(activate_grad_identity)(const void *bits, size_t n, const void *dy, const void *x,
                                         const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad)(NULL, false, OP_E(activate_grad_identity), bits, n, dy, x, bias, dx, factor, sums);
}

static void OP_E(activate_relu)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                const void *factor)
{
    OP_E(activate)(OP_R(relu), OP_E(activate_relu), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_relu)(const void *bits, size_t n, const void *dy, const void *x,
                                     const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad)(OP_R(relu_slope), true, OP_E(activate_grad_relu), bits, n, dy, x, bias, dx, factor,
                        sums);
}

#ifdef DROPWISE_HAVE_SLEEF
/* One loop for all functions that are called. */
VEC_SHARED void OP_E(activate_calling)(OP_R(function) *activation, dropwise_activate_fn *rest,
                                       const void *bits, size_t n, const void *x, const void *bias, void *y,
                                       const void *factor)
{
    OP_E(activate)(activation, rest, bits, n, x, bias, y, factor);
}

VEC_SHARED void OP_E(activate_grad_calling)(OP_R(function) *slope, dropwise_activate_grad_fn *rest,
                                            const void *bits, size_t n, const void *dy, const void *x,
                                            const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad)(slope, true, rest, bits, n, dy, x, bias, dx, factor, sums);
}

static void OP_E(activate_gelu)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                const void *factor)
{
    OP_E(activate_calling)(OP_R(gelu), OP_E(activate_gelu), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_gelu)(const void *bits, size_t n, const void *dy, const void *x,
                                     const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad_calling)(OP_R(gelu_slope), OP_E(activate_grad_gelu), bits, n, dy, x, bias, dx, factor,
                                sums);
}

static void OP_E(activate_gelu_tanh)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                     const void *factor)
{
    OP_E(activate_calling)(OP_R(gelu_tanh), OP_E(activate_gelu_tanh), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_gelu_tanh)(const void *bits, size_t n, const void *dy, const void *x,
                                          const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad_calling)(OP_R(gelu_tanh_slope), OP_E(activate_grad_gelu_tanh), bits, n, dy, x, bias,
                                dx, factor, sums);
}

static void OP_E(activate_silu)(const void *bits, size_t n, const void *x, const void *bias, void *y,
                                const void *factor)
{
    OP_E(activate_calling)(OP_R(silu), OP_E(activate_silu), bits, n, x, bias, y, factor);
}

static void OP_E(activate_grad_silu)(const void *bits, size_t n, const void *dy, const void *x,
                                     const void *bias, void *dx, const void *factor, void *sums)
{
    OP_E(activate_grad_calling)(OP_R(silu_slope), OP_E(activate_grad_silu), bits, n, dy, x, bias, dx, factor,
                                sums);
}
#endif
