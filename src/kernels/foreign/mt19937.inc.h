/*
 * Kernels of mt19937 (Matsumoto and Nishimura, 1998), as PyTorch's masks on a CPU take it: two words an
 * element, of which the first has the upper bits.
 *
 * Included by all_kernels.inc.h. The words of even and of odd places lie apart, in arrays that only grow. So
 * the recurrence w[k + 624] = w[k + 397] ^ twisted(w[k], w[k + 1]) becomes two, of words 312 pairs apart,
 * with neither shuffles nor an end of the state in them:
 *
 *     even[i + 312] = odd[i + 198] ^ twisted(even[i], odd[i])
 *     odd[i + 312] = even[i + 199] ^ twisted(odd[i], even[i + 1])
 *
 * Pair i + 312 needs none after i + 199, so that 64 of them are made in any order.
 */

enum {
    MT_PAIRS = 312,
    MT_VECTORS = 64 / LANES_b32,
    MT_UNROLL = 4,
    /* Choices are constant places in an array where they are vectors, which registers then hold. */
    MT_CHOSEN = LANES_b32 == 1 ? MT_UNROLL : MT_VECTORS
};

VEC_INLINE vec_b32 mt_twisted(vec_b32 far, vec_b32 w, vec_b32 next)
{
    const vec_b32 joined = merge_b32(set_b32(UINT32_C(0x80000000)), w, next);
    return xor3_b32(far, shr_b32(joined, 1), where_odd_b32(next, UINT32_C(0x9908B0DF)));
}

VEC_INLINE vec_b32 mt_at(const uint32_t *words, size_t i)
{
    return load_b32((const uint8_t *)(words + i));
}

VEC_INLINE void mt_twist64(uint32_t *even, uint32_t *odd)
{
    for (unsigned v = 0; v < MT_VECTORS; v += MT_UNROLL) {
        VEC_UNROLL
        for (unsigned u = 0; u < MT_UNROLL; u++) {
            const size_t i = (v + u) * LANES_b32;
            const vec_b32 a = mt_at(even, i), b = mt_at(odd, i), c = mt_at(even, i + 1);
            store_b32((uint8_t *)(even + i + MT_PAIRS), mt_twisted(mt_at(odd, i + 198), a, b));
            store_b32((uint8_t *)(odd + i + MT_PAIRS), mt_twisted(mt_at(even, i + 199), b, c));
        }
    }
}

static void twist_mt19937(size_t n_words, uint32_t *even, uint32_t *odd)
{
    for (size_t at = 0; at < 64 * n_words; at += 64)
        mt_twist64(even + at, odd + at);
}

/* What mt19937 gives of a word of its state. */
VEC_INLINE vec_b32 mt_tempered(vec_b32 w)
{
    w = xor_b32(w, shr_b32(w, 11));
    w = xor_and_b32(w, shl_b32(w, 7), set_b32(UINT32_C(0x9D2C5680)));
    w = xor_and_b32(w, shl_b32(w, 15), set_b32(UINT32_C(0xEFC60000)));
    return xor_b32(w, shr_b32(w, 18));
}

static uint32_t mt_tempered_word(uint32_t w)
{
    w ^= w >> 11;
    w ^= w << 7 & UINT32_C(0x9D2C5680);
    w ^= w << 15 & UINT32_C(0xEFC60000);
    return w ^ w >> 18;
}

enum { MT_HIGH_BITS = 0x1FFFFF }; /* of the first word of a pair: 53 bits in all */

/* 64 answers by both words. */
static __attribute__((noinline, cold)) uint64_t mt_by_both(const dropwise_pairs *pairs, size_t at)
{
    uint64_t word = 0;
    for (unsigned j = 0; j < 64; j++) {
        const uint64_t high = mt_tempered_word(pairs->high[at + j]) & MT_HIGH_BITS;
        word |= (uint64_t)((high << 32 | mt_tempered_word(pairs->low[at + j])) < pairs->threshold) << j;
    }
    return word;
}

/*
 * 64 choices, and whether they count. The first word of a pair decides alone, but where its bits are those
 * of the threshold, in one of 2^21. With p = 1/2 one bit of it does.
 */
VEC_INLINE bool mt_choose(bool is_half, const dropwise_pairs *pairs, size_t at, choose32 *chosen)
{
    const vec_b32 limit = set_b32((uint32_t)(pairs->threshold >> 32));
    vec_b32 nearest = set_b32(UINT32_MAX);
    for (unsigned from = 0; from < MT_VECTORS; from += MT_CHOSEN) {
        VEC_UNROLL
        for (unsigned u = 0; u < MT_CHOSEN; u++) {
            const vec_b32 w = mt_at(pairs->high, at + (from + u) * LANES_b32);
            if (is_half) { /* bit 20, brought to the sign, is 0 */
                chosen[from + u] = above_b32(shl_b32(xor_b32(w, shr_b32(w, 11)), 11), set_b32(UINT32_MAX));
            } else {
                const vec_b32 high = and_b32(mt_tempered(w), set_b32(MT_HIGH_BITS));
                chosen[from + u] = above_b32(limit, high);
                nearest = min_b32(nearest, xor_b32(high, limit));
            }
        }
    }
    return is_half || __builtin_expect(any_bit_b32(nearest) == (UINT64_C(1) << LANES_b32) - 1, 1);
}

