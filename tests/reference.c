#include "reference.h"

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
    const ref_mask mask = {seed, stream, t};
    return mask;
}

void ref_block(uint64_t seed, uint64_t stream, uint64_t counter, uint8_t out[16])
{
    uint32_t c[4] = {(uint32_t)counter, (uint32_t)(counter >> 32), (uint32_t)stream,
                     (uint32_t)(stream >> 32)};
    uint32_t k[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    for (int round = 0; round < 10; round++) {
        const uint64_t product0 = UINT64_C(0xD2511F53) * c[0];
        const uint64_t product1 = UINT64_C(0xCD9E8D57) * c[2];
        const uint32_t next[4] = {(uint32_t)(product1 >> 32) ^ c[1] ^ k[0], (uint32_t)product1,
                                  (uint32_t)(product0 >> 32) ^ c[3] ^ k[1], (uint32_t)product0};
        memcpy(c, next, sizeof c);
        k[0] += 0x9E3779B9u;
        k[1] += 0xBB67AE85u;
    }
    for (int i = 0; i < 16; i++)
        out[i] = (uint8_t)(c[i / 4] >> (8 * (i % 4)));
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
    ref_block(mask->seed, mask->stream, i / 4 + (UINT64_C(1) << 60), tie);
    const uint8_t *w = tie + i % 4 * 4;
    const uint64_t word = w[0] + w[1] * 256u + w[2] * 65536u + w[3] * UINT64_C(16777216);
    return word < t32;
}

int ref_keep(const ref_mask *mask, uint64_t i)
{
    uint8_t block[16];
    ref_block(mask->seed, mask->stream, i / 16, block);
    return decide(mask, i, block);
}

void ref_keep_range(const ref_mask *mask, uint64_t first, size_t n, uint8_t *keep)
{
    uint8_t block[16];
    for (size_t j = 0; j < n; j++) {
        const uint64_t i = first + j;
        if (j == 0 || i % 16 == 0)
            ref_block(mask->seed, mask->stream, i / 16, block);
        keep[j] = (uint8_t)decide(mask, i, block);
    }
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
    return dtype == REF_F64 ? 8 : dtype == REF_F32 ? 4 : 2;
}

/* A 16-bit binary format: 1 sign bit, exponent bits, fraction bits. */
typedef struct narrow_format {
    int fraction_bits;
    int min_exponent; /* of normal numbers */
    int max_exponent;
} narrow_format;

static const narrow_format f16_format = {10, -14, 15}, bf16_format = {7, -126, 127};

static unsigned infinity_of(const narrow_format *f)
{
    return (unsigned)(f->max_exponent - f->min_exponent + 2) << f->fraction_bits;
}

static double narrow_value(const narrow_format *f, unsigned magnitude)
{
    const int exponent = (int)(magnitude >> f->fraction_bits);
    const int fraction = (int)(magnitude & ((1u << f->fraction_bits) - 1));
    const int one = 1 << f->fraction_bits;
    return exponent == 0 ? ldexp(fraction, f->min_exponent - f->fraction_bits)
                         : ldexp(one + fraction, f->min_exponent + exponent - 1 - f->fraction_bits);
}

/* The nearest number of the format, ties to even, by dividing through the distance of its neighbours. */
static unsigned narrow_round(const narrow_format *f, double magnitude)
{
    if (isinf(magnitude))
        return infinity_of(f);
    int e = magnitude == 0 ? f->min_exponent : ilogb(magnitude);
    if (e < f->min_exponent)
        e = f->min_exponent;
    const double quotient = ldexp(magnitude, f->fraction_bits - e);
    double whole = floor(quotient);
    if (quotient - whole > 0.5 || (quotient - whole == 0.5 && fmod(whole, 2) == 1))
        whole++;
    const double bits = whole + ldexp(e - f->min_exponent, f->fraction_bits);
    return bits >= infinity_of(f) ? infinity_of(f) : (unsigned)bits;
}

static unsigned narrow_times(const narrow_format *f, unsigned bits, float factor)
{
    const unsigned sign = bits & 0x8000, magnitude = bits & 0x7FFF;
    if (magnitude > infinity_of(f)) /* NaN: quiet, else as it was */
        return bits | 1u << (f->fraction_bits - 1);
    if (magnitude == infinity_of(f))
        return bits;
    const float product = (float)narrow_value(f, magnitude) * factor;
    return sign | narrow_round(f, (double)product);
}

void ref_apply(ref_dtype dtype, const uint8_t *keep, size_t n, const void *x, void *y,
               const double *scale)
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
            uint16_t v;
            memcpy(&v, from, 2);
            v = (uint16_t)narrow_times(dtype == REF_F16 ? &f16_format : &bf16_format, v, (float)*scale);
            memcpy(to, &v, 2);
        }
    }
}

uint64_t ref_hash(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
    return hash;
}
