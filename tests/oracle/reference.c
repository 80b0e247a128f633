#define _DEFAULT_SOURCE /* M_PI */
#include "oracle/reference.h"

#include <math.h>
#include <string.h>

ref_mask ref_mask_of(double p, uint64_t seed, uint64_t stream)
{
    /* 1 - p is m * 2^(e - 53) with an integer m below 2^53; so T is m shifted right by 13 - e. */
    int e = 0;
    const double fraction = frexp(1.0 - p, &e);
    const uint64_t m = (uint64_t)ldexp(fraction, 53);
    const int shift = 13 - e;
    uint64_t t = 0;
    if (shift < 64) {
        t = m >> shift;
        const uint64_t cut_off = m - (t << shift);
        const uint64_t half = UINT64_C(1) << (shift - 1);
        if (cut_off > half || (cut_off == half && t % 2 == 1))
            t++;
    }
    const ref_mask mask = {seed, stream, t, REF_PHILOX4X32_10};
    return mask;
}

static void philox(int rounds, const uint32_t key[4], uint32_t c[4])
{
    uint32_t k[2] = {key[0], key[1]};
    for (int round = 0; round < rounds; round++) {
        const uint64_t product0 = UINT64_C(0xD2511F53) * c[0];
        const uint64_t product1 = UINT64_C(0xCD9E8D57) * c[2];
        const uint32_t next[4] = {(uint32_t)(product1 >> 32) ^ c[1] ^ k[0], (uint32_t)product1,
                                  (uint32_t)(product0 >> 32) ^ c[3] ^ k[1], (uint32_t)product0};
        memcpy(c, next, sizeof next);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
}

static uint32_t rotate(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static void threefry(int rounds, const uint32_t key[4], uint32_t c[4])
{
    static const unsigned by[8][2] = {{10, 26}, {11, 21}, {13, 27}, {23, 5},
                                      {6, 20},  {17, 11}, {25, 10}, {18, 20}};
    const uint32_t k[5] = {key[0], key[1], key[2], key[3], 0x1BD11BDAu ^ key[0] ^ key[1] ^ key[2] ^ key[3]};
    for (int round = 0; round <= rounds; round++) {
        if (round % 4 == 0) {
            const int time = round / 4;
            for (int i = 0; i < 4; i++)
                c[i] += k[(time + i) % 5];
            c[3] += (uint32_t)time;
        }
        if (round == rounds)
            break;
        /* Even rounds mix words 0, 1 and 2, 3; odd ones 0, 3 and 2, 1. */
        const int first = round % 2 == 0 ? 1 : 3, second = 4 - first;
        c[0] += c[first];
        c[first] = rotate(c[first], by[round % 8][0]) ^ c[0];
        c[2] += c[second];
        c[second] = rotate(c[second], by[round % 8][1]) ^ c[2];
    }
}

/* A product in the field of AES: of polynomials over bits, modulo x^8 + x^4 + x^3 + x + 1. */
static unsigned field_product(unsigned a, unsigned b)
{
    unsigned product = 0;
    for (int i = 0; i < 8; i++)
        if (b >> i & 1)
            product ^= a << i;
    for (int i = 14; i >= 8; i--)
        if (product >> i & 1)
            product ^= 0x11Bu << (i - 8);
    return product;
}

/* SubBytes: the inverse, which is the 254th power, then an affine map of its bits. */
static unsigned substitute(unsigned a)
{
    unsigned inverse = 1;
    for (int i = 0; i < 254; i++)
        inverse = field_product(inverse, a);
    unsigned out = 0x63;
    for (int i = 0; i < 8; i++)
        for (int j = 0; j < 5; j++)
            out ^= (inverse >> ((i + (j == 0 ? 0 : 3 + j)) % 8) & 1) << i;
    return out;
}

static void ars(int rounds, const uint32_t key[4], uint32_t c[4])
{
    static unsigned box[256];
    if (box[0] == 0)
        for (unsigned a = 0; a < 256; a++)
            box[a] = substitute(a);
    uint64_t k[2] = {key[0] + ((uint64_t)key[1] << 32), key[2] + ((uint64_t)key[3] << 32)};
    unsigned state[4][4]; /* row, column */
    for (int i = 0; i < 16; i++)
        state[i % 4][i / 4] = (c[i / 4] >> 8 * (i % 4) & 0xFF) ^ (unsigned)(k[i / 8] >> 8 * (i % 8) & 0xFF);
    for (int round = 1; round <= rounds; round++) {
        k[0] += UINT64_C(0x9E3779B97F4A7C15);
        k[1] += UINT64_C(0xBB67AE8584CAA73B);
        unsigned shifted[4][4];
        for (int row = 0; row < 4; row++)
            for (int column = 0; column < 4; column++)
                shifted[row][column] = box[state[row][(column + row) % 4]];
        for (int row = 0; row < 4; row++) {
            for (int column = 0; column < 4; column++) {
                unsigned v = shifted[row][column];
                if (round != rounds)
                    v = field_product(2, v) ^ field_product(3, shifted[(row + 1) % 4][column]) ^
                        shifted[(row + 2) % 4][column] ^ shifted[(row + 3) % 4][column];
                const int i = 4 * column + row;
                state[row][column] = v ^ (unsigned)(k[i / 8] >> 8 * (i % 8) & 0xFF);
            }
        }
    }
    for (int word = 0; word < 4; word++)
        c[word] = state[0][word] + (state[1][word] << 8) + (state[2][word] << 16) + (state[3][word] << 24);
}

void ref_generate(ref_generator generator, uint64_t seed, uint64_t stream, uint64_t counter, uint8_t out[16])
{
    const uint32_t key[4] = {(uint32_t)seed, (uint32_t)(seed >> 32), 0, 0};
    uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream,
                     (uint32_t)(stream >> 32)};
    switch (generator) {
#define REF_GENERATOR(number, name, user_name, cipher, rounds) \
    case REF_##number: \
        cipher(rounds, key, c); \
        break;
#include "oracle/generators.inc"
    case REF_GENERATORS:
        break;
    }
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)(c[i / 4] >> (8 * (i % 4)));
}

