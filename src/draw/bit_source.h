/* Keep bits on demand, for callers that ask for them piece by piece: draw.h makes them chunk by chunk. */
#ifndef DROPWISE_BIT_SOURCE_H
#define DROPWISE_BIT_SOURCE_H

#include "draw/draw.h"

/*
 * The keep bits of a mask, drawn on demand. Bits that were drawn are kept, so that rows which follow each
 * other in the mask are cut out of one chunk. While they are asked for piece by piece, the chunk after them
 * is drawn step by step: drawing is work for the arithmetic units, what the caller does with the bits work
 * for the memory. A caller whose elements are near sets a longer step, which costs less.
 */
typedef struct bit_source {
    const draw_plan *draw;
    uint64_t from, to; /* indices whose bits stand in the window */
    uint64_t next;     /* those of to .. next - 1 are being drawn, behind them; none if next == to */
    size_t step;       /* elements of these that are drawn whenever bits are asked for */
    draw_chunk chunk;
    uint8_t window[3 * DRAW_CHUNK / 8 + 8];
} bit_source;

static inline void bit_source_init(bit_source *source, const draw_plan *draw)
{
    source->draw = draw;
    source->from = source->to = source->next = 0;
    source->step = DRAW_STEP;
    dropwise_draw_begin(&source->chunk, 0, 0, source->window);
}

/*
 * The bits of n <= DRAW_CHUNK elements at index, index + step, ...; unused bits of the last byte are
 * undefined. `run_length` elements from index on will be asked for in order (at least n with step 1), so that
 * they may be drawn together. The result lies in the source, up to the next call, or in buffer, which has
 * DRAW_CHUNK bits.
 */
const uint8_t *dropwise_bits_get(bit_source *source, uint64_t index, int64_t step, size_t n,
                                 uint64_t run_length, uint8_t *buffer);

#endif
