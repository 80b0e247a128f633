/*
 * One round of Philox4x32 (Salmon et al., SC11) for VWORD_LANES blocks at once.
 *
 * Included by all_kernels.inc.h after a vector header, of which it uses vword: a vector of 32-bit words,
 * one word of as many different blocks; and vec_b32 for keys.
 *
 * A round turns the counter words (c0, c1, c2, c3) into
 *     (hi(M1 * c2) ^ c1 ^ k0,  lo(M1 * c2),  hi(M0 * c0) ^ c3 ^ k1,  lo(M0 * c0))
 * and then the key (k0, k1) grows by (W0, W1).
 */
static const uint32_t philox_m0 = UINT32_C(0xD2511F53), philox_m1 = UINT32_C(0xCD9E8D57);

/* Keys of the rounds, and more, so that they are whole vectors: multiples of the golden ratio and of
 * sqrt(3) - 1, as 32-bit fractions, are added to the first one. */
enum { PHILOX_KEYS = 16 };

static const uint32_t philox_w0_times[PHILOX_KEYS] = {
    UINT32_C(0x00000000), UINT32_C(0x9E3779B9), UINT32_C(0x3C6EF372), UINT32_C(0xDAA66D2B),
    UINT32_C(0x78DDE6E4), UINT32_C(0x1715609D), UINT32_C(0xB54CDA56), UINT32_C(0x5384540F),
    UINT32_C(0xF1BBCDC8), UINT32_C(0x8FF34781), UINT32_C(0x2E2AC13A), UINT32_C(0xCC623AF3),
    UINT32_C(0x6A99B4AC), UINT32_C(0x08D12E65), UINT32_C(0xA708A81E), UINT32_C(0x454021D7)};
static const uint32_t philox_w1_times[PHILOX_KEYS] = {
    UINT32_C(0x00000000), UINT32_C(0xBB67AE85), UINT32_C(0x76CF5D0A), UINT32_C(0x32370B8F),
    UINT32_C(0xED9EBA14), UINT32_C(0xA9066899), UINT32_C(0x646E171E), UINT32_C(0x1FD5C5A3),
    UINT32_C(0xDB3D7428), UINT32_C(0x96A522AD), UINT32_C(0x520CD132), UINT32_C(0x0D747FB7),
    UINT32_C(0xC8DC2E3C), UINT32_C(0x8443DCC1), UINT32_C(0x3FAB8B46), UINT32_C(0xFB1339CB)};

static inline void philox_keys(uint32_t first, const uint32_t *multiples, uint32_t *keys)
{
    VEC_UNROLL
    for (unsigned r = 0; r < PHILOX_KEYS; r += LANES_b32) {
        const vec_b32 multiple = load_b32((const uint8_t *)(multiples + r));
        store_b32((uint8_t *)(keys + r), add_b32(multiple, set_b32(first)));
    }
}

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
