#include "view/check_view.h"

#include "apply/dtype.h"
#include "apply/stored.h"

/*
 * The lowest and the highest offset of sizes and strides, times a factor; false if one of them, or
 * the stride of a dimension that is walked, or the negative of one of these, is no int64_t. So what follows
 * may multiply, add and turn round. In a dimension of size 1 any stride may stand.
 */
static bool offset_extent(const dropwise_view *view, const int64_t *stride, int64_t factor, int64_t *low,
                          int64_t *high)
{
    *low = *high = 0;
    for (uint32_t d = 0; d < view->rank; d++) {
        int64_t step;
        if (view->size[d] == 1)
            continue;
        if (view->size[d] - 1 > INT64_MAX || __builtin_mul_overflow(stride[d], factor, &step) ||
            step == INT64_MIN || __builtin_mul_overflow((int64_t)(view->size[d] - 1), step, &step))
            return false;
        int64_t *end = step < 0 ? low : high;
        if (__builtin_add_overflow(*end, step, end))
            return false;
    }
    return *low != INT64_MIN;
}

dropwise_status dropwise_check_view(const dropwise_view *view, bool *empty)
{
    *empty = false;
    if (view == NULL)
        return DROPWISE_ERROR_NULL;
    if (view->struct_size != sizeof *view)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (view->reserved[0] != 0 || view->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    if (view->rank < 1 || view->rank > DROPWISE_MAX_RANK)
        return DROPWISE_ERROR_RANK;
    uint64_t elements = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        *empty = *empty || view->size[d] == 0;
    if (*empty)
        return DROPWISE_OK;
    for (uint32_t d = 0; d < view->rank; d++)
        if (__builtin_mul_overflow(elements, view->size[d], &elements) || elements > PTRDIFF_MAX)
            return DROPWISE_ERROR_SIZE;
    int64_t low, high;
    if (!offset_extent(view, view->mask_stride, 1, &low, &high) || view->first >= DROPWISE_INDEX_LIMIT ||
        (uint64_t)-low > view->first || (uint64_t)high >= DROPWISE_INDEX_LIMIT - view->first)
        return DROPWISE_ERROR_RANGE;
    return DROPWISE_OK;
}

dropwise_status dropwise_check_view_call(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const dropwise_stored *stored,
                                         bool *empty)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, empty);
    if (status == DROPWISE_OK && stored != NULL)
        status = dropwise_check_stored(stored);
    return status;
}

dropwise_status dropwise_check_view_extent(const dropwise_view *view, const int64_t *stride,
                                           size_t element_bytes, const void *p, dropwise_extent *extent)
{
    int64_t low, high;
    if (!offset_extent(view, stride, (int64_t)element_bytes, &low, &high) ||
        (uint64_t)high + (uint64_t)-low > (uint64_t)PTRDIFF_MAX - element_bytes ||
        (uintptr_t)p < (uintptr_t)-low || (uintptr_t)p > UINTPTR_MAX - (uintptr_t)high - element_bytes)
        return DROPWISE_ERROR_SIZE;
    *extent =
        (dropwise_extent){(uintptr_t)p - (uintptr_t)-low, (uintptr_t)p + (uintptr_t)high + element_bytes};
    return DROPWISE_OK;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

bool dropwise_is_free_of_overlap(const dropwise_view *view, const int64_t *stride)
{
    uint32_t order[DROPWISE_MAX_RANK], n = 0;
    for (uint32_t d = 0; d < view->rank; d++) {
        if (view->size[d] == 1)
            continue;
        uint32_t at = n++;
        for (; at > 0 && magnitude(stride[order[at - 1]]) > magnitude(stride[d]); at--)
            order[at] = order[at - 1];
        order[at] = d;
    }
    uint64_t span = 0; /* cannot overflow: the extent was checked */
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t step = magnitude(stride[order[i]]);
        if (step <= span)
            return false;
        span += (view->size[order[i]] - 1) * step;
    }
    return true;
}

static bool same_strides(const dropwise_view *view)
{
    for (uint32_t d = 0; d < view->rank; d++)
        if (view->size[d] != 1 && view->x_stride[d] != view->y_stride[d])
            return false;
    return true;
}

dropwise_status dropwise_check_view_data(const dropwise_view *view, size_t element_bytes, const void *x,
                                         const void *y, dropwise_extent *of_x, dropwise_extent *of_y)
{
    if (x == NULL || y == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_status status = dropwise_check_view_extent(view, view->x_stride, element_bytes, x, of_x);
    if (status == DROPWISE_OK)
        status = dropwise_check_view_extent(view, view->y_stride, element_bytes, y, of_y);
    if (status != DROPWISE_OK)
        return status;
    if (!dropwise_is_free_of_overlap(view, view->y_stride))
        return DROPWISE_ERROR_SELF_OVERLAP;
    const bool in_place = x == y && same_strides(view);
    return !in_place && dropwise_overlap(*of_x, *of_y) ? DROPWISE_ERROR_OVERLAP : DROPWISE_OK;
}
