/* The public functions on contiguous ranges: check the arguments, then draw.c and apply.c. */
#include <stdbool.h>
#include <string.h>

#include "apply/apply.h"
#include "apply/dtype.h"
#include "apply/forward.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "draw/draw.h"
#include "draw/stream.h"
#include "dropwise.h"
#include "tiers/dispatch.h"

/* ---- Drawing ---- */

dropwise_status dropwise_draw_bits(const dropwise_mask *mask, uint64_t first, size_t n, void *bits)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK)
        status = dropwise_check_range(first, n);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;

    const draw_plan plan = dropwise_draw_plan(dropwise_active(), mask);
    uint8_t *out = bits;
    for (size_t done = 0; done < n; done += DRAW_CHUNK) {
        draw_chunk chunk;
        dropwise_draw_begin(&chunk, first + done, min_size(DRAW_CHUNK, n - done), out + done / 8);
        dropwise_draw_end(&plan, &chunk);
    }
    return DROPWISE_OK;
}

dropwise_status dropwise_keeps(const dropwise_mask *mask, uint64_t index, uint32_t *kept)
{
    uint8_t bits;
    const dropwise_status status = dropwise_draw_bits(mask, index, 1, &bits);
    if (status != DROPWISE_OK)
        return status;
    if (kept == NULL)
        return DROPWISE_ERROR_NULL;
    *kept = bits;
    return DROPWISE_OK;
}

dropwise_status dropwise_draw_bytes(const dropwise_mask *mask, uint64_t first_block, size_t n, void *bytes)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, 1);
    if (status != DROPWISE_OK || n == 0)
        return status;
    const uint64_t last_block = (n - 1) / STREAM_BLOCK_BYTES;
    if (first_block > UINT64_MAX - last_block)
        return DROPWISE_ERROR_RANGE;
    if (bytes == NULL)
        return DROPWISE_ERROR_NULL;

    const draw_plan plan = dropwise_draw_plan(dropwise_active(), mask);
    const size_t whole = n / STREAM_BLOCK_BYTES;
    plan.generator->generate(&plan.key, first_block, whole, bytes);
    if (n % STREAM_BLOCK_BYTES != 0) {
        uint8_t block[STREAM_BLOCK_BYTES];
        plan.generator->generate(&plan.key, first_block + whole, 1, block);
        memcpy((uint8_t *)bytes + whole * STREAM_BLOCK_BYTES, block, n % STREAM_BLOCK_BYTES);
    }
    return DROPWISE_OK;
}

/* ---- Dropout ---- */

static dropwise_status check_apply(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first, size_t n,
                                   const void *x, const void *y, const void *bits)
{
    const size_t element_bytes = dropwise_dtype_bytes(dtype);
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && element_bytes == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, element_bytes);
    if (status == DROPWISE_OK)
        status = dropwise_check_range(first, n);
    if (status == DROPWISE_OK && n != 0)
        status = dropwise_check_buffers(n, element_bytes, x, y, bits);
    return status;
}

static void apply_call_of(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first, size_t n,
                          const void *x, void *y, uint8_t *drawn, const uint8_t *stored, bool adds)
{
    const apply_call call = {mask, dtype, first, n, x, y, drawn, stored, false, adds};
    dropwise_apply_call(dropwise_active(), &call, dropwise_is_large(n * dropwise_dtype_bytes(dtype)));
}

static FP_ENV_BODY dropwise_status forward(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first,
                                           size_t n, const void *x, void *y, void *bits)
{
    const dropwise_status status = check_apply(mask, dtype, first, n, x, y, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (!dropwise_is_constant(mask->keep_threshold)) {
        const dropwise_kernels *kernels = dropwise_active();
        const bool large = dropwise_is_large(n * dropwise_dtype_bytes(dtype));
        if (!dropwise_forward_few(kernels, mask, dtype, first, n, x, y, bits) &&
            (large || !dropwise_forward_call(kernels, mask, dtype, first, n, x, y, bits)))
            apply_call_of(mask, dtype, first, n, x, y, bits, NULL, false);
        return DROPWISE_OK;
    }
    if (mask->keep_threshold == 0)
        memset(y, 0, n * dropwise_dtype_bytes(dtype));
    else if (x != y)
        memcpy(y, x, n * dropwise_dtype_bytes(dtype));
    return bits != NULL ? dropwise_draw_bits(mask, first, n, bits) : DROPWISE_OK;
}

dropwise_status dropwise_forward(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first, size_t n,
                                 const void *x, void *y, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, forward(mask, dtype, first, n, x, y, bits));
}

static FP_ENV_BODY dropwise_status backward(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first,
                                            size_t n, const void *dy, void *dx, const void *bits)
{
    const bool adds = dropwise_accumulates(mask);
    if (bits == NULL && !adds)
        return dropwise_forward(mask, dtype, first, n, dy, dx, NULL);
    const dropwise_status status = check_apply(mask, dtype, first, n, dy, dx, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (mask->keep_threshold == 0 && !adds) {
        memset(dx, 0, n * dropwise_dtype_bytes(dtype));
    } else if (mask->keep_threshold == DROPWISE_KEEP_ONE && bits == NULL) {
        apply_plan plan = dropwise_apply_plan(dropwise_active(), mask, dtype, false);
        plan.adds = adds;
        dropwise_apply_run(&plan, true, n, dy, dx);
    } else if (mask->keep_threshold != 0) {
        apply_call_of(mask, dtype, first, n, dy, dx, NULL, bits, adds);
    }
    return DROPWISE_OK;
}

dropwise_status dropwise_backward(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first, size_t n,
                                  const void *dy, void *dx, const void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, backward(mask, dtype, first, n, dy, dx, bits));
}

static FP_ENV_BODY dropwise_status infer(const dropwise_mask *mask, dropwise_dtype dtype, size_t n,
                                         const void *x, void *y)
{
    const dropwise_status status = check_apply(mask, dtype, 0, n, x, y, NULL);
    if (status != DROPWISE_OK || n == 0)
        return status;
    const bool standard = mask->scaling == DROPWISE_SCALING_STANDARD;
    apply_plan plan = dropwise_apply_plan(dropwise_active(), mask, dtype, false);
    plan.scales = standard && !dropwise_is_constant(mask->keep_threshold);
    plan.factor = real_of(dtype == DROPWISE_F64, dropwise_keep_probability(mask));
    dropwise_apply_run(&plan, !standard || mask->keep_threshold != 0, n, x, y);
    return DROPWISE_OK;
}

dropwise_status dropwise_infer(const dropwise_mask *mask, dropwise_dtype dtype, size_t n, const void *x,
                               void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, infer(mask, dtype, n, x, y));
}
