/* The counters of a layout's blocks: runs in which they grow by constant steps, as kernels want them. */
#ifndef DROPWISE_COUNTERS_H
#define DROPWISE_COUNTERS_H

#include "interop/plan.h"

static inline void set_u64(dropwise_counters *c, unsigned w, uint64_t value)
{
    c->first[w] = (uint32_t)value;
    c->first[w + 1] = (uint32_t)(value >> 32);
}

/*
 * Makes words w and w + 1 a 64-bit number that grows by `step` from block to block. Returns for how many
 * blocks its upper half stays as it is.
 */
static inline uint64_t count_u64(dropwise_counters *c, unsigned w, uint64_t from, uint32_t step)
{
    c->first[w] = (uint32_t)from;
    c->first[w + 1] = (uint32_t)(from >> 32);
    c->step[w] = step;
    return (uint64_t)(UINT32_MAX - (uint32_t)from) / step + 1;
}

/* The counters of a block; returns for how many blocks from it on the pattern holds. */
uint64_t dropwise_counters_at(const layout_plan *p, uint64_t block, dropwise_counters *c);

/* The numbers of n_blocks blocks. */
void dropwise_generate_numbers(const layout_plan *p, uint64_t block, size_t n_blocks, uint8_t *numbers);

#endif
