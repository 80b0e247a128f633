#include "oracle/reference_interop.h"

#include <math.h>
#include <string.h>

/* ---- Generators ---- */

void ref_philox4x32(int rounds, const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t k0 = key[0], k1 = key[1];
    memcpy(out, counter, 16);
    for (int r = 0; r < rounds; r++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const uint64_t first = (uint64_t)out[0] * 0xD2511F53u, second = (uint64_t)out[2] * 0xCD9E8D57u;
        const uint32_t next[4] = {(uint32_t)(second >> 32) ^ out[1] ^ k0, (uint32_t)second,
                                  (uint32_t)(first >> 32) ^ out[3] ^ k1, (uint32_t)first};
        memcpy(out, next, 16);
    }
}

/* The upper half of a product, by schoolbook multiplication with 32-bit digits. */
static uint64_t upper_product(uint64_t a, uint64_t b)
{
    uint32_t digit[4] = {0};
    for (int i = 0; i < 2; i++) {
        uint64_t carry = 0;
        for (int j = 0; j < 2; j++) {
            const uint64_t x = a >> 32 * i & 0xFFFFFFFFu, y = b >> 32 * j & 0xFFFFFFFFu;
            const uint64_t t = x * y + digit[i + j] + carry;
            digit[i + j] = (uint32_t)t;
            carry = t >> 32;
        }
        digit[i + 2] = (uint32_t)carry;
    }
    return digit[2] + ((uint64_t)digit[3] << 32);
}

void ref_philox4x64(const uint64_t counter[4], const uint64_t key[2], uint64_t out[4])
{
    const uint64_t m0 = UINT64_C(0xD2E7470EE14C6C93), m1 = UINT64_C(0xCA5A826395121157);
    uint64_t k0 = key[0], k1 = key[1];
    memcpy(out, counter, 32);
    for (int r = 0; r < 10; r++) {
        const uint64_t next[4] = {upper_product(m1, out[2]) ^ out[1] ^ k0, m1 * out[2],
                                  upper_product(m0, out[0]) ^ out[3] ^ k1, m0 * out[0]};
        memcpy(out, next, 32);
        k0 += UINT64_C(0x9E3779B97F4A7C15);
        k1 += UINT64_C(0xBB67AE8584CAA73B);
    }
}

void ref_threefry2x32(const uint32_t counter[2], const uint32_t key[2], uint32_t out[2])
{
    static const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
    const uint32_t k[3] = {key[0], key[1], key[0] ^ key[1] ^ 0x1BD11BDAu};
    uint32_t x = counter[0] + k[0], y = counter[1] + k[1];
    for (int group = 0; group < 5; group++) {
        for (int r = 0; r < 4; r++) {
            const int by = rotations[group % 2][r];
            x += y;
            y = (uint32_t)(y << by | y >> (32 - by)) ^ x;
        }
        x += k[(group + 1) % 3];
        y += k[(group + 2) % 3] + (uint32_t)group + 1;
    }
    out[0] = x;
    out[1] = y;
}

/* The published algorithm (mt19937ar.c, 2002), a word at a time. */
void ref_mt19937_seed(uint32_t state[624], uint32_t seed)
{
    state[0] = seed;
    for (uint32_t i = 1; i < 624; i++)
        state[i] = 1812433253u * (state[i - 1] ^ (state[i - 1] >> 30)) + i;
}

uint32_t ref_mt19937_word(uint32_t state[624], unsigned *position)
{
    if (*position == 624) {
        for (unsigned k = 0; k < 624; k++) {
            const uint32_t y = (state[k] & 0x80000000u) | (state[(k + 1) % 624] & 0x7FFFFFFFu);
            state[k] = state[(k + 397) % 624] ^ y >> 1 ^ (y % 2 ? 0x9908B0DFu : 0);
        }
        *position = 0;
    }
    uint32_t y = state[(*position)++];
    y ^= y >> 11;
    y ^= y << 7 & 0x9D2C5680u;
    y ^= y << 15 & 0xEFC60000u;
    return y ^ y >> 18;
}

/* Word `word` of the block with counters (low, high), each of 64 bits. */
static uint32_t philox_word(uint64_t key, uint64_t low, uint64_t high, unsigned word)
{
    const uint32_t counter[4] = {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high,
                                 (uint32_t)(high >> 32)};
    const uint32_t k[2] = {(uint32_t)key, (uint32_t)(key >> 32)};
    uint32_t out[4];
    ref_philox4x32(10, counter, k, out);
    return out[word];
}

/* ---- Numbers ---- */

static double in_dtype(ref_dtype dtype, double x)
{
    switch (dtype) {
    case REF_F64:
        return x;
    case REF_F32:
        return (double)(float)x;
    default:
        return (double)ref_widen(dtype, ref_narrow(dtype, (float)x));
    }
}

/* The mantissa of a float between 1 and 2, less 1. */
static double mantissa(ref_dtype dtype, uint64_t m)
{
    const int bits = dtype == REF_F64 ? 52 : dtype == REF_F32 ? 23 : dtype == REF_F16 ? 10 : 7;
    return ldexp((double)m, -bits);
}

static float curand_uniform(uint32_t x)
{
    return fmaf((float)x, 0x1p-32f, 0x1p-33f);
}

/* ---- JAX ---- */

static void jax_key(const ref_interop *r, uint32_t key[2])
{
    key[0] = (uint32_t)(r->seed >> 32);
    key[1] = (uint32_t)r->seed;
}

static unsigned jax_bits(ref_dtype draws)
{
    return draws == REF_F64 ? 64 : draws == REF_F32 ? 32 : draws == REF_F16 ? 16 : 8;
}

/* Word i of the n that legacy JAX draws: the words 0 ... n - 1, and one 0 if n is odd, in two halves. */
static uint32_t jax_legacy_word(const uint32_t key[2], uint64_t i, uint64_t n)
{
    const uint64_t padded = n + n % 2, half = padded / 2, j = i % half;
    const uint64_t partner = half + j;
    const uint32_t counter[2] = {(uint32_t)j, partner < n ? (uint32_t)partner : 0};
    uint32_t out[2];
    ref_threefry2x32(counter, key, out);
    return out[i / half];
}

