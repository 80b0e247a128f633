/* One real, in portable C. kernels/vec/vec.h says what each function does. */
#ifndef DROPWISE_VEC_REALS_SCALAR_H
#define DROPWISE_VEC_REALS_SCALAR_H

#include "scalar/vec_bits_scalar.h"

typedef float vec_f32;
typedef double vec_f64;

static inline vec_f32 set_f32(float x)
{
    return x;
}

static inline vec_f64 set_f64(double x)
{
    return x;
}

/*
 * Not fmaf of the C library where no instruction does it: musl's, for one, rounds results below 2^-126 twice.
 * The product is exact in double, and the sum, rounded, decides, unless it lies half-way between two floats,
 * or may do so: then what rounding took away makes it odd.
 */
#if defined(__FP_FAST_FMAF) || defined(__FMA__)
static inline vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c)
{
    return __builtin_fmaf(a, b, c);
}
#else
VEC_SHARED float odd_sum(double product, double addend, double sum)
{
    const double of_addend = sum - product;
    const double rest = (product - (sum - of_addend)) + (addend - of_addend);
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (bits % 2 == 0 && (rest < 0 || rest > 0))
        bits += (rest > 0) == (sum > 0) ? UINT64_C(1) : UINT64_MAX;
    memcpy(&sum, &bits, sizeof bits);
    return (float)sum;
}

VEC_SHARED vec_f32 fma_f32(vec_f32 a, vec_f32 b, vec_f32 c)
{
    const double product = (double)a * (double)b, sum = product + (double)c;
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    const bool normal = bits << 1 >= UINT64_C(0x7020000000000000); /* 2^-126 and above */
    if (__builtin_expect(normal && (bits & 0x1FFFFFFF) != 0x10000000, 1))
        return (float)sum;
    return odd_sum(product, (double)c, sum);
}
#endif

static inline vec_f32 sqrt_f32(vec_f32 v)
{
    return __builtin_sqrtf(v);
}

static inline vec_f64 sqrt_f64(vec_f64 v)
{
    return __builtin_sqrt(v);
}

static inline vec_f32 select_f32(choose32 choice, vec_f32 a, vec_f32 b)
{
    return choice ? a : b;
}

static inline vec_f64 select_f64(choose64 choice, vec_f64 a, vec_f64 b)
{
    return choice ? a : b;
}

static inline vec_f64 f64_of_f32(const uint8_t *p)
{
    float x;
    memcpy(&x, p, sizeof x);
    return (vec_f64)x;
}

static inline vec_f32 words_f32(const uint8_t *p, uint32_t flip)
{
    return (vec_f32)(load_le32(p) ^ flip);
}

static inline vec_f64 words_f64(const uint8_t *p, uint32_t flip)
{
    return (vec_f64)(load_le32(p) ^ flip);
}

#ifdef DROPWISE_HAVE_SLEEF
#include "scalar/sleef_scalar.h"

#define SLEEF_F64 SLEEF_SCALAR_F64
typedef Sleef_double_2 sleef_pair_f64;
#endif

#include "kernels/vec/generic_reals.h"

#endif
