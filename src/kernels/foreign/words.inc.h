/*
 * Kernels of kinds words and dwords: the random numbers of other systems' mask layouts.
 *
 * Included by all_kernels.inc.h after the generators, whose round of Philox it uses. Unlike those of
 * the stream, these kernels take any pattern of counters, and may keep only a part of each block. A row of
 * kernels is a generator and what is stored of its blocks.
 */

/* ---- Philox4x32 (Salmon et al., SC11) ---- */

/* What is stored of the words a, b, c, d of a block. */
enum {
    WORDS_ALL,     /* a b c d                                                     */
    WORDS_SWAPPED, /* b a d c: two 64-bit words, the more significant half first  */
    WORDS_FIRST,   /* a                                                           */
    WORDS_THIRD,   /* c c c c                                                     */
    WORDS_PLANES   /* a of all blocks, then b of all blocks, c, d                 */
};

/*
 * Vectors of a batch. A batch is a multiple of 4 blocks, so that groups of blocks lie in it alike every time;
 * VWORD_UNROLL of its vectors are worked on at once.
 */
enum { WORDS_VECTORS = VWORD_LANES >= 4 ? VWORD_UNROLL : 4, WORDS_BATCH = WORDS_VECTORS * VWORD_LANES };

/* VWORD_LANES blocks; where planes are stored, they are plane_bytes apart. */
VEC_INLINE void words_store(unsigned stored, uint8_t *out, size_t plane_bytes, philox_state s)
{
    switch (stored) {
    case WORDS_ALL:
        vword_store_blocks(out, s.c0, s.c1, s.c2, s.c3);
        break;
    case WORDS_SWAPPED:
        vword_store_blocks(out, s.c1, s.c0, s.c3, s.c2);
        break;
    case WORDS_FIRST:
        vword_store(out, s.c0);
        break;
    case WORDS_THIRD:
        vword_store_blocks(out, s.c2, s.c2, s.c2, s.c2);
        break;
    default:
        vword_store(out, s.c0);
        vword_store(out + plane_bytes, s.c1);
        vword_store(out + 2 * plane_bytes, s.c2);
        vword_store(out + 3 * plane_bytes, s.c3);
    }
}

/* Counter word w of VWORD_LANES blocks from block k on; groups are powers of two. */
static inline vword words_counters(const dropwise_counters *counters, unsigned w, uint32_t k)
{
    const unsigned shift = (unsigned)__builtin_ctz(counters->group);
    uint32_t lanes[VWORD_LANES];
    for (uint32_t lane = 0; lane < VWORD_LANES; lane++) {
        const uint32_t in_group = w == 0 ? (k + lane) & (counters->group - 1) : 0;
        lanes[lane] = counters->first[w] + ((k + lane) >> shift) * counters->step[w] + in_group;
    }
    return vword_load(lanes);
}

/* The keys of all rounds, and the counters of a batch and what they grow by from batch to batch. */
typedef struct words_run {
    vword k0[10], k1[10];
    philox_state at[WORDS_VECTORS], growth;
} words_run;

static inline philox_state words_sum(philox_state s, philox_state t)
{
    return (philox_state){vword_add(s.c0, t.c0), vword_add(s.c1, t.c1), vword_add(s.c2, t.c2),
                          vword_add(s.c3, t.c3)};
}

VEC_INLINE void words_begin(unsigned rounds, const dropwise_counters *counters, words_run *run)
{
    run->k0[0] = vword_set1(counters->key[0]);
    run->k1[0] = vword_set1(counters->key[1]);
    for (unsigned r = 1; r < rounds; r++) {
        run->k0[r] = vword_add(run->k0[r - 1], vword_set1(philox_w0_times[1]));
        run->k1[r] = vword_add(run->k1[r - 1], vword_set1(philox_w1_times[1]));
    }
    for (unsigned v = 0; v < WORDS_VECTORS; v++) {
        const uint32_t k = v * VWORD_LANES;
        run->at[v] = (philox_state){words_counters(counters, 0, k), words_counters(counters, 1, k),
                                    words_counters(counters, 2, k), words_counters(counters, 3, k)};
    }
    const uint32_t steps = WORDS_BATCH >> __builtin_ctz(counters->group);
    run->growth =
        (philox_state){vword_set1(steps * counters->step[0]), vword_set1(steps * counters->step[1]),
                       vword_set1(steps * counters->step[2]), vword_set1(steps * counters->step[3])};
}

