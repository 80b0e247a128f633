/* The public functions on masks and contiguous ranges: check the arguments, then draw.c and apply.c. */
#include <stdbool.h>
#include <string.h>

#include "apply/apply.h"
#include "apply/dtype.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "draw/draw.h"
#include "draw/stream.h"
#include "dropwise.h"
#include "tiers/dispatch.h"

_Static_assert(sizeof(dropwise_mask) == 64, "the mask is part of the ABI");

/* ---- Mask ---- */

/*
 * q * 2^40, rounded half to even. The product and the difference below are
 * exact: a power of two, and the fraction of a number below 2^53.
 */
static uint64_t keep_threshold(double q)
{
    const double scaled = q * 0x1p40;
    const uint64_t whole = (uint64_t)scaled;
    const double fraction = scaled - (double)whole;
    return whole + (fraction > 0.5 || (fraction == 0.5 && whole % 2 != 0));
}

static FP_ENV_BODY dropwise_status mask_init(dropwise_mask *mask, double p, uint64_t seed, uint64_t stream)
{
    if (mask == NULL)
        return DROPWISE_ERROR_NULL;
    if (!(p >= 0.0 && p <= 1.0))
        return DROPWISE_ERROR_PROBABILITY;
    *mask = (dropwise_mask){
        .struct_size = sizeof *mask,
        .generator = DROPWISE_PHILOX4X32_10,
        .seed = seed,
        .stream = stream,
        .keep_threshold = keep_threshold(1.0 - p),
        .scaling = DROPWISE_SCALING_INVERTED,
    };
    return DROPWISE_OK;
}

dropwise_status dropwise_mask_init(dropwise_mask *mask, double p, uint64_t seed, uint64_t stream)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, mask_init(mask, p, seed, stream));
}

const char *dropwise_generator_name(uint32_t generator)
{
    switch (generator) {
    case DROPWISE_PHILOX4X32_10:
        return "philox4x32-10";
    case DROPWISE_PHILOX4X32_7:
        return "philox4x32-7";
    case DROPWISE_THREEFRY4X32_20:
        return "threefry4x32-20";
    case DROPWISE_ARS4X32_7:
        return "ars4x32-7";
    default:
        return NULL;
    }
}

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
    plan.generator.generate(&plan.key, first_block, whole, bytes);
    if (n % STREAM_BLOCK_BYTES != 0) {
        uint8_t block[STREAM_BLOCK_BYTES];
        plan.generator.generate(&plan.key, first_block + whole, 1, block);
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
                          const void *x, void *y, uint8_t *drawn, const uint8_t *stored)
{
    const apply_call call = {mask, dtype, first, n, x, y, drawn, stored};
    dropwise_apply_call(dropwise_active(), &call, dropwise_is_large(n * dropwise_dtype_bytes(dtype)));
}

static FP_ENV_BODY dropwise_status forward(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first,
                                           size_t n, const void *x, void *y, void *bits)
{
    const dropwise_status status = check_apply(mask, dtype, first, n, x, y, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (!dropwise_is_constant(mask->keep_threshold)) {
        apply_call_of(mask, dtype, first, n, x, y, bits, NULL);
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
    if (bits == NULL)
        return dropwise_forward(mask, dtype, first, n, dy, dx, NULL);
    const dropwise_status status = check_apply(mask, dtype, first, n, dy, dx, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (mask->keep_threshold == 0)
        memset(dx, 0, n * dropwise_dtype_bytes(dtype));
    else
        apply_call_of(mask, dtype, first, n, dy, dx, NULL, bits);
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
    plan.factor = dropwise_factor_of(dtype, (double)mask->keep_threshold * 0x1p-40);
    dropwise_apply_run(&plan, !standard || mask->keep_threshold != 0, n, x, y);
    return DROPWISE_OK;
}

dropwise_status dropwise_infer(const dropwise_mask *mask, dropwise_dtype dtype, size_t n, const void *x,
                               void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, infer(mask, dtype, n, x, y));
}

/* ---- Words ---- */

const char *dropwise_status_string(dropwise_status status)
{
    switch (status) {
    case DROPWISE_OK:
        return "success";
    case DROPWISE_ERROR_NULL:
        return "a pointer is NULL";
    case DROPWISE_ERROR_PROBABILITY:
        return "the drop probability is NaN or outside [0, 1]";
    case DROPWISE_ERROR_STRUCT_SIZE:
        return "struct_size is not the size of the struct in this library";
    case DROPWISE_ERROR_RESERVED:
        return "a reserved field is not zero";
    case DROPWISE_ERROR_GENERATOR:
        return "the mask's generator is unknown";
    case DROPWISE_ERROR_KEEP_THRESHOLD:
        return "the mask's keep_threshold is above 2^40";
    case DROPWISE_ERROR_SCALING:
        return "the mask's scaling is unknown";
    case DROPWISE_ERROR_DTYPE:
        return "the dtype is unknown";
    case DROPWISE_ERROR_RANGE:
        return "the index range reaches past the end of the stream";
    case DROPWISE_ERROR_SIZE:
        return "the number of elements is more bytes than memory can have";
    case DROPWISE_ERROR_OVERLAP:
        return "buffers overlap without being equal";
    case DROPWISE_ERROR_ISA_UNKNOWN:
        return "the tier is unknown";
    case DROPWISE_ERROR_ISA_NOT_BUILT:
        return "the tier is not part of this build";
    case DROPWISE_ERROR_ISA_NOT_USABLE:
        return "this CPU or operating system cannot run the tier";
    case DROPWISE_ERROR_RANK:
        return "the rank of the view is not 1 to 8";
    case DROPWISE_ERROR_SHAPE:
        return "sizes do not fit each other, or a row has no elements";
    case DROPWISE_ERROR_SELF_OVERLAP:
        return "elements of the output overlap each other";
    case DROPWISE_ERROR_FORM:
        return "the form of the stored mask is unknown";
    case DROPWISE_ERROR_STORED_SIZE:
        return "the buffer or the row stride of the stored mask is too small";
    case DROPWISE_ERROR_ACTIVATION:
        return "the activation is unknown";
    case DROPWISE_ERROR_PARAMETER:
        return "a parameter is not finite or out of its range";
    case DROPWISE_ERROR_MATH:
        return "this needs mathematical functions that the build or the CPU does not have";
    case DROPWISE_ERROR_LAYOUT:
        return "the mask layout is unknown";
    default:
        return "unknown status";
    }
}

/* Two steps, as arguments of # are not expanded. */
#define QUOTE(x) #x
#define VERSION(major, minor, patch) QUOTE(major) "." QUOTE(minor) "." QUOTE(patch)

const char *dropwise_version(void)
{
    return VERSION(DROPWISE_VERSION_MAJOR, DROPWISE_VERSION_MINOR, DROPWISE_VERSION_PATCH);
}
