/*
 * What layers share that draw reals instead of bits: counter to words to reals for each piece, and a kernel
 * that combines them with the elements.
 */
#ifndef DROPWISE_NOISE_LAYER_H
#define DROPWISE_NOISE_LAYER_H

#include "draw/real_source.h"
#include "layers/row_layer.h"

/* A call that draws reals for x, which may be NULL, and writes y. */
typedef struct noise_call {
    row_call rows;
    dropwise_view view;
    operand x, y;
    real_source source;
} noise_call;

/* The reals of a piece; the buffer has room for PIECE of them. */
static inline const void *noise_of(noise_call *c, const row *r, row_piece p, void *buffer)
{
    const int64_t step = c->rows.view->mask_stride[c->rows.view->rank - 1];
    return dropwise_reals_get(&c->source, r->index + (uint64_t)((int64_t)p.column * step), step, p.n, buffer);
}

/* Checks a call and begins it; x is NULL, and not checked, in calls that write the noise alone. `use` is what
 * is done with y. */
dropwise_status dropwise_begin_noise(noise_call *c, const dropwise_kernels *kernels,
                                     const dropwise_mask *mask, dropwise_dtype dtype,
                                     const dropwise_view *view, bool has_x, const void *x, void *y,
                                     operand_use use, bool *empty);

static inline void draw_uniform_words(noise_call *c, dropwise_noise_fn *noise, const dropwise_params *p)
{
    dropwise_reals_init(&c->source, &c->rows.draw, STREAM_UNIFORM, noise, p, c->rows.real_bytes);
}

static inline void draw_normal_words(noise_call *c)
{
    const dropwise_kernels *k = c->rows.kernels;
    dropwise_reals_init(&c->source, &c->rows.draw, STREAM_NORMAL,
                        c->rows.is_f64 ? k->noise_normal_f64 : k->noise_normal_f32, NULL, c->rows.real_bytes);
}

/* y of x and the noise, by a kernel. */
void dropwise_run_noise(noise_call *c, combine_kernels kernels, const dropwise_params *p);

#endif
