/*
 * Kernels of kinds blend and split: elements that go one of two ways by a bit, whatever they mean.
 *
 * Included by variants_all.inc.h once for each WIDTH: b8, b16, b32 or b64.
 */
#include "template.h"

#define VEC CONCAT(vec, WIDTH)
#define LANES CONCAT(LANES, WIDTH)
#define OP(name) CONCAT(name, WIDTH)
#define ELEMENT_BYTES ((size_t)(sizeof(VEC) / LANES))

VEC_INLINE void OP(move_out)(bool streamed, uint8_t *p, VEC v)
{
    if (streamed)
        OP(stream)(p, v);
    else
        OP(store)(p, v);
}

/* The bits of elements from `done` on, up to 64. */
VEC_INLINE uint64_t OP(bits_from)(const void *bits, size_t done, size_t n)
{
    const uint8_t *from = (const uint8_t *)bits + done / 8;
    return n - done >= 64 ? load_le64(from) : load_le64_part(from, bytes_of_bits(n - done));
}

/* Inputs and outputs of a loop; which of them there are depends on the kernel. */
typedef struct OP(moved) {
    const uint8_t *a, *b;
    uint8_t *y, *z;
} OP(moved);

/* What is done with the elements whose first byte is at `at`: a vector of them, or one. */
typedef void OP(move_vector)(bool streamed, uint64_t word, unsigned lane, const OP(moved) *m, size_t at);
typedef void OP(move_element)(bool goes, const OP(moved) *m, size_t at);

VEC_INLINE void OP(move_loop)(OP(move_vector) *vector, OP(move_element) *element, bool streamed,
                              const void *bits, size_t n, const OP(moved) *m)
{
    size_t done = 0;
    for (; n - done >= 64; done += 64) {
        const uint64_t word = OP(bits_from)(bits, done, n);
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += LANES)
            vector(streamed, word, lane, m, (done + lane) * ELEMENT_BYTES);
    }
    if (done == n)
        return;
    const uint64_t word = OP(bits_from)(bits, done, n);
    const unsigned rest = (unsigned)(n - done);
    unsigned lane = 0;
    for (; lane + LANES <= rest; lane += LANES)
        vector(false, word, lane, m, (done + lane) * ELEMENT_BYTES);
    for (; lane < rest; lane++)
        element(word >> lane & 1, m, (done + lane) * ELEMENT_BYTES);
}

/* ---- Blend: from a or b to y ---- */

VEC_INLINE void OP(blend_vector)(bool streamed, uint64_t word, unsigned lane, const OP(moved) *m, size_t at)
{
    OP(move_out)(streamed, m->y + at, OP(either)(OP(load)(m->a + at), OP(load)(m->b + at), word, lane));
}

VEC_INLINE void OP(blend_element)(bool goes, const OP(moved) *m, size_t at)
{
    memmove(m->y + at, (goes ? m->a : m->b) + at, ELEMENT_BYTES);
}

static void OP(blend)(const void *bits, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    OP(move_loop)(OP(blend_vector), OP(blend_element), false, bits, n, &(OP(moved)){.a = a, .b = b, .y = y});
}

static void OP(blend_stream)(const void *bits, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    OP(move_loop)(OP(blend_vector), OP(blend_element), true, bits, n, &(OP(moved)){.a = a, .b = b, .y = y});
}

/* ---- Split: from a to y (kept) or z (dropped) ---- */

VEC_INLINE void OP(split_vector)(bool streamed, uint64_t word, unsigned lane, const OP(moved) *m, size_t at)
{
    static const uint8_t zeros[sizeof(VEC)];
    const VEC v = OP(load)(m->a + at);
    OP(move_out)(streamed, m->y + at, OP(keep)(v, word, lane));
    OP(move_out)(streamed, m->z + at, OP(either)(OP(load)(zeros), v, word, lane));
}

VEC_INLINE void OP(split_element)(bool goes, const OP(moved) *m, size_t at)
{
    memmove((goes ? m->y : m->z) + at, m->a + at, ELEMENT_BYTES); /* first: a may be one of the two */
    memset((goes ? m->z : m->y) + at, 0, ELEMENT_BYTES);
}

static void OP(split)(const void *bits, size_t n, const uint8_t *x, uint8_t *kept, uint8_t *dropped)
{
    OP(move_loop)(OP(split_vector), OP(split_element), false, bits, n,
                  &(OP(moved)){.a = x, .y = kept, .z = dropped});
}

static void OP(split_stream)(const void *bits, size_t n, const uint8_t *x, uint8_t *kept, uint8_t *dropped)
{
    OP(move_loop)(OP(split_vector), OP(split_element), true, bits, n,
                  &(OP(moved)){.a = x, .y = kept, .z = dropped});
}

#undef ELEMENT_BYTES
#undef OP
#undef LANES
#undef VEC
#undef WIDTH
