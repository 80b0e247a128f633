/* Checks of arguments that several public functions share. Each says what is wrong, or DROPWISE_OK. */
#ifndef DROPWISE_CHECK_H
#define DROPWISE_CHECK_H

#include <stdbool.h>

#include "dropwise.h"

/* n elements of a size in bytes, which no object in C can exceed. */
static inline dropwise_status dropwise_check_size(uint64_t n, size_t element_bytes)
{
    uint64_t bytes; /* a product takes less than a quotient */
    const bool wraps = __builtin_mul_overflow(n, element_bytes, &bytes);
    return wraps || bytes > PTRDIFF_MAX ? DROPWISE_ERROR_SIZE : DROPWISE_OK;
}

/* Mask indices first to first + n - 1. */
static inline dropwise_status dropwise_check_range(uint64_t first, uint64_t n)
{
    const bool inside = n <= DROPWISE_INDEX_LIMIT && first <= DROPWISE_INDEX_LIMIT - n;
    return inside || n == 0 ? DROPWISE_OK : DROPWISE_ERROR_RANGE;
}

/* n elements from x to y, which may be the same, and their bits unless NULL: nothing else may overlap. */
dropwise_status dropwise_check_buffers(size_t n, size_t element_bytes, const void *x, const void *y,
                                       const void *bits);

/* Bytes that a call reads or writes. */
typedef struct dropwise_extent {
    uintptr_t from, to; /* to is past the last one */
} dropwise_extent;

static inline dropwise_extent dropwise_extent_of(const void *p, size_t bytes)
{
    return (dropwise_extent){(uintptr_t)p, (uintptr_t)p + bytes};
}

static inline bool dropwise_overlap(dropwise_extent a, dropwise_extent b)
{
    return a.from < b.to && b.from < a.to;
}

/* Neither infinite nor NaN. */
static inline bool dropwise_is_finite(double x)
{
    return x - x == 0.0;
}

#endif
