#include "base/check.h"

#include "base/bytes.h"

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
