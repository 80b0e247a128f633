/* The public functions on views: check the arguments, then the walk through them, or their stored masks. */
#include "apply/apply.h"
#include "apply/stored.h"
#include "base/fp_env.h"
#include "draw/draw.h"
#include "dropwise.h"
#include "tiers/dispatch.h"
#include "view/check_view.h"
#include "view/stored_shape.h"
#include "view/walk.h"

static FP_ENV_BODY dropwise_status apply_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                              const dropwise_view *view, const void *x, void *y,
                                              const dropwise_stored *stored, bool draws)
{
    bool empty;
    dropwise_status status = dropwise_check_view_call(mask, dtype, view, stored, &empty);
    if (status != DROPWISE_OK || empty)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const size_t element_bytes = dropwise_dtype_bytes(dtype);
    dropwise_extent of_x, of_y, of_stored;
    status = dropwise_check_view_data(view, element_bytes, x, y, &of_x, &of_y);
    if (status != DROPWISE_OK)
        return status;
    const uint64_t y_bytes = dropwise_view_elements(view) * element_bytes; /* a tile's extent is more */
    const bool adds = !draws && dropwise_accumulates(mask);
    if (stored == NULL) {
        dropwise_apply_view(kernels, mask, dtype, view, x, y, NULL, y_bytes, adds);
        return DROPWISE_OK;
    }
    stored_mask opened;
    const stored_shape shape = dropwise_stored_shape_of(view);
    status = dropwise_begin_stored(stored, mask, dtype, shape.rows, shape.row_length, kernels, &opened,
                                   &of_stored);
    if (status == DROPWISE_OK && (dropwise_overlap(of_x, of_stored) || dropwise_overlap(of_y, of_stored)))
        status = DROPWISE_ERROR_OVERLAP;
    if (status != DROPWISE_OK)
        return status;
    if (draws) {
        const draw_plan draw = dropwise_draw_plan(kernels, mask);
        dropwise_draw_stored(&draw, view, &shape, &opened);
    }
    dropwise_apply_view(kernels, mask, dtype, view, x, y, &opened, y_bytes, adds);
    return DROPWISE_OK;
}

dropwise_status dropwise_forward_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                      const dropwise_view *view, const void *x, void *y,
                                      const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, apply_view(mask, dtype, view, x, y, stored, true));
}

dropwise_status dropwise_backward_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                       const dropwise_view *view, const void *dy, void *dx,
                                       const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, apply_view(mask, dtype, view, dy, dx, stored, false));
}

static FP_ENV_BODY dropwise_status draw_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_view *view, const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = dropwise_check_view_call(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK && stored == NULL)
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const stored_shape shape = dropwise_stored_shape_of(view);
    stored_mask opened;
    dropwise_extent extent;
    status =
        dropwise_begin_stored(stored, mask, dtype, shape.rows, shape.row_length, kernels, &opened, &extent);
    if (status != DROPWISE_OK)
        return status;
    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    dropwise_draw_stored(&draw, view, &shape, &opened);
    return DROPWISE_OK;
}

dropwise_status dropwise_draw_view(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *view,
                                   const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, draw_view(mask, dtype, view, stored));
}
