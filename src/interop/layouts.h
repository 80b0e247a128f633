/*
 * What each layout has: its name, and what its fields may be. Constructors keep to the same limits as the
 * check of a struct that a caller filled.
 */
#ifndef DROPWISE_LAYOUTS_H
#define DROPWISE_LAYOUTS_H

#include <stdbool.h>

#include "dropwise_interop.h"

enum {
    MAX_THREADS = 1 << 30,      /* of a kernel whose threads each have a subsequence */
    CURAND_SUBSEQUENCES = 65536 /* of its host generator                             */
};

static inline bool is_float_dtype(dropwise_dtype dtype)
{
    return dtype == DROPWISE_F32 || dtype == DROPWISE_F64 || dtype == DROPWISE_F16 || dtype == DROPWISE_BF16;
}

/* Numbers of elements that a C int holds. */
static inline bool is_int(uint64_t numel)
{
    return numel <= INT32_MAX;
}

/* Elements that a thread treats at a time. */
static inline bool is_torch_vector(uint32_t vector)
{
    return vector == 1 || vector == 2 || vector == 4 || vector == 8 || vector == 16;
}

/* Bits of a number of JAX's. */
static inline uint32_t jax_bits(dropwise_dtype draws)
{
    return draws == DROPWISE_F64 ? 64 : draws == DROPWISE_F16 ? 16 : draws == DROPWISE_BF16 ? 8 : 32;
}

/*
 * JAX's legacy order of 32-bit words: as many blocks as half of them, words far apart in both counter
 * words.
 */
static inline uint64_t legacy_words(const dropwise_interop *d)
{
    const uint64_t per_word = 32 / jax_bits(d->draws);
    return d->size / per_word + (d->size % per_word != 0);
}

/* The most elements that JAX's legacy layout, and FlashAttention's, can number. */
uint64_t dropwise_jax_legacy_limit(int32_t draws);
uint64_t dropwise_attention_limit(uint64_t rows, uint64_t columns);

/* Checks all fields. */
dropwise_status dropwise_check_interop(const dropwise_interop *interop);

#endif