/* Where a vector is one word, loops of their own for a half and for what is twisted would gain little. */
VEC_SHARED uint64_t mt_word(const dropwise_pairs *pairs, size_t at)
{
    choose32 chosen[MT_VECTORS];
    return mt_choose(false, pairs, at, chosen) ? bits64_b32(chosen) : mt_by_both(pairs, at);
}

/* Vectors twist and multiply elsewhere. */
VEC_SHARED void mt_draw_words(const dropwise_pairs *pairs, size_t n_words, uint8_t *bits)
{
    const uint8_t *x = pairs->x;
    uint8_t *y = pairs->y;
    for (size_t at = 0; at < 64 * n_words; at += 64) {
        uint8_t word[8];
        store_le64(word, mt_word(pairs, at));
        if (LANES_b32 == 1 && pairs->even != NULL)
            mt_twist64(pairs->even + at, pairs->odd + at);
        if (LANES_b32 == 1 && x != NULL)
            product_kept_f32(word, 64, x + 4 * at, y + 4 * at, &pairs->scale);
        if (bits != NULL)
            memcpy(bits + at / 8, word, sizeof word);
    }
}

/* As product_kept_f32 does. */
VEC_INLINE void mt_multiply(const choose32 *chosen, const uint8_t *x, uint8_t *y, float scale)
{
    VEC_UNROLL
    for (unsigned v = 0; v < MT_VECTORS; v++) {
        const size_t at = v * sizeof(vec_f32);
        const vec_f32 by = select_f32(chosen[v], set_f32(scale), set_f32(0));
        store_b32(y + at, as_b32(mul_f32(as_f32(load_b32(x + at)), by)));
    }
}

VEC_INLINE void mt_draw(bool is_half, const dropwise_pairs *pairs, size_t n_words, uint8_t *bits)
{
    const uint8_t *x = pairs->x;
    uint8_t *y = pairs->y;
    const float scale = pairs->scale;
    for (size_t at = 0; at < 64 * n_words; at += 64) {
        choose32 chosen[MT_VECTORS];
        uint8_t word[8] = {0}; /* gcc 12 does not see that it is written before it is read */
        const bool by_one = mt_choose(is_half, pairs, at, chosen);
        if (bits != NULL || !by_one)
            store_le64(word, by_one ? bits64_b32(chosen) : mt_by_both(pairs, at));
        mt_twist64(pairs->even + at, pairs->odd + at);
        if (x != NULL && by_one)
            mt_multiply(chosen, x + 4 * at, y + 4 * at, scale);
        else if (x != NULL)
            product_kept_f32(word, 64, x + 4 * at, y + 4 * at, &scale);
        if (bits != NULL)
            memcpy(bits + at / 8, word, sizeof word);
    }
}

static void draw_mt19937(const dropwise_pairs *pairs, size_t n_words, void *bits)
{
    if (LANES_b32 == 1 || pairs->even == NULL)
        mt_draw_words(pairs, n_words, bits);
    else if (pairs->threshold == UINT64_C(1) << 52)
        mt_draw(true, pairs, n_words, bits);
    else
        mt_draw(false, pairs, n_words, bits);
}

static void temper_mt19937(size_t n_words, const uint32_t *first, const uint32_t *second, void *words)
{
    uint8_t *out = words;
    for (size_t i = 0; i < 64 * n_words; i += LANES_b32, out += 8 * LANES_b32)
        store_pairs_b32(out, mt_tempered(mt_at(first, i)), mt_tempered(mt_at(second, i)));
}

/*
 * Sums of windows, for a jump. A part of the sum that registers hold goes through all windows at a time.
 */
static void windows_mt19937(size_t n, const uint16_t *at, const uint32_t *words, uint32_t *sum)
{
    enum { HELD = LANES_b32 == 16 ? 10 : 5, TOGETHER = HELD * LANES_b32 };
    _Static_assert(DROPWISE_MT_WINDOW % TOGETHER == 0, "a window is whole parts");
    for (size_t from = 0; from < DROPWISE_MT_WINDOW; from += TOGETHER) {
        vec_b32 held[HELD];
        VEC_UNROLL
        for (unsigned v = 0; v < HELD; v++)
            held[v] = mt_at(sum, from + v * LANES_b32);
        for (size_t k = 0; k < n; k++) {
            VEC_UNROLL
            for (unsigned v = 0; v < HELD; v++)
                held[v] = xor_b32(held[v], mt_at(words + at[k], from + v * LANES_b32));
        }
        VEC_UNROLL
        for (unsigned v = 0; v < HELD; v++)
            store_b32((uint8_t *)(sum + from + v * LANES_b32), held[v]);
    }
}
