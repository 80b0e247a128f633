#include "apply/stored.h"

#include <string.h>

#include "base/bits.h"
#include "base/min.h"

dropwise_status dropwise_check_stored(const dropwise_stored *stored)
{
    if (stored->struct_size != sizeof *stored)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (stored->reserved[0] != 0 || stored->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    if (stored->form != DROPWISE_FORM_BITS && stored->form != DROPWISE_FORM_BYTES &&
        stored->form != DROPWISE_FORM_SCALED)
        return DROPWISE_ERROR_FORM;
    return DROPWISE_OK;
}

/* The entries that a scaled mask has where it keeps, and the ones of a mask in bytes. */
static void write_ones(stored_plan *plan, const dropwise_mask *mask, dropwise_dtype dtype)
{
    if (plan->form != DROPWISE_FORM_SCALED) {
        memset(plan->ones, 1, STORED_ENTRIES);
        return;
    }
    const apply_plan scaling = dropwise_apply_plan(plan->kernels, mask, dtype, false);
    const dropwise_factor factor = scaling.scales ? scaling.factor : dropwise_factor_of(dtype, 1.0);
    if (scaling.dtype.narrow != NULL)
        scaling.dtype.narrow(1, &factor.f32, plan->ones);
    else
        memcpy(plan->ones, &factor, plan->entry_bytes);
    for (size_t n = 1; n < STORED_ENTRIES; n *= 2)
        memcpy(plan->ones + n * plan->entry_bytes, plan->ones, n * plan->entry_bytes);
}

dropwise_status dropwise_plan_stored(const dropwise_stored *stored, const dropwise_mask *mask,
                                     dropwise_dtype dtype, uint64_t rows, uint64_t row_length,
                                     const dropwise_kernels *kernels, stored_plan *plan,
                                     dropwise_extent *extent)
{
    plan->kernels = kernels;
    plan->data = stored->data;
    plan->form = stored->form;
    const bool scaled = stored->form == DROPWISE_FORM_SCALED;
    plan->entry_bytes = scaled ? dropwise_dtype_bytes(dtype) : 1;
    if (row_length > PTRDIFF_MAX / 8)
        return DROPWISE_ERROR_SIZE;
    const uint64_t row_bytes = stored->form == DROPWISE_FORM_BITS ? bytes_of_bits((size_t)row_length)
                                                                  : row_length * plan->entry_bytes;
    const uint64_t row_stride = stored->row_stride != 0 ? stored->row_stride : row_bytes;
    uint64_t bytes;
    if (row_stride < row_bytes)
        return DROPWISE_ERROR_STORED_SIZE;
    if (__builtin_mul_overflow(rows - 1, row_stride, &bytes) ||
        __builtin_add_overflow(bytes, row_bytes, &bytes) ||
        bytes > (stored->form == DROPWISE_FORM_BITS ? PTRDIFF_MAX / 8 : PTRDIFF_MAX))
        return DROPWISE_ERROR_SIZE;
    if (stored->size < bytes)
        return DROPWISE_ERROR_STORED_SIZE;
    if (stored->data == NULL)
        return DROPWISE_ERROR_NULL;
    *extent = dropwise_extent_of(stored->data, bytes);
    plan->row_step = stored->form == DROPWISE_FORM_BITS ? 8 * row_stride : row_stride;

    const dropwise_dtype_kernels f8 = dropwise_dtype_of(kernels, DROPWISE_F8_E4M3);
    const dropwise_dtype_kernels entries = scaled ? dropwise_dtype_of(kernels, dtype) : f8;
    plan->copy_kept = entries.copy_kept;
    plan->copy_kept_nt = entries.copy_kept_nt;
    plan->nontemporal = false;
    plan->nonzero = entries.nonzero;
    write_ones(plan, mask, dtype);
    return DROPWISE_OK;
}

static bool is_kept(const uint8_t *entry, size_t bytes)
{
    unsigned any = 0;
    for (size_t i = 0; i < bytes; i++)
        any |= entry[i];
    return any != 0;
}

void dropwise_read_stored(const stored_plan *plan, int64_t place, int64_t step, size_t n, uint8_t *bits)
{
    const bool packed = plan->form == DROPWISE_FORM_BITS;
    if (step == stored_entry_step(plan)) {
        if (packed)
            copy_bits(plan->data, (size_t)place, n, bits);
        else
            plan->nonzero(n, plan->data + place, bits);
        return;
    }
    bit_writer writer = {.out = bits};
    for (size_t i = 0; i < n; i++, place += step)
        bit_write(&writer, packed ? bit_at(plan->data, (size_t)place)
                                  : is_kept(plan->data + place, plan->entry_bytes));
    bit_write_end(&writer);
}

void dropwise_write_stored(const stored_plan *plan, int64_t place, size_t n, const uint8_t *bits)
{
    if (plan->form == DROPWISE_FORM_BITS) {
        memcpy(plan->data + place / 8, bits, bytes_of_bits(n));
        return;
    }
    uint8_t *out = plan->data + place;
    const bool nontemporal = plan->nontemporal && (uintptr_t)out % DROPWISE_NT_ALIGN == 0;
    dropwise_apply_fn *copy_kept = nontemporal ? plan->copy_kept_nt : plan->copy_kept;
    for (size_t done = 0; done < n; done += STORED_ENTRIES) {
        const size_t len = min_size(STORED_ENTRIES, n - done);
        copy_kept(bits + done / 8, len, plan->ones, out + done * plan->entry_bytes, NULL);
    }
}
