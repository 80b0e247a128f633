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
static void write_ones(stored_mask *m, const dropwise_mask *mask, dropwise_dtype dtype)
{
    if (m->form != DROPWISE_FORM_SCALED) {
        memset(m->ones, 1, STORED_ENTRIES);
        return;
    }
    const real factor = dropwise_kept_factor(mask, dtype);
    dropwise_narrow_fn *const narrow = dropwise_dtype_of(m->kernels, dtype).narrow;
    if (narrow != NULL)
        narrow(1, &factor.f32, m->ones);
    else
        memcpy(m->ones, &factor, m->entry_bytes);
    for (size_t n = 1; n < STORED_ENTRIES; n *= 2)
        memcpy(m->ones + n * m->entry_bytes, m->ones, n * m->entry_bytes);
}

dropwise_status dropwise_begin_stored(const dropwise_stored *stored, const dropwise_mask *mask,
                                      dropwise_dtype dtype, uint64_t rows, uint64_t row_length,
                                      const dropwise_kernels *kernels, stored_mask *m,
                                      dropwise_extent *extent)
{
    m->kernels = kernels;
    m->data = stored->data;
    m->form = stored->form;
    const bool scaled = stored->form == DROPWISE_FORM_SCALED;
    m->entry_bytes = scaled ? dropwise_dtype_bytes(dtype) : 1;
    if (row_length > (stored->form == DROPWISE_FORM_BITS ? PTRDIFF_MAX : PTRDIFF_MAX / m->entry_bytes))
        return DROPWISE_ERROR_SIZE;
    const uint64_t row_bytes =
        stored->form == DROPWISE_FORM_BITS ? bytes_of_bits((size_t)row_length) : row_length * m->entry_bytes;
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
    m->row_step = stored->form == DROPWISE_FORM_BITS ? 8 * row_stride : row_stride;

    const dropwise_dtype_kernels f8 = dropwise_dtype_of(kernels, DROPWISE_F8_E4M3);
    const dropwise_dtype_kernels entries = scaled ? dropwise_dtype_of(kernels, dtype) : f8;
    m->copy_kept = entries.copy_kept;
    m->copy_kept_nt = entries.copy_kept_nt;
    m->nontemporal = false;
    m->nonzero = entries.nonzero;
    write_ones(m, mask, dtype);
    return DROPWISE_OK;
}

static bool is_kept(const uint8_t *entry, size_t bytes)
{
    unsigned any = 0;
    for (size_t i = 0; i < bytes; i++)
        any |= entry[i];
    return any != 0;
}

void dropwise_read_stored(const stored_mask *m, int64_t place, int64_t step, size_t n, uint8_t *bits)
{
    const bool packed = m->form == DROPWISE_FORM_BITS;
    if (step == stored_entry_step(m)) {
        if (packed)
            copy_bits(m->data, (size_t)place, n, bits);
        else
            m->nonzero(n, m->data + place, bits);
        return;
    }
    bit_writer writer = {.out = bits};
    for (size_t i = 0; i < n; i++, place += step)
        bit_write(&writer,
                  packed ? bit_at(m->data, (size_t)place) : is_kept(m->data + place, m->entry_bytes));
    bit_write_end(&writer);
}

void dropwise_write_stored(const stored_mask *m, int64_t place, size_t n, const uint8_t *bits)
{
    if (m->form == DROPWISE_FORM_BITS) {
        memcpy(m->data + place / 8, bits, bytes_of_bits(n));
        return;
    }
    uint8_t *out = m->data + place;
    const bool nontemporal = m->nontemporal && (uintptr_t)out % DROPWISE_NT_ALIGN == 0;
    dropwise_apply_fn *copy_kept = nontemporal ? m->copy_kept_nt : m->copy_kept;
    for (size_t done = 0; done < n; done += STORED_ENTRIES) {
        const size_t len = min_size(STORED_ENTRIES, n - done);
        copy_kept(bits + done / 8, len, m->ones, out + done * m->entry_bytes, NULL);
    }
}
