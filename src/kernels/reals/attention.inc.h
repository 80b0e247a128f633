/*
 * Kernels attention and attention_grad: what stands between the products of attention, on rows of a tile of
 * scores, in place. Powers are of 2, as two operations less make them than those of e: factor is the scale of
 * scores times log2(e). Steps and sums are those of softmax.inc.h.
 */

/* 2^(z * factor - off), 0 from -127 on; of a NaN a NaN. */
VEC_INLINE void powers_less_f32(vec_f32 *z, float factor, float off)
{
    vec_f32 rest[VECTORS_f32];
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++)
        rest[k] = max_f32(set_f32(-127), fma_f32(z[k], set_f32(factor), set_f32(-off)));
    VEC_UNROLL
    for (unsigned k = 0; k < VECTORS_f32; k++) {
        z[k] = add_f32(rest[k], set_f32(ROUND_TO_EIGHTHS));
        rest[k] = sub_f32(rest[k], sub_f32(z[k], set_f32(ROUND_TO_EIGHTHS)));
    }
    powers_of_2_f32(z, rest);
}

VEC_SHARED float power_of_2_f32(float exponent)
{
    vec_f32 z[VECTORS_f32];
    float lanes[LANES_b32];
    for (unsigned k = 0; k < VECTORS_f32; k++)
        z[k] = set_f32(exponent);
    powers_less_f32(z, 1, 0);
    memcpy(lanes, z, sizeof lanes);
    return lanes[0];
}

/* The bits of a step of a row; where there are none, everything is kept. */
VEC_INLINE uint64_t bits_of_step_f32(const dropwise_attention_rows *c, size_t r, size_t i)
{
    return c->bits == NULL ? UINT64_MAX : step_bits_f32(c->bits + r * c->bits_step, i, c->n);
}

/* A step of dropped powers as elements of bf16, 0 below what counts. NaN stay NaN: they come of elements of
 * bf16, or of operations, whose NaN end in zeros. */
VEC_INLINE void pack_step_bf16(const dropwise_attention_rows *c, size_t r, size_t i, const vec_f32 *z,
                               uint64_t bits)
{
    uint8_t buffer[2 * STEP_f32];
    uint8_t *const out = c->x + r * c->step + 2 * i;
    store_kept_bf16(c->n - i >= STEP_f32 ? out : buffer, z, TOGETHER_f32, c->least, bits);
    if (c->n - i < STEP_f32)
        memcpy(out, buffer, 2 * (c->n - i));
}

/* x becomes its dropped powers, there or packed; the result is the sum of all powers. */
VEC_INLINE float attention_row_f32(const dropwise_attention_rows *c, size_t r, float off, bool packs,
                                   uint8_t *x)
{
    vec_f32 partial[SUMS_f32];
    no_sums_f32(partial);
    for (size_t i = 0; i < c->n; i += STEP_f32) {
        step_buffer_f32 buffer;
        uint8_t *const out = step_out_f32(buffer.bytes, x, i, c->n);
        vec_f32 z[TOGETHER_f32][PARTS_f32];
        load_step_f32(step_at_f32(buffer.bytes, x, i, c->n), NULL, z);
        powers_less_f32(z[0], c->factor, off);
        keep_first_f32(c->n - i, z);
        sum_step_f32(partial, i, z);
        const uint64_t word = bits_of_step_f32(c, r, i);
        if (packs) {
            pack_step_bf16(c, r, i, z[0], word);
        } else {
            VEC_UNROLL
            for (unsigned k = 0; k < TOGETHER_f32; k++)
                z[k][0] = kept_f32(z[k][0], word, k * LANES_b32);
            store_step_f32(out, z);
            end_step_f32(buffer.bytes, x, i, c->n);
        }
    }
    const float sum = sum_tree_f32(partial);
    return sum == sum ? sum : __builtin_nanf("");
}

/* The factor is positive: the largest score is the largest logit. */
VEC_INLINE float top_of_row_f32(const dropwise_attention_rows *c, size_t r)
{
    const float top = largest_f32(c->n, c->x + r * c->step, NULL, 1, -__builtin_inff()) * c->factor;
    return !c->first && !(top > c->top[r]) ? c->top[r] : top;
}

VEC_INLINE void attention_rows_f32(const dropwise_attention_rows *c, bool packs)
{
    float next = c->rows != 0 ? top_of_row_f32(c, 0) : 0;
    for (size_t r = 0; r < c->rows; r++) {
        const float top = next, before = c->first ? -__builtin_inff() : c->top[r];
        const float off = top == -__builtin_inff() ? 0 : top; /* nothing counts: 2^(-infinity - 0) is 0 */
        if (r + 1 < c->rows) /* it is on its way while this row's powers are made */
            next = top_of_row_f32(c, r + 1);
        const float sum = attention_row_f32(c, r, off, packs, c->x + r * c->step);
        const float shrink = c->first || top == before ? 1 : power_of_2_f32(before - off);
        c->top[r] = top;
        c->sum[r] = c->first ? sum : c->sum[r] * shrink + sum;
        c->shrink[r] = shrink;
    }
}

static void attention_f32(const dropwise_attention_rows *c)
{
    if (c->packs)
        attention_rows_f32(c, true);
    else
        attention_rows_f32(c, false);
}

static void attention_grad_f32(const dropwise_attention_rows *c)
{
    for (size_t r = 0; r < c->rows; r++) {
        uint8_t *const x = c->x + r * c->step, *const d = c->d + r * c->step;
        for (size_t i = 0; i < c->n; i += STEP_f32) {
            step_buffer_f32 of_x, of_d;
            uint8_t *const x_out = step_out_f32(of_x.bytes, x, i, c->n);
            uint8_t *const d_out = step_out_f32(of_d.bytes, d, i, c->n);
            const uint64_t word = bits_of_step_f32(c, r, i);
            vec_f32 p[TOGETHER_f32][PARTS_f32], g[TOGETHER_f32][PARTS_f32];
            load_step_f32(step_at_f32(of_x.bytes, x, i, c->n), NULL, p);
            load_step_f32(step_at_f32(of_d.bytes, d, i, c->n), NULL, g);
            powers_less_f32(p[0], c->factor, c->lse[r]);
            VEC_UNROLL
            for (unsigned k = 0; k < TOGETHER_f32; k++) {
                g[k][0] = fma_f32(kept_f32(g[k][0], word, k * LANES_b32), set_f32(c->kept_factor),
                                  set_f32(-c->delta[r]));
                g[k][0] = mul_f32(p[k][0], g[k][0]);
                p[k][0] = mul_kept_f32(p[k][0], set_f32(c->kept), word, k * LANES_b32);
            }
            store_step_f32(x_out, p);
            store_step_f32(d_out, g);
            end_step_f32(of_x.bytes, x, i, c->n);
            end_step_f32(of_d.bytes, d, i, c->n);
        }
    }
}
