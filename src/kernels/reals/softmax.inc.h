/*
 * Kernels softmax and softmax_grad, for one type of elements: rows that are short enough for what is
 * between two passes to stay in L1. The last step of a pass, which may be a part of one, goes by buffers.
 * WITHOUT_FUNCTIONS leaves out what needs exp.
 */
#include "kernels/template.h"

/* scale * x + add: what the softmax is taken of. */
VEC_INLINE void OP_E(logits)(const uint8_t *x, const uint8_t *add, NUMBER scale, OP_R(vec) (*z)[OP_E(PARTS)])
{
    OP_E(load_step)(x, NULL, z);
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++)
        OP_E(scale_reals)(z[j], scale);
    if (add != NULL)
        OP_E(add_step)(add, z);
}

/* The elements from i to n as a step in a buffer, the first of them again in the places that are left. */
VEC_INLINE const uint8_t *OP_E(last_step)(uint8_t *buffer, const uint8_t *p, size_t i, size_t n)
{
    repeat_element(buffer, OP_E(STEP) * ELEMENT_BYTES, p + i * ELEMENT_BYTES, ELEMENT_BYTES);
    copy_rest(buffer, p + i * ELEMENT_BYTES, (n - i) * ELEMENT_BYTES);
    return buffer;
}

/* Where the step of elements from i on is: in place or, if fewer are left, in the buffer. */
VEC_INLINE const uint8_t *OP_E(step_at)(uint8_t *buffer, const uint8_t *p, size_t i, size_t n)
{
    if (p == NULL || n - i >= OP_E(STEP))
        return p == NULL ? NULL : p + i * ELEMENT_BYTES;
    return OP_E(last_step)(buffer, p, i, n);
}

/* Where a step of results goes, and what follows once it is there. */
VEC_INLINE uint8_t *OP_E(step_out)(uint8_t *buffer, uint8_t *p, size_t i, size_t n)
{
    return p == NULL ? NULL : n - i >= OP_E(STEP) ? p + i * ELEMENT_BYTES : buffer;
}

VEC_INLINE void OP_E(end_step)(const uint8_t *buffer, uint8_t *p, size_t i, size_t n)
{
    if (p != NULL && n - i < OP_E(STEP))
        copy_rest(p + i * ELEMENT_BYTES, buffer, (n - i) * ELEMENT_BYTES);
}

/* Their bits. */
VEC_INLINE uint64_t OP_E(step_bits)(const uint8_t *bits, size_t i, size_t n)
{
    return n - i >= OP_E(STEP) ? bits_at(bits, i, OP_E(STEP)) : rest_of_bits(bits, i, n);
}

typedef struct OP_E(step_buffer) {
    uint8_t bytes[OP_E(STEP) * ELEMENT_BYTES];
} OP_E(step_buffer);

/* The largest of a number and n logits; NaN are passed over. */
VEC_INLINE NUMBER OP_E(largest)(size_t n, const uint8_t *x, const uint8_t *add, NUMBER scale, NUMBER m)
{
    enum { VECTORS = OP_E(TOGETHER) * OP_E(PARTS) };
    OP_R(vec) top[OP_E(TOGETHER)][OP_E(PARTS)];
    for (unsigned k = 0; k < VECTORS; k++)
        top[k / OP_E(PARTS)][k % OP_E(PARTS)] = OP_R(set)(m);
    for (size_t i = 0; i < n; i += OP_E(STEP)) {
        OP_E(step_buffer) of_x, of_add;
        OP_R(vec) z[OP_E(TOGETHER)][OP_E(PARTS)];
        OP_E(logits)(OP_E(step_at)(of_x.bytes, x, i, n), OP_E(step_at)(of_add.bytes, add, i, n), scale, z);
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
            VEC_UNROLL
            for (unsigned k = 0; k < OP_E(PARTS); k++)
                top[j][k] = OP_R(max)(z[j][k], top[j][k]);
        }
    }
    OP_R(vec) largest = top[0][0];
    for (unsigned k = 1; k < VECTORS; k++)
        largest = OP_R(max)(top[k / OP_E(PARTS)][k % OP_E(PARTS)], largest);
    return OP_R(largest_lane)(largest);
}

/* The first so many reals of a step and 0 behind them: what there is not is not to be added. */
VEC_INLINE void OP_E(keep_first)(size_t count, OP_R(vec) (*r)[OP_E(PARTS)])
{
    if (count >= OP_E(STEP))
        return;
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++)
        OP_E(times_kept)(r[j], 1, (UINT64_C(1) << count) - 1, j * LANES);
}

/* Adds reals of elements i, i + 1, ... to the partial sums, and changes their order. */
VEC_INLINE void OP_E(sum_step)(OP_R(vec) *partial, size_t i, OP_R(vec) (*r)[OP_E(PARTS)])
{
    const unsigned lanes = LANES / OP_E(PARTS);
    VEC_UNROLL
    for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
        OP_E(in_order)(r[j]);
        VEC_UNROLL
        for (unsigned k = 0; k < OP_E(PARTS); k++) {
            /* The same sums in each step, where that is known. */
            const size_t at = (OP_E(STEP) % 16 == 0 ? 0 : i) + j * LANES + k * lanes;
            OP_R(vec) *sum = &partial[at / lanes % (16 / lanes)];
            *sum = OP_R(add)(*sum, r[j][k]);
        }
    }
}

