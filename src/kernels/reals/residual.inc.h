/* Kernel residual, for one type that is computed in: y = residual + drop(x + bias). */
#include "kernels/template.h"

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
        for (unsigned from = 0; from < 64; from += UNROLLED) {
            VEC_UNROLL
            for (unsigned lane = 0; lane < UNROLLED; lane += LANES) {
                const size_t at = i + from + lane;
                const OP_R(vec) v =
                    OP_R(residual_vector)(word >> from, lane, at, SIZE_MAX, x, bias, residual, s);
                OP_R(put_whole)(nontemporal, y, at, v);
            }
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
