/*
 * Kernels of kind nonzero: elements to bits that say which are not +0.0.
 *
 * Included by apply_all.inc.h once for each WIDTH: b8, b16, b32 or b64.
 */
#include "template.h"

#define ELEMENT_BYTES ((size_t)(sizeof(CONCAT(vec, WIDTH)) / CONCAT(LANES, WIDTH)))

/* The bits of 64 elements. */
VEC_INLINE uint64_t CONCAT(nonzero64, WIDTH)(const uint8_t *in)
{
    uint64_t word = 0;
    VEC_UNROLL
    for (unsigned lane = 0; lane < 64; lane += CONCAT(LANES, WIDTH))
        word |= CONCAT(any_bit, WIDTH)(CONCAT(load, WIDTH)(in + lane * ELEMENT_BYTES)) << lane;
    return word;
}

static void CONCAT(nonzero, WIDTH)(size_t n, const void *x, void *bits)
{
    const uint8_t *in = x;
    uint8_t *out = bits;
    size_t done = 0;
    for (; n - done >= 64; done += 64)
        store_le64(out + done / 8, CONCAT(nonzero64, WIDTH)(in + done * ELEMENT_BYTES));
    if (done < n) {
        uint8_t last[64 * ELEMENT_BYTES];
        memset(last, 0, sizeof last);
        memcpy(last, in + done * ELEMENT_BYTES, (n - done) * ELEMENT_BYTES);
        store_le64_part(out + done / 8, CONCAT(nonzero64, WIDTH)(last), bytes_of_bits(n - done));
    }
}

#undef ELEMENT_BYTES
#undef WIDTH
