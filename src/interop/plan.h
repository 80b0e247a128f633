/* The plan of a layout: what makes its numbers, what compares them, and how a block serves elements. */
#ifndef DROPWISE_PLAN_H
#define DROPWISE_PLAN_H

#include <stdbool.h>

#include "dropwise_interop.h"
#include "kernels/kernels.h"

/* How the bits of the numbers of whole blocks become those of elements. */
typedef enum arrangement {
    IN_ORDER,   /* number j of a block decides on element j                       */
    FIRST_TWO,  /* the last two of four numbers are not used                      */
    SHIFTED,    /* numbers begin inside of a block and end in the next one's      */
    BYTES_OF_16 /* the order of TransformerEngine                                 */
} arrangement;

/* A layout as the walk over its blocks wants it. */
typedef struct layout_plan {
    const dropwise_interop *interop;
    const dropwise_kernels *kernels;
    dropwise_words_fn *words;
    dropwise_compare_fn *compare;
    dropwise_compare how;
    uint32_t block_bytes;
    uint32_t numbers;  /* of a block */
    uint32_t elements; /* that a block decides on */
    arrangement arranged;
    uint64_t
        later; /* blocks further on in a thread's subsequence: 1 for the second half of shifted numbers */
} layout_plan;

static inline bool is_jax(uint32_t layout)
{
    return layout == DROPWISE_LAYOUT_JAX || layout == DROPWISE_LAYOUT_JAX_LEGACY;
}

/* Bits of a number: those of its dtype, but JAX draws 8 for bf16. */
static inline uint32_t drawn_bits(const dropwise_interop *d)
{
    switch (d->draws) {
    case DROPWISE_F64:
        return 64;
    case DROPWISE_F16:
        return is_jax(d->layout) ? 16 : 32;
    case DROPWISE_BF16:
        return is_jax(d->layout) ? 8 : 32;
    default:
        return 32;
    }
}

layout_plan dropwise_layout_plan_of(const dropwise_kernels *k, const dropwise_interop *d);

#endif
