/* Using the mask of another system: its bits, a mask of the library with its scale, dropout. */
#include "apply/apply.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "interop/draw.h"
#include "interop/layouts.h"
#include "tiers/dispatch.h"

/* All dtypes but f64 are multiplied in f32. */
static bool scale_fits(double scale, dropwise_dtype dtype)
{
    return dtype == DROPWISE_F64 || scale <= 0x1.fffffep127;
}

static dropwise_status check_range(const dropwise_interop *interop, uint64_t first, uint64_t n)
{
    const bool inside = n <= interop->size && first <= interop->size - n;
    return inside || n == 0 ? DROPWISE_OK : DROPWISE_ERROR_RANGE;
}

static FP_ENV_BODY dropwise_status interop_bits(const dropwise_interop *interop, uint64_t first, size_t n,
                                                void *bits)
{
    dropwise_status status = dropwise_check_interop(interop);
    if (status == DROPWISE_OK)
        status = check_range(interop, first, n);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_interop_draw(dropwise_active(), interop, first, n, bits);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_bits(const dropwise_interop *interop, uint64_t first, size_t n, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_bits(interop, first, n, bits));
}

static FP_ENV_BODY dropwise_status interop_mask(const dropwise_interop *interop, dropwise_mask *mask)
{
    const dropwise_status status = dropwise_check_interop(interop);
    if (status != DROPWISE_OK)
        return status;
    if (mask == NULL)
        return DROPWISE_ERROR_NULL;
    /* From 2^25 on, a threshold's neighbours are closer than those of its reciprocal in f32. */
    if (interop->scale > 0x1p15)
        return DROPWISE_ERROR_PARAMETER;
    const dropwise_status made = dropwise_mask_init(mask, 0.0, 0, 0);
    if (made == DROPWISE_OK)
        mask->keep_threshold = interop->scale > 0.0 ? (uint64_t)(0x1p40 / interop->scale + 0.5) : 0;
    return made;
}

dropwise_status dropwise_interop_mask(const dropwise_interop *interop, dropwise_mask *mask)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_mask(interop, mask));
}

typedef struct applying {
    apply_plan plan;
    const uint8_t *x;
    uint8_t *y;
} applying;

static void apply_piece(void *arg, const uint8_t *bits, size_t n)
{
    applying *a = arg;
    dropwise_apply_bits(&a->plan, bits, n, a->x, a->y);
    a->x += n * a->plan.element_bytes;
    a->y += n * a->plan.element_bytes;
}

static FP_ENV_BODY dropwise_status interop_forward(const dropwise_interop *interop, dropwise_dtype dtype,
                                                   uint64_t first, size_t n, const void *x, void *y,
                                                   void *bits)
{
    const size_t element_bytes = dropwise_dtype_bytes(dtype);
    dropwise_status status = dropwise_check_interop(interop);
    if (status == DROPWISE_OK && element_bytes == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK && !scale_fits(interop->scale, dtype))
        status = DROPWISE_ERROR_PARAMETER;
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, element_bytes);
    if (status == DROPWISE_OK)
        status = check_range(interop, first, n);
    if (status == DROPWISE_OK && n != 0)
        status = dropwise_check_buffers(n, element_bytes, x, y, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;

    const dropwise_kernels *kernels = dropwise_active();
    dropwise_mask kept;
    if ((status = dropwise_mask_init(&kept, 0.0, 0, 0)) != DROPWISE_OK)
        return status;
    const bool nontemporal = x != y && dropwise_is_large(n * element_bytes);
    applying a = {dropwise_apply_plan(kernels, &kept, dtype, nontemporal), x, y};
    a.plan.scales = interop->scale != 1.0;
    a.plan.factor = real_of(dtype == DROPWISE_F64, interop->scale);
    if (bits == NULL) {
        dropwise_interop_draw_pieces(kernels, interop, first, n, apply_piece, &a);
    } else {
        dropwise_interop_draw(kernels, interop, first, n, bits);
        apply_piece(&a, bits, n);
    }
    if (nontemporal)
        kernels->nt_fence();
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_forward(const dropwise_interop *interop, dropwise_dtype dtype,
                                         uint64_t first, size_t n, const void *x, void *y, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_forward(interop, dtype, first, n, x, y, bits));
}