static uint64_t jax_random_bits(const ref_interop *r, uint64_t i)
{
    uint32_t key[2], out[2];
    jax_key(r, key);
    const unsigned bits = jax_bits(r->draws);
    if (r->layout == DROPWISE_LAYOUT_JAX || r->layout == DROPWISE_LAYOUT_JAX_HIGH) {
        const uint32_t counter[2] = {(uint32_t)(i >> 32), (uint32_t)i};
        ref_threefry2x32(counter, key, out);
        if (bits == 64)
            return (uint64_t)out[0] << 32 | out[1];
        return (out[0] ^ out[1]) & (UINT32_MAX >> (32 - bits));
    }
    if (bits == 64)
        return (uint64_t)jax_legacy_word(key, i, 2 * r->size) << 32 |
               jax_legacy_word(key, r->size + i, 2 * r->size);
    const uint64_t per_word = 32 / bits, words = (r->size + per_word - 1) / per_word;
    const uint32_t word = jax_legacy_word(key, i / per_word, words);
    return word >> (i % per_word * bits) & (UINT32_MAX >> (32 - bits));
}

/* ---- TensorFlow ---- */

static uint64_t tensorflow_number(const ref_interop *r, uint64_t i)
{
    const uint32_t seeds[4] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32), (uint32_t)r->seed2,
                               (uint32_t)(r->seed2 >> 32)};
    const uint32_t key[2] = {0x3EC8F720u, 0x02461E29u};
    uint32_t mix[4];
    ref_philox4x32(10, seeds, key, mix);
    const uint64_t k = mix[0] + ((uint64_t)mix[1] << 32), high = mix[2] + ((uint64_t)mix[3] << 32);
    if (r->draws != REF_F64)
        return philox_word(k, i / 4, high, i % 4);
    const uint64_t x0 = philox_word(k, i / 2, high, i % 2 * 2);
    return x0 << 32 | philox_word(k, i / 2, high, i % 2 * 2 + 1);
}

/* ---- oneDNN ---- */

static uint64_t onednn_number(const ref_interop *r, uint64_t i)
{
    const uint32_t x = (uint32_t)i & ~3u, seed = (uint32_t)r->seed;
    const uint32_t both[2] = {seed, seed};
    uint32_t out[4];
    if (r->layout == DROPWISE_LAYOUT_ONEDNN_3_11)
        return philox_word(r->seed, r->offset, i & ~UINT64_C(3), i & 3);
    if (r->layout == DROPWISE_LAYOUT_ONEDNN_3_6) {
        const uint32_t counter[4] = {x, x + 1, x + 2, x + 3};
        ref_philox4x32(10, counter, both, out);
        return out[i & 3];
    }
    const uint32_t counter[4] = {x, x + 1, x, x + 3};
    ref_philox4x32(10, counter, both, out);
    return out[2];
}

/* ---- Threads with subsequences ---- */

/* Number n of curand_init(seed, subsequence, offset). */
static uint32_t curand_number(uint64_t seed, uint64_t subsequence, uint64_t offset, uint64_t n)
{
    const uint64_t low = offset / 4 + n / 4 + (offset % 4 + n % 4) / 4;
    return philox_word(seed, low, subsequence, (offset + n) % 4);
}

static uint64_t torch_cuda_number(const ref_interop *r, uint64_t e)
{
    if (r->vector > 1) {
        const uint64_t per_turn = r->threads * r->vector;
        const uint64_t thread = e % per_turn / r->vector, turn = e / per_turn, v = e % r->vector;
        const uint64_t draws = (r->vector + 3) / 4; /* of four numbers, each turn */
        return curand_number(r->seed, thread, r->offset, 4 * (turn * draws + v / 4) + v % 4);
    }
    const uint64_t turn = e / (4 * r->threads), place = e % (4 * r->threads);
    return curand_number(r->seed, place % r->threads, r->offset, 4 * turn + place / r->threads);
}

static uint64_t onnx_runtime_number(const ref_interop *r, uint64_t e)
{
    const uint64_t per_turn = 4 * r->threads, idx = e % per_turn / 4 * 4, turn = e / per_turn;
    return curand_number(r->seed, idx, r->offset, 4 * turn + e % 4);
}

static uint64_t deepspeed_number(const ref_interop *r, uint64_t e)
{
    const uint64_t group = e / 4, thread = group % r->threads, turn = group / r->threads;
    return curand_number(r->seed, thread, r->offset, 4 * turn + e % 4);
}

/* ---- The others ---- */

static uint64_t curand_host_number(const ref_interop *r, uint64_t i)
{
    const uint64_t n = r->offset + i, four = n / 4;
    return curand_number(r->seed, four % 65536, 0, four / 65536 * 4 + n % 4);
}

static uint64_t numpy_number(const ref_interop *r, uint64_t i)
{
    const uint64_t word = r->draws == REF_F64 ? i : i / 2;
    uint64_t counter[4], out[4], add = word / 4 + 1;
    for (int w = 0; w < 4; w++) {
        counter[w] = r->counter[w] + add;
        add = counter[w] < add;
    }
    const uint64_t key[2] = {r->seed, r->seed2};
    ref_philox4x64(counter, key, out);
    return r->draws == REF_F64 ? out[word % 4] : (uint32_t)(out[word % 4] >> (i % 2 * 32));
}

static uint64_t flash_attention_number(const ref_interop *r, uint64_t i)
{
    const uint64_t head = i / (r->rows * r->columns), row = i / r->columns % r->rows, col = i % r->columns;
    const uint64_t lane = (row & 7) * 4 + ((col & 7) >> 1), low = r->offset + head * 32 + lane;
    const uint32_t counter[4] = {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)(row >> 4),
                                 (uint32_t)(col >> 5)};
    const uint32_t key[2] = {(uint32_t)r->seed, (uint32_t)(r->seed >> 32)};
    uint32_t out[4];
    ref_philox4x32(7, counter, key, out);
    const unsigned byte = ((col >> 3) & 3) * 4 + (col & 1) + 2 * ((row >> 3) & 1);
    return out[byte / 4] >> byte % 4 * 8 & 0xFF;
}

static uint64_t transformer_engine_number(const ref_interop *r, uint64_t i)
{
    /* Word and byte of each element of a chunk. */
    static const struct {
        uint8_t word, byte;
    } place[16] = {{0, 2}, {0, 0}, {1, 2}, {1, 0}, {2, 2}, {2, 0}, {3, 2}, {3, 0},
                   {0, 3}, {0, 1}, {1, 3}, {1, 1}, {2, 3}, {2, 1}, {3, 3}, {3, 1}};
    const uint32_t word = philox_word(r->seed, r->offset / 4, i / 16, place[i % 16].word);
    return word >> place[i % 16].byte * 8 & 0xFF;
}