void ref_block(uint64_t seed, uint64_t stream, uint64_t counter, uint8_t out[16])
{
    ref_generate(REF_PHILOX4X32_10, seed, stream, counter, out);
}

/* The decision on element i, whose mask byte lies in this block. */
static int decide(const ref_mask *mask, uint64_t i, const uint8_t block[16])
{
    const uint64_t t8 = mask->threshold >> 32;
    const uint64_t t32 = mask->threshold & 0xFFFFFFFFu;
    const uint8_t byte = block[i % 16];
    if (byte != t8)
        return byte < t8;
    uint8_t tie[16];
    ref_generate(mask->generator, mask->seed, mask->stream, i / 4 + (UINT64_C(1) << 60), tie);
    const uint8_t *w = tie + i % 4 * 4;
    const uint64_t word = w[0] + w[1] * 256u + w[2] * 65536u + w[3] * UINT64_C(16777216);
    return word < t32;
}

int ref_keep(const ref_mask *mask, uint64_t i)
{
    uint8_t block[16];
    ref_generate(mask->generator, mask->seed, mask->stream, i / 16, block);
    return decide(mask, i, block);
}

void ref_keep_range(const ref_mask *mask, uint64_t first, size_t n, uint8_t *keep)
{
    uint8_t block[16];
    for (size_t j = 0; j < n; j++) {
        const uint64_t i = first + j;
        if (j == 0 || i % 16 == 0)
            ref_generate(mask->generator, mask->seed, mask->stream, i / 16, block);
        keep[j] = (uint8_t)decide(mask, i, block);
    }
}

uint32_t ref_word(uint64_t seed, uint64_t stream, unsigned domain, uint64_t i)
{
    uint8_t block[16];
    ref_block(seed, stream, i / 4 + ((uint64_t)domain << 60), block);
    const uint8_t *w = block + i % 4 * 4;
    return (uint32_t)(w[0] + w[1] * 256u + w[2] * 65536u + w[3] * UINT64_C(16777216));
}

void ref_pack(const uint8_t *keep, size_t n, uint8_t *bits)
{
    memset(bits, 0, (n + 7) / 8);
    for (size_t j = 0; j < n; j++)
        bits[j / 8] = (uint8_t)(bits[j / 8] + (keep[j] << (j % 8)));
}

double ref_inverted_scale(const ref_mask *mask)
{
    return 1099511627776.0 / (double)mask->threshold;
}

double ref_standard_scale(const ref_mask *mask)
{
    return (double)mask->threshold / 1099511627776.0;
}

size_t ref_bytes(ref_dtype dtype)
{
    static const size_t bytes_of[] = {
#define REF_DTYPE(number, name, bytes) [REF_##number] = bytes,
#include "oracle/dtypes.inc"
    };
    return bytes_of[dtype];
}

