/* The public function from one form of stored masks to another, which reads bits and writes them. */
#include "apply/stored.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "tiers/dispatch.h"

static FP_ENV_BODY dropwise_status convert_stored(const dropwise_mask *mask, dropwise_dtype dtype,
                                                  uint64_t rows, uint64_t row_length,
                                                  const dropwise_stored *from, const dropwise_stored *to)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK && (from == NULL || to == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status == DROPWISE_OK)
        status = dropwise_check_stored(from);
    if (status == DROPWISE_OK)
        status = dropwise_check_stored(to);
    if (status == DROPWISE_OK && row_length == 0)
        status = DROPWISE_ERROR_SHAPE;
    if (status != DROPWISE_OK || rows == 0)
        return status;

    const dropwise_kernels *kernels = dropwise_active();
    stored_mask in, out;
    dropwise_extent in_extent, out_extent;
    status = dropwise_begin_stored(from, mask, dtype, rows, row_length, kernels, &in, &in_extent);
    if (status == DROPWISE_OK)
        status = dropwise_begin_stored(to, mask, dtype, rows, row_length, kernels, &out, &out_extent);
    if (status == DROPWISE_OK && dropwise_overlap(in_extent, out_extent))
        status = DROPWISE_ERROR_OVERLAP;
    if (status != DROPWISE_OK)
        return status;

    out.nontemporal = dropwise_is_large(out_extent.to - out_extent.from);
    const int64_t in_step = stored_entry_step(&in), out_step = stored_entry_step(&out);
    for (uint64_t row = 0; row < rows; row++) {
        const int64_t in_row = (int64_t)row * stored_row_step(&in);
        const int64_t out_row = (int64_t)row * stored_row_step(&out);
        for (uint64_t at = 0; at < row_length; at += DRAW_CHUNK) {
            uint8_t bits[DRAW_CHUNK / 8];
            const size_t len = min_size(DRAW_CHUNK, row_length - at);
            dropwise_read_stored(&in, in_row + (int64_t)at * in_step, in_step, len, bits);
            dropwise_write_stored(&out, out_row + (int64_t)at * out_step, len, bits);
        }
    }
    if (out.nontemporal)
        kernels->nt_fence();
    return DROPWISE_OK;
}

dropwise_status dropwise_convert_stored(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t rows,
                                        uint64_t row_length, const dropwise_stored *from,
                                        const dropwise_stored *to)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, convert_stored(mask, dtype, rows, row_length, from, to));
}
