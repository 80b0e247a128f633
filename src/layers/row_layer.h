/*
 * What layers share that go row by row with one kernel: its parameters, the bits of a piece, and the kernels
 * that combine two operands.
 */
#ifndef DROPWISE_ROW_LAYER_H
#define DROPWISE_ROW_LAYER_H

#include "view/rows.h"

/* Parameters of kernels in the type that is computed in. */
static inline dropwise_params params_of(const row_call *c, double first, double second, double third)
{
    if (c->is_f64)
        return (dropwise_params){.f64 = {first, second, third}};
    return (dropwise_params){.f32 = {(float)first, (float)second, (float)third}};
}

/* Whether reals of a piece are written to y itself, past the caches. */
static inline bool stores_nontemporally(const row_call *c, row_piece p)
{
    return p.nontemporal && c->dtype.narrow == NULL;
}

/* The bits of a piece. */
static inline const uint8_t *bits_of(row_call *c, const row *r, row_piece p, uint8_t *buffer)
{
    return dropwise_piece_bits(c, r, p.column, p.n, !p.leads, buffer);
}

/* A kernel that combines two operands, and the one that writes past the caches. */
typedef struct combine_kernels {
    dropwise_combine_fn *ordinary, *nontemporal;
} combine_kernels;

static inline combine_kernels mix_of(const row_call *c)
{
    const dropwise_kernels *k = c->kernels;
    return c->is_f64 ? (combine_kernels){k->mix_f64, k->mix_nt_f64}
                     : (combine_kernels){k->mix_f32, k->mix_nt_f32};
}

static inline combine_kernels modulate_of(const row_call *c)
{
    const dropwise_kernels *k = c->kernels;
    return c->is_f64 ? (combine_kernels){k->modulate_f64, k->modulate_nt_f64}
                     : (combine_kernels){k->modulate_f32, k->modulate_nt_f32};
}

#endif
