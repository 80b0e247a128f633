#include "base/check.h"

#include "base/bytes.h"

dropwise_status dropwise_check_size(uint64_t n, size_t element_bytes)
{
    uint64_t bytes; /* a product takes less than a quotient */
    const bool wraps = __builtin_mul_overflow(n, element_bytes, &bytes);
    return wraps || bytes > PTRDIFF_MAX ? DROPWISE_ERROR_SIZE : DROPWISE_OK;
}

dropwise_status dropwise_check_range(uint64_t first, uint64_t n)
{
    const bool inside = n <= DROPWISE_INDEX_LIMIT && first <= DROPWISE_INDEX_LIMIT - n;
    return inside || n == 0 ? DROPWISE_OK : DROPWISE_ERROR_RANGE;
}

dropwise_status dropwise_check_buffers(size_t n, size_t element_bytes, const void *x, const void *y,
                                       const void *bits)
{
    if (x == NULL || y == NULL)
        return DROPWISE_ERROR_NULL;
    const dropwise_extent of_x = dropwise_extent_of(x, n * element_bytes);
    const dropwise_extent of_y = dropwise_extent_of(y, n * element_bytes);
    const dropwise_extent of_bits = dropwise_extent_of(bits, bits != NULL ? bytes_of_bits(n) : 0);
    if ((x != y && dropwise_overlap(of_x, of_y)) || dropwise_overlap(of_x, of_bits) ||
        dropwise_overlap(of_y, of_bits))
        return DROPWISE_ERROR_OVERLAP;
    return DROPWISE_OK;
}
