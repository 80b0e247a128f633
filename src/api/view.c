/* The helpers that make views. What a view means to the data is in view/walk.c. */
#include <string.h>

#include "base/check.h"
#include "dropwise.h"

static dropwise_status check_view(const dropwise_view *view)
{
    if (view == NULL)
        return DROPWISE_ERROR_NULL;
    if (view->struct_size != sizeof *view)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (view->rank < 1 || view->rank > DROPWISE_MAX_RANK)
        return DROPWISE_ERROR_RANK;
    return DROPWISE_OK;
}

/* Row-major strides of these dimensions; those in the set `without` get 0 and count as 1. */
static dropwise_status dense_strides(uint32_t rank, const uint64_t *size, uint32_t without, int64_t *stride)
{
    uint64_t elements = 1;
    int64_t strides[DROPWISE_MAX_RANK];
    for (uint32_t d = rank; d-- > 0;) {
        const bool counts = (without >> d & 1) == 0;
        strides[d] = counts ? (int64_t)elements : 0;
        if (counts &&
            (__builtin_mul_overflow(elements, size[d], &elements) || elements > DROPWISE_INDEX_LIMIT))
            return DROPWISE_ERROR_RANGE;
    }
    memcpy(stride, strides, rank * sizeof *strides);
    return DROPWISE_OK;
}

dropwise_status dropwise_view_init(dropwise_view *view, uint32_t rank, const uint64_t *size)
{
    if (view == NULL || size == NULL)
        return DROPWISE_ERROR_NULL;
    if (rank < 1 || rank > DROPWISE_MAX_RANK)
        return DROPWISE_ERROR_RANK;
    dropwise_view dense;
    memset(&dense, 0, sizeof dense);
    dense.struct_size = sizeof dense;
    dense.rank = rank;
    memcpy(dense.size, size, rank * sizeof *size);
    const dropwise_status status = dense_strides(rank, size, 0, dense.mask_stride);
    if (status != DROPWISE_OK)
        return status;
    memcpy(dense.x_stride, dense.mask_stride, sizeof dense.x_stride);
    memcpy(dense.y_stride, dense.mask_stride, sizeof dense.y_stride);
    *view = dense;
    return DROPWISE_OK;
}

dropwise_status dropwise_view_share(dropwise_view *view, uint32_t dimensions)
{
    const dropwise_status status = check_view(view);
    if (status != DROPWISE_OK)
        return status;
    if (dimensions >> view->rank != 0)
        return DROPWISE_ERROR_SHAPE;
    return dense_strides(view->rank, view->size, dimensions, view->mask_stride);
}

dropwise_status dropwise_view_noise_shape(dropwise_view *view, const uint64_t *noise_shape)
{
    const dropwise_status status = check_view(view);
    if (status != DROPWISE_OK)
        return status;
    if (noise_shape == NULL)
        return DROPWISE_ERROR_NULL;
    uint32_t shared = 0;
    for (uint32_t d = 0; d < view->rank; d++) {
        if (noise_shape[d] == 1)
            shared |= 1u << d;
        else if (noise_shape[d] != view->size[d])
            return DROPWISE_ERROR_SHAPE;
    }
    return dropwise_view_share(view, shared);
}

dropwise_status dropwise_view_shard(dropwise_view *view, const uint64_t *start, const uint64_t *size)
{
    const dropwise_status status = check_view(view);
    if (status != DROPWISE_OK)
        return status;
    if (start == NULL || size == NULL)
        return DROPWISE_ERROR_NULL;
    int64_t offset = 0;
    for (uint32_t d = 0; d < view->rank; d++) {
        if (start[d] > view->size[d] || size[d] > view->size[d] - start[d])
            return DROPWISE_ERROR_SHAPE;
        int64_t step;
        if (start[d] > INT64_MAX || __builtin_mul_overflow((int64_t)start[d], view->mask_stride[d], &step) ||
            __builtin_add_overflow(offset, step, &offset))
            return DROPWISE_ERROR_RANGE;
    }
    uint64_t first;
    if (__builtin_add_overflow(view->first, offset, &first) || first > DROPWISE_INDEX_LIMIT)
        return DROPWISE_ERROR_RANGE;
    view->first = first;
    memcpy(view->size, size, view->rank * sizeof *size);
    return DROPWISE_OK;
}

dropwise_status dropwise_view_pack(dropwise_view *view)
{
    dropwise_status status = check_view(view);
    if (status == DROPWISE_OK)
        status = dense_strides(view->rank, view->size, 0, view->x_stride);
    if (status == DROPWISE_OK)
        memcpy(view->y_stride, view->x_stride, sizeof view->y_stride);
    return status;
}
