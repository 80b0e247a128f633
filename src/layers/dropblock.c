/* DropBlock: blocks are drawn, what they leave is counted, and scaled by the count. */
#include "dropwise_dropblock.h"

#include <string.h>

#include "apply/apply.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "layers/blocks.h"
#include "tiers/dispatch.h"
#include "view/check_view.h"
#include "view/walk.h"

/* ---- Checks ---- */

static dropwise_status check_block(const dropwise_dropblock *block)
{
    if (block == NULL)
        return DROPWISE_ERROR_NULL;
    if (block->struct_size != sizeof *block)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (block->reserved[0] != 0 || block->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    return DROPWISE_OK;
}

/* Blocks on a view that was checked and is not empty. */
static dropwise_status check_sizes(const dropwise_dropblock *block, const dropwise_view *view)
{
    if (block->seeds != DROPWISE_SEEDS_INSIDE && block->seeds != DROPWISE_SEEDS_ANYWHERE)
        return DROPWISE_ERROR_PARAMETER;
    for (uint32_t d = 0; d < view->rank; d++) {
        const uint64_t largest = view->mask_stride[d] != 0 ? view->size[d] : 1;
        if (block->size[d] < 1 || block->size[d] > largest)
            return DROPWISE_ERROR_SHAPE;
    }
    return DROPWISE_OK;
}

static uint64_t mask_entries(const dropwise_view *view)
{
    uint64_t entries = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        entries *= view->mask_stride[d] != 0 ? view->size[d] : 1;
    return entries;
}

static dropwise_status check_data(dropwise_dtype dtype, const dropwise_view *view, const void *x,
                                  const void *y, const void *bits)
{
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_extent of_x, of_y;
    const dropwise_extent of_bits = dropwise_extent_of(bits, bytes_of_bits((size_t)mask_entries(view)));
    const dropwise_status status =
        dropwise_check_view_data(view, dropwise_dtype_bytes(dtype), x, y, &of_x, &of_y);
    if (status != DROPWISE_OK)
        return status;
    return dropwise_overlap(of_x, of_bits) || dropwise_overlap(of_y, of_bits) ? DROPWISE_ERROR_OVERLAP
                                                                              : DROPWISE_OK;
}

/* ---- Scale ---- */

static void apply_bits(const dropwise_kernels *kernels, dropwise_dtype dtype, const dropwise_view *view,
                       double scale, const uint8_t *bits, const void *x, void *y, bool adds)
{
    uint64_t elements = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        elements *= view->size[d];
    const apply_plan plan = {
        .dtype = dropwise_dtype_of(kernels, dtype),
        .kernels = kernels,
        .element_bytes = dropwise_dtype_bytes(dtype),
        .scales = scale != 1.0,
        .adds = adds,
        .nontemporal = x != y && !adds && dropwise_is_large(elements * dropwise_dtype_bytes(dtype)),
        .factor = real_of(dtype == DROPWISE_F64, scale),
    };
    dropwise_apply_packed(&plan, view, bits, x, y);
}

/* If nothing is kept, the scale does not matter. */
static double scale_of(const dropwise_mask *mask, uint64_t entries, uint64_t kept)
{
    const bool scales = mask->scaling == DROPWISE_SCALING_INVERTED && kept != 0;
    return scales ? (double)entries / (double)kept : 1.0;
}

/* ---- Public functions ---- */

dropwise_status dropwise_dropblock_init(dropwise_dropblock *block, const dropwise_view *view,
                                        uint32_t dimensions, uint64_t size)
{
    if (block == NULL || view == NULL)
        return DROPWISE_ERROR_NULL;
    if (view->struct_size != sizeof *view)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (view->rank < 1 || view->rank > DROPWISE_MAX_RANK)
        return DROPWISE_ERROR_RANK;
    if (dimensions >> view->rank != 0 || size == 0)
        return DROPWISE_ERROR_SHAPE;
    memset(block, 0, sizeof *block);
    block->struct_size = sizeof *block;
    block->seeds = DROPWISE_SEEDS_INSIDE;
    for (uint32_t d = 0; d < DROPWISE_MAX_RANK; d++) {
        block->size[d] = 1;
        if (dimensions >> d & 1 && view->size[d] > 1)
            block->size[d] = min_u64(size, view->size[d]);
    }
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status dropblock_gamma(const dropwise_dropblock *block, const dropwise_view *view,
                                                   double p, double *gamma)
{
    bool empty;
    dropwise_status status = check_block(block);
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, &empty);
    if (status == DROPWISE_OK && empty)
        status = DROPWISE_ERROR_SHAPE;
    if (status == DROPWISE_OK)
        status = check_sizes(block, view);
    if (status == DROPWISE_OK && !(p >= 0.0 && p <= 1.0))
        status = DROPWISE_ERROR_PROBABILITY;
    if (status == DROPWISE_OK && gamma == NULL)
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    double elements = 1, blocks = 1;
    for (uint32_t d = 0; d < view->rank; d++) {
        if (block->size[d] == 1)
            continue;
        elements *= (double)view->size[d];
        blocks *= (double)block->size[d] * (double)(view->size[d] - block->size[d] + 1);
    }
    /* A quotient that is 1 may come out above it. */
    const double quotient = p * elements / blocks;
    *gamma = quotient < p ? quotient : p;
    return DROPWISE_OK;
}

dropwise_status dropwise_dropblock_gamma(const dropwise_dropblock *block, const dropwise_view *view, double p,
                                         double *gamma)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_gamma(block, view, p, gamma));
}

