/*
 * Kernels of kinds blend and split: elements that go one of two ways by a bit, whatever they mean.
 *
 * Included by all_kernels.inc.h once for each WIDTH: b8, b16, b32 or b64.
 */
#include "kernels/template.h"

VEC_INLINE void OP_W(move_out)(bool nontemporal, uint8_t *p, OP_W(vec) v)
{
    if (nontemporal)
        OP_W(store_nt)(p, v);
    else
        OP_W(store)(p, v);
}

/* Inputs and outputs of a loop; which of them there are depends on the kernel. */
typedef struct OP_W(moved) {
    const uint8_t *a, *b;
    uint8_t *y, *z;
} OP_W(moved);

/* What is done with the elements whose first byte is at `at`: a vector of them, or one. */
typedef void OP_W(move_vector)(bool nontemporal, uint64_t word, unsigned lane, const OP_W(moved) *m,
                               size_t at);
typedef void OP_W(move_element)(bool goes, const OP_W(moved) *m, size_t at);

/* Whole words of 64 elements, and how many elements they are. */
VEC_INLINE size_t OP_W(move_words)(OP_W(move_vector) *vector, bool nontemporal, const void *bits, size_t n,
                                   const OP_W(moved) *m)
{
    size_t done = 0;
    for (; n - done >= 64; done += 64) {
        const uint64_t word = load_le64((const uint8_t *)bits + done / 8);
        for (unsigned from = 0; from < 64; from += UNROLLED) {
            VEC_UNROLL
            for (unsigned lane = 0; lane < UNROLLED; lane += LANES)
                vector(nontemporal, word >> from, lane, m, (done + from + lane) * ELEMENT_BYTES);
        }
    }
    return done;
}

/* The elements from `done` on, which are fewer. */
VEC_INLINE void OP_W(move_rest)(OP_W(move_vector) *vector, OP_W(move_element) *element, const void *bits,
                                size_t done, size_t n, const OP_W(moved) *m)
{
    const unsigned rest = (unsigned)(n - done);
    const uint64_t word = load_le64_part((const uint8_t *)bits + done / 8, bytes_of_bits(rest));
    unsigned lane = 0;
    for (; lane + LANES <= rest; lane += LANES)
        vector(false, word, lane, m, (done + lane) * ELEMENT_BYTES);
    for (; lane < rest; lane++)
        element(word >> lane & 1, m, (done + lane) * ELEMENT_BYTES);
}

/* ---- Blend: from a or b to y ---- */

VEC_INLINE void OP_W(blend_vector)(bool nontemporal, uint64_t word, unsigned lane, const OP_W(moved) *m,
                                   size_t at)
{
    OP_W(move_out)(nontemporal, m->y + at,
                   OP_W(either)(OP_W(load)(m->a + at), OP_W(load)(m->b + at), word, lane));
}

VEC_INLINE void OP_W(blend_element)(bool goes, const OP_W(moved) *m, size_t at)
{
    memmove(m->y + at, (goes ? m->a : m->b) + at, ELEMENT_BYTES);
}

VEC_SHARED void OP_W(blend_rest)(const void *bits, size_t done, size_t n, const OP_W(moved) *m)
{
    OP_W(move_rest)(OP_W(blend_vector), OP_W(blend_element), bits, done, n, m);
}

static void OP_W(blend)(const void *bits, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    const OP_W(moved) m = {.a = a, .b = b, .y = y};
    OP_W(blend_rest)(bits, OP_W(move_words)(OP_W(blend_vector), false, bits, n, &m), n, &m);
}

static void OP_W(blend_nt)(const void *bits, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    const OP_W(moved) m = {.a = a, .b = b, .y = y};
    OP_W(blend_rest)(bits, OP_W(move_words)(OP_W(blend_vector), true, bits, n, &m), n, &m);
}

/* ---- Split: from a to y (kept) or z (dropped) ---- */

VEC_INLINE void OP_W(split_vector)(bool nontemporal, uint64_t word, unsigned lane, const OP_W(moved) *m,
                                   size_t at)
{
    static const uint8_t zeros[sizeof(OP_W(vec))];
    const OP_W(vec) v = OP_W(load)(m->a + at);
    OP_W(move_out)(nontemporal, m->y + at, OP_W(keep)(v, word, lane));
    OP_W(move_out)(nontemporal, m->z + at, OP_W(either)(OP_W(load)(zeros), v, word, lane));
}

VEC_INLINE void OP_W(split_element)(bool goes, const OP_W(moved) *m, size_t at)
{
    memmove((goes ? m->y : m->z) + at, m->a + at, ELEMENT_BYTES); /* first: a may be one of the two */
    memset((goes ? m->z : m->y) + at, 0, ELEMENT_BYTES);
}

VEC_SHARED void OP_W(split_rest)(const void *bits, size_t done, size_t n, const OP_W(moved) *m)
{
    OP_W(move_rest)(OP_W(split_vector), OP_W(split_element), bits, done, n, m);
}

static void OP_W(split)(const void *bits, size_t n, const uint8_t *x, uint8_t *kept, uint8_t *dropped)
{
    const OP_W(moved) m = {.a = x, .y = kept, .z = dropped};
    OP_W(split_rest)(bits, OP_W(move_words)(OP_W(split_vector), false, bits, n, &m), n, &m);
}

static void OP_W(split_nt)(const void *bits, size_t n, const uint8_t *x, uint8_t *kept, uint8_t *dropped)
{
    const OP_W(moved) m = {.a = x, .y = kept, .z = dropped};
    OP_W(split_rest)(bits, OP_W(move_words)(OP_W(split_vector), true, bits, n, &m), n, &m);
}