enum { OP_E(SUMS) = 16 / (LANES / OP_E(PARTS)) /* vectors of partial sums */ };

VEC_INLINE void OP_E(no_sums)(OP_R(vec) *partial)
{
    VEC_UNROLL
    for (unsigned k = 0; k < OP_E(SUMS); k++)
        partial[k] = OP_R(set)(0);
}

VEC_INLINE NUMBER OP_E(sum_tree)(const OP_R(vec) *partial)
{
    OP_R(vec) sums[OP_E(SUMS)];
    memcpy(sums, partial, sizeof sums);
    VEC_UNROLL
    for (unsigned half = OP_E(SUMS) / 2; half != 0; half /= 2) {
        VEC_UNROLL
        for (unsigned k = 0; k < half; k++)
            sums[k] = OP_R(add)(sums[k], sums[k + half]);
    }
    return OP_R(sum_lanes)(sums[0]);
}

#ifndef WITHOUT_FUNCTIONS
/* e = exp(logits - m), for which there is room for whole steps; the sums grow by e. */
VEC_INLINE void OP_E(exp_row)(size_t n, const uint8_t *x, const uint8_t *add, NUMBER scale, NUMBER m,
                              uint8_t *e, OP_R(vec) *partial)
{
    for (size_t i = 0; i < n; i += OP_E(STEP)) {
        OP_E(step_buffer) of_x, of_add;
        OP_R(vec) z[OP_E(TOGETHER)][OP_E(PARTS)];
        OP_E(logits)(OP_E(step_at)(of_x.bytes, x, i, n), OP_E(step_at)(of_add.bytes, add, i, n), scale, z);
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
            VEC_UNROLL
            for (unsigned k = 0; k < OP_E(PARTS); k++)
                z[j][k] = OP_R(sub)(OP_R(set)(m), z[j][k]);
        }
        OP_R(exp_minus)(z[0]);
        OP_E(keep_first)(n - i, z);
        memcpy(e + i * sizeof(NUMBER), z, sizeof z);
        OP_E(sum_step)(partial, i, z);
    }
}

/* probabilities, if not NULL, = e * inverse; y = drop(e * inverse). */
VEC_INLINE void OP_E(drop_row)(const uint8_t *bits, size_t n, const uint8_t *e, NUMBER inverse, NUMBER factor,
                               uint8_t *probabilities, uint8_t *y)
{
    OP_R(vec) factors[OP_E(TOGETHER)][OP_E(PARTS)];
    OP_E(set_step)(factors, factor);
    for (size_t i = 0; i < n; i += OP_E(STEP)) {
        OP_E(step_buffer) of_probabilities, of_y;
        uint8_t *const p_out = OP_E(step_out)(of_probabilities.bytes, probabilities, i, n);
        uint8_t *const y_out = OP_E(step_out)(of_y.bytes, y, i, n);
        const uint64_t word = OP_E(step_bits)(bits, i, n);
        OP_R(vec) v[OP_E(TOGETHER)][OP_E(PARTS)];
        memcpy(v, e + i * sizeof(NUMBER), sizeof v);
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++)
            OP_E(scale_reals)(v[j], inverse);
        if (probabilities != NULL)
            OP_E(store_step)(p_out, v);
        OP_E(store_kept_times)(y_out, v, factors, word);
        OP_E(end_step)(of_probabilities.bytes, probabilities, i, n);
        OP_E(end_step)(of_y.bytes, y, i, n);
    }
}

/* What is taken off the logits of row r: the largest. */
VEC_INLINE NUMBER OP_E(largest_of_row)(const dropwise_softmax_rows *c, size_t r, NUMBER scale)
{
    const uint8_t *add = c->add == NULL ? NULL : c->add + (ptrdiff_t)r * c->add_step;
    const NUMBER least = -(NUMBER)__builtin_inff();
    const NUMBER m = OP_E(largest)(columns_of(c, r), c->x + (ptrdiff_t)r * c->x_step, add, scale, least);
    /* Nothing counts, or only what is no number: exp(-infinity - 0) is 0, and NaN stay NaN. */
    return m == least ? 0 : m;
}