dropwise_status dropwise_dropblock_entries(const dropwise_view *view, uint64_t *entries)
{
    bool empty;
    const dropwise_status status = dropwise_check_view(view, &empty);
    if (status != DROPWISE_OK)
        return status;
    if (entries == NULL)
        return DROPWISE_ERROR_NULL;
    *entries = empty ? 0 : mask_entries(view);
    return DROPWISE_OK;
}

static dropwise_status check_draw(const dropwise_mask *mask, const dropwise_dropblock *block,
                                  const dropwise_view *view, bool *empty)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK)
        status = check_block(block);
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, empty);
    if (status == DROPWISE_OK && !*empty)
        status = check_sizes(block, view);
    return status;
}

dropwise_status dropwise_dropblock_draw(const dropwise_mask *mask, const dropwise_dropblock *block,
                                        const dropwise_view *view, void *bits, uint64_t *kept)
{
    bool empty;
    const dropwise_status status = check_draw(mask, block, view, &empty);
    if (status != DROPWISE_OK)
        return status;
    if (kept == NULL || (bits == NULL && !empty))
        return DROPWISE_ERROR_NULL;
    if (empty) {
        *kept = 0;
        return DROPWISE_OK;
    }
    const block_geometry geometry = dropwise_block_geometry_of(block, view);
    if (dropwise_overlap(dropwise_extent_of(kept, sizeof *kept),
                         dropwise_extent_of(bits, bytes_of_bits((size_t)geometry.entries))))
        return DROPWISE_ERROR_OVERLAP;
    *kept = dropwise_draw_blocks(dropwise_active(), mask, view, &geometry, bits);
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status dropblock_apply(dropwise_dtype dtype, const dropwise_view *view,
                                                   double scale, const void *bits, const void *x, void *y)
{
    bool empty;
    dropwise_status status = dropwise_dtype_bytes(dtype) == 0 ? DROPWISE_ERROR_DTYPE : DROPWISE_OK;
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, &empty);
    if (status == DROPWISE_OK && !dropwise_is_finite(scale))
        status = DROPWISE_ERROR_PARAMETER;
    if (status != DROPWISE_OK || empty)
        return status;
    status = check_data(dtype, view, x, y, bits);
    if (status == DROPWISE_OK)
        apply_bits(dropwise_active(), dtype, view, scale, bits, x, y, false);
    return status;
}

dropwise_status dropwise_dropblock_apply(dropwise_dtype dtype, const dropwise_view *view, double scale,
                                         const void *bits, const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_apply(dtype, view, scale, bits, x, y));
}

static FP_ENV_BODY dropwise_status dropblock_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                     const dropwise_dropblock *block,
                                                     const dropwise_view *view, const void *x, void *y,
                                                     void *bits)
{
    bool empty;
    dropwise_status status = check_draw(mask, block, view, &empty);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status != DROPWISE_OK || empty)
        return status;
    status = check_data(dtype, view, x, y, bits);
    if (status != DROPWISE_OK)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const block_geometry geometry = dropwise_block_geometry_of(block, view);
    const uint64_t kept = dropwise_draw_blocks(kernels, mask, view, &geometry, bits);
    apply_bits(kernels, dtype, view, scale_of(mask, geometry.entries, kept), bits, x, y, false);
    return DROPWISE_OK;
}

dropwise_status dropwise_dropblock_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_dropblock *block, const dropwise_view *view,
                                           const void *x, void *y, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_forward(mask, dtype, block, view, x, y, bits));
}

/* The kept ones of n entries; unused bits of the last byte do not count. */
static uint64_t count_kept(const dropwise_kernels *kernels, const uint8_t *bits, uint64_t n)
{
    uint8_t last = n % 8 != 0 ? bits[n / 8] : 0;
    clear_unused_bits(&last, n % 8);
    return kernels->count_bits((size_t)(n / 8), bits) + kernels->count_bits(1, &last);
}

static FP_ENV_BODY dropwise_status dropblock_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                      const dropwise_view *view, const void *dy, void *dx,
                                                      const void *bits)
{
    bool empty;
    dropwise_status status = dropwise_check_view_call(mask, dtype, view, NULL, &empty);
    if (status != DROPWISE_OK || empty)
        return status;
    status = check_data(dtype, view, dy, dx, bits);
    if (status != DROPWISE_OK)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const uint64_t entries = mask_entries(view);
    const uint64_t kept = count_kept(kernels, bits, entries);
    apply_bits(kernels, dtype, view, scale_of(mask, entries, kept), bits, dy, dx, dropwise_accumulates(mask));
    return DROPWISE_OK;
}

dropwise_status dropwise_dropblock_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                            const dropwise_view *view, const void *dy, void *dx,
                                            const void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_backward(mask, dtype, view, dy, dx, bits));
}
