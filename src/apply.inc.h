/*
 * Kernels of kinds apply and scale for one element type: keep bits and elements in, elements out.
 *
 * Included by apply_all.inc.h once for each type, with these parameters:
 *   ELEMENT  the type, in the kernels' names
 *   WIDTH    b8, b16, b32 or b64: how it is moved
 *   FACTOR   the C type of the scale; if it is not defined, elements are copied and the kernels are those
 *            that copy what is kept
 *
 * The loop walks in units of 64 elements, one word of keep bits.
 */
#define CONCAT_(a, b) a##_##b
#define CONCAT(a, b) CONCAT_(a, b)
#define ELEMENT_BYTES ((size_t)(sizeof(CONCAT(vec, WIDTH)) / CONCAT(LANES, WIDTH)))

/* How a loop treats an element, and how it stores; constant in every kernel. */
VEC_INLINE void CONCAT(apply, ELEMENT)(bool masked, bool streamed, const void *bits, size_t n,
                                       const void *x, void *y, const void *scale)
{
    const uint8_t *keep = bits;
    const uint8_t *in = x;
    uint8_t *out = y;
#ifdef FACTOR
    FACTOR factor;
    memcpy(&factor, scale, sizeof factor);
#define READ(p) CONCAT(load_times, ELEMENT)((p), factor)
#else
    (void)scale;
#define READ(p) CONCAT(load, WIDTH)(p)
#endif

    size_t done = 0;
    for (; n - done >= 64; done += 64) {
        const uint64_t word = masked ? load_le64(keep + done / 8) : 0;
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += CONCAT(LANES, WIDTH)) {
            const size_t at = (done + lane) * ELEMENT_BYTES;
            CONCAT(vec, WIDTH) v = READ(in + at);
            if (masked)
                v = CONCAT(keep, WIDTH)(v, word, lane);
            if (streamed)
                CONCAT(stream, WIDTH)(out + at, v);
            else
                CONCAT(store, WIDTH)(out + at, v);
        }
    }
    if (done < n) {
        const size_t rest = n - done;
        const uint64_t word = masked ? load_le64_part(keep + done / 8, bytes_of_bits(rest)) : 0;
        for (unsigned lane = 0; lane < rest; lane += CONCAT(LANES, WIDTH)) {
            /* The last vector may be a part of one: it goes through a whole one on the stack. */
            const size_t at = (done + lane) * ELEMENT_BYTES;
            const bool whole = rest - lane >= CONCAT(LANES, WIDTH);
            uint8_t last[sizeof(CONCAT(vec, WIDTH))] = {0};
            if (!whole)
                memcpy(last, in + at, (rest - lane) * ELEMENT_BYTES);
            CONCAT(vec, WIDTH) v = READ(whole ? in + at : last);
            if (masked)
                v = CONCAT(keep, WIDTH)(v, word, lane);
            CONCAT(store, WIDTH)(whole ? out + at : last, v);
            if (!whole)
                memcpy(out + at, last, (rest - lane) * ELEMENT_BYTES);
        }
    }
}

#ifdef FACTOR
static void CONCAT(scale_kept, ELEMENT)(const void *bits, size_t n, const void *x, void *y,
                                        const void *scale)
{
    CONCAT(apply, ELEMENT)(true, false, bits, n, x, y, scale);
}

static void CONCAT(scale_kept_stream, ELEMENT)(const void *bits, size_t n, const void *x, void *y,
                                               const void *scale)
{
    CONCAT(apply, ELEMENT)(true, true, bits, n, x, y, scale);
}

static void CONCAT(scale, ELEMENT)(size_t n, const void *x, void *y, const void *scale)
{
    CONCAT(apply, ELEMENT)(false, false, NULL, n, x, y, scale);
}

static void CONCAT(scale_stream, ELEMENT)(size_t n, const void *x, void *y, const void *scale)
{
    CONCAT(apply, ELEMENT)(false, true, NULL, n, x, y, scale);
}
#else
static void CONCAT(copy_kept, ELEMENT)(const void *bits, size_t n, const void *x, void *y,
                                       const void *scale)
{
    CONCAT(apply, ELEMENT)(true, false, bits, n, x, y, scale);
}

static void CONCAT(copy_kept_stream, ELEMENT)(const void *bits, size_t n, const void *x, void *y,
                                              const void *scale)
{
    CONCAT(apply, ELEMENT)(true, true, bits, n, x, y, scale);
}
#endif

#undef READ
#undef ELEMENT_BYTES
#undef CONCAT
#undef CONCAT_
#undef ELEMENT
#undef WIDTH
#undef FACTOR
