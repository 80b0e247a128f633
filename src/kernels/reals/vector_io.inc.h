/*
 * Vectors of reals from memory and to it, for one type that is computed in: whole ones, and the last one of a
 * row, which may be a part of one and goes through a whole one on the stack. What the other templates of this
 * folder share; included before them by kernels/all_kernels.inc.h, once for f32 and once for f64.
 *
 * Multiply and add are two roundings everywhere, and NaN that leave are the one quiet NaN: so results are the
 * same bits on every ISA, which else differ in the NaN that they make.
 */
#include "kernels/template.h"

/*
 * Vectors that functions are made of together, step by step, so that one need not wait for what another
 * does.
 */
enum { OP_R(VECTORS) = LANES == 1 ? 1 : 4 };

/* n < LANES reals from p on, the others 0, and the reverse: out of line, as kernels have several of them. */
VEC_SHARED OP_R(vec) OP_R(load_fewer)(const uint8_t *p, size_t n)
{
    uint8_t part[sizeof(OP_R(vec))] = {0};
    memcpy(part, p, n * sizeof(NUMBER));
    return OP_R(as)(OP_W(load)(part));
}

VEC_SHARED void OP_R(store_fewer)(uint8_t *p, size_t n, OP_R(vec) v)
{
    uint8_t part[sizeof(OP_R(vec))];
    OP_W(store)(part, OP_W(as)(v));
    memcpy(p, part, n * sizeof(NUMBER));
}

/* n reals from p on, up to a vector of them. */
VEC_INLINE OP_R(vec) OP_R(load_part)(const uint8_t *p, size_t n)
{
    return n >= LANES ? OP_R(as)(OP_W(load)(p)) : OP_R(load_fewer)(p, n);
}

VEC_INLINE void OP_R(store_part)(uint8_t *p, size_t n, OP_R(vec) v)
{
    if (n >= LANES)
        OP_W(store)(p, OP_W(as)(v));
    else
        OP_R(store_fewer)(p, n, v);
}

VEC_INLINE OP_R(vec) OP_R(kept)(OP_R(vec) v, uint64_t bits, unsigned lane)
{
    return OP_R(as)(OP_W(keep)(OP_W(as)(v), bits, lane));
}

/* The numbers from element i on; NULL stands for zeros where a kernel says so. */
VEC_INLINE OP_R(vec) OP_R(load_reals)(const void *p, size_t i, size_t n)
{
    return OP_R(load_part)((const uint8_t *)p + i * sizeof(NUMBER), n - i);
}

VEC_INLINE void OP_R(store_reals)(void *p, size_t i, size_t n, OP_R(vec) v)
{
    OP_R(store_part)((uint8_t *)p + i * sizeof(NUMBER), n - i, OP_R(canonical)(v));
}

VEC_SHARED uint64_t OP_R(last_word)(const uint8_t *p, size_t n)
{
    return load_le64_part(p, bytes_of_bits(n));
}

/* The word of keep bits that element i is in; lane i % 64 is its own. */
VEC_INLINE uint64_t OP_R(word)(const void *bits, size_t i, size_t n)
{
    const uint8_t *from = (const uint8_t *)bits + i / 64 * 8;
    const size_t rest = n - i / 64 * 64;
    return rest >= 64 ? load_le64(from) : OP_R(last_word)(from, rest);
}

/* A whole vector of reals, past the caches or not. */
VEC_INLINE void OP_R(put_whole)(bool nontemporal, void *p, size_t i, OP_R(vec) v)
{
    uint8_t *out = (uint8_t *)p + i * sizeof(NUMBER);
    if (nontemporal)
        OP_W(store_nt)(out, OP_W(as)(v));
    else
        OP_W(store)(out, OP_W(as)(v));
}

/* ---- 16 partial sums ---- */

/* Adds a vector of elements i, i + 1, ... to the partial sums, element i to sum i mod 16. */
VEC_INLINE void OP_R(add_to_sums)(OP_R(vec) *partial, size_t i, OP_R(vec) v)
{
    OP_R(vec) *sum = &partial[i / LANES % (16 / LANES)];
    *sum = OP_R(add)(*sum, v);
}

VEC_INLINE void OP_R(load_sums)(OP_R(vec) *partial, const void *sums)
{
    for (unsigned k = 0; k < 16 / LANES; k++)
        partial[k] = OP_R(load_reals)(sums, k * LANES, 16);
}

VEC_INLINE void OP_R(store_sums)(const OP_R(vec) *partial, void *sums)
{
    for (unsigned k = 0; k < 16 / LANES; k++)
        OP_R(store_reals)(sums, k * LANES, 16, partial[k]);
}
