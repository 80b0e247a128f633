/* Applying keep bits: the second half of the road, bits to elements, and the loop over both halves. */
#ifndef DROPWISE_APPLY_H
#define DROPWISE_APPLY_H

#include <stdbool.h>

#include "apply/dtype.h"
#include "base/min.h"
#include "draw/draw.h"

/* What happens to the elements of one call. */
typedef struct apply_plan {
    dropwise_dtype_kernels dtype;
    const dropwise_kernels *kernels;
    size_t element_bytes;
    bool scales;      /* kept elements are multiplied, not copied */
    bool adds;        /* they are added to y, and y stays where others are dropped */
    bool nontemporal; /* y is written past the caches where it is aligned for that; a fence has to follow */
    real factor;
} apply_plan;

/* Whether what is kept is multiplied at all. */
static inline bool dropwise_scales_kept(const dropwise_mask *mask)
{
    return mask->scaling != DROPWISE_SCALING_STANDARD && mask->keep_threshold != DROPWISE_KEEP_ONE;
}

/* What is kept is multiplied by this; 1 if it is copied. */
static inline real dropwise_kept_factor(const dropwise_mask *mask, dropwise_dtype dtype)
{
    /* With p = 1 nothing is kept, whatever the factor. */
    const double factor = !dropwise_scales_kept(mask) ? 1.0
                          : mask->keep_threshold != 0 ? 0x1p40 / (double)mask->keep_threshold
                                                      : 0.0;
    return real_of(dtype == DROPWISE_F64, factor);
}

apply_plan dropwise_apply_plan(const dropwise_kernels *kernels, const dropwise_mask *mask,
                               dropwise_dtype dtype, bool nontemporal);

/* Whether a tensor of so many bytes and its result are taken to be in the caches of this core. */
bool dropwise_is_near(uint64_t bytes);

/* Whether a result of so many bytes, which is not computed in place, is better written past the caches. It is
 * not near then. */
bool dropwise_is_large(uint64_t bytes);

/*
 * Elements of a y of n before the first one from which it is aligned to be written past the caches; in whole
 * bytes of bits where there are bits. n if there is no such element.
 */
static inline size_t nontemporal_head(const void *y, size_t element_bytes, bool has_bits, size_t n)
{
    const size_t bytes = (0 - (uintptr_t)y) % DROPWISE_NT_ALIGN;
    const size_t step = has_bits ? 8 * element_bytes : element_bytes;
    return bytes % step == 0 ? min_size(n, bytes / element_bytes) : n;
}

/* y[j] = x[j], scaled if the plan says so, where bit j is 1, and +0.0 elsewhere; if the plan adds, y[j] grows
 * by that. */
void dropwise_apply_bits(const apply_plan *plan, const uint8_t *bits, size_t n, const uint8_t *x, uint8_t *y);

/* The same for n elements that share a bit; y need not be aligned to be written past the caches. */
void dropwise_apply_run(const apply_plan *plan, bool kept, size_t n, const uint8_t *x, uint8_t *y);

/* Elements that go through f32 at a time, in a buffer on the stack. */
enum { WIDE = 512 };

/* y[j] += g[j] * *factor where bit j is 1, and everywhere if bits is NULL: n <= WIDE reals to elements of a
 * dtype, which are rounded once. */
void dropwise_add_reals(const dropwise_kernels *kernels, const dropwise_dtype_kernels *dtype,
                        const uint8_t *bits, size_t n, const void *g, void *y, const real *factor);

/* The arguments of a call, after they were checked. One of drawn and stored at most is not NULL. */
typedef struct apply_call {
    const dropwise_mask *mask;
    dropwise_dtype dtype;
    uint64_t first;
    size_t n;
    const uint8_t *x;
    uint8_t *y;
    uint8_t *drawn;        /* where to write the bits */
    const uint8_t *stored; /* the bits to use         */
    bool far;              /* a part of a tensor that is not near */
    bool adds;             /* to y */
} apply_call;

/* The call for a contiguous range; `large` as dropwise_is_large says of the whole work. */
void dropwise_apply_call(const dropwise_kernels *kernels, const apply_call *call, bool large);

#endif