static void OP_E(softmax)(const dropwise_softmax_rows *c)
{
    _Alignas(64) uint8_t e[DROPWISE_SOFTMAX_ROW * sizeof(NUMBER)];
    NUMBER scale, factor;
    memcpy(&scale, c->scale, sizeof scale);
    memcpy(&factor, c->factor, sizeof factor);
    NUMBER m = OP_E(largest_of_row)(c, 0, scale);
    for (size_t r = 0; r < c->rows; r++) {
        const size_t n = columns_of(c, r);
        OP_R(vec) partial[OP_E(SUMS)];
        OP_E(no_sums)(partial);
        OP_E(exp_row)(n, c->x + (ptrdiff_t)r * c->x_step,
                      c->add == NULL ? NULL : c->add + (ptrdiff_t)r * c->add_step, scale, m, e, partial);
        const NUMBER sum = OP_E(sum_tree)(partial), inverse = sum == 0 ? 0 : 1 / sum;
        if (r + 1 < c->rows) /* while the sum and the quotient are on their way */
            m = OP_E(largest_of_row)(c, r + 1, scale);
        uint8_t *y = c->y + (ptrdiff_t)r * c->y_step;
        uint8_t *p = c->probabilities == NULL ? NULL : c->probabilities + (ptrdiff_t)r * c->y_step;
        OP_E(drop_row)(c->bits + r * c->bits_step, n, e, inverse, factor, p, y);
        clear_from(y, n * ELEMENT_BYTES, c->n * ELEMENT_BYTES);
        if (p != NULL)
            clear_from(p, n * ELEMENT_BYTES, c->n * ELEMENT_BYTES);
    }
}

#endif

/* ---- Backward ---- */

/* The sum of d * p, with d = drop(dy), for which there is room for whole steps. */
VEC_INLINE NUMBER OP_E(dot_row)(const uint8_t *bits, size_t n, const uint8_t *dy, const uint8_t *p,
                                NUMBER factor, uint8_t *d)
{
    OP_R(vec) partial[OP_E(SUMS)];
    OP_E(no_sums)(partial);
    for (size_t i = 0; i < n; i += OP_E(STEP)) {
        OP_E(step_buffer) of_dy, of_p;
        const uint64_t word = OP_E(step_bits)(bits, i, n);
        OP_R(vec) v[OP_E(TOGETHER)][OP_E(PARTS)], weight[OP_E(TOGETHER)][OP_E(PARTS)];
        OP_E(load_step)(OP_E(step_at)(of_dy.bytes, dy, i, n), NULL, v);
        OP_E(load_step)(OP_E(step_at)(of_p.bytes, p, i, n), NULL, weight);
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++)
            OP_E(times_kept)(v[j], factor, word, j * LANES);
        memcpy(d + i * sizeof(NUMBER), v, sizeof v);
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
            VEC_UNROLL
            for (unsigned k = 0; k < OP_E(PARTS); k++)
                v[j][k] = OP_R(mul)(v[j][k], weight[j][k]);
        }
        OP_E(keep_first)(n - i, v);
        OP_E(sum_step)(partial, i, v);
    }
    return OP_E(sum_tree)(partial);
}

/* dx = p * (d - dot) * scale */
VEC_INLINE void OP_E(grad_row)(size_t n, const uint8_t *d, const uint8_t *p, NUMBER dot, NUMBER scale,
                               uint8_t *dx)
{
    for (size_t i = 0; i < n; i += OP_E(STEP)) {
        OP_E(step_buffer) of_p, of_dx;
        uint8_t *const out = OP_E(step_out)(of_dx.bytes, dx, i, n);
        OP_R(vec) v[OP_E(TOGETHER)][OP_E(PARTS)], weight[OP_E(TOGETHER)][OP_E(PARTS)];
        memcpy(v, d + i * sizeof(NUMBER), sizeof v);
        OP_E(load_step)(OP_E(step_at)(of_p.bytes, p, i, n), NULL, weight);
        VEC_UNROLL
        for (unsigned j = 0; j < OP_E(TOGETHER); j++) {
            VEC_UNROLL
            for (unsigned k = 0; k < OP_E(PARTS); k++)
                v[j][k] = OP_R(mul)(weight[j][k], OP_R(sub)(v[j][k], OP_R(set)(dot)));
            OP_E(scale_reals)(v[j], scale);
        }
        OP_E(store_step)(out, v);
        OP_E(end_step)(of_dx.bytes, dx, i, n);
    }
}

static void OP_E(softmax_grad)(const dropwise_softmax_rows *c)
{
    _Alignas(64) uint8_t d[DROPWISE_SOFTMAX_ROW * sizeof(NUMBER)];
    NUMBER scale, factor;
    memcpy(&scale, c->scale, sizeof scale);
    memcpy(&factor, c->factor, sizeof factor);
    for (size_t r = 0; r < c->rows; r++) {
        const size_t n = columns_of(c, r);
        uint8_t *dx = c->y + (ptrdiff_t)r * c->y_step;
        const uint8_t *p = c->probabilities + (ptrdiff_t)r * c->y_step;
        const NUMBER dot =
            OP_E(dot_row)(c->bits + r * c->bits_step, n, c->x + (ptrdiff_t)r * c->x_step, p, factor, d);
        OP_E(grad_row)(n, d, p, dot, scale, dx);
        clear_from(dx, n * ELEMENT_BYTES, c->n * ELEMENT_BYTES);
    }
}
