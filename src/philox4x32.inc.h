/*
 * Kernels of kind generate and generate_at: Philox4x32-10 (Salmon et al., SC11).
 *
 * Included by each kernels_<isa>.c after its vector header, of which it uses vword: a vector of 32-bit
 * words, one word of VWORD_LANES different blocks.
 *
 * One round turns the counter words (c0, c1, c2, c3) into
 *     (hi(M1 * c2) ^ c1 ^ k0,  lo(M1 * c2),  hi(M0 * c0) ^ c3 ^ k1,  lo(M0 * c0))
 * and then the key (k0, k1) grows by (W0, W1).
 */

enum { PHILOX_ROUNDS = 10 };

/* The keys of all rounds, in every lane. */
typedef struct philox_keys {
    vword k0[PHILOX_ROUNDS];
    vword k1[PHILOX_ROUNDS];
} philox_keys;

typedef struct philox_state {
    vword c0, c1, c2, c3;
} philox_state;

static inline void philox_expand_key(const uint32_t key[2], philox_keys *keys)
{
    const vword w0 = vword_set1(UINT32_C(0x9E3779B9)); /* golden ratio */
    const vword w1 = vword_set1(UINT32_C(0xBB67AE85)); /* sqrt(3) - 1  */
    keys->k0[0] = vword_set1(key[0]);
    keys->k1[0] = vword_set1(key[1]);
    for (unsigned r = 1; r < PHILOX_ROUNDS; r++) {
        keys->k0[r] = vword_add(keys->k0[r - 1], w0);
        keys->k1[r] = vword_add(keys->k1[r - 1], w1);
    }
}

static inline philox_state philox_round(philox_state s, vword k0, vword k1)
{
    const vword m0 = vword_set1(UINT32_C(0xD2511F53));
    const vword m1 = vword_set1(UINT32_C(0xCD9E8D57));
    vword hi0, lo0, hi1, lo1;
    vword_mul(s.c0, m0, &hi0, &lo0);
    vword_mul(s.c2, m1, &hi1, &lo1);
    return (philox_state){
        .c0 = vword_xor3(hi1, s.c1, k0), .c1 = lo1, .c2 = vword_xor3(hi0, s.c3, k1), .c3 = lo0};
}

/*
 * All rounds for VWORD_UNROLL independent vectors at once, to hide the latency of the multiplications.
 * With the constant counter words of one call, half of the first two rounds does not change
 * inside a loop over blocks; compilers move it out, as the rounds are inlined and unrolled.
 */
static inline void philox_rounds(philox_state *s, unsigned n_vectors, const philox_keys *keys)
{
    VEC_UNROLL
    for (unsigned r = 0; r < PHILOX_ROUNDS; r++) {
        for (unsigned u = 0; u < n_vectors; u++)
            s[u] = philox_round(s[u], keys->k0[r], keys->k1[r]);
    }
}

static inline void philox_store(uint8_t *out, philox_state s)
{
    vword_store_blocks(out, s.c0, s.c1, s.c2, s.c3);
}

/* Blocks whose counters share the word c1: counter_low + n_blocks is at most 2^32. */
static inline void philox_run(const philox_keys *keys, const uint32_t stream[2],
                              uint32_t counter_low, uint32_t counter_high, size_t n_blocks,
                              uint8_t *out)
{
    const vword c1 = vword_set1(counter_high);
    const vword c2 = vword_set1(stream[0]);
    const vword c3 = vword_set1(stream[1]);
    const size_t batch = VWORD_UNROLL * VWORD_LANES;
    size_t done = 0;
    for (; n_blocks - done >= batch; done += batch) {
        philox_state s[VWORD_UNROLL];
        for (unsigned u = 0; u < VWORD_UNROLL; u++) {
            const uint32_t low = counter_low + (uint32_t)done + u * VWORD_LANES;
            s[u] = (philox_state){vword_counters(low), c1, c2, c3};
        }
        philox_rounds(s, VWORD_UNROLL, keys);
        for (unsigned u = 0; u < VWORD_UNROLL; u++)
            philox_store(out + (done + u * VWORD_LANES) * 16, s[u]);
    }
    while (done < n_blocks) {
        const size_t rest = n_blocks - done;
        philox_state s = {vword_counters(counter_low + (uint32_t)done), c1, c2, c3};
        philox_rounds(&s, 1, keys);
        if (rest >= VWORD_LANES) {
            philox_store(out + done * 16, s);
            done += VWORD_LANES;
        } else {
            uint8_t last[VWORD_LANES * 16];
            philox_store(last, s);
            memcpy(out + done * 16, last, rest * 16);
            done = n_blocks;
        }
    }
}

static void generate_philox4x32_10(const dropwise_key *key, uint64_t counter, size_t n_blocks,
                                   void *bytes)
{
    philox_keys keys;
    philox_expand_key(key->key, &keys);
    uint8_t *out = bytes;
    while (n_blocks != 0) {
        /* Up to where the low counter word wraps, the high one is constant. */
        const uint64_t to_wrap = (UINT64_C(1) << 32) - (uint32_t)counter;
        const size_t n = n_blocks < to_wrap ? n_blocks : (size_t)to_wrap;
        philox_run(&keys, key->stream, (uint32_t)counter, (uint32_t)(counter >> 32), n, out);
        counter += n;
        n_blocks -= n;
        out += n * 16;
    }
}

static void generate_at_philox4x32_10(const dropwise_key *key, const uint64_t *counters,
                                      size_t n_blocks, void *bytes)
{
    philox_keys keys;
    philox_expand_key(key->key, &keys);
    uint8_t *out = bytes;
    const vword c2 = vword_set1(key->stream[0]);
    const vword c3 = vword_set1(key->stream[1]);
    for (size_t done = 0; done < n_blocks; done += VWORD_LANES) {
        const size_t rest = n_blocks - done;
        const bool whole = rest >= VWORD_LANES;
        uint64_t last_counters[VWORD_LANES] = {0};
        uint8_t last[VWORD_LANES * 16];
        if (!whole)
            memcpy(last_counters, counters + done, rest * sizeof *counters);
        philox_state s = {.c2 = c2, .c3 = c3};
        vword_load_counters(whole ? counters + done : last_counters, &s.c0, &s.c1);
        philox_rounds(&s, 1, &keys);
        philox_store(whole ? out + done * 16 : last, s);
        if (!whole)
            memcpy(out + done * 16, last, rest * 16);
    }
}