/* A binary format narrower than f32: a sign bit, then a code, of which the upper bits are an exponent. */
typedef struct small_float {
    unsigned sign;
    int fraction_bits;
    int min_exponent;  /* of normal numbers */
    unsigned largest;  /* code of the largest finite number */
    unsigned beyond;   /* code of what rounds to more than that */
    unsigned infinity; /* 0: there is none; all above it are NaN */
    unsigned quiet;    /* set in every NaN */
} small_float;

static const small_float narrow_formats[REF_DTYPES] = {
#define REF_SMALL_FLOAT(number, name, bytes, ...) [REF_##number] = {1u << (8 * (bytes)-1), __VA_ARGS__},
#include "oracle/dtypes.inc"
};

static double finite_value(const small_float *f, unsigned code)
{
    const int exponent = (int)(code >> f->fraction_bits);
    const int fraction = (int)(code & ((1u << f->fraction_bits) - 1));
    const int one = 1 << f->fraction_bits;
    return exponent == 0 ? ldexp(fraction, f->min_exponent - f->fraction_bits)
                         : ldexp(one + fraction, f->min_exponent + exponent - 1 - f->fraction_bits);
}

/* The nearest number of the format, ties to even, by dividing through the distance of its neighbours. */
static unsigned nearest_code(const small_float *f, double magnitude)
{
    if (isinf(magnitude))
        return f->beyond;
    int e = magnitude == 0 ? f->min_exponent : ilogb(magnitude);
    if (e < f->min_exponent)
        e = f->min_exponent;
    const double quotient = ldexp(magnitude, f->fraction_bits - e);
    double whole = floor(quotient);
    if (quotient - whole > 0.5 || (quotient - whole == 0.5 && fmod(whole, 2) == 1))
        whole++;
    const double code = whole + ldexp(e - f->min_exponent, f->fraction_bits);
    return code > f->largest ? f->beyond : (unsigned)code;
}

/* Bits of a float that is NaN or not: payloads survive as far as they fit. */
static uint32_t bits_of(float v)
{
    uint32_t u;
    memcpy(&u, &v, sizeof u);
    return u;
}

float ref_widen(ref_dtype dtype, unsigned bits)
{
    const small_float *f = &narrow_formats[dtype];
    const unsigned code = bits & (f->sign - 1);
    float v;
    if (code <= f->largest) {
        v = (float)finite_value(f, code);
    } else if (code == f->infinity) {
        v = INFINITY;
    } else {
        const uint32_t payload = code & ((1u << f->fraction_bits) - 1);
        const uint32_t u = 0x7FC00000u | payload << (23 - f->fraction_bits);
        memcpy(&v, &u, sizeof v);
    }
    const uint32_t u = bits_of(v) | (bits & f->sign ? 0x80000000u : 0);
    memcpy(&v, &u, sizeof v);
    return v;
}

unsigned ref_narrow(ref_dtype dtype, float v)
{
    const small_float *f = &narrow_formats[dtype];
    const uint32_t u = bits_of(v);
    unsigned code;
    if (isnan(v))
        code = f->quiet | (u >> (23 - f->fraction_bits) & ((1u << f->fraction_bits) - 1));
    else
        code = nearest_code(f, fabs((double)v));
    return code | (u >> 31 ? f->sign : 0);
}

void ref_multiply(ref_dtype dtype, const uint8_t *keep, size_t n, const void *x, void *y, double scale)
{
    for (size_t j = 0; j < n; j++) {
        const double by = keep[j] ? scale : 0;
        if (dtype == REF_F64) {
            double v;
            memcpy(&v, (const unsigned char *)x + 8 * j, 8);
            v *= by;
            memcpy((unsigned char *)y + 8 * j, &v, 8);
        } else if (dtype == REF_F32) {
            float v;
            memcpy(&v, (const unsigned char *)x + 4 * j, 4);
            v *= (float)by;
            memcpy((unsigned char *)y + 4 * j, &v, 4);
        } else {
            uint16_t v;
            memcpy(&v, (const unsigned char *)x + 2 * j, 2);
            v = (uint16_t)ref_narrow(dtype, ref_widen(dtype, v) * (float)by);
            memcpy((unsigned char *)y + 2 * j, &v, 2);
        }
    }
}

