/*
 * The random stream, version 1: which bytes of the generator belong to element i. Frozen;
 * docs/stream.md is its specification.
 *
 * A generator makes 16-byte blocks of four 32-bit little-endian words from a key and a 128-bit counter.
 * Counter words of block b in domain d: b low, b high | d << 28, stream low, stream high. Elements
 * lie below 2^60, so no block number reaches the domain bits.
 */
#ifndef DROPWISE_STREAM_H
#define DROPWISE_STREAM_H

#include <stdint.h>

enum { STREAM_BLOCK_BYTES = 16, STREAM_BLOCK_WORDS = 4 };

/* Domain 0, mask bytes: element i has byte i % 16 of block i / 16. */
static inline uint64_t stream_mask_block(uint64_t element)
{
    return element / 16;
}

static inline uint32_t stream_mask_byte(uint64_t element)
{
    return (uint32_t)(element % 16);
}

/* Domain 1, tie words: element i has word i % 4 of block i / 4. */
static inline uint64_t stream_tie_block(uint64_t element)
{
    return element / 4 | UINT64_C(1) << 60;
}

static inline uint32_t stream_tie_byte(uint64_t element)
{
    return (uint32_t)(element % 4) * 4;
}

/* Domains 2 and 3, uniform and normal words: element i has word i % 4 of block i / 4. */
typedef enum stream_domain { STREAM_UNIFORM = 2, STREAM_NORMAL = 3 } stream_domain;

static inline uint64_t stream_word_block(stream_domain domain, uint64_t element)
{
    return element / STREAM_BLOCK_WORDS | (uint64_t)domain << 60;
}

#endif
