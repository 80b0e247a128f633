/*
 * Random reals on demand: words of one domain of the stream, and what a kernel makes of them. Counter to
 * words to reals, where bit_source.h goes from the counter to bits.
 */
#ifndef DROPWISE_REAL_SOURCE_H
#define DROPWISE_REAL_SOURCE_H

#include "draw/draw.h"

/* Reals that can be asked for at a time. */
enum { REALS_PIECE = 512 };

/* Blocks are generated in multiples of 8, so that a generator needs no partial vector. */
enum { REALS_ROUND = 8 * STREAM_BLOCK_WORDS };

/* Reals that were made are kept: rows which follow each other in the mask are cut out of one window. */
typedef struct real_source {
    const draw_plan *draw;
    stream_domain domain;
    dropwise_noise_fn *noise;
    const dropwise_params *params;
    size_t real_bytes;
    uint64_t from, to; /* indices of the reals in the window, whole blocks */
    _Alignas(64) uint8_t words[(REALS_PIECE + REALS_ROUND) * sizeof(uint32_t)];
    _Alignas(64) uint8_t window[(REALS_PIECE + 2 * REALS_ROUND) * sizeof(double)];
} real_source;

void dropwise_reals_init(real_source *source, const draw_plan *draw, stream_domain domain,
                         dropwise_noise_fn *noise, const dropwise_params *params, size_t real_bytes);

/*
 * The reals of n <= REALS_PIECE elements at index, index + step, ...: where they lie in the source, up to
 * the next call, or in the buffer. With another step than 1 and 0, each costs a block of the generator.
 */
const void *dropwise_reals_get(real_source *source, uint64_t index, int64_t step, size_t n, void *buffer);

#endif