/* Word number `index` from seeding on. It goes on from the last one asked for, if that came before. */
static uint32_t mt19937_word(uint32_t seed, uint64_t index)
{
    static uint32_t state[624], of_seed, latest;
    static unsigned position;
    static uint64_t next;
    if (next == 0 || of_seed != seed || index + 1 < next) {
        ref_mt19937_seed(state, seed);
        of_seed = seed;
        position = 624;
        next = 0;
    }
    for (; next <= index; next++)
        latest = ref_mt19937_word(state, &position);
    return latest;
}

static uint64_t torch_cpu_number(const ref_interop *r, uint64_t i)
{
    const uint64_t at = 2 * (r->before + i) + r->offset;
    const uint64_t high = mt19937_word((uint32_t)r->seed, at);
    return high << 32 | mt19937_word((uint32_t)r->seed, at + 1);
}

/* multiplier^exponent times seed modulo 2^31 - 1, where the seed is not 0. */
static uint64_t lehmer_number(uint64_t seed, uint64_t multiplier, uint64_t exponent)
{
    const uint64_t m = 0x7FFFFFFF;
    uint64_t x = seed % m == 0 ? 1 : seed % m;
    for (; exponent != 0; exponent /= 2, multiplier = multiplier * multiplier % m)
        if (exponent % 2 != 0)
            x = x * multiplier % m;
    return x;
}

/* a, b: 128 bits, low words first; a b + c. */
static void multiply_add_128(const uint64_t a[2], const uint64_t b[2], const uint64_t c[2], uint64_t out[2])
{
    const uint64_t low = a[0] * b[0], high = upper_product(a[0], b[0]) + a[1] * b[0] + a[0] * b[1];
    out[0] = low + c[0];
    out[1] = high + c[1] + (out[0] < low);
}

/* PCG64 after n steps from a state: each bit of n squares the affine map, and may apply it. */
static uint64_t pcg64_number(const uint64_t state[2], const uint64_t increment[2], uint64_t n)
{
    static const uint64_t none[2] = {0, 0};
    uint64_t x[2] = {state[0], state[1]}, a[2] = {UINT64_C(0x4385DF649FCCF645), UINT64_C(0x2360ED051FC65DA4)};
    uint64_t c[2] = {increment[0], increment[1]};
    for (; n != 0; n /= 2) {
        uint64_t next_a[2], next_c[2];
        if (n % 2 != 0)
            multiply_add_128(x, a, c, x);
        multiply_add_128(c, a, c, next_c);
        multiply_add_128(a, a, none, next_a);
        memcpy(a, next_a, 16);
        memcpy(c, next_c, 16);
    }
    const uint64_t folded = x[0] ^ x[1], by = x[1] >> 58;
    return by == 0 ? folded : folded >> by | folded << (64 - by);
}

static uint64_t pcg64_element(const ref_interop *r, uint64_t i)
{
    const uint64_t state[2] = {r->seed, r->seed2};
    if (r->draws == REF_F64)
        return pcg64_number(state, r->counter, i + 1);
    return (uint32_t)(pcg64_number(state, r->counter, i / 2 + 1) >> (i % 2 * 32));
}

static uint64_t tensorflow_stateful_number(const ref_interop *r, uint64_t i)
{
    const uint64_t begin = 256 * r->before;
    if (r->draws != REF_F64)
        return philox_word(r->seed, begin + i / 4, r->seed2, i % 4);
    const uint64_t x0 = philox_word(r->seed, begin + i / 2, r->seed2, i % 2 * 2);
    return x0 << 32 | philox_word(r->seed, begin + i / 2, r->seed2, i % 2 * 2 + 1);
}

/* The key is in the counter too, high words first. */
static uint64_t jax_rbg_number(const ref_interop *r, uint64_t i)
{
    const uint64_t key = r->seed << 32 | r->seed >> 32, low = r->seed2 << 32 | r->seed2 >> 32;
    const unsigned bits = jax_bits(r->draws);
    const uint64_t word = bits == 64 ? 2 * i : i, at = low + word / 4;
    const uint32_t first = philox_word(key, at, key + (at < low), word % 4);
    if (bits == 64)
        return (uint64_t)philox_word(key, at, key + (at < low), word % 4 + 1) << 32 | first;
    return first & (UINT32_MAX >> (32 - bits));
}

static uint64_t tinygrad_number(const ref_interop *r, uint64_t i)
{
    const uint32_t device[2] = {0x14B81119u, (uint32_t)r->seed};
    const uint32_t before[2] = {(uint32_t)r->before, (uint32_t)(r->before >> 32)};
    const uint64_t half = (r->size + 1) / 2, j = i % half;
    const uint32_t counter[2] = {(uint32_t)j, (uint32_t)(half + j)};
    uint32_t key[2], out[2];
    ref_threefry2x32(before, device, key);
    ref_threefry2x32(counter, key, out);
    return out[i / half];
}

static uint64_t mlx_number(const ref_interop *r, uint64_t i)
{
    uint32_t key[2];
    jax_key(r, key);
    return jax_legacy_word(key, i, r->size);
}

/* [rand.util.seedseq] for 624 words of one, with 32-bit arithmetic, k counting to 2 * 624. */
static void seed_seq(uint32_t word, uint32_t b[624])
{
    for (int i = 0; i < 624; i++)
        b[i] = 0x8B8B8B8Bu;
    for (uint32_t k = 0; k < 2 * 624; k++) {
        uint32_t *here = &b[k % 624], *p = &b[(k + 306) % 624], *q = &b[(k + 317) % 624];
        const uint32_t last = b[(k + 623) % 624], i = k % 624;
        uint32_t mix = k < 624 ? *here ^ *p ^ last : *here + *p + last;
        mix ^= mix >> 27;
        mix *= k < 624 ? 1664525u : 1566083941u;
        const uint32_t other = k >= 624 ? mix - i : mix + i + (k == 0 ? 1 : k == 1 ? word : 0);
        *p = k < 624 ? *p + mix : *p ^ mix;
        *q = k < 624 ? *q + other : *q ^ other;
        *here = other;
    }
}

