/*
 * The loop apply_ELEMENT for one element type: keep bits and elements in, elements out.
 *
 * Included by apply_loops.inc.h once for each type, with these parameters:
 *   ELEMENT  the type, in the loop's name
 *   WIDTH    b8, b16, b32 or b64: how it is moved
 *   FACTOR   the C type of the scale; if it is not defined, elements are copied
 *
 * The loop walks in units of 64 elements, one word of keep bits.
 */
#include "template.h"

#define OP(name) CONCAT(name, ELEMENT)
#define VEC CONCAT(vec, WIDTH)
#define LANES CONCAT(LANES, WIDTH)

enum { OP(BYTES) = sizeof(VEC) / LANES };

#ifdef FACTOR
typedef FACTOR OP(factor);

VEC_INLINE VEC OP(apply_vector)(bool masked, const uint8_t *p, uint64_t word, unsigned lane, FACTOR factor)
{
    return masked ? OP(load_kept_times)(p, factor, word, lane) : OP(load_times)(p, factor);
}
#else
typedef char OP(factor); /* there is none */

VEC_INLINE VEC OP(apply_vector)(bool masked, const uint8_t *p, uint64_t word, unsigned lane, char factor)
{
    (void)factor;
    const VEC v = CONCAT(load, WIDTH)(p);
    return masked ? CONCAT(keep, WIDTH)(v, word, lane) : v;
}
#endif

static inline OP(factor) OP(factor_at)(const void *scale)
{
    OP(factor) factor = 0;
    if (scale != NULL)
        memcpy(&factor, scale, sizeof factor);
    return factor;
}

/* Vectors from number `from` to before number `to` of a run of elements, of which all are whole. */
VEC_INLINE void OP(apply_vectors)(bool masked, bool streamed, const uint8_t *bits, unsigned from, unsigned to,
                                  const uint8_t *x, uint8_t *y, OP(factor) factor)
{
    uint64_t word = 0;
    VEC_UNROLL
    for (unsigned v = from; v < to; v++) {
        const unsigned at = v * LANES;
        if (masked && (v == from || at % 64 == 0)) /* once, as a compiler must think that y may be bits */
            word = load_le64(bits + at / 64 * 8);
        const VEC result = OP(apply_vector)(masked, x + at * OP(BYTES), word, at % 64, factor);
        if (streamed)
            CONCAT(stream, WIDTH)(y + at * OP(BYTES), result);
        else
            CONCAT(store, WIDTH)(y + at * OP(BYTES), result);
    }
}

/* Asks for the lines that vectors `from` to `to` reach in a while. */
VEC_INLINE void OP(ask_ahead)(dropwise_reach reach, unsigned from, unsigned to, const uint8_t *x,
                              const uint8_t *y)
{
    if (reach == DROPWISE_NEAR)
        return;
    VEC_UNROLL
    for (unsigned v = from; v < to; v++) {
        const uintptr_t at = v * sizeof(VEC);
        if (at % 64 == 0)
            __builtin_prefetch((const void *)((uintptr_t)x + at + READ_AHEAD), 0, 2);
        if (at % 64 == 0 && reach == DROPWISE_FAR)
            __builtin_prefetch((const void *)((uintptr_t)y + at + WRITE_AHEAD), 1, 3);
    }
}

/* Part number `part` of so many of n elements that are scaled while something else is computed. */
VEC_INLINE void OP(apply_part)(dropwise_reach reach, const uint8_t *bits, unsigned n, unsigned part,
                               unsigned parts, const uint8_t *x, uint8_t *y, OP(factor) factor)
{
    const unsigned from = n / LANES * part / parts, to = n / LANES * (part + 1) / parts;
    OP(ask_ahead)(reach, from, to, x, y);
    OP(apply_vectors)(true, reach == DROPWISE_STREAMED, bits, from, to, x, y, factor);
}

/* How a loop treats an element, and how it stores, is constant in every kernel. */
VEC_INLINE void OP(apply)(bool masked, bool streamed, const void *bits, size_t n, const void *x, void *y,
                          const void *scale)
{
    const OP(factor) factor = OP(factor_at)(scale);
    const uint8_t *keep = bits;
    const uint8_t *in = x;
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= 64; done += 64)
        OP(apply_vectors)(masked, streamed, masked ? keep + done / 8 : NULL, 0, 64 / LANES,
                          in + done * OP(BYTES), out + done * OP(BYTES), factor);
    if (done < n) {
        const size_t rest = n - done;
        const uint64_t word = masked ? load_le64_part(keep + done / 8, bytes_of_bits(rest)) : 0;
        for (unsigned lane = 0; lane < rest; lane += LANES) {
            /* The last vector may be a part of one: it goes through a whole one on the stack. */
            const size_t at = (done + lane) * OP(BYTES);
            const bool whole = rest - lane >= LANES;
            uint8_t last[sizeof(VEC)] = {0};
            if (!whole)
                memcpy(last, in + at, (rest - lane) * OP(BYTES));
            const VEC v = OP(apply_vector)(masked, whole ? in + at : last, word, lane, factor);
            CONCAT(store, WIDTH)(whole ? out + at : last, v);
            if (!whole)
                memcpy(out + at, last, (rest - lane) * OP(BYTES));
        }
    }
}

#undef OP
#undef VEC
#undef LANES
#undef ELEMENT
#undef WIDTH
#undef FACTOR
