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
 * JAX's legacy order of 32-bit words: as many blocks as half of them, words far apart in both counter
 * words.
 */
static inline uint64_t legacy_words(const dropwise_interop *d)
{
    const uint64_t per_word = 32 / drawn_bits(d);
    return d->size / per_word + (d->size % per_word != 0);
}

/* The counters of a block; returns for how many blocks from it on the pattern holds. */
uint64_t dropwise_counters_at(const layout_plan *p, uint64_t block, dropwise_counters *c);

/* The numbers of n_blocks blocks. */
void dropwise_generate_numbers(const layout_plan *p, uint64_t block, size_t n_blocks, uint8_t *numbers);

#endif