/* Number `index` of std::mt19937_64, of a seed_seq. It goes on from the last one asked for. */
static uint64_t mt19937_64_number(uint32_t seed, uint64_t index)
{
    static uint64_t state[312], latest;
    static uint32_t of_seed;
    static unsigned position;
    static uint64_t next;
    if (next == 0 || of_seed != seed || index + 1 < next) {
        uint32_t words[624];
        seed_seq(seed, words);
        for (int i = 0; i < 312; i++)
            state[i] = words[2 * i] | (uint64_t)words[2 * i + 1] << 32;
        of_seed = seed;
        position = 0;
        next = 0;
    }
    for (; next <= index; next++) {
        const unsigned k = position;
        const uint64_t y = (state[k] >> 31 << 31) | (state[(k + 1) % 312] & 0x7FFFFFFF);
        state[k] = state[(k + 156) % 312] ^ y >> 1 ^ (y % 2 ? UINT64_C(0xB5026F5AA96619E9) : 0);
        latest = state[k];
        position = (k + 1) % 312;
    }
    uint64_t y = latest;
    y ^= y >> 29 & UINT64_C(0x5555555555555555);
    y ^= y << 17 & UINT64_C(0x71D67FFFEDA60000);
    y ^= y << 37 & UINT64_C(0xFFF7EEE000000000);
    return y ^ y >> 43;
}

static uint64_t torch_func_random_number(const ref_interop *r, uint64_t i)
{
    if (r->draws != REF_F64)
        return philox_word(r->seed, r->offset + i / 4, 0, i % 4);
    const uint64_t high = philox_word(r->seed, r->offset + i / 2, 0, i % 2 * 2);
    return high << 32 | philox_word(r->seed, r->offset + i / 2, 0, i % 2 * 2 + 1);
}

/* Part t of the elements has the generator of seed 127 seed + t, which all calls before took as much of. */
static uint64_t mxnet_number(const ref_interop *r, uint64_t i)
{
    const uint64_t wanted = (r->size + 63) / 64, parts = wanted < 1024 ? wanted : 1024;
    const uint64_t step = (r->size + parts - 1) / parts, part = i / step;
    const uint64_t there = (part + 1) * step <= r->size ? step : r->size - part * step;
    const uint64_t at = r->run * there + i % step;
    const uint32_t seed = (uint32_t)r->seed * 127 + (uint32_t)part;
    if (r->draws == REF_F32)
        return mt19937_word(seed, at);
    const uint64_t low = mt19937_word(seed, 2 * at);
    return low | (uint64_t)mt19937_word(seed, 2 * at + 1) << 32;
}

uint64_t ref_interop_number(const ref_interop *r, uint64_t i)
{
    switch (r->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_HIGH:
    case DROPWISE_LAYOUT_JAX_LEGACY:
        return jax_random_bits(r, i);
    case DROPWISE_LAYOUT_JAX_LEGACY_HIGH: {
        ref_interop all = *r;
        all.size = 2 * r->size;
        return jax_random_bits(&all, i);
    }
    case DROPWISE_LAYOUT_TENSORFLOW:
        return tensorflow_number(r, i);
    case DROPWISE_LAYOUT_ONEDNN_3_6:
    case DROPWISE_LAYOUT_ONEDNN_3_11:
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
        return onednn_number(r, i);
    case DROPWISE_LAYOUT_TORCH_CUDA:
        return torch_cuda_number(r, i);
    case DROPWISE_LAYOUT_TRITON:
        return philox_word(r->seed, i, 0, 0);
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
        return philox_word(r->seed, (uint32_t)i, 0, 0);
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
        return philox_word(r->seed, (uint32_t)i / 4, 0, i % 4);
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return philox_word((uint32_t)r->seed, (uint32_t)i, 0, 0);
    case DROPWISE_LAYOUT_CURAND:
        return curand_number(r->seed, r->seed2, r->offset, i);
    case DROPWISE_LAYOUT_CURAND_HOST:
        return curand_host_number(r, i);
    case DROPWISE_LAYOUT_NUMPY:
        return numpy_number(r, i);
    case DROPWISE_LAYOUT_ONEMKL:
        return philox_word((uint32_t)r->seed, i / 4, 0, i % 4);
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        return flash_attention_number(r, i);
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
        return transformer_engine_number(r, i);
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
        return onnx_runtime_number(r, i);
    case DROPWISE_LAYOUT_TORCH_CPU:
        return torch_cpu_number(r, i);
    case DROPWISE_LAYOUT_ONNX_RUNTIME_CPU:
        return lehmer_number(r->seed + r->run, 16807, i + 1);
    case DROPWISE_LAYOUT_ONNX_RUNTIME_WEB:
        return lehmer_number(r->seed + r->run, 48271, i + 1);
    case DROPWISE_LAYOUT_ONEMKL_MCG31:
        return lehmer_number((uint32_t)r->seed, 1132489760, i);
    case DROPWISE_LAYOUT_ONEMKL_BERNOULLI:
        return philox_word((uint32_t)r->seed, i / 4, 0, i % 4);
    case DROPWISE_LAYOUT_TENSORFLOW_STATEFUL:
        return tensorflow_stateful_number(r, i);
    case DROPWISE_LAYOUT_TENSORFLOW_XLA: {
        ref_interop low = *r;
        low.seed = (uint32_t)r->seed;
        low.seed2 = (uint32_t)r->seed2;
        const uint64_t number = tensorflow_number(&low, i);
        return r->draws == REF_F64 ? number << 32 | number >> 32 : number;
    }
    case DROPWISE_LAYOUT_JAX_RBG:
    case DROPWISE_LAYOUT_JAX_RBG_HIGH:
        return jax_rbg_number(r, i);
    case DROPWISE_LAYOUT_MLX:
        return mlx_number(r, i);
    case DROPWISE_LAYOUT_TINYGRAD:
        return tinygrad_number(r, i);
    case DROPWISE_LAYOUT_NUMPY_PCG64:
        return pcg64_element(r, i);
    case DROPWISE_LAYOUT_TORCH_FUNC_RANDOM:
        return torch_func_random_number(r, i);
    case DROPWISE_LAYOUT_PADDLE_CPU:
        return mt19937_64_number((uint32_t)r->seed, r->before + i);
    case DROPWISE_LAYOUT_MXNET_CPU:
        return mxnet_number(r, i);
    default:
        return deepspeed_number(r, i);
    }
}

/* ---- Decisions ---- */

static int64_t as_signed(uint64_t word)
{
    return word < 0x80000000u ? (int64_t)word : (int64_t)word - INT64_C(0x100000000);
}

static double jax_uniform(const ref_interop *r, uint64_t bits)
{
    const int cut = r->draws == REF_F64 ? 12 : r->draws == REF_F32 ? 9 : r->draws == REF_F16 ? 6 : 1;
    return mantissa(r->draws, bits >> cut);
}

static int decide_jax(const ref_interop *r, uint64_t bits)
{
    return jax_uniform(r, bits) < in_dtype(r->draws, 1.0 - r->p);
}