/* Counter words that differ between the blocks of a run. What depends on others alone is computed once. */
enum { VARY_FIRST, VARY_THIRD, VARY_ALL };

VEC_INLINE philox_state words_counters_of(unsigned varying, const words_run *run, unsigned v,
                                          philox_state grown)
{
    philox_state s = {run->at[0].c0, run->at[0].c1, run->at[0].c2, run->at[0].c3};
    if (varying == VARY_ALL)
        return words_sum(run->at[v], grown);
    if (varying == VARY_FIRST)
        s.c0 = vword_add(run->at[v].c0, grown.c0);
    else
        s.c2 = vword_add(run->at[v].c2, grown.c2);
    return s;
}

/* Rounds from the first to before the last one, which are constants. */
VEC_INLINE void words_rounds(const words_run *run, unsigned first, unsigned last, philox_state *s)
{
    VEC_UNROLL
    for (unsigned r = first; r < last; r++) {
        VEC_UNROLL
        for (unsigned u = 0; u < VWORD_UNROLL; u++)
            s[u] = philox_round(s[u], run->k0[r], run->k1[r]);
    }
}

/* A batch of blocks of 7 or 10 rounds, whose counters are `grown` beyond those of the first. */
VEC_INLINE void words_batch(unsigned rounds, unsigned stored, unsigned varying, const words_run *run,
                            philox_state grown, uint8_t *out, size_t plane_bytes)
{
    const size_t vector_bytes = VWORD_LANES * (stored == WORDS_FIRST || stored == WORDS_PLANES ? 4 : 16);
    VEC_UNROLL
    for (unsigned v = 0; v < WORDS_VECTORS; v += VWORD_UNROLL) {
        philox_state s[VWORD_UNROLL];
        VEC_UNROLL
        for (unsigned u = 0; u < VWORD_UNROLL; u++)
            s[u] = words_counters_of(varying, run, v + u, grown);
        words_rounds(run, 0, 7, s);
        if (rounds == 10)
            words_rounds(run, 7, 10, s);
        VEC_UNROLL
        for (unsigned u = 0; u < VWORD_UNROLL; u++)
            words_store(stored, out + (v + u) * vector_bytes, plane_bytes, s[u]);
    }
}

VEC_INLINE void words_blocks(unsigned rounds, unsigned stored, unsigned varying,
                             const dropwise_counters *counters, size_t n_blocks, void *words)
{
    const size_t block_bytes = stored == WORDS_FIRST || stored == WORDS_PLANES ? 4 : 16;
    const vword zero = vword_set1(0);
    philox_state grown = {zero, zero, zero, zero};
    words_run run;
    words_begin(rounds, counters, &run);
    uint8_t *out = words;
    for (size_t done = 0; done < n_blocks; done += WORDS_BATCH) {
        /* The last blocks go through a whole batch on the stack. */
        uint8_t last[WORDS_BATCH * 16];
        const bool whole = n_blocks - done >= WORDS_BATCH;
        words_batch(rounds, stored, varying, &run, grown, whole ? out + done * block_bytes : last,
                    whole ? n_blocks * 4 : WORDS_BATCH * 4);
        if (!whole)
            for (unsigned p = 0; p < (stored == WORDS_PLANES ? 4u : 1u); p++)
                memcpy(out + p * n_blocks * 4 + done * block_bytes, last + p * WORDS_BATCH * 4,
                       (n_blocks - done) * block_bytes);
        grown = words_sum(grown, run.growth);
    }
}

/*
 * A loop for each pattern of counters takes a tenth off the time of most layouts: see
 * kernel/words_philox4x32_10 of the benchmark. One for each number of rounds and each way to store would take
 * as much room again for each, and no time off.
 */
