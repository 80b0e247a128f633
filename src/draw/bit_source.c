#include "draw/bit_source.h"

#include <string.h>

#include "base/bits.h"
#include "base/min.h"

/* Begins to draw the bits of elements at `to`, as many as are wanted and as a chunk has. */
static void begin_next(bit_source *source, uint64_t wanted)
{
    const size_t n = min_size(DRAW_CHUNK, wanted);
    uint8_t *bits = source->window + (source->to - source->from) / 8;
    draw_chunk *chunk = &source->chunk;
    if (chunk->n != 0 && chunk->first + chunk->n == source->to)
        dropwise_draw_next(chunk, n, bits);
    else
        dropwise_draw_begin(chunk, source->to, n, bits);
    source->next = source->to + n;
}

/* Draws what is left of them. */
static void end_next(bit_source *source)
{
    dropwise_draw_end(source->draw, &source->chunk);
    source->to = source->next;
}

/* Forgets what stands before an index, in whole bytes. */
static void forget_before(bit_source *source, uint64_t index)
{
    const size_t n_bytes = (size_t)(index - source->from) / 8;
    source->from += 8 * n_bytes;
    memmove(source->window, source->window + n_bytes, bytes_of_bits((size_t)(source->to - source->from)));
}

const uint8_t *dropwise_bits_get(bit_source *source, uint64_t index, int64_t step, size_t n,
                                 uint64_t run_length, uint8_t *buffer)
{
    if (step != 1 && n != 1) {
        dropwise_draw_scattered(source->draw, index, step, n, buffer);
        return buffer;
    }
    if (index < source->from || index > source->to || index + n > source->next) {
        if (source->next != source->to)
            source->chunk.n = 0; /* given up: the ties of its last word are not settled */
        source->from = source->to = index;
        begin_next(source, run_length > n ? run_length : n);
        end_next(source);
    } else if (index + n > source->to) {
        end_next(source);
        forget_before(source, index);
    } else if (source->next != source->to) {
        dropwise_draw_step(source->draw, &source->chunk, source->step);
    }
    if (source->next == source->to && run_length > source->to - index && (source->to - source->from) % 8 == 0)
        begin_next(source, run_length - (source->to - index));
    const size_t offset = (size_t)(index - source->from);
    if (offset % 8 == 0)
        return source->window + offset / 8;
    copy_bits(source->window, offset, n, buffer);
    return buffer;
}