/* jax.random._bernoulli with mode="high": u2 *= 2 ** -finfo.nmant; u2 < p - u1. */
static int decide_jax_high(const ref_interop *r, uint64_t first, uint64_t second)
{
    const double keep = in_dtype(r->draws, 1.0 - r->p), step = mantissa(r->draws, 1);
    return jax_uniform(r, second) * step < keep - jax_uniform(r, first);
}

static int decide_tensorflow(const ref_interop *r, uint64_t x)
{
    const uint64_t used = r->draws == REF_F64   ? UINT64_C(0xFFFFFFFFFFFFF)
                          : r->draws == REF_F32 ? 0x7FFFFF
                          : r->draws == REF_F16 ? 0x3FF
                                                : 0x7F;
    return mantissa(r->draws, x & used) >= in_dtype(r->draws, r->p);
}

/* Compiled by XLA: the upper bits, but for f16; of bf16 the numbers are those of f32. */
static int decide_tensorflow_xla(const ref_interop *r, uint64_t x)
{
    const double rate = in_dtype(r->draws, r->p);
    if (r->draws == REF_F16)
        return mantissa(REF_F16, x & 0x3FF) >= rate;
    if (r->draws == REF_F64)
        return mantissa(REF_F64, x >> 12) >= rate;
    return mantissa(REF_F32, x >> 9) >= rate;
}

static float triton_uniform(uint64_t x)
{
    const int64_t s = as_signed(x);
    return (float)(s < 0 ? -s - 1 : s) * 4.6566127342e-10f;
}

/* Later versions of Inductor compare with p in the tensor's dtype. */
static int decide_inductor(const ref_interop *r, float u, int is_later)
{
    const double p = r->dtype == REF_F64 ? r->p : (double)(float)r->p;
    return r->p == 0 || (double)u > (is_later ? in_dtype(r->dtype, p) : p);
}

int ref_interop_decide(const ref_interop *r, uint64_t number)
{
    const uint32_t word = (uint32_t)number;
    const float p = (float)r->p;
    switch (r->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_LEGACY:
    case DROPWISE_LAYOUT_JAX_RBG:
        return decide_jax(r, number);
    case DROPWISE_LAYOUT_JAX_HIGH:
    case DROPWISE_LAYOUT_JAX_LEGACY_HIGH:
    case DROPWISE_LAYOUT_JAX_RBG_HIGH:
        return decide_jax_high(r, number, 0);
    case DROPWISE_LAYOUT_TENSORFLOW:
    case DROPWISE_LAYOUT_TENSORFLOW_STATEFUL:
        return decide_tensorflow(r, number);
    case DROPWISE_LAYOUT_TENSORFLOW_XLA:
        return decide_tensorflow_xla(r, number);
    case DROPWISE_LAYOUT_PADDLE_CPU:
        return r->p == 0 || fminf((float)number * 0x1p-64f, nextafterf(1, 0)) >= p;
    case DROPWISE_LAYOUT_MXNET_CPU: {
        const float u = r->draws == REF_F32 ? fminf((float)word * 0x1p-32f, nextafterf(1, 0))
                                            : (float)((double)number * 0x1p-64);
        return p == 0 || u <= 1 - p;
    }
    case DROPWISE_LAYOUT_TORCH_FUNC_RANDOM: {
        const int bits = r->draws == REF_F64 ? 53 : r->draws == REF_F32 ? 24 : r->draws == REF_F16 ? 11 : 8;
        return ldexp((double)(number & ((UINT64_C(1) << bits) - 1)), -bits) >= in_dtype(r->draws, r->p);
    }
    case DROPWISE_LAYOUT_ONNX_RUNTIME_CPU:
    case DROPWISE_LAYOUT_ONNX_RUNTIME_WEB:
        return p == 0 || (float)(int32_t)(word - 1) / 2147483646.0f >= p;
    case DROPWISE_LAYOUT_ONEMKL_MCG31:
        return (float)((double)word * (1.0 / 2147483647)) < (float)(1 - r->p);
    case DROPWISE_LAYOUT_ONEMKL_BERNOULLI:
        return (float)as_signed(word) * 0x1p-32f + 0.5f < (float)(1 - r->p);
    case DROPWISE_LAYOUT_MLX:
        return (float)word < (float)(1 - r->p) * nextafterf((float)UINT32_MAX, INFINITY);
    case DROPWISE_LAYOUT_TINYGRAD:
        return mantissa(REF_F32, word >> 9) >= (double)p;
    case DROPWISE_LAYOUT_ONEDNN_3_6:
    case DROPWISE_LAYOUT_ONEDNN_3_11:
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
        return word > (double)UINT32_MAX * (double)p;
    case DROPWISE_LAYOUT_TORCH_CUDA: {
        const double keep = r->dtype == REF_F64 ? 1.0 - r->p : (double)(float)(1.0 - r->p);
        return r->p == 0 || (double)curand_uniform(word) < keep;
    }
    case DROPWISE_LAYOUT_TRITON:
        return triton_uniform(word) > p;
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
        return decide_inductor(r, triton_uniform(word), r->layout != DROPWISE_LAYOUT_INDUCTOR_GPU);
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return decide_inductor(r, (float)(word & 0x7FFFFFFF) * 4.6566127342e-10f,
                               r->layout != DROPWISE_LAYOUT_INDUCTOR_CPU);
    case DROPWISE_LAYOUT_NUMPY:
    case DROPWISE_LAYOUT_NUMPY_PCG64:
        if (r->draws == REF_F64)
            return (double)(number >> 11) * 0x1p-53 >= r->p;
        return (float)(word >> 8) * 0x1p-24f >= p;
    case DROPWISE_LAYOUT_ONEMKL:
        return (float)as_signed(word) * 0x1p-32f + 0.5f >= p;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        return (double)number <= floor((double)(1.0f - p) * 255.0);
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
        return (double)number >= floor(256.0 * (double)p);
    case DROPWISE_LAYOUT_TORCH_CPU:
        return r->p == 0 || ldexp((double)(number & 0x1FFFFFFFFFFFFF), -53) < 1 - r->p;
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
        return p == 0 || curand_uniform(word) < 1.0f - p;
    default: /* cuRAND, its host API, DeepSpeed */
        return curand_uniform(word) > p;
    }
}

int ref_interop_keep(const ref_interop *r, uint64_t i)
{
    const uint64_t number = ref_interop_number(r, i);
    if (ref_interop_is_high(r))
        return decide_jax_high(r, number, ref_interop_number(r, r->size + i));
    return ref_interop_decide(r, number);
}

