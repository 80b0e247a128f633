/*
 * Strips: short rows of a mask that are apart, drawn together. A row on its own would cost a key schedule,
 * the latency of the generator, a batch of which it needs a part, and ties that are settled alone.
 */
#ifndef DROPWISE_STRIP_H
#define DROPWISE_STRIP_H

#include "draw/draw.h"
#include "draw/stream.h"
#include "draw/ties.h"

/* Blocks of 16 elements that are drawn together, elements of a row, at most, and bytes of bits that are asked
 * for at a time. */
enum { STRIP_BLOCKS = 256, STRIP_ROW = 1024, STRIP_BYTES = 1024 };

/* Bytes from the bits of one row to those of the next. */
static inline size_t dropwise_strip_step(size_t n)
{
    return (n + 63) / 64 * 8;
}

/* How many rows of n <= STRIP_ROW elements have up to STRIP_BYTES of bits. */
static inline size_t dropwise_strip_rows(size_t n)
{
    return STRIP_BYTES / dropwise_strip_step(n);
}

/* What a strip is drawn in. Callers have one where they have what they draw other rows by: the stack need not
 * hold both. */
typedef struct strip {
    size_t n_blocks;
    uint64_t counters[STRIP_BLOCKS];
    uint8_t bytes[STRIP_BLOCKS * STREAM_BLOCK_BYTES];
    uint64_t keep[STRIP_BLOCKS / 4 + 1]; /* a word more, which is read, and not asked for */
    uint64_t equal[STRIP_BLOCKS / 4];
    tie_list ties;
} strip;

/*
 * The bits of `rows` rows of n elements: row r begins at index first + r * stride, its bits r *
 * dropwise_strip_step(n) bytes behind `bits`; unused ones, up to there, are anything.
 */
void dropwise_draw_strip(const draw_plan *plan, strip *s, uint64_t first, int64_t stride, size_t rows,
                         size_t n, uint8_t *bits);

#endif
