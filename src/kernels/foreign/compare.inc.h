/*
 * Kernels of kind compare: the random numbers of other systems' mask layouts to keep bits.
 *
 * Included by all_kernels.inc.h. A number is transformed, so that what the system
 * computes of it grows with it, and then compared as an integer.
 */

/* What is compared. */
enum {
    COMPARE_BYTES,
    COMPARE_WORDS,  /* (32 bits << shift) ^ flip                                */
    COMPARE_FOLDED, /* 32 bits as a signed number x, or -x - 1 where x is below 0 */
    COMPARE_DWORDS  /* 64 bits << shift                                         */
};

/* 64 answers: bit j is 1 where number j is at most how->last. */
VEC_INLINE uint64_t compare64(unsigned compared, const uint8_t *in, const dropwise_compare *how)
{
    if (compared == COMPARE_BYTES)
        return bits64_at_most(in, how->last < UINT8_MAX ? (uint8_t)how->last : UINT8_MAX);
    if (compared == COMPARE_DWORDS) {
        const vec_b64 last = set_b64(how->last);
        choose64 chosen[64 / LANES_b64];
        VEC_UNROLL
        for (unsigned i = 0; i < 64 / LANES_b64; i++) {
            const vec_b64 v = load_le_b64(in + i * sizeof v);
            chosen[i] = at_most_b64(shl_b64(v, (int)how->shift), last);
        }
        return bits64_b64(chosen);
    }
    const vec_b32 last = set_b32((uint32_t)how->last), flip = set_b32(how->flip), zero = set_b32(0);
    choose32 chosen[64 / LANES_b32];
    VEC_UNROLL
    for (unsigned i = 0; i < 64 / LANES_b32; i++) {
        vec_b32 v = load_le_b32(in + i * sizeof v);
        if (compared == COMPARE_FOLDED)
            v = xor_b32(v, sub_b32(zero, shr_b32(v, 31)));
        else
            v = xor_b32(shl_b32(v, (int)how->shift), flip);
        chosen[i] = at_most_b32(v, last);
    }
    return bits64_b32(chosen);
}

VEC_INLINE void compare_numbers(unsigned compared, const void *numbers, size_t n, const dropwise_compare *how,
                                void *bits)
{
    const size_t bytes = compared == COMPARE_BYTES ? 1 : compared == COMPARE_DWORDS ? 8 : 4;
    const uint64_t drops = 0 - (uint64_t)how->drops;
    const uint8_t *in = numbers;
    uint8_t *out = bits;
    for (size_t done = 0; done < n; done += 64) {
        uint8_t last[64 * 8];
        const size_t rest = n - done;
        if (rest < 64) {
            memset(last, 0, 64 * bytes);
            memcpy(last, in + done * bytes, rest * bytes);
        }
        const uint64_t word = compare64(compared, rest < 64 ? last : in + done * bytes, how) ^ drops;
        if (rest < 64)
            store_le64_part(out + done / 8, word & ((UINT64_C(1) << rest) - 1), bytes_of_bits(rest));
        else
            store_le64(out + done / 8, word);
    }
}

static void compare_u8(const void *numbers, size_t n, const dropwise_compare *how, void *bits)
{
    compare_numbers(COMPARE_BYTES, numbers, n, how, bits);
}

static void compare_u32(const void *numbers, size_t n, const dropwise_compare *how, void *bits)
{
    compare_numbers(COMPARE_WORDS, numbers, n, how, bits);
}

static void compare_folded_u32(const void *numbers, size_t n, const dropwise_compare *how, void *bits)
{
    compare_numbers(COMPARE_FOLDED, numbers, n, how, bits);
}

static void compare_u64(const void *numbers, size_t n, const dropwise_compare *how, void *bits)
{
    compare_numbers(COMPARE_DWORDS, numbers, n, how, bits);
}
