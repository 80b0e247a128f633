/*
 * One round of Philox4x32 (Salmon et al., SC11) for VWORD_LANES blocks at once.
 *
 * Included by all_kernels.inc.h after a vector header, of which it uses vword: a vector of 32-bit words,
 * one word of as many different blocks.
 *
 * A round turns the counter words (c0, c1, c2, c3) into
 *     (hi(M1 * c2) ^ c1 ^ k0,  lo(M1 * c2),  hi(M0 * c0) ^ c3 ^ k1,  lo(M0 * c0))
 * and then the key (k0, k1) grows by (W0, W1).
 */
static const uint32_t philox_m0 = UINT32_C(0xD2511F53), philox_m1 = UINT32_C(0xCD9E8D57);
static const uint32_t philox_w0 = UINT32_C(0x9E3779B9); /* golden ratio */
static const uint32_t philox_w1 = UINT32_C(0xBB67AE85); /* sqrt(3) - 1  */

typedef struct philox_state {
    vword c0, c1, c2, c3;
} philox_state;

static inline philox_state philox_round(philox_state s, vword k0, vword k1)
{
    vword hi0, lo0, hi1, lo1;
    vword_mul(s.c0, vword_set1(philox_m0), &hi0, &lo0);
    vword_mul(s.c2, vword_set1(philox_m1), &hi1, &lo1);
    return (philox_state){
        .c0 = vword_xor3(hi1, s.c1, k0), .c1 = lo1, .c2 = vword_xor3(hi0, s.c3, k1), .c3 = lo0};
}

/* The last round, whose result is the blocks: their words are put in order on the way. */
static inline void philox_last_round(uint8_t *p, philox_state s, vword k0, vword k1)
{
    vword_store_products(p, s.c2, vword_set1(philox_m1), vword_xor(s.c1, k0), s.c0, vword_set1(philox_m0),
                         vword_xor(s.c3, k1));
}
