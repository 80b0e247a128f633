/*
 * Drawing the keep bits of a mask: the first half of the road, counter to bytes to bits.
 *
 * A chunk is drawn in steps, so that a caller can do something else between them: applying the bits of
 * the chunk before is work for the memory, drawing is work for the arithmetic units, and the two
 * overlap when they alternate.
 */
#ifndef DROPWISE_DRAW_H
#define DROPWISE_DRAW_H

#include <stdbool.h>

#include "dropwise.h"
#include "kernels.h"
#include "stream.h"

/*
 * Elements of a chunk. Ties are gathered over a chunk and settled together, which hides the latency of
 * the generator; all buffers of two chunks stay in the smallest L1 cache in use (32 KiB).
 */
enum { DRAW_CHUNK = 4096 };

/*
 * Elements of a step: 2 KiB of f32, 32 cache lines, about what a core can have under way to and from
 * memory while it draws the next step.
 */
enum { DRAW_STEP = 512 };

/* p = 0 or 1: no number needs to be drawn. */
static inline bool dropwise_is_constant(const dropwise_mask *mask)
{
    return mask->keep_threshold == 0 || mask->keep_threshold == DROPWISE_KEEP_ONE;
}

/* A mask as the kernels want it. */
typedef struct draw_plan {
    const dropwise_kernels *kernels;
    dropwise_key key;
    uint64_t keep_threshold;
} draw_plan;

/*
 * Blocks are generated in multiples of this: a generator then needs no partial vector. What a step leaves
 * over is kept for the next one.
 */
enum { DRAW_BLOCKS = 8, DRAW_SPARE = DRAW_BLOCKS * STREAM_BLOCK_BYTES };

/* A chunk that is being drawn. */
typedef struct draw_chunk {
    uint64_t first;      /* element of bit 0                                    */
    size_t n;            /* elements, at most DRAW_CHUNK                        */
    size_t done;         /* elements whose bytes were compared                  */
    uint64_t next_block; /* to generate                                         */
    size_t from, to;     /* bytes[from] to bytes[to - 1] are of the next elements */
    uint8_t *bits;       /* ceil(n / 8) bytes                                   */
    _Alignas(64) uint8_t bytes[DRAW_SPARE + DRAW_STEP + DRAW_SPARE];
    uint8_t equal[DRAW_CHUNK / 8]; /* bits of the elements that are undecided */
} draw_chunk;

draw_plan dropwise_draw_plan(const dropwise_kernels *kernels, const dropwise_mask *mask);

/* Starts a chunk of n elements. */
void dropwise_draw_begin(draw_chunk *chunk, uint64_t first, size_t n, uint8_t *bits);

/* Draws up to DRAW_STEP more elements, all but for their ties. */
void dropwise_draw_step(const draw_plan *plan, draw_chunk *chunk);

/* Draws what is left and settles the ties: the bits are final, unused ones 0. */
void dropwise_draw_end(const draw_plan *plan, draw_chunk *chunk);

/*
 * Writes the bits of n elements at first, first + step, ...; unused bits of the last byte are 0. As a block
 * of the generator serves one element only, this costs many times what contiguous elements do.
 */
void dropwise_draw_scattered(const draw_plan *plan, uint64_t first, int64_t step, size_t n, uint8_t *bits);

#endif
