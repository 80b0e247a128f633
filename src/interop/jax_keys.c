/* JAX's keys of threefry2x32, and those that libraries on it make of a root key for their layers. */
#include "interop/jax_keys.h"

#include "dropwise_interop.h"
#include "tiers/dispatch.h"

dropwise_status dropwise_jax_key(uint64_t seed, uint32_t key[2])
{
    if (key == NULL)
        return DROPWISE_ERROR_NULL;
    key[0] = (uint32_t)(seed >> 32);
    key[1] = (uint32_t)seed;
    return DROPWISE_OK;
}

dropwise_status dropwise_jax_fold_in(const uint32_t key[2], uint32_t data, uint32_t out[2])
{
    return dropwise_jax_split(key, data, out);
}

dropwise_status dropwise_jax_split(const uint32_t key[2], uint64_t child, uint32_t out[2])
{
    if (key == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    threefry_block(dropwise_active(), key, (uint32_t)(child >> 32), (uint32_t)child, out);
    return DROPWISE_OK;
}

/*
 * The words are the first ones of blocks (0, n), (1, n + 1), ..., then the second ones; a child has two in
 * a row.
 */
dropwise_status dropwise_jax_split_legacy(const uint32_t key[2], uint32_t children, uint32_t child,
                                          uint32_t out[2])
{
    if (key == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    if (child >= children || children > INT32_MAX)
        return DROPWISE_ERROR_PARAMETER;
    const dropwise_kernels *kernels = dropwise_active();
    uint32_t words[2];
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t word = 2 * child + i, block = word % children;
        uint32_t both[2];
        threefry_block(kernels, key, block, children + block, both);
        words[i] = both[word / children];
    }
    memcpy(out, words, sizeof words);
    return DROPWISE_OK;
}

/* ---- SHA-1 (FIPS 180-4), of which Flax takes the first word ---- */

typedef struct sha1 {
    uint32_t state[5];
    uint32_t words[16]; /* of the block that is being filled */
    uint64_t n_bytes;
} sha1;

static uint32_t rotated(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

static void mix_block(sha1 *h)
{
    static const uint32_t constants[4] = {UINT32_C(0x5A827999), UINT32_C(0x6ED9EBA1), UINT32_C(0x8F1BBCDC),
                                          UINT32_C(0xCA62C1D6)};
    uint32_t *const w = h->words, a = h->state[0], b = h->state[1], c = h->state[2], d = h->state[3],
                    e = h->state[4];
    for (unsigned t = 0; t < 80; t++) {
        if (t >= 16)
            w[t % 16] = rotated(w[(t + 13) % 16] ^ w[(t + 8) % 16] ^ w[(t + 2) % 16] ^ w[t % 16], 1);
        const uint32_t chosen = t < 20              ? (b & c) | (~b & d)
                                : t >= 40 && t < 60 ? (b & c) | (b & d) | (c & d)
                                                    : b ^ c ^ d;
        const uint32_t next = rotated(a, 5) + chosen + e + constants[t / 20] + w[t % 16];
        e = d;
        d = c;
        c = rotated(b, 30);
        b = a;
        a = next;
    }
    h->state[0] += a;
    h->state[1] += b;
    h->state[2] += c;
    h->state[3] += d;
    h->state[4] += e;
}

static void add_byte(sha1 *h, uint8_t byte)
{
    uint32_t *const word = &h->words[h->n_bytes / 4 % 16];
    *word = *word << 8 | byte;
    h->n_bytes++;
    if (h->n_bytes % 64 == 0)
        mix_block(h);
}

static uint32_t first_word(sha1 *h)
{
    const uint64_t n_bits = 8 * h->n_bytes;
    add_byte(h, 0x80);
    while (h->n_bytes % 64 != 56)
        add_byte(h, 0);
    for (unsigned shift = 64; shift != 0; shift -= 8)
        add_byte(h, (uint8_t)(n_bits >> (shift - 8)));
    return h->state[0];
}

/* ---- Keys of layers ---- */

dropwise_status dropwise_jax_linen_key(const uint32_t root[2], const char *path, uint32_t call,
                                       uint32_t separator, uint32_t out[2])
{
    if (root == NULL || path == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    if (separator > 1)
        return DROPWISE_ERROR_PARAMETER;
    sha1 h = {.state = {UINT32_C(0x67452301), UINT32_C(0xEFCDAB89), UINT32_C(0x98BADCFE),
                        UINT32_C(0x10325476), UINT32_C(0xC3D2E1F0)}};
    if (separator != 0 && *path != '\0')
        add_byte(&h, 0);
    for (; *path != '\0'; path++) {
        if (*path != '/')
            add_byte(&h, (uint8_t)*path);
        else if (separator != 0)
            add_byte(&h, 0);
    }
    if (separator != 0)
        add_byte(&h, 0);
    const uint64_t count = (uint64_t)call + 1;
    unsigned shift = 0;
    while (count >> shift > UINT8_MAX)
        shift += 8;
    for (shift += 8; shift != 0; shift -= 8)
        add_byte(&h, (uint8_t)(count >> (shift - 8)));
    return dropwise_jax_fold_in(root, first_word(&h), out);
}

dropwise_status dropwise_jax_nnx_key(const uint32_t root[2], uint32_t taken, uint32_t call, uint32_t out[2])
{
    if (root == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    const dropwise_kernels *kernels = dropwise_active();
    uint32_t stream[2];
    threefry_block(kernels, root, 0, taken, stream);
    threefry_block(kernels, stream, 0, call, out);
    return DROPWISE_OK;
}

dropwise_status dropwise_jax_haiku_key(const uint32_t root[2], uint32_t call, uint32_t out[2])
{
    if (root == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    const dropwise_kernels *kernels = dropwise_active();
    uint32_t key[2] = {root[0], root[1]};
    for (uint32_t before = 0; before < call; before++)
        threefry_block(kernels, key, 0, 0, key);
    threefry_block(kernels, key, 0, 1, out);
    return DROPWISE_OK;
}

dropwise_status dropwise_jax_keras_key(uint32_t seed, uint32_t call, uint32_t out[2])
{
    if (out == NULL)
        return DROPWISE_ERROR_NULL;
    out[0] = seed;
    out[1] = call;
    return DROPWISE_OK;
}