VEC_SHARED void words_philox(unsigned rounds, unsigned stored, const dropwise_counters *counters,
                             size_t n_blocks, void *words)
{
    const uint32_t *step = counters->step;
    if (VWORD_LANES == 1)
        words_blocks(rounds, stored, VARY_ALL, counters, n_blocks, words);
    else if (step[1] == 0 && step[2] == 0 && step[3] == 0)
        words_blocks(rounds, stored, VARY_FIRST, counters, n_blocks, words);
    else if (counters->group == 1 && step[0] == 0 && step[1] == 0 && step[3] == 0)
        words_blocks(rounds, stored, VARY_THIRD, counters, n_blocks, words);
    else
        words_blocks(rounds, stored, VARY_ALL, counters, n_blocks, words);
}

static void words_philox4x32_10(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_philox(10, WORDS_ALL, counters, n_blocks, words);
}

static void words_philox4x32_10_swapped(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_philox(10, WORDS_SWAPPED, counters, n_blocks, words);
}

static void words_philox4x32_10_first(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_philox(10, WORDS_FIRST, counters, n_blocks, words);
}

static void words_philox4x32_10_third(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_philox(10, WORDS_THIRD, counters, n_blocks, words);
}

static void words_philox4x32_10_planes(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_philox(10, WORDS_PLANES, counters, n_blocks, words);
}

static void words_philox4x32_7(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_philox(7, WORDS_ALL, counters, n_blocks, words);
}

/* ---- Threefry2x32, 20 rounds (Salmon et al., SC11) ---- */

/* What is stored of the words a, b of a block. */
enum {
    PAIRS_XOR,    /* a ^ b                                      */
    PAIRS_JOINED, /* one 64-bit word, a its more significant half */
    PAIRS_PLANES  /* a of all blocks, then b of all blocks      */
};

/* Vectors in flight: adding and rotating have a short latency, and there is one chain of them a vector. */
enum { PAIRS_UNROLL = LANES_b32 == 1 ? 2 : 4, PAIRS_BATCH = PAIRS_UNROLL * LANES_b32 };

VEC_INLINE void pairs_store(unsigned stored, uint8_t *out, size_t plane_bytes, vec_b32 a, vec_b32 b)
{
    if (stored == PAIRS_XOR) {
        store_le_b32(out, xor_b32(a, b));
    } else if (stored == PAIRS_JOINED) {
        store_pairs_b32(out, b, a);
    } else {
        store_le_b32(out, a);
        store_le_b32(out + plane_bytes, b);
    }
}

/* A batch of blocks of 7 or 10 rounds, whose counters, with the key added, are first + grown. */
VEC_INLINE void pairs_batch(unsigned stored, const uint32_t keys[3], uint32_t first[2][PAIRS_BATCH],
                            const vec_b32 grown[2], uint8_t *out, size_t plane_bytes)
{
    static const uint8_t rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const size_t vector_bytes = LANES_b32 * (stored == PAIRS_JOINED ? 8 : 4);
    vec_b32 a[PAIRS_UNROLL], b[PAIRS_UNROLL];
    VEC_UNROLL
    for (unsigned u = 0; u < PAIRS_UNROLL; u++) {
        a[u] = add_b32(grown[0], load_b32((const uint8_t *)(first[0] + u * LANES_b32)));
        b[u] = add_b32(grown[1], load_b32((const uint8_t *)(first[1] + u * LANES_b32)));
    }
    VEC_UNROLL
    for (unsigned r = 0; r < 20; r++) {
        VEC_UNROLL
        for (unsigned u = 0; u < PAIRS_UNROLL; u++) {
            a[u] = add_b32(a[u], b[u]);
            b[u] = xor_b32(rotl_b32(b[u], rotations[r % 8]), a[u]);
            if (r % 4 == 3) {
                a[u] = add_b32(a[u], set_b32(keys[(r / 4 + 1) % 3]));
                b[u] = add_b32(b[u], set_b32(keys[(r / 4 + 2) % 3] + r / 4 + 1));
            }
        }
    }
    VEC_UNROLL
    for (unsigned u = 0; u < PAIRS_UNROLL; u++)
        pairs_store(stored, out + u * vector_bytes, plane_bytes, a[u], b[u]);
}

