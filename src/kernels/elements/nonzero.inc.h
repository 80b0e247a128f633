/*
 * Kernels of kind nonzero: elements to bits that say which are not +0.0.
 *
 * Included by all_kernels.inc.h once for each WIDTH: b8, b16, b32 or b64.
 */
#include "kernels/template.h"

/* The bits of 64 elements. */
VEC_INLINE uint64_t OP_W(nonzero64)(const uint8_t *in)
{
    uint64_t word = 0;
    for (unsigned from = 0; from < 64; from += UNROLLED) {
        uint64_t part = 0;
        VEC_UNROLL
        for (unsigned lane = 0; lane < UNROLLED; lane += LANES)
            part |= OP_W(any_bit)(OP_W(load)(in + (from + lane) * ELEMENT_BYTES)) << lane;
        word |= part << from;
    }
    return word;
}

static void OP_W(nonzero)(size_t n, const void *x, void *bits)
{
    const uint8_t *in = x;
    uint8_t *out = bits;
    for (size_t done = 0; done < n; done += 64) {
        uint8_t last[64 * ELEMENT_BYTES];
        const bool whole = n - done >= 64;
        if (!whole) {
            memset(last, 0, sizeof last);
            memcpy(last, in + done * ELEMENT_BYTES, (n - done) * ELEMENT_BYTES);
        }
        const uint64_t word = OP_W(nonzero64)(whole ? in + done * ELEMENT_BYTES : last);
        if (whole)
            store_le64(out + done / 8, word);
        else
            store_le64_part(out + done / 8, word, bytes_of_bits(n - done));
    }
}
