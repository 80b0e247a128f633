/* A block of threefry2x32, of which JAX, MLX and tinygrad make keys. */
#ifndef DROPWISE_JAX_KEYS_H
#define DROPWISE_JAX_KEYS_H

#include "base/bytes.h"
#include "kernels/kernels.h"

static inline void threefry_block(const dropwise_kernels *kernels, const uint32_t key[2], uint32_t word0,
                                  uint32_t word1, uint32_t out[2])
{
    uint8_t bytes[8];
    const dropwise_counters counters = {.key = {key[0], key[1]}, .first = {word0, word1}, .group = 1};
    kernels->words_threefry2x32_20_planes(&counters, 1, bytes);
    out[0] = load_le32(bytes);
    out[1] = load_le32(bytes + 4);
}

#endif
