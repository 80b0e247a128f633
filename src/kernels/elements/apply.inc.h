/*
 * Kernels scale_kept and scale, or copy_kept, for one element type: keep bits and elements in, elements out;
 * and the part of that loop which is done between the rounds of a generator.
 *
 * Included by elements.inc.h once for each type, with these parameters:
 *   ELEMENT  the type, in the kernels' names
 *   WIDTH    b8, b16, b32 or b64: how it is moved
 *   FACTOR   the C type of the scale; if it is not defined, elements are copied
 *
 * The loop walks in units of 64 elements, one word of keep bits.
 */
#include "kernels/template.h"

enum { OP_E(BYTES) = ELEMENT_BYTES };

#ifdef FACTOR
typedef FACTOR OP_E(factor);

VEC_INLINE OP_W(vec) OP_E(apply_vector)(bool masked, const uint8_t *p, const mask64 *mask, unsigned lane,
                                        FACTOR factor)
{
    return masked ? OP_E(load_masked_times)(p, factor, mask, lane) : OP_E(load_times)(p, factor);
}
#else
typedef char OP_E(factor); /* there is none */

VEC_INLINE OP_W(vec) OP_E(apply_vector)(bool masked, const uint8_t *p, const mask64 *mask, unsigned lane,
                                        char factor)
{
    (void)factor;
    const OP_W(vec) v = OP_W(load)(p);
    return masked ? OP_W(masked)(v, mask, lane) : v;
}
#endif

static inline OP_E(factor) OP_E(factor_at)(const void *scale)
{
    OP_E(factor) factor = 0;
    if (scale != NULL)
        memcpy(&factor, scale, sizeof factor);
    return factor;
}

/*
 * Vectors from number `from` to before number `to` of a run of elements, of which all are whole. Each mask is
 * for 64 elements.
 */
VEC_INLINE void OP_E(apply_vectors)(bool masked, bool nontemporal, const mask64 *masks, unsigned from,
                                    unsigned to, const uint8_t *x, uint8_t *y, OP_E(factor) factor)
{
    VEC_UNROLL
    for (unsigned v = from; v < to; v++) {
        const unsigned at = v * LANES;
        const OP_W(vec) result =
            OP_E(apply_vector)(masked, x + at * ELEMENT_BYTES, masks + at / 64, at % 64, factor);
        if (nontemporal)
            OP_W(store_nt)(y + at * ELEMENT_BYTES, result);
        else
            OP_W(store)(y + at * ELEMENT_BYTES, result);
    }
}

/* Prefetches the lines that vectors `from` to `to` reach in a while. */
VEC_INLINE void OP_E(prefetch)(unsigned from, unsigned to, const uint8_t *x)
{
    VEC_UNROLL
    for (unsigned v = from; v < to; v++) {
        const uintptr_t at = v * sizeof(OP_W(vec));
        if (at % 64 == 0)
            __builtin_prefetch((const void *)((uintptr_t)x + at + PREFETCH_READ), 0, 2);
    }
}

/*
 * Part number `part` of so many of n elements that are scaled while something else is computed. Prefetches
 * gain only where y is written past the caches: elsewhere, at all sizes, those of the CPU do.
 */
VEC_INLINE void OP_E(apply_part)(bool nontemporal, const mask64 *masks, unsigned n, unsigned part,
                                 unsigned parts, const uint8_t *x, uint8_t *y, OP_E(factor) factor)
{
    const unsigned from = n / LANES * part / parts, to = n / LANES * (part + 1) / parts;
    if (nontemporal)
        OP_E(prefetch)(from, to, x);
    OP_E(apply_vectors)(true, nontemporal, masks, from, to, x, y, factor);
}

/*
 * 64 elements. Where a vector is one of them, several are loaded before any is stored, so that a compiler may
 * make vectors of them.
 */
VEC_INLINE void OP_E(apply_64)(bool masked, bool nontemporal, const mask64 *mask, const uint8_t *x,
                               uint8_t *y, OP_E(factor) factor)
{
    if (LANES > 1) {
        OP_E(apply_vectors)(masked, nontemporal, mask, 0, 64 / LANES, x, y, factor);
        return;
    }
    for (unsigned from = 0; from < 64; from += UNROLLED) {
        OP_W(vec) v[UNROLLED];
        VEC_UNROLL
        for (unsigned lane = 0; lane < UNROLLED; lane++)
            v[lane] =
                OP_E(apply_vector)(masked, x + (from + lane) * ELEMENT_BYTES, mask, from + lane, factor);
        VEC_UNROLL
        for (unsigned lane = 0; lane < UNROLLED; lane++)
            OP_W(store)(y + (from + lane) * ELEMENT_BYTES, v[lane]);
    }
}

/*
 * rest < 64 elements. The last vector may be a part of one: it goes through a whole one on the stack.
 */
VEC_SHARED void OP_E(apply_rest)(bool masked, uint64_t word, unsigned rest, const uint8_t *x, uint8_t *y,
                                 OP_E(factor) factor)
{
    const mask64 mask = mask64_of(word);
    unsigned lane = 0;
    for (; rest - lane >= LANES; lane += LANES) {
        const OP_W(vec) v = OP_E(apply_vector)(masked, x + lane * ELEMENT_BYTES, &mask, lane, factor);
        OP_W(store)(y + lane * ELEMENT_BYTES, v);
    }
    if (lane < rest) {
        uint8_t last[sizeof(OP_W(vec))] = {0};
        copy_few(last, x + lane * ELEMENT_BYTES, (rest - lane) * ELEMENT_BYTES);
        OP_W(store)(last, OP_E(apply_vector)(masked, last, &mask, lane, factor));
        copy_few(y + lane * ELEMENT_BYTES, last, (rest - lane) * ELEMENT_BYTES);
    }
}

/* How a loop treats an element, and how it stores, is constant in every kernel. */
VEC_INLINE void OP_E(apply)(bool masked, bool nontemporal, const void *bits, size_t n, const void *x, void *y,
                            const void *scale)
{
    const OP_E(factor) factor = OP_E(factor_at)(scale);
    const uint8_t *keep = bits;
    const uint8_t *in = x;
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= 64; done += 64) {
        const mask64 mask = mask64_of(masked ? load_le64(keep + done / 8) : UINT64_MAX);
        OP_E(apply_64)(masked, nontemporal, &mask, in + done * ELEMENT_BYTES, out + done * ELEMENT_BYTES,
                       factor);
    }
    if (done < n) {
        const uint64_t word = masked ? load_le64_part(keep + done / 8, bytes_of_bits(n - done)) : 0;
        OP_E(apply_rest)(masked, word, (unsigned)(n - done), in + done * ELEMENT_BYTES,
                         out + done * ELEMENT_BYTES, factor);
    }
}

#ifdef FACTOR
VEC_KERNEL void OP_E(scale_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, false, bits, n, x, y, scale);
}

VEC_KERNEL void OP_E(scale_kept_nt)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, true, bits, n, x, y, scale);
}

VEC_KERNEL void OP_E(scale)(size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(false, false, NULL, n, x, y, scale);
}

VEC_KERNEL void OP_E(scale_nt)(size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(false, true, NULL, n, x, y, scale);
}
#else
VEC_KERNEL void OP_E(copy_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, false, bits, n, x, y, scale);
}

VEC_KERNEL void OP_E(copy_kept_nt)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, true, bits, n, x, y, scale);
}
#endif

#undef ELEMENT
#undef WIDTH
#undef FACTOR
