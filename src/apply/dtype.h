/* What the library knows of each dtype: its size, and the kernels of a tier for it. */
#ifndef DROPWISE_DTYPE_H
#define DROPWISE_DTYPE_H

#include <stdbool.h>

#include "dropwise.h"
#include "dropwise_fused.h"
#include "kernels/kernels.h"

typedef struct dropwise_dtype_kernels {
    dropwise_apply_fn *scale_kept, *scale_kept_nt; /* NULL: there is none, go by f32      */
    dropwise_apply_fn *add_kept;                   /* likewise                           */
    dropwise_scale_fn *scale, *scale_nt;           /* likewise                           */
    dropwise_apply_fn *copy_kept, *copy_kept_nt;
    dropwise_blend_fn *blend;
    dropwise_nonzero_fn *nonzero;
    dropwise_widen_fn *widen; /* NULL for f32 and f64 */
    dropwise_narrow_fn *narrow;
} dropwise_dtype_kernels;

/* Bytes of an element; 0 for an unknown dtype. */
static inline size_t dropwise_dtype_bytes(dropwise_dtype dtype)
{
    switch (dtype) {
#define DROPWISE_DTYPE(number, name, bits) \
    case DROPWISE_##number: \
        return (bits) / 8;
#include "kernels/dtypes.inc"
    default:
        return 0;
    }
}

/* The kernels for a known dtype. */
dropwise_dtype_kernels dropwise_dtype_of(const dropwise_kernels *kernels, dropwise_dtype dtype);

/*
 * The kernels of steps that take elements of a dtype as they are, or, for those that are widened first, the
 * kernels for f32.
 */
typedef struct dropwise_step_kernels {
    dropwise_residual_fn *residual, *residual_nt;
    dropwise_activate_fn *activate[DROPWISE_SILU + 1];           /* 0: there is none */
    dropwise_activate_grad_fn *activate_grad[DROPWISE_SILU + 1]; /* 0: identity      */
    dropwise_softmax_fn *softmax, *softmax_grad;
    dropwise_affine_fn *affine_kept, *affine_kept_nt;
    dropwise_combine_fn *mix, *mix_nt;
} dropwise_step_kernels;

dropwise_step_kernels dropwise_steps_of(const dropwise_kernels *kernels, dropwise_dtype dtype);

/* The kernels that scale such elements, by themselves, while they are drawn by a generator, and while others
 * are. All are NULL where elements go by f32, the last two where the tier is better off without. */
typedef struct fused_kernels {
    dropwise_apply_fn *scale_kept;
    dropwise_forward_fn *forward;
    dropwise_draw_scale_fn *draw_scale;
} fused_kernels;

static inline fused_kernels dropwise_fused_of(const dropwise_kernels *kernels,
                                              const dropwise_generator *generator, dropwise_dtype dtype)
{
    switch (dtype) {
#define DROPWISE_DTYPE(number, name, bits) \
    case DROPWISE_##number: \
        return (fused_kernels){kernels->scale_kept_##name, generator->forward_##name, \
                               generator->draw_scale_##name};
#define DROPWISE_SMALL_FLOAT(number, name, bits, widens, narrows, ...)
#include "kernels/dtypes.inc"
    default:
        return (fused_kernels){.scale_kept = NULL};
    }
}

/* A number in the type that a dtype is computed in: f64 for f64, f32 for all others. */
typedef union real {
    double f64;
    float f32;
} real;

static inline real real_of(bool is_f64, double value)
{
    return is_f64 ? (real){.f64 = value} : (real){.f32 = (float)value};
}

static inline size_t dropwise_real_bytes(dropwise_dtype dtype)
{
    return dtype == DROPWISE_F64 ? sizeof(double) : sizeof(float);
}

#endif
