/*
 * The generators Philox4x32-10 and Philox4x32-7 (Salmon et al., SC11).
 *
 * Included by all_kernels.inc.h, once for each number of rounds, with the parameters
 *   GENERATOR  philox4x32_10 or philox4x32_7
 *   ROUNDS     10 or 7
 * after philox_round.inc.h.
 */
#include "kernels/template.h"

/*
 * Inside a call only the low counter word c0 changes. So half of the first two rounds and a part of the third
 * are constants, which are worked out once. They stay scalar: to put one in every lane as it is loaded costs
 * nothing, and a call on a few elements does not pay for vectors of keys.
 */
typedef struct VEC_ALIASING OP_G(schedule) {
    uint32_t k0[PHILOX_KEYS], k1[PHILOX_KEYS], stream[2];
    uint32_t c2_xor_1; /* c3 ^ k1 of round 1                                 */
    uint32_t c0_xor_2; /* c1 ^ k0 of round 2                                 */
    uint32_t c2_xor_2; /* hi(M0 * c0) ^ k1 of round 2, whose c0 is a constant */
    uint32_t c2_xor_3; /* c3 ^ k1 of round 3                                 */
} OP_G(schedule);

enum {
    OP_G(VECTOR_BLOCKS) = VWORD_LANES,
    OP_G(UNROLL) = VWORD_UNROLL,
    OP_G(OVERLAPPED_F32) = VWORD_OVERLAPPED,
    OP_G(OVERLAPPED) = VWORD_OVERLAPPED < 2 ? VWORD_OVERLAPPED : 2
};

VEC_INLINE void OP_G(make_schedule)(const dropwise_key *key, uint32_t high, OP_G(schedule) *keys)
{
    philox_keys(key->key[0], philox_w0_times, keys->k0);
    philox_keys(key->key[1], philox_w1_times, keys->k1);
    memcpy(keys->stream, key->stream, sizeof keys->stream);
    const uint64_t product1 = (uint64_t)philox_m1 * key->stream[0];
    const uint32_t c0 = (uint32_t)(product1 >> 32) ^ high ^ keys->k0[0];
    const uint64_t product0 = (uint64_t)philox_m0 * c0;
    keys->c2_xor_1 = key->stream[1] ^ keys->k1[0];
    keys->c0_xor_2 = (uint32_t)product1 ^ keys->k0[1];
    keys->c2_xor_2 = (uint32_t)(product0 >> 32) ^ keys->k1[1];
    keys->c2_xor_3 = (uint32_t)product0 ^ keys->k1[2];
}

/* Rounds 1 to 3 of vector v of the blocks. */
VEC_INLINE philox_state OP_G(first_rounds)(const OP_G(schedule) *keys, uint32_t low, uint32_t step,
                                           unsigned v)
{
    const vword m0 = vword_set1(philox_m0), m1 = vword_set1(philox_m1);
    vword hi0, lo0, hi1, lo1;
    vword_mul_counters(low, v, step, philox_m0, &hi0, &lo0);
    const vword c2_1 = vword_xor(hi0, vword_set1(keys->c2_xor_1)), c3_1 = lo0;
    vword_mul(c2_1, m1, &hi1, &lo1);
    const vword c0_2 = vword_xor(hi1, vword_set1(keys->c0_xor_2)), c1_2 = lo1;
    const vword c2_2 = vword_xor(c3_1, vword_set1(keys->c2_xor_2));
    vword_mul(c0_2, m0, &hi0, &lo0);
    vword_mul(c2_2, m1, &hi1, &lo1);
    return (philox_state){.c0 = vword_xor3(hi1, c1_2, vword_set1(keys->k0[2])),
                          .c1 = lo1,
                          .c2 = vword_xor(hi0, vword_set1(keys->c2_xor_3)),
                          .c3 = lo0};
}

VEC_INLINE void OP_G(blocks)(const OP_G(schedule) *keys, uint32_t low, uint32_t step, unsigned n_vectors,
                             uint8_t *out, const overlap *work)
{
    philox_state s[VWORD_UNROLL];
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        s[u] = OP_G(first_rounds)(keys, low, step, u);
    VEC_UNROLL
    for (unsigned r = 3; r < ROUNDS - 1; r++) {
        VEC_UNROLL
        for (unsigned u = 0; u < n_vectors; u++)
            s[u] = philox_round(s[u], vword_set1(keys->k0[r]), vword_set1(keys->k1[r]));
        overlap_part(work, r - 3, ROUNDS - 4);
    }
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        philox_last_round(out + u * VWORD_LANES * 16, s[u], vword_set1(keys->k0[ROUNDS - 1]),
                          vword_set1(keys->k1[ROUNDS - 1]));
}

VEC_INLINE void OP_G(blocks_at)(const OP_G(schedule) *keys, const uint64_t *counters, unsigned n_vectors,
                                uint8_t *out)
{
    philox_state s[4];
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++) {
        s[u].c2 = vword_set1(keys->stream[0]);
        s[u].c3 = vword_set1(keys->stream[1]);
        vword_load_counters(counters + u * VWORD_LANES, &s[u].c0, &s[u].c1);
    }
    VEC_UNROLL
    for (unsigned r = 0; r < ROUNDS - 1; r++) {
        VEC_UNROLL
        for (unsigned u = 0; u < n_vectors; u++)
            s[u] = philox_round(s[u], vword_set1(keys->k0[r]), vword_set1(keys->k1[r]));
    }
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        philox_last_round(out + u * VWORD_LANES * 16, s[u], vword_set1(keys->k0[ROUNDS - 1]),
                          vword_set1(keys->k1[ROUNDS - 1]));
}

#undef ROUNDS
#define OVERLAPS_ALL
#include "kernels/generators/generator.inc.h"