VEC_SHARED void words_threefry(unsigned stored, const dropwise_counters *counters, size_t n_blocks,
                               void *words)
{
    const uint32_t *key = counters->key;
    const uint32_t keys[3] = {key[0], key[1], key[0] ^ key[1] ^ UINT32_C(0x1BD11BDA)};
    const size_t block_bytes = stored == PAIRS_JOINED ? 8 : 4;
    uint32_t first[2][PAIRS_BATCH];
    vec_b32 grown[2], growth[2];
    for (unsigned w = 0; w < 2; w++) {
        for (uint32_t k = 0; k < PAIRS_BATCH; k++)
            first[w][k] = counters->first[w] + k * counters->step[w];
        grown[w] = set_b32(keys[w]);
        growth[w] = set_b32(PAIRS_BATCH * counters->step[w]);
    }
    uint8_t *out = words;
    for (size_t done = 0; done < n_blocks; done += PAIRS_BATCH) {
        uint8_t last[PAIRS_BATCH * 8];
        const bool whole = n_blocks - done >= PAIRS_BATCH;
        pairs_batch(stored, keys, first, grown, whole ? out + done * block_bytes : last,
                    whole ? n_blocks * 4 : PAIRS_BATCH * 4);
        if (!whole)
            for (unsigned p = 0; p < (stored == PAIRS_PLANES ? 2u : 1u); p++)
                memcpy(out + p * n_blocks * 4 + done * block_bytes, last + p * PAIRS_BATCH * 4,
                       (n_blocks - done) * block_bytes);
        grown[0] = add_b32(grown[0], growth[0]);
        grown[1] = add_b32(grown[1], growth[1]);
    }
}

static void words_threefry2x32_20_xor(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_threefry(PAIRS_XOR, counters, n_blocks, words);
}

static void words_threefry2x32_20_joined(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_threefry(PAIRS_JOINED, counters, n_blocks, words);
}

static void words_threefry2x32_20_planes(const dropwise_counters *counters, size_t n_blocks, void *words)
{
    words_threefry(PAIRS_PLANES, counters, n_blocks, words);
}

/* ---- Philox4x64, 10 rounds ---- */

typedef struct dwords_block {
    vdword a, b, c, d;
} dwords_block;

static inline dwords_block dwords_philox_round(dwords_block s, vdword k0, vdword k1)
{
    vdword hi0, lo0, hi1, lo1;
    vdword_mul(s.a, vdword_set1(UINT64_C(0xD2E7470EE14C6C93)), &hi0, &lo0);
    vdword_mul(s.c, vdword_set1(UINT64_C(0xCA5A826395121157)), &hi1, &lo1);
    return (dwords_block){vdword_xor3(hi1, s.b, k0), lo1, vdword_xor3(hi0, s.d, k1), lo0};
}

static void dwords_philox4x64_10(const dropwise_counters64 *counters, size_t n_blocks, void *words)
{
    enum { ROUNDS = 10, BLOCK_BYTES = 32 };
    const vdword b = vdword_set1(counters->first[1]), c = vdword_set1(counters->first[2]);
    const vdword d = vdword_set1(counters->first[3]);
    vdword k0[ROUNDS], k1[ROUNDS];
    k0[0] = vdword_set1(counters->key[0]);
    k1[0] = vdword_set1(counters->key[1]);
    for (unsigned r = 1; r < ROUNDS; r++) {
        k0[r] = vdword_add(k0[r - 1], vdword_set1(UINT64_C(0x9E3779B97F4A7C15)));
        k1[r] = vdword_add(k1[r - 1], vdword_set1(UINT64_C(0xBB67AE8584CAA73B)));
    }
    uint8_t *out = words;
    for (size_t done = 0; done < n_blocks; done += VDWORD_LANES) {
        dwords_block s = {vdword_counters(counters->first[0] + done), b, c, d};
        VEC_UNROLL
        for (unsigned r = 0; r < ROUNDS; r++)
            s = dwords_philox_round(s, k0[r], k1[r]);
        if (n_blocks - done >= VDWORD_LANES) {
            vdword_store_blocks(out + done * BLOCK_BYTES, s.a, s.b, s.c, s.d);
        } else {
            uint8_t last[VDWORD_LANES * BLOCK_BYTES];
            vdword_store_blocks(last, s.a, s.b, s.c, s.d);
            memcpy(out + done * BLOCK_BYTES, last, (n_blocks - done) * BLOCK_BYTES);
        }
    }
}
