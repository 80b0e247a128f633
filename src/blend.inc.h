/*
 * Kernels of kinds blend and split: elements that go one of two ways by a bit, whatever they mean.
 *
 * Included by variants_all.inc.h once for each WIDTH: b8, b16, b32 or b64.
 */
#define CONCAT_(a, b) a##_##b
#define CONCAT(a, b) CONCAT_(a, b)
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

VEC_INLINE void OP(blend_vector)(bool streamed, uint64_t word, unsigned lane, const uint8_t *a,
                                 const uint8_t *b, uint8_t *y)
{
    OP(move_out)(streamed, y, OP(either)(OP(load)(a), OP(load)(b), word, lane));
}

VEC_INLINE void OP(blend_loop)(bool streamed, const void *bits, size_t n, const uint8_t *a, const uint8_t *b,
                               uint8_t *y)
{
    size_t done = 0;
    for (; n - done >= 64; done += 64) {
        const uint64_t word = OP(bits_from)(bits, done, n);
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += LANES) {
            const size_t at = (done + lane) * ELEMENT_BYTES;
            OP(blend_vector)(streamed, word, lane, a + at, b + at, y + at);
        }
    }
    if (done == n)
        return;
    const uint64_t word = OP(bits_from)(bits, done, n);
    const unsigned rest = (unsigned)(n - done);
    unsigned lane = 0;
    for (; lane + LANES <= rest; lane += LANES) {
        const size_t at = (done + lane) * ELEMENT_BYTES;
        OP(blend_vector)(false, word, lane, a + at, b + at, y + at);
    }
    for (; lane < rest; lane++) {
        const size_t at = (done + lane) * ELEMENT_BYTES;
        memmove(y + at, (word >> lane & 1 ? a : b) + at, ELEMENT_BYTES);
    }
}

static void OP(blend)(const void *bits, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    OP(blend_loop)(false, bits, n, a, b, y);
}

static void OP(blend_stream)(const void *bits, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *y)
{
    OP(blend_loop)(true, bits, n, a, b, y);
}

VEC_INLINE void OP(split_vector)(bool streamed, uint64_t word, unsigned lane, const uint8_t *x, uint8_t *kept,
                                 uint8_t *dropped)
{
    static const uint8_t zeros[sizeof(VEC)];
    const VEC v = OP(load)(x);
    OP(move_out)(streamed, kept, OP(keep)(v, word, lane));
    OP(move_out)(streamed, dropped, OP(either)(OP(load)(zeros), v, word, lane));
}

VEC_INLINE void OP(split_loop)(bool streamed, const void *bits, size_t n, const uint8_t *x, uint8_t *kept,
                               uint8_t *dropped)
{
    size_t done = 0;
    for (; n - done >= 64; done += 64) {
        const uint64_t word = OP(bits_from)(bits, done, n);
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += LANES) {
            const size_t at = (done + lane) * ELEMENT_BYTES;
            OP(split_vector)(streamed, word, lane, x + at, kept + at, dropped + at);
        }
    }
    if (done == n)
        return;
    const uint64_t word = OP(bits_from)(bits, done, n);
    const unsigned rest = (unsigned)(n - done);
    unsigned lane = 0;
    for (; lane + LANES <= rest; lane += LANES) {
        const size_t at = (done + lane) * ELEMENT_BYTES;
        OP(split_vector)(false, word, lane, x + at, kept + at, dropped + at);
    }
    for (; lane < rest; lane++) {
        const size_t at = (done + lane) * ELEMENT_BYTES;
        const bool goes = word >> lane & 1;
        memmove((goes ? kept : dropped) + at, x + at, ELEMENT_BYTES); /* first: x may be one of the two */
        memset((goes ? dropped : kept) + at, 0, ELEMENT_BYTES);
    }
}

static void OP(split)(const void *bits, size_t n, const uint8_t *x, uint8_t *kept, uint8_t *dropped)
{
    OP(split_loop)(false, bits, n, x, kept, dropped);
}

static void OP(split_stream)(const void *bits, size_t n, const uint8_t *x, uint8_t *kept, uint8_t *dropped)
{
    OP(split_loop)(true, bits, n, x, kept, dropped);
}

#undef ELEMENT_BYTES
#undef OP
#undef LANES
#undef VEC
#undef CONCAT
#undef CONCAT_
#undef WIDTH