void ref_apply(ref_dtype dtype, const uint8_t *keep, size_t n, const void *x, void *y, const double *scale)
{
    const size_t bytes = ref_bytes(dtype);
    for (size_t j = 0; j < n; j++) {
        const unsigned char *from = (const unsigned char *)x + bytes * j;
        unsigned char *to = (unsigned char *)y + bytes * j;
        if (!keep[j]) {
            memset(to, 0, bytes);
        } else if (scale == NULL) {
            memmove(to, from, bytes);
        } else if (dtype == REF_F64) {
            double v;
            memcpy(&v, from, 8);
            v *= *scale;
            memcpy(to, &v, 8);
        } else if (dtype == REF_F32) {
            float v;
            memcpy(&v, from, 4);
            v *= (float)*scale;
            memcpy(to, &v, 4);
        } else {
            uint16_t v = *from;
            if (bytes == 2)
                memcpy(&v, from, 2);
            v = (uint16_t)ref_narrow(dtype, ref_widen(dtype, v) * (float)*scale);
            if (bytes == 2)
                memcpy(to, &v, 2);
            else
                *to = (unsigned char)v;
        }
    }
}

void ref_add(ref_dtype dtype, const uint8_t *keep, size_t n, const void *x, void *y, double scale)
{
    const size_t bytes = ref_bytes(dtype);
    for (size_t j = 0; j < n; j++) {
        const unsigned char *from = (const unsigned char *)x + bytes * j;
        unsigned char *to = (unsigned char *)y + bytes * j;
        if (!keep[j])
            continue;
        if (dtype == REF_F64) {
            double v, sum;
            memcpy(&v, from, 8);
            memcpy(&sum, to, 8);
            sum += v * scale;
            if (isnan(sum))
                sum = NAN;
            memcpy(to, &sum, 8);
            continue;
        }
        uint16_t narrow_v = *from, narrow_sum = *to;
        float v, sum;
        if (bytes == 4) {
            memcpy(&v, from, 4);
            memcpy(&sum, to, 4);
        } else {
            if (bytes == 2) {
                memcpy(&narrow_v, from, 2);
                memcpy(&narrow_sum, to, 2);
            }
            v = ref_widen(dtype, narrow_v);
            sum = ref_widen(dtype, narrow_sum);
        }
        v *= (float)scale;
        sum += v;
        if (isnan(sum))
            sum = NAN;
        narrow_sum = bytes == 4 ? 0 : (uint16_t)ref_narrow(dtype, sum);
        if (bytes == 4)
            memcpy(to, &sum, 4);
        else if (bytes == 2)
            memcpy(to, &narrow_sum, 2);
        else
            *to = (unsigned char)narrow_sum;
    }
}

double ref_uniform(ref_dtype dtype, uint32_t word)
{
    if (dtype == REF_F64)
        return (2.0 * word + 1) / 8589934592.0;
    const double u = (double)(float)((double)(float)word / 4294967296.0 + 1 / 8589934592.0);
    return u < 1 ? u : 1 - 1 / 16777216.0;
}

double ref_normal(ref_dtype dtype, uint32_t word0, uint32_t word1, int odd)
{
    const double r = sqrt(-2 * log(ref_uniform(dtype, word0)));
    const double angle = 2 * ref_uniform(dtype, word1); /* in half turns, from 0 to 2 */
    /* Near its zeros, the sine of a multiple of pi wants a small argument. */
    const double sine = angle < 0.5   ? sin(M_PI * angle)
                        : angle < 1.5 ? sin(M_PI * (1 - angle))
                                      : -sin(M_PI * (2 - angle));
    const double quarter = fabs(angle - 1); /* the cosine is -cos(pi (angle - 1)), an even function */
    const double cosine = quarter < 0.25 ? -cos(M_PI * quarter) : -sin(M_PI * (0.5 - quarter));
    return r * (odd ? sine : cosine);
}

double ref_relaxed(ref_dtype dtype, uint32_t word, double logit, double temperature)
{
    const double u = ref_uniform(dtype, word), rest = ref_uniform(dtype, ~word);
    return 1 / (1 + exp((logit + log(u) - log(rest)) / temperature));
}

ref_affine ref_alpha(const ref_mask *mask)
{
    const double q = ref_standard_scale(mask), limit = -1.7580993408473766;
    ref_affine affine;
    affine.a = 1 / sqrt(q + limit * limit * q * (1 - q));
    affine.b = -affine.a * limit * (1 - q);
    affine.dropped = affine.a * limit + affine.b;
    return affine;
}

uint64_t ref_hash(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}
