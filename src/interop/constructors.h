/*
 * The constructors by their layout's number, for the program dropwise and for tests, which learn at run time
 * which one to call. Of the public header alone; no part of the library.
 */
#ifndef DROPWISE_CONSTRUCTORS_H
#define DROPWISE_CONSTRUCTORS_H

#include <stdbool.h>

#include "dropwise_interop.h"

/* What constructors are given; each takes of it what it knows. */
typedef struct layout_call {
    uint64_t seed, stream, offset, size, rows, columns, before, run;
    uint32_t threads, vector;
    dropwise_dtype draws, dtype;
    double p, keep; /* of being dropped, and of being kept */
    uint64_t numpy_key[2], numpy_counter[4];
} layout_call;

/* As JAX has a key, and TensorFlow its two seeds. */
#define HALVES(seed) ((const uint32_t[2]){(uint32_t)((seed) >> 32), (uint32_t)(seed)})
#define FOUR_WORDS(first, second) \
    ((const uint32_t[4]){(uint32_t)((first) >> 32), (uint32_t)(first), (uint32_t)((second) >> 32), \
                         (uint32_t)(second)})
#define TWO_DWORDS(first, second) ((const uint64_t[2]){(first), (second)})
#define SIGNED(first, second) ((const int64_t[2]){(int64_t)(first), (int64_t)(second)})

/* Two words for each element before, and words; more than any generator gives instead of a sum that wraps. */
static inline uint64_t words_before(const layout_call *a)
{
    uint64_t words;
    const bool wraps =
        __builtin_mul_overflow(a->before, 2, &words) || __builtin_add_overflow(words, a->offset, &words);
    return wraps ? UINT64_MAX : words;
}

static inline dropwise_status call_constructor(uint32_t layout, const layout_call *a,
                                               dropwise_interop *interop)
{
    switch (layout) {
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) \
    case DROPWISE_LAYOUT_##LAYOUT: \
        return dropwise_interop_##constructor arguments;
#include "interop/layouts.inc"
    default:
        return DROPWISE_ERROR_LAYOUT;
    }
}

#undef HALVES
#undef FOUR_WORDS
#undef TWO_DWORDS
#undef SIGNED

#endif
