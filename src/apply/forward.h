/*
 * Ranges that one kernel draws and scales, without bits in between: for elements that are scaled, where y is
 * not written past the caches. Ties count as kept at first; what they drop is cleared in y, which is in a
 * cache still.
 */
#ifndef DROPWISE_FORWARD_H
#define DROPWISE_FORWARD_H

#include "apply/dtype.h"
#include "draw/draw.h"
#include "draw/ties.h"

/*
 * A range of a few words, if it is one and there are kernels for its elements: bits first, as there is
 * nothing to overlap, and by the shortest way. False: nothing was done.
 */
bool dropwise_forward_few(const dropwise_kernels *kernels, const dropwise_mask *mask, dropwise_dtype dtype,
                          uint64_t first, size_t n, const uint8_t *x, uint8_t *y, uint8_t *bits);

/* Any number of ranges of one mask: they share a schedule, and their ties are settled together. */
typedef struct forward_run {
    const draw_plan *draw;
    fused_kernels kernels;
    const real *factor;
    size_t element_bytes;
    uint8_t *base;    /* where y is for element 0 of all places          */
    bool is_prepared; /* the schedule is, for this high half of counters */
    uint32_t high;
    dropwise_schedule schedule;
    tie_list ties;
} forward_run;

static inline void forward_begin(forward_run *run, const draw_plan *draw, fused_kernels kernels,
                                 const real *factor, size_t element_bytes, uint8_t *base)
{
    run->draw = draw;
    run->kernels = kernels;
    run->factor = factor;
    run->element_bytes = element_bytes;
    run->base = base;
    run->is_prepared = false;
    run->ties.count = 0;
}

/* n elements from `first` on; y is `place` elements behind the base. Their bits are written unless NULL. */
void dropwise_forward_range(forward_run *run, uint64_t first, size_t n, const uint8_t *x, int64_t place,
                            uint8_t *bits);

/* After the last range. */
void dropwise_forward_end(forward_run *run);

/* A call on one range. False: there are no kernels for its elements, and nothing was done. */
bool dropwise_forward_call(const dropwise_kernels *kernels, const dropwise_mask *mask, dropwise_dtype dtype,
                           uint64_t first, size_t n, const uint8_t *x, uint8_t *y, uint8_t *bits);

#endif
