/*
 * The generator Threefry4x32-20 (Salmon et al., SC11), a cipher of additions, rotations and exclusive ors.
 *
 * Included by all_kernels.inc.h with the parameter GENERATOR, threefry4x32_20. Of the vector header it
 * uses vec_b32: here one word of LANES_b32 different blocks.
 */
typedef struct VEC_ALIASING schedule_threefry4x32_20 {
    uint32_t key[9];    /* the four words and their parity, and again */
    uint32_t high;      /* counter word 1                             */
    uint32_t stream[2]; /* counter words 2 and 3                      */
} schedule_threefry4x32_20;

enum {
    VECTOR_BLOCKS_threefry4x32_20 = LANES_b32,
    UNROLL_threefry4x32_20 = 2,
    OVERLAPPED_F32_threefry4x32_20 = 16 / LANES_b32,
    OVERLAPPED_threefry4x32_20 = 16 / LANES_b32
};

typedef struct state_threefry4x32_20 {
    vec_b32 x[4];
} state_threefry4x32_20;

VEC_INLINE void make_schedule_threefry4x32_20(const dropwise_key *key, uint32_t high,
                                              schedule_threefry4x32_20 *keys)
{
    keys->key[4] = UINT32_C(0x1BD11BDA);
    for (unsigned i = 0; i < 4; i++) {
        keys->key[i] = key->key[i];
        keys->key[4] ^= key->key[i];
    }
    memcpy(keys->key + 5, keys->key, 4 * sizeof *keys->key);
    keys->high = high;
    memcpy(keys->stream, key->stream, sizeof keys->stream);
}

/* x[a] and x[b] of a round, which rotates by n. */
VEC_INLINE void mix_threefry4x32_20(state_threefry4x32_20 *s, unsigned a, unsigned b, int n)
{
    s->x[a] = add_b32(s->x[a], s->x[b]);
    s->x[b] = xor_b32(rotl_b32(s->x[b], n), s->x[a]);
}

/* The key is added before the first round and after every fourth one. */
VEC_INLINE void add_key_threefry4x32_20(const schedule_threefry4x32_20 *keys, unsigned time,
                                        state_threefry4x32_20 *s)
{
    VEC_UNROLL
    for (unsigned i = 0; i < 4; i++) {
        const uint32_t word = keys->key[time + i] + (i == 3 ? time : 0);
        s->x[i] = add_b32(s->x[i], set_b32(word));
    }
}

/* Rounds 4 group to 4 group + 3, of which the constants are those of every second group. */
VEC_INLINE void group_threefry4x32_20(const schedule_threefry4x32_20 *keys, unsigned group, bool odd,
                                      unsigned n_vectors, state_threefry4x32_20 *s, const overlap *work)
{
    static const int rotations[2][4][2] = {{{10, 26}, {11, 21}, {13, 27}, {23, 5}},
                                           {{6, 20}, {17, 11}, {25, 10}, {18, 20}}};
    VEC_UNROLL
    for (unsigned r = 0; r < 4; r++) {
        const unsigned b = r % 2 == 0 ? 1 : 3, d = r % 2 == 0 ? 3 : 1;
        VEC_UNROLL
        for (unsigned u = 0; u < n_vectors; u++) {
            mix_threefry4x32_20(&s[u], 0, b, rotations[odd][r][0]);
            mix_threefry4x32_20(&s[u], 2, d, rotations[odd][r][1]);
        }
        overlap_part(work, odd * 4 + r, 8);
    }
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        add_key_threefry4x32_20(keys, group + 1, &s[u]);
}

/* Two groups at a time, half of the work each time, and the last one: unrolled, it is twice as large. */
VEC_INLINE void rounds_threefry4x32_20(const schedule_threefry4x32_20 *keys, unsigned n_vectors,
                                       state_threefry4x32_20 *s, const overlap *work)
{
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        add_key_threefry4x32_20(keys, 0, &s[u]);
    for (unsigned group = 0; group < 4; group += 2) {
        overlap half;
        if (work != NULL)
            half = overlap_share(work, group / 2, 2);
        group_threefry4x32_20(keys, group, false, n_vectors, s, work == NULL ? NULL : &half);
        group_threefry4x32_20(keys, group + 1, true, n_vectors, s, work == NULL ? NULL : &half);
    }
    group_threefry4x32_20(keys, 4, false, n_vectors, s, NULL);
}

VEC_INLINE void blocks_threefry4x32_20(const schedule_threefry4x32_20 *keys, uint32_t low, uint32_t step,
                                       unsigned n_vectors, uint8_t *out, const overlap *work)
{
    state_threefry4x32_20 s[UNROLL_threefry4x32_20];
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        s[u] = (state_threefry4x32_20){{counters_b32(low, u, step), set_b32(keys->high),
                                        set_b32(keys->stream[0]), set_b32(keys->stream[1])}};
    rounds_threefry4x32_20(keys, n_vectors, s, work);
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        store_blocks_b32(out + u * LANES_b32 * 16, s[u].x[0], s[u].x[1], s[u].x[2], s[u].x[3]);
}

VEC_INLINE void blocks_at_threefry4x32_20(const schedule_threefry4x32_20 *keys, const uint64_t *counters,
                                          unsigned n_vectors, uint8_t *out)
{
    state_threefry4x32_20 s[4];
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++) {
        s[u].x[2] = set_b32(keys->stream[0]);
        s[u].x[3] = set_b32(keys->stream[1]);
        load_counters_b32(counters + u * LANES_b32, &s[u].x[0], &s[u].x[1]);
    }
    rounds_threefry4x32_20(keys, n_vectors, s, NULL);
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        store_blocks_b32(out + u * LANES_b32 * 16, s[u].x[0], s[u].x[1], s[u].x[2], s[u].x[3]);
}

#include "kernels/generators/generator.inc.h"
