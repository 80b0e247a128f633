#include "base/check.h"

#include "base/bytes.h"

dropwise_status dropwise_check_mask(const dropwise_mask *mask)
{
    if (mask == NULL)
        return DROPWISE_ERROR_NULL;
    if (mask->struct_size != sizeof *mask)
        return DROPWISE_ERROR_STRUCT_SIZE;
    for (size_t i = 0; i < sizeof mask->reserved / sizeof mask->reserved[0]; i++)
        if (mask->reserved[i] != 0)
            return DROPWISE_ERROR_RESERVED;
    if (mask->generator < DROPWISE_PHILOX4X32_10 || mask->generator > DROPWISE_ARS4X32_7)
        return DROPWISE_ERROR_GENERATOR;
    if (mask->keep_threshold > DROPWISE_KEEP_ONE)
        return DROPWISE_ERROR_KEEP_THRESHOLD;
    if (mask->scaling != DROPWISE_SCALING_INVERTED && mask->scaling != DROPWISE_SCALING_STANDARD)
        return DROPWISE_ERROR_SCALING;
    return DROPWISE_OK;
}

dropwise_status dropwise_check_size(uint64_t n, size_t element_bytes)
{
    return n > PTRDIFF_MAX / element_bytes ? DROPWISE_ERROR_SIZE : DROPWISE_OK;
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
