/*
 * Numbers of the stream: words of one domain, and what a kernel makes of them, drawn on demand. Counter to
 * words to numbers, as draw.h goes from the counter to bits.
 */
#ifndef DROPWISE_NOISE_H
#define DROPWISE_NOISE_H

#include "draw/draw.h"

/* Numbers that can be asked for at a time. */
enum { NOISE_PIECE = 512 };

/* Blocks are generated in multiples of 8, so that a generator needs no partial vector. */
enum { NOISE_ROUND = 8 * STREAM_BLOCK_WORDS };

/* Numbers that were made are kept: rows which follow each other in the mask are cut out of one window. */
typedef struct noise_source {
    const draw_plan *draw;
    stream_domain domain;
    dropwise_noise_fn *noise;
    const dropwise_params *params;
    size_t number_bytes;
    uint64_t from, to; /* indices of the numbers in the window, whole blocks */
    _Alignas(64) uint8_t words[(NOISE_PIECE + NOISE_ROUND) * sizeof(uint32_t)];
    _Alignas(64) uint8_t window[(NOISE_PIECE + 2 * NOISE_ROUND) * sizeof(double)];
} noise_source;

void dropwise_noise_init(noise_source *source, const draw_plan *draw, stream_domain domain,
                         dropwise_noise_fn *noise, const dropwise_params *params, size_t number_bytes);

/*
 * The numbers of n <= NOISE_PIECE elements at index, index + step, ...: where they lie in the source, up to
 * the next call, or in the buffer. With another step than 1 and 0, each costs a block of the generator.
 */
const void *dropwise_noise_get(noise_source *source, uint64_t index, int64_t step, size_t n, void *buffer);

#endif
