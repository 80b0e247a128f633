/* The plan of a layout: what makes its numbers, what compares them, and how a block serves elements. */
#ifndef DROPWISE_PLAN_H
#define DROPWISE_PLAN_H

#include <stdbool.h>

#include "dropwise_interop.h"
#include "interop/draw.h"
#include "kernels/kernels.h"

/* How the bits of the numbers of whole blocks become those of elements. */
typedef enum arrangement {
    IN_ORDER,        /* number j of a block decides on element j                                    */
    FIRST_TWO,       /* the last two of four numbers are not used                                   */
    SHIFTED,         /* numbers begin inside of a block and end in the next one's                   */
    BYTES_OF_16,     /* the order of TransformerEngine                                              */
    HALVES_OF_ALL,   /* word w of a block decides on elements in half w of all: JAX's legacy order  */
    ROWS_OF_THREADS, /* word w on one in row w of four, of as many elements as there are threads    */
    IN_TILES,        /* FlashAttention's                                                            */
    IN_SEQUENCE      /* numbers of a generator that goes from state to state: there are no blocks   */
} arrangement;

typedef struct layout_plan layout_plan;

/*
 * The counters of a block of a layout; returns for how many blocks from it on they grow by the same steps.
 * Key and group are filled before, and all else is 0.
 */
typedef uint64_t counters_fn(const layout_plan *p, uint64_t block, dropwise_counters *c);

/* The numbers of n blocks from one on. */
typedef void numbers_fn(const layout_plan *p, uint64_t block, size_t n, uint8_t *numbers);

/* All elements of a range, of a generator that goes from state to state. */
typedef void sequence_fn(const layout_plan *p, uint64_t first, size_t n, piece_fn *use, void *arg);

/* A layout as the walk over its blocks wants it. */
struct layout_plan {
    const dropwise_interop *interop;
    const dropwise_kernels *kernels;
    dropwise_words_fn *words;
    dropwise_compare_fn *compare;
    dropwise_compare how;
    counters_fn *counters;
    uint32_t block_bytes;
    uint32_t numbers;  /* of a block */
    uint32_t elements; /* that a block decides on */
    arrangement arranged;
    uint32_t subsequences; /* from one thread to the next */
    uint64_t later;        /* blocks further on in a thread's: 1 for the second half of shifted numbers */
    dropwise_dwords_fn *dwords; /* instead of words, where they have 64 bits */
    numbers_fn *generate;       /* instead of both, without counters         */
    sequence_fn *draw;          /* IN_SEQUENCE                               */
    uint32_t multiplier;        /* of a congruential generator               */
    /*
     * Unless it is 0: numbers that differ in the lower step_bits bits alone decide alike, and those that
     * decide as `last` does, leave it to numbers `size` further on and their last one, counter[2].
     */
    uint32_t step_bits;
};

/*
 * What a plan has of its own, set beside the constructor. Before, its numbers are the words of
 * Philox4x32-10, or pairs of them where the draw is f64, in order, and blocks are counted from the struct's
 * counter on.
 */
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) \
    void dropwise_plan_##plan(layout_plan *p);
#include "interop/layouts.inc"

layout_plan dropwise_layout_plan_of(const dropwise_kernels *k, const dropwise_interop *d);

#endif
