/*
 * Kernels of kind apply and scale: keep bits and f32 elements in, f32 elements out.
 *
 * Included by each kernels_<isa>.c after its vector header, of which it uses vf32: a vector of
 * VF32_LANES floats. The loops walk in units of 64 elements, one word of keep bits.
 */

/* What a loop does with an element that is kept, and how it stores; constant in every kernel. */
typedef struct apply_mode {
    bool masked; /* drop by bits; else all are kept           */
    bool scaled; /* multiply by the scale; else leave as it is */
    bool stream; /* store past the caches                      */
} apply_mode;

static inline vf32 apply_vector(apply_mode mode, vf32 x, vf32 scale, uint64_t bits, unsigned lane)
{
    if (mode.scaled)
        x = vf32_mul(x, scale);
    return mode.masked ? vf32_keep(x, bits, lane) : x;
}

VEC_INLINE void apply_f32(apply_mode mode, const void *bits, size_t n, const void *x, void *y,
                          const void *scale)
{
    const uint8_t *keep = bits;
    const uint8_t *in = x;
    uint8_t *out = y;
    float s = 0;
    if (mode.scaled)
        memcpy(&s, scale, sizeof s);
    const vf32 vscale = vf32_set1(s);

    size_t done = 0;
    for (; n - done >= 64; done += 64) {
        const uint64_t word = mode.masked ? load_le64(keep + done / 8) : 0;
        VEC_UNROLL
        for (unsigned lane = 0; lane < 64; lane += VF32_LANES) {
            const size_t at = (done + lane) * sizeof(float);
            const vf32 v = apply_vector(mode, vf32_load(in + at), vscale, word, lane);
            if (mode.stream)
                vf32_store_stream(out + at, v);
            else
                vf32_store(out + at, v);
        }
    }
    if (done < n) {
        const size_t rest = n - done;
        const uint64_t word = mode.masked ? load_le64_part(keep + done / 8, bytes_of_bits(rest)) : 0;
        for (unsigned lane = 0; lane < rest; lane += VF32_LANES) {
            const size_t at = (done + lane) * sizeof(float);
            if (rest - lane >= VF32_LANES) {
                vf32_store(out + at, apply_vector(mode, vf32_load(in + at), vscale, word, lane));
            } else {
                const vf32 v = vf32_load_part(in + at, rest - lane);
                vf32_store_part(out + at, apply_vector(mode, v, vscale, word, lane), rest - lane);
            }
        }
    }
}

static void scale_kept_f32(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    apply_f32((apply_mode){.masked = true, .scaled = true}, bits, n, x, y, scale);
}

static void scale_kept_stream_f32(const void *bits, size_t n, const void *x, void *y,
                                  const void *scale)
{
    apply_f32((apply_mode){.masked = true, .scaled = true, .stream = true}, bits, n, x, y, scale);
}

static void copy_kept_f32(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    apply_f32((apply_mode){.masked = true}, bits, n, x, y, scale);
}

static void copy_kept_stream_f32(const void *bits, size_t n, const void *x, void *y,
                                 const void *scale)
{
    apply_f32((apply_mode){.masked = true, .stream = true}, bits, n, x, y, scale);
}

static void scale_f32(size_t n, const void *x, void *y, const void *scale)
{
    apply_f32((apply_mode){.scaled = true}, NULL, n, x, y, scale);
}

static void scale_stream_f32(size_t n, const void *x, void *y, const void *scale)
{
    apply_f32((apply_mode){.scaled = true, .stream = true}, NULL, n, x, y, scale);
}
