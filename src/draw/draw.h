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
#include "kernels/kernels.h"
#include "draw/stream.h"

/*
 * Elements of a chunk. Ties are gathered over a chunk and settled together, which hides the latency of
 * the generator.
 */
enum { DRAW_CHUNK = 16384 };

/*
 * Elements of a step: 2 KiB of f32, 32 cache lines, about what a core can have under way to and from
 * memory while it draws the next step.
 */
enum { DRAW_STEP = 512 };

/* What is wrong with a mask that a caller made, or DROPWISE_OK. */
dropwise_status dropwise_check_mask(const dropwise_mask *mask);

/* p = 0 or 1: no number needs to be drawn. */
static inline bool dropwise_is_constant(uint64_t keep_threshold)
{
    return keep_threshold == 0 || keep_threshold == DROPWISE_KEEP_ONE;
}

/* The probability of being kept: a multiple of 2^-40. */
static inline double dropwise_keep_probability(const dropwise_mask *mask)
{
    return (double)mask->keep_threshold * 0x1p-40;
}

/* Whether backward calls add to their outputs; a mask that was not checked may be NULL. */
static inline bool dropwise_accumulates(const dropwise_mask *mask)
{
    return mask != NULL && (mask->flags & DROPWISE_ACCUMULATE) != 0;
}

/* A mask as the kernels want it. */
typedef struct draw_plan {
    const dropwise_kernels *kernels;
    const dropwise_generator *generator;
    dropwise_key key;
    uint64_t keep_threshold;
} draw_plan;

/*
 * Keep probability = T8 / 256 + T32 / 2^40: a byte below T8 is kept, one equal to T8 is a tie, which is
 * kept if its tie word is below T32.
 */
static inline uint8_t dropwise_byte_threshold(const draw_plan *plan)
{
    return (uint8_t)(plan->keep_threshold >> 32);
}

static inline uint32_t dropwise_tie_threshold(const draw_plan *plan)
{
    return (uint32_t)plan->keep_threshold;
}

/* What kernels compare with, and where they answer. Ties count as kept until they are settled; where there
 * are none, T8 is not 0, as something is kept. */
static inline dropwise_threshold dropwise_threshold_of(const draw_plan *plan, uint64_t *keep, uint64_t *equal)
{
    const bool has_ties = dropwise_tie_threshold(plan) != 0;
    const unsigned last = dropwise_byte_threshold(plan) - (has_ties ? 0U : 1U);
    return (dropwise_threshold){(uint8_t)last, keep, has_ties ? equal : NULL};
}

/*
 * A chunk that is being drawn, in words of 64 elements as the generator makes them: bit j of word w is
 * element start + 64 w + j.
 */
typedef struct draw_chunk {
    uint64_t first, start; /* its first element, and that rounded down to a multiple of 64 */
    size_t n;              /* elements, at most DRAW_CHUNK                                 */
    size_t n_words, done;  /* words in all, and drawn                                      */
    uint8_t *bits;         /* the result, ceil(n / 8) bytes                                */
    bool is_prepared;      /* the schedule is, for this high half of the counter           */
    uint32_t high;
    dropwise_schedule schedule;
    uint64_t keep[DRAW_CHUNK / 64 + 1];
    uint64_t equal[DRAW_CHUNK / 64 + 1]; /* elements that are undecided, or were: ties */
} draw_chunk;

/* The tier's kernels of a generator, whose number was checked. */
const dropwise_generator *dropwise_generator_of(const dropwise_kernels *kernels, uint32_t generator);

static inline draw_plan dropwise_draw_plan(const dropwise_kernels *kernels, const dropwise_mask *mask)
{
    return (draw_plan){
        .kernels = kernels,
        .generator = dropwise_generator_of(kernels, mask->generator),
        .key = {{(uint32_t)mask->seed, (uint32_t)(mask->seed >> 32), 0, 0},
                {(uint32_t)mask->stream, (uint32_t)(mask->stream >> 32)}},
        .keep_threshold = mask->keep_threshold,
    };
}

/* Starts a chunk of n elements. */
void dropwise_draw_begin(draw_chunk *chunk, uint64_t first, size_t n, uint8_t *bits);

/* Goes on with the n elements after a chunk that was finished. A word that both have a part of is kept. */
void dropwise_draw_next(draw_chunk *chunk, size_t n, uint8_t *bits);

/* Draws up to n more elements, a multiple of 64, all but for their ties. */
void dropwise_draw_step(const draw_plan *plan, draw_chunk *chunk, size_t n);

/*
 * Draws n more elements, or fewer, and scales as many elements of another chunk: both overlap in a kernel of
 * the plan's generator. The result is how many, a multiple of 64; it may be 0.
 */
size_t dropwise_draw_scaling(const draw_plan *plan, draw_chunk *chunk, size_t n,
                             dropwise_draw_scale_fn *kernel, const uint8_t *bits,
                             const dropwise_elements *elements);

/* Draws what is left and settles the ties: the bits are final, unused ones 0. */
void dropwise_draw_end(const draw_plan *plan, draw_chunk *chunk);

/* 64 bits from bit `skip` of word w on; what lies behind the words is 0. */
static inline uint64_t draw_bits_at(const uint64_t *keep, size_t n_words, size_t w, unsigned skip)
{
    const uint64_t next = skip != 0 && w + 1 < n_words ? keep[w + 1] << (64 - skip) : 0;
    return keep[w] >> skip | next;
}

/* Words of bits, without the first `skip` ones, to n bits; unused bits of the last byte are 0. */
void dropwise_write_bits(const uint64_t *keep, size_t n_words, unsigned skip, size_t n, uint8_t *bits);

/*
 * Writes the bits of n elements at first, first + step, ...; unused bits of the last byte are 0. As a block
 * of the generator serves one element only, this costs many times what contiguous elements do.
 */
void dropwise_draw_scattered(const draw_plan *plan, uint64_t first, int64_t step, size_t n, uint8_t *bits);

#endif