int ref_interop_is_high(const ref_interop *r)
{
    return r->layout == DROPWISE_LAYOUT_JAX_HIGH || r->layout == DROPWISE_LAYOUT_JAX_LEGACY_HIGH ||
           r->layout == DROPWISE_LAYOUT_JAX_RBG_HIGH;
}

double ref_interop_scale(const ref_interop *r)
{
    const float p = (float)r->p;
    const double jax_keep = in_dtype(r->dtype, 1.0 - r->p);
    if (r->p == 1)
        return 0; /* nothing is kept */
    switch (r->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_LEGACY:
    case DROPWISE_LAYOUT_JAX_RBG:
    case DROPWISE_LAYOUT_JAX_HIGH:
    case DROPWISE_LAYOUT_JAX_LEGACY_HIGH:
    case DROPWISE_LAYOUT_JAX_RBG_HIGH:
        return in_dtype(r->dtype, 1.0 / jax_keep);
    case DROPWISE_LAYOUT_MLX:
    case DROPWISE_LAYOUT_TINYGRAD:
        return (double)(float)(1.0 / (1.0 - r->p));
    case DROPWISE_LAYOUT_ONEMKL_MCG31:
    case DROPWISE_LAYOUT_ONEMKL_BERNOULLI:
        return (double)(1.0f / (float)(1.0 - r->p));
    case DROPWISE_LAYOUT_TENSORFLOW:
    case DROPWISE_LAYOUT_TENSORFLOW_STATEFUL:
    case DROPWISE_LAYOUT_TENSORFLOW_XLA:
        return in_dtype(r->dtype, 1.0 / (1.0 - r->p));
    case DROPWISE_LAYOUT_TORCH_CUDA:
        return r->dtype == REF_F64 ? 1.0 / (1.0 - r->p) : (double)(1.0f / (float)(1.0 - r->p));
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return r->dtype == REF_F64 ? 1.0 / (1.0 - r->p) : (double)(float)(1.0 / (1.0 - r->p));
    case DROPWISE_LAYOUT_PADDLE_CPU:
        if (p == 1)
            return 0;
        return r->dtype == REF_F64 ? 1.0 / (double)(1.0f - p) : (double)(1.0f / (1.0f - p));
    case DROPWISE_LAYOUT_MXNET_CPU:
        return in_dtype(r->dtype, (double)(1 / (1 - p)));
    case DROPWISE_LAYOUT_TORCH_FUNC_RANDOM:
        return r->draws == REF_F64 ? 1.0 / (1.0 - r->p)
                                   : in_dtype(r->draws, (double)(1.0f / (float)(1.0 - r->p)));
    case DROPWISE_LAYOUT_TORCH_CPU:
        return r->dtype == REF_F64 ? 1.0 / (1.0 - r->p)
                                   : in_dtype(r->dtype, (double)(1.0f / (float)(1.0 - r->p)));
    case DROPWISE_LAYOUT_DEEPSPEED:
        return p < 1 ? (double)(float)(1.0 / (1.0 - (double)p)) : 0;
    case DROPWISE_LAYOUT_NUMPY:
    case DROPWISE_LAYOUT_NUMPY_PCG64:
        if (r->draws == REF_F64)
            return 1.0 / (1.0 - r->p);
        return p < 1 ? (double)(1.0f / (1.0f - p)) : 0;
    default:
        return p < 1 ? (double)(1.0f / (1.0f - p)) : 0;
    }
}

/* ---- What systems may be given ---- */

#define SEED UINT64_C(0x0123456789ABCDEF)
#define CUDA_LIKE .draws = REF_F32, .dtype = REF_F32, .seed = SEED

