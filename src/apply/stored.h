/* Stored masks: keep bits to and from each form, for entries at any stride. */
#ifndef DROPWISE_STORED_H
#define DROPWISE_STORED_H

#include <stdbool.h>

#include "apply/apply.h"
#include "base/check.h"

/* Entries that are written at a time. */
enum { STORED_ENTRIES = 512 };

/*
 * A stored mask that was checked and is open for use. Places in it are counted in units: bits of packed ones,
 * else bytes.
 */
typedef struct stored_mask {
    const dropwise_kernels *kernels;
    uint8_t *data;
    uint64_t row_step; /* units from a row to the next */
    uint32_t form;
    size_t entry_bytes; /* of the other two forms */
    dropwise_apply_fn *copy_kept, *copy_kept_nt;
    dropwise_nonzero_fn *nonzero;
    bool nontemporal; /* entries go past the caches where they are aligned; a fence has to follow */
    uint8_t ones[STORED_ENTRIES * sizeof(double)]; /* entries that are kept, as they are written */
} stored_mask;

/* Checks the struct alone. */
dropwise_status dropwise_check_stored(const dropwise_stored *stored);

/* Checks that it holds rows of row_length > 0 entries and opens it. */
dropwise_status dropwise_begin_stored(const dropwise_stored *stored, const dropwise_mask *mask,
                                      dropwise_dtype dtype, uint64_t rows, uint64_t row_length,
                                      const dropwise_kernels *kernels, stored_mask *m,
                                      dropwise_extent *extent);

/* Units from an entry of a row to the next, and from a row to the next. */
static inline int64_t stored_entry_step(const stored_mask *m)
{
    return m->form == DROPWISE_FORM_BITS ? 1 : (int64_t)m->entry_bytes;
}

static inline int64_t stored_row_step(const stored_mask *m)
{
    return (int64_t)m->row_step;
}

/* n entries at place, place + step, ...: as packed bits, unused ones 0. */
void dropwise_read_stored(const stored_mask *m, int64_t place, int64_t step, size_t n, uint8_t *bits);

/* The reverse, for entries one after the other; a packed mask's place is the first bit of a byte. */
void dropwise_write_stored(const stored_mask *m, int64_t place, size_t n, const uint8_t *bits);

#endif
