/*
 * The generator ARS4x32 (Salmon et al., SC11): rounds of AES with a key schedule of additions.
 *
 * Included by each ars_<instructions>.c after a vector header, for bits64_at_most and bits64_equal, and these
 * inline functions, which work on aes_vec, a vector of AES_LANES blocks:
 *   aes_set1(p)                   the 16 bytes at p in every block
 *   aes_counters(low,vector,step) block l has the 32-bit words low + block_place(AES_LANES vector + l, step),
 *                                 0, 0, 0
 *   aes_load_counters(p)          block l has the 64-bit words p[l], 0
 *   aes_xor(a,b)
 *   aes_round(v,key), aes_last(v,key)
 *                                 a round of AES (FIPS 197: SubBytes, ShiftRows, MixColumns, AddRoundKey),
 *                                 and the last one, without MixColumns
 *   aes_store(p,v)
 * and the parameters
 *   INSTRUCTIONS                  what it uses, in the name of its table
 *   AES_UNROLL                    vectors worth working on at the same time
 *   AES_OVERLAPPED                likewise while elements are scaled
 *   ARS_ROUNDS                    7, or what a test of the same code compiles it with
 */
#include "kernels/generators/overlap.inc.h"

#ifndef ARS_ROUNDS
#define ARS_ROUNDS 7
#endif

typedef struct VEC_ALIASING schedule_ars4x32 {
    uint8_t round_keys[ARS_ROUNDS + 1][16];
    uint8_t counter[16]; /* its words but for the low one */
} schedule_ars4x32;

enum {
    VECTOR_BLOCKS_ars4x32 = AES_LANES,
    UNROLL_ars4x32 = AES_UNROLL,
    OVERLAPPED_F32_ars4x32 = AES_OVERLAPPED,
    OVERLAPPED_ars4x32 = AES_OVERLAPPED
};

/* The two halves of 16 bytes, stored as one: a load of all waits until the halves of two stores are in the
 * cache, which takes as long as the rounds. */
typedef uint64_t ars_halves __attribute__((vector_size(16)));

static inline void store_halves(uint8_t *p, ars_halves halves)
{
    if (BYTES_ARE_IN_ORDER) {
        memcpy(p, &halves, sizeof halves);
    } else {
        store_le64(p, halves[0]);
        store_le64(p + 8, halves[1]);
    }
}

VEC_INLINE void make_schedule_ars4x32(const dropwise_key *key, uint32_t high, schedule_ars4x32 *keys)
{
    ars_halves round_key = {key->key[0] | (uint64_t)key->key[1] << 32,
                            key->key[2] | (uint64_t)key->key[3] << 32};
    const ars_halves growth = {UINT64_C(0x9E3779B97F4A7C15),  /* golden ratio */
                               UINT64_C(0xBB67AE8584CAA73B)}; /* sqrt(3) - 1  */
    for (unsigned r = 0; r <= ARS_ROUNDS; r++) {
        store_halves(keys->round_keys[r], round_key);
        round_key += growth;
    }
    store_halves(keys->counter,
                 (ars_halves){(uint64_t)high << 32, key->stream[0] | (uint64_t)key->stream[1] << 32});
}

VEC_INLINE void rounds_ars4x32(const schedule_ars4x32 *keys, unsigned n_vectors, aes_vec *v,
                               const overlap *work)
{
    const aes_vec first = aes_xor(aes_set1(keys->counter), aes_set1(keys->round_keys[0]));
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        v[u] = aes_xor(v[u], first);
    VEC_UNROLL
    for (unsigned r = 1; r < ARS_ROUNDS; r++) {
        VEC_UNROLL
        for (unsigned u = 0; u < n_vectors; u++)
            v[u] = aes_round(v[u], aes_set1(keys->round_keys[r]));
        overlap_part(work, r - 1, ARS_ROUNDS - 1);
    }
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        v[u] = aes_last(v[u], aes_set1(keys->round_keys[ARS_ROUNDS]));
}

VEC_INLINE void blocks_ars4x32(const schedule_ars4x32 *keys, uint32_t low, uint32_t step, unsigned n_vectors,
                               uint8_t *out, const overlap *work)
{
    aes_vec v[AES_UNROLL];
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        v[u] = aes_counters(low, u, step);
    rounds_ars4x32(keys, n_vectors, v, work);
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        aes_store(out + u * AES_LANES * 16, v[u]);
}

/* The listed counters have high words of their own; the schedule's is 0. */
VEC_INLINE void blocks_at_ars4x32(const schedule_ars4x32 *keys, const uint64_t *counters, unsigned n_vectors,
                                  uint8_t *out)
{
    aes_vec v[4];
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        v[u] = aes_load_counters(counters + u * AES_LANES);
    rounds_ars4x32(keys, n_vectors, v, NULL);
    VEC_UNROLL
    for (unsigned u = 0; u < n_vectors; u++)
        aes_store(out + u * AES_LANES * 16, v[u]);
}

#define GENERATOR ars4x32
#define OVERLAPS_ALL
#include "kernels/generators/generator.inc.h"

#ifdef VEC_OVERLAPS
#define ARS_KERNELS \
    { \
        generate_ars4x32, generate_at_ars4x32, prepare_ars4x32, draw_ars4x32, forward_ars4x32_f64, \
            forward_ars4x32_f32, forward_ars4x32_f16, forward_ars4x32_bf16, draw_scale_ars4x32_f64, \
            draw_scale_ars4x32_f32, draw_scale_ars4x32_f16, draw_scale_ars4x32_bf16 \
    }
#else
#define ARS_KERNELS \
    { \
        generate_ars4x32, generate_at_ars4x32, prepare_ars4x32, draw_ars4x32, 0, 0, 0, 0, 0, 0, 0, 0 \
    }
#endif

/* The name of the table, the one symbol of the file that includes this. */
#define ARS_CONCAT_(a, b, c, d) a##b##c##d
#define ARS_CONCAT(a, b, c, d) ARS_CONCAT_(a, b, c, d)
#define ARS_TABLE ARS_CONCAT(dropwise_ars, ARS_ROUNDS, _, INSTRUCTIONS)

extern const dropwise_ars_kernels ARS_TABLE;