/* Sizes make turns of threads, odd halves and partial tiles meet the ranges of test_interop.c. */
const ref_interop ref_interop_cases[] = {
    {DROPWISE_LAYOUT_JAX, .draws = REF_F32, .dtype = REF_F32, .seed = SEED},
    {DROPWISE_LAYOUT_JAX, .draws = REF_F64, .dtype = REF_F64, .seed = SEED},
    {DROPWISE_LAYOUT_JAX, .draws = REF_F16, .dtype = REF_F16, .seed = SEED},
    {DROPWISE_LAYOUT_JAX, .draws = REF_BF16, .dtype = REF_BF16, .seed = 42},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .size = 6000},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_F32, .dtype = REF_BF16, .seed = 1701, .size = 4097},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .size = UINT32_MAX - 1},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_F64, .dtype = REF_F64, .seed = SEED, .size = 5001},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_F16, .dtype = REF_F16, .seed = SEED, .size = 5001},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_F16, .dtype = REF_F16, .seed = 7, .size = 5003},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_BF16, .dtype = REF_BF16, .seed = SEED, .size = 5002},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_BF16, .dtype = REF_BF16, .seed = 9, .size = 7},
    {DROPWISE_LAYOUT_JAX_LEGACY, .draws = REF_F32, .dtype = REF_F32, .seed = 9, .size = 1},
    {DROPWISE_LAYOUT_TENSORFLOW, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .seed2 = UINT64_MAX - 4},
    {DROPWISE_LAYOUT_TENSORFLOW, .draws = REF_F64, .dtype = REF_F64, .seed = 1, .seed2 = 2},
    {DROPWISE_LAYOUT_TENSORFLOW, .draws = REF_F16, .dtype = REF_F16, .seed = 1, .seed2 = SEED},
    {DROPWISE_LAYOUT_TENSORFLOW, .draws = REF_BF16, .dtype = REF_BF16, .seed = UINT64_MAX, .seed2 = 0},
    {DROPWISE_LAYOUT_ONEDNN_3_6, .seed = UINT32_MAX},
    {DROPWISE_LAYOUT_ONEDNN_3_11, .seed = SEED, .offset = UINT64_C(0xFEDCBA9876543210)},
    {DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET, .seed = 12345},
    {DROPWISE_LAYOUT_TORCH_CUDA, CUDA_LIKE, .size = 6000, .threads = 512, .vector = 4},
    {DROPWISE_LAYOUT_TORCH_CUDA, CUDA_LIKE, .size = UINT64_C(1) << 40, .threads = 256, .vector = 4,
     .offset = 28},
    {DROPWISE_LAYOUT_TORCH_CUDA, .dtype = REF_F16, .seed = 3, .size = 6000, .threads = 256, .vector = 8,
     .offset = 44},
    {DROPWISE_LAYOUT_TORCH_CUDA, .dtype = REF_BF16, .seed = 3, .size = 6000, .threads = 256, .vector = 16},
    {DROPWISE_LAYOUT_TORCH_CUDA, .dtype = REF_F64, .seed = 3, .size = 6000, .threads = 768, .vector = 2,
     .offset = 4},
    {DROPWISE_LAYOUT_TORCH_CUDA, CUDA_LIKE, .size = 5999, .threads = 512, .vector = 1},
    {DROPWISE_LAYOUT_TORCH_CUDA, .dtype = REF_F64, .seed = 5, .size = 5999, .threads = 65536, .vector = 1,
     .offset = 8},
    /* Offsets at which the counters' lower halves end. */
    {DROPWISE_LAYOUT_TORCH_CUDA, CUDA_LIKE, .size = 6000, .threads = 256, .vector = 16,
     .offset = 0x3FFFFFFF8},
    {DROPWISE_LAYOUT_TORCH_CUDA, CUDA_LIKE, .size = 6000, .threads = 256, .vector = 8, .offset = 0x3FFFFFFFC},
    {DROPWISE_LAYOUT_TORCH_CUDA, CUDA_LIKE, .size = 6000, .threads = 256, .vector = 1, .offset = 0x3FFFFFFFC},
    {DROPWISE_LAYOUT_TRITON, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_GPU, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_GPU, .dtype = REF_F64, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_CPU, .dtype = REF_BF16, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_CPU, .dtype = REF_F64, .seed = SEED},
    {DROPWISE_LAYOUT_CURAND, .seed = SEED, .seed2 = UINT64_C(0x100000001), .offset = 0x3FFFFF003},
    {DROPWISE_LAYOUT_CURAND, .seed = 0, .offset = 2},
    {DROPWISE_LAYOUT_CURAND_HOST, .seed = SEED, .offset = 0},
    {DROPWISE_LAYOUT_CURAND_HOST, .seed = 1234, .offset = 65536 * 4 - 3001},
    {DROPWISE_LAYOUT_NUMPY, .draws = REF_F64, .seed = SEED, .seed2 = 77},
    {DROPWISE_LAYOUT_NUMPY, .draws = REF_F32, .seed = SEED, .seed2 = 77},
    {DROPWISE_LAYOUT_NUMPY, .draws = REF_F32,
     .counter = {UINT64_MAX - 300, UINT64_MAX, UINT64_MAX, UINT64_MAX}},
    {DROPWISE_LAYOUT_NUMPY, .draws = REF_F64, .counter = {UINT64_MAX - 1, 5, 6, 7}},
    {DROPWISE_LAYOUT_ONEMKL, .seed = 0xCAFEF00D},
    {DROPWISE_LAYOUT_FLASH_ATTENTION_2, .seed = SEED, .offset = 4096, .rows = 40, .columns = 70},
    {DROPWISE_LAYOUT_FLASH_ATTENTION_2, .seed = 0, .offset = 0xFFFFFFC2, .rows = 17, .columns = 33},
    {DROPWISE_LAYOUT_FLASH_ATTENTION_2, .seed = 1, .offset = UINT64_MAX, .rows = 2, .columns = 3000},
    {DROPWISE_LAYOUT_FLASH_ATTENTION_2, .seed = 1, .offset = 0, .rows = 1000, .columns = 1},
    {DROPWISE_LAYOUT_TRANSFORMER_ENGINE, .seed = SEED, .offset = 0},
    {DROPWISE_LAYOUT_TRANSFORMER_ENGINE, .seed = 0, .offset = UINT64_C(0x8000000004)},
    {DROPWISE_LAYOUT_ONNX_RUNTIME, .seed = SEED, .size = 5999, .threads = 256, .offset = 12},
    {DROPWISE_LAYOUT_DEEPSPEED, .seed = 42, .size = 6000, .threads = 512},
    {DROPWISE_LAYOUT_DEEPSPEED, .seed = 42, .size = 6000, .threads = 512, .offset = 5},
    {DROPWISE_LAYOUT_DEEPSPEED, .seed = 42, .size = 6000, .threads = 1024, .offset = 6},
    {DROPWISE_LAYOUT_DEEPSPEED, .seed = 42, .size = 6000, .threads = 512, .offset = 0x3FFFFFFFF},
    {DROPWISE_LAYOUT_INDUCTOR_GPU_2_12, .dtype = REF_F16, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_GPU_2_13, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_GPU_2_13, .dtype = REF_BF16, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_GPU_2_13, .dtype = REF_F64, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_CPU_2_12, .dtype = REF_F16, .seed = SEED},
    {DROPWISE_LAYOUT_INDUCTOR_CPU_2_12, .dtype = REF_BF16, .seed = SEED},
    {DROPWISE_LAYOUT_TORCH_CPU, .draws = REF_F64, .dtype = REF_F32, .seed = SEED},
    {DROPWISE_LAYOUT_TORCH_CPU, .draws = REF_F64, .dtype = REF_F16, .seed = 5, .offset = 1},
    {DROPWISE_LAYOUT_TORCH_CPU, .draws = REF_F64, .dtype = REF_F64, .before = 1000, .offset = 623},
    {DROPWISE_LAYOUT_TORCH_CPU, .draws = REF_F64, .dtype = REF_BF16, .before = 3000000},
    {DROPWISE_LAYOUT_ONNX_RUNTIME_CPU, .seed = SEED},
    {DROPWISE_LAYOUT_ONNX_RUNTIME_CPU, .seed = UINT64_MAX - 5, .run = 6},
    {DROPWISE_LAYOUT_ONNX_RUNTIME_WEB, .seed = 0x7FFFFFFF, .run = 3},
    {DROPWISE_LAYOUT_TENSORFLOW_STATEFUL, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .seed2 = 7,
     .before = 64},
    {DROPWISE_LAYOUT_TENSORFLOW_STATEFUL, .draws = REF_F16, .dtype = REF_F16, .seed = 0, .seed2 = 0x7FFFFFFF},
    {DROPWISE_LAYOUT_TENSORFLOW_STATEFUL, .draws = REF_F64, .dtype = REF_F64, .seed = 3, .seed2 = 4,
     .before = UINT64_C(1) << 55},
    {DROPWISE_LAYOUT_TENSORFLOW_XLA, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .seed2 = 7},
    {DROPWISE_LAYOUT_TENSORFLOW_XLA, .draws = REF_F16, .dtype = REF_F16, .seed = SEED, .seed2 = 7},
    {DROPWISE_LAYOUT_TENSORFLOW_XLA, .draws = REF_BF16, .dtype = REF_BF16, .seed = 1, .seed2 = 7},
    {DROPWISE_LAYOUT_TENSORFLOW_XLA, .draws = REF_F64, .dtype = REF_F64, .seed = 1, .seed2 = 7},
    {DROPWISE_LAYOUT_JAX_RBG, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .seed2 = SEED},
    {DROPWISE_LAYOUT_JAX_RBG, .draws = REF_F32, .dtype = REF_BF16, .seed = 1,
     .seed2 = UINT64_C(0xFFFFFF00FFFFFFFF)},
    {DROPWISE_LAYOUT_JAX_RBG, .draws = REF_F16, .dtype = REF_F16, .seed = SEED, .seed2 = 3},
    {DROPWISE_LAYOUT_JAX_RBG, .draws = REF_BF16, .dtype = REF_F32, .seed = SEED, .seed2 = 3},
    {DROPWISE_LAYOUT_JAX_RBG, .draws = REF_F64, .dtype = REF_F64, .seed = 5,
     .seed2 = UINT64_C(0xFFFFFFE0FFFFFFFF)},
    {DROPWISE_LAYOUT_JAX_HIGH, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .size = 6000},
    {DROPWISE_LAYOUT_JAX_HIGH, .draws = REF_F64, .dtype = REF_F64, .seed = SEED, .size = UINT64_C(1) << 59},
    {DROPWISE_LAYOUT_JAX_HIGH, .draws = REF_F16, .dtype = REF_F16, .seed = 7, .size = 4097},
    {DROPWISE_LAYOUT_JAX_HIGH, .draws = REF_BF16, .dtype = REF_BF16, .seed = SEED,
     .size = UINT64_C(0x100000001)},
    {DROPWISE_LAYOUT_JAX_LEGACY_HIGH, .draws = REF_F32, .dtype = REF_F32, .seed = SEED,
     .size = UINT32_MAX / 2},
    {DROPWISE_LAYOUT_JAX_LEGACY_HIGH, .draws = REF_F64, .dtype = REF_F32, .seed = SEED, .size = 5001},
    {DROPWISE_LAYOUT_JAX_LEGACY_HIGH, .draws = REF_F16, .dtype = REF_F16, .seed = SEED, .size = 5001},
    {DROPWISE_LAYOUT_JAX_LEGACY_HIGH, .draws = REF_BF16, .dtype = REF_BF16, .seed = SEED, .size = 5003},
    {DROPWISE_LAYOUT_JAX_RBG_HIGH, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .seed2 = 3,
     .size = 6000},
    {DROPWISE_LAYOUT_JAX_RBG_HIGH, .draws = REF_F64, .dtype = REF_F64, .seed = 5, .seed2 = 3, .size = 5001},
    {DROPWISE_LAYOUT_JAX_RBG_HIGH, .draws = REF_F16, .dtype = REF_F16, .seed = 5, .seed2 = SEED,
     .size = 5001},
    {DROPWISE_LAYOUT_JAX_RBG_HIGH, .draws = REF_BF16, .dtype = REF_F32, .seed = 1,
     .seed2 = UINT64_C(0xFFFFFFE0FFFFFFFF), .size = 5003},
    {DROPWISE_LAYOUT_MLX, .seed = SEED, .size = 6000},
    {DROPWISE_LAYOUT_MLX, .seed = 5, .size = 4097},
    {DROPWISE_LAYOUT_TINYGRAD, .seed = SEED, .size = 6000, .before = 100},
    {DROPWISE_LAYOUT_TINYGRAD, .seed = 5, .size = 4097, .before = UINT64_C(0x100000003)},
    {DROPWISE_LAYOUT_ONEMKL_MCG31, .seed = UINT32_MAX},
    {DROPWISE_LAYOUT_ONEMKL_MCG31, .seed = 777},
    {DROPWISE_LAYOUT_ONEMKL_BERNOULLI, .seed = 0xCAFEF00D},
    {DROPWISE_LAYOUT_TORCH_FUNC_RANDOM, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .offset = 7},
    {DROPWISE_LAYOUT_TORCH_FUNC_RANDOM, .draws = REF_F16, .dtype = REF_F16, .seed = SEED,
     .offset = UINT32_MAX},
    {DROPWISE_LAYOUT_TORCH_FUNC_RANDOM, .draws = REF_BF16, .dtype = REF_BF16, .seed = UINT64_MAX},
    {DROPWISE_LAYOUT_TORCH_FUNC_RANDOM, .draws = REF_F64, .dtype = REF_F64, .seed = 3,
     .offset = UINT64_C(1) << 40},
    {DROPWISE_LAYOUT_PADDLE_CPU, .draws = REF_F64, .dtype = REF_F32, .seed = SEED},
    {DROPWISE_LAYOUT_PADDLE_CPU, .draws = REF_F64, .dtype = REF_F64, .seed = 5, .before = 3000001},
    {DROPWISE_LAYOUT_MXNET_CPU, .draws = REF_F32, .dtype = REF_F32, .seed = 5, .size = 5999},
    {DROPWISE_LAYOUT_MXNET_CPU, .draws = REF_F32, .dtype = REF_F32, .seed = SEED, .size = 1300001, .run = 1},
    {DROPWISE_LAYOUT_MXNET_CPU, .draws = REF_F64, .dtype = REF_F64, .seed = UINT32_MAX, .size = 6000,
     .run = 2},
    {DROPWISE_LAYOUT_MXNET_CPU, .draws = REF_F64, .dtype = REF_F16, .seed = 0, .size = 65, .run = 9},
    {DROPWISE_LAYOUT_MXNET_CPU, .draws = REF_F64, .dtype = REF_F16, .seed = 3, .size = 1300000},
    /* So many calls that parts are reached by jumps, the last and shorter one by another. */
    {DROPWISE_LAYOUT_MXNET_CPU, .draws = REF_F32, .dtype = REF_F32, .seed = 8, .size = 190, .run = 42000},
    {DROPWISE_LAYOUT_NUMPY_PCG64, .draws = REF_F64, .seed = SEED, .seed2 = 77, .counter = {5, SEED}},
    {DROPWISE_LAYOUT_NUMPY_PCG64, .draws = REF_F32, .seed = UINT64_MAX, .seed2 = SEED,
     .counter = {UINT64_MAX, 9}},
};

const size_t ref_interop_n_cases = sizeof ref_interop_cases / sizeof ref_interop_cases[0];
