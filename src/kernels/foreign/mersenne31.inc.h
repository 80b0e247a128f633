/*
 * Kernel mersenne31: the generator x a, x a^2, ... modulo 2^31 - 1 (Lehmer), of which C++'s minstd and MKL's
 * MCG31 are two. Lanes are numbers that follow each other, and each goes on by the multiplier to the power
 * of their number.
 */

enum { MERSENNE31_BATCH = VWORD_UNROLL * VWORD_LANES };

static void mersenne31(uint32_t first, uint32_t multiplier, size_t n, void *words)
{
    uint32_t lanes[MERSENNE31_BATCH], step = 1;
    for (unsigned k = 0; k < MERSENNE31_BATCH; k++) {
        lanes[k] = k == 0 ? first : mersenne31_times(lanes[k - 1], multiplier);
        step = mersenne31_times(step, multiplier);
    }
    const vword by = vword_set1(step);
    vword v[VWORD_UNROLL];
    VEC_UNROLL
    for (unsigned u = 0; u < VWORD_UNROLL; u++)
        v[u] = vword_load(lanes + u * VWORD_LANES);
    uint8_t *out = words;
    for (size_t done = 0; done < n; done += MERSENNE31_BATCH) {
        uint8_t last[4 * MERSENNE31_BATCH];
        const bool whole = n - done >= MERSENNE31_BATCH;
        uint8_t *to = whole ? out + 4 * done : last;
        VEC_UNROLL
        for (unsigned u = 0; u < VWORD_UNROLL; u++) {
            vword_store(to + 4 * u * VWORD_LANES, v[u]);
            v[u] = vword_mul_mersenne31(v[u], by);
        }
        if (!whole)
            memcpy(out + 4 * done, last, 4 * (n - done));
    }
}
