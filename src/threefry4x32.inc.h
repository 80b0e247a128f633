/*
 * The generator Threefry4x32-20 (Salmon et al., SC11), a cipher of additions, rotations and exclusive ors.
 *
 * Included by generators_all.inc.h with the parameter GENERATOR, threefry4x32_20. Of the vector header it
 * uses vec_b32: here one word of LANES_b32 different blocks.
 */
typedef struct VEC_ALIASING threefry4x32_20_plan {
    uint32_t key[5];    /* the four words and their parity */
    uint32_t high;      /* counter word 1                  */
    uint32_t stream[2]; /* counter words 2 and 3           */
} threefry4x32_20_plan;

enum {
    threefry4x32_20_LANES = LANES_b32,
    threefry4x32_20_UNROLL = 2,
    threefry4x32_20_MERGED = 16 / LANES_b32
};

typedef struct threefry4x32_20_state {
    vec_b32 x[4];
} threefry4x32_20_state;

VEC_INLINE void threefry4x32_20_prepare(const dropwise_key *key, uint32_t high, threefry4x32_20_plan *plan)
{
    plan->key[4] = UINT32_C(0x1BD11BDA);
    for (unsigned i = 0; i < 4; i++) {
        plan->key[i] = key->key[i];
        plan->key[4] ^= key->key[i];
    }
    plan->high = high;
    memcpy(plan->stream, key->stream, sizeof plan->stream);
}

/* x[a] and x[b] of a round, which rotates by n. */
VEC_INLINE void threefry4x32_20_mix(threefry4x32_20_state *s, unsigned a, unsigned b, int n)
{
    s->x[a] = add_b32(s->x[a], s->x[b]);
    s->x[b] = xor_b32(rotl_b32(s->x[b], n), s->x[a]);
}

/* The key is added before the first round and after every fourth one. */
VEC_INLINE void threefry4x32_20_add_key(const threefry4x32_20_plan *plan, unsigned time,
                                        threefry4x32_20_state *s)
{
    VEC_UNROLL
    for (unsigned i = 0; i < 4; i++) {
        const uint32_t word = plan->key[(time + i) % 5] + (i == 3 ? time : 0);
        s->x[i] = add_b32(s->x[i], set_b32(word));
    }
}

VEC_INLINE void threefry4x32_20_rounds(const threefry4x32_20_plan *plan, unsigned n_vectors,
                                       threefry4x32_20_state *s, const meanwhile *work)
{
    static const int rotations[8][2] = {{10, 26}, {11, 21}, {13, 27}, {23, 5},
                                        {6, 20},  {17, 11}, {25, 10}, {18, 20}};
    for (unsigned u = 0; u < n_vectors; u++)
        threefry4x32_20_add_key(plan, 0, &s[u]);
    VEC_UNROLL
    for (unsigned r = 0; r < 20; r++) {
        const unsigned b = r % 2 == 0 ? 1 : 3, d = r % 2 == 0 ? 3 : 1;
        VEC_UNROLL
        for (unsigned u = 0; u < n_vectors; u++) {
            threefry4x32_20_mix(&s[u], 0, b, rotations[r % 8][0]);
            threefry4x32_20_mix(&s[u], 2, d, rotations[r % 8][1]);
            if (r % 4 == 3)
                threefry4x32_20_add_key(plan, r / 4 + 1, &s[u]);
        }
        do_meanwhile(work, r, 20);
    }
}

VEC_INLINE void threefry4x32_20_blocks(const threefry4x32_20_plan *plan, uint32_t low, unsigned n_vectors,
                                       uint8_t *out, const meanwhile *work)
{
    threefry4x32_20_state s[threefry4x32_20_UNROLL];
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        s[u] = (threefry4x32_20_state){{counters_b32(low, u), set_b32(plan->high),
                                        set_b32(plan->stream[0]), set_b32(plan->stream[1])}};
    threefry4x32_20_rounds(plan, n_vectors, s, work);
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        store_blocks_b32(out + u * LANES_b32 * 16, s[u].x[0], s[u].x[1], s[u].x[2], s[u].x[3]);
}

VEC_INLINE void threefry4x32_20_blocks_at(const threefry4x32_20_plan *plan, const uint64_t *counters,
                                          uint8_t *out)
{
    threefry4x32_20_state s;
    s.x[2] = set_b32(plan->stream[0]);
    s.x[3] = set_b32(plan->stream[1]);
    load_counters_b32(counters, &s.x[0], &s.x[1]);
    threefry4x32_20_rounds(plan, 1, &s, NULL);
    store_blocks_b32(out, s.x[0], s.x[1], s.x[2], s.x[3]);
}

#include "generator.inc.h"
