/* Checks of views: sizes and strides, and where their elements lie. */
#ifndef DROPWISE_CHECK_VIEW_H
#define DROPWISE_CHECK_VIEW_H

#include <stdbool.h>

#include "base/check.h"
#include "dropwise.h"

/* Checks a view but for its pointers: ranks, sizes, strides, mask indices. *empty says if a size is 0. */
dropwise_status dropwise_check_view(const dropwise_view *view, bool *empty);

/* The checks that come before those of data: mask, dtype, view, and, unless it is NULL, the stored mask. */
dropwise_status dropwise_check_view_call(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const dropwise_stored *stored,
                                         bool *empty);

/* Elements of a view that was checked: a product that does not wrap. */
static inline uint64_t dropwise_view_elements(const dropwise_view *view)
{
    uint64_t elements = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        elements *= view->size[d];
    return elements;
}

/* Checks where x and y lie, which are not NULL; their extents in bytes. */
dropwise_status dropwise_check_view_data(const dropwise_view *view, size_t element_bytes, const void *x,
                                         const void *y, dropwise_extent *of_x, dropwise_extent *of_y);

/* The bytes from the first to the last element at these strides. */
dropwise_status dropwise_check_view_extent(const dropwise_view *view, const int64_t *stride,
                                           size_t element_bytes, const void *p, dropwise_extent *extent);

/* Whether each stride is more than all that smaller ones span: no two elements are at the same place. */
bool dropwise_is_free_of_overlap(const dropwise_view *view, const int64_t *stride);

#endif
