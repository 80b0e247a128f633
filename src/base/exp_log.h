/*
 * e^x and ln x in double, for the few that a call needs: of sums, products and quotients alone, each rounded
 * by itself, so that they have the same bits everywhere. A C library's differ, and this one calls none.
 */
#ifndef DROPWISE_EXP_LOG_H
#define DROPWISE_EXP_LOG_H

#include <stdint.h>
#include <string.h>

/* ln 2 with 17 zero bits at its end, so that products with exponents are exact, and the rest of it. */
static const double LN_2_UPPER = 0x1.62e42fefap-1, LN_2_LOWER = 0x1.cf79abc9e3b39p-40;

/* Times 2^exponent, for results that are normal numbers. */
static inline double times_power_of_2(double x, int32_t exponent)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits += (uint64_t)(int64_t)exponent << 52;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x of numbers from -700 to 700: 2^k e^r, |r| <= ln 2 / 2, by the series. */
static inline double exp_of(double x)
{
    static const double inverse_factorials[] = {
        1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
        1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800,
    };
    const double per_ln_2 = 0x1.71547652b82fep+0;
    const int32_t k = (int32_t)(x * per_ln_2 + (x < 0 ? -0.5 : 0.5));
    const double upper = x - (double)k * LN_2_UPPER, lower = (double)k * LN_2_LOWER, r = upper - lower;
    double q = 0;
    for (int power = sizeof inverse_factorials / sizeof inverse_factorials[0]; power > 0; power--)
        q = q * r + inverse_factorials[power - 1];
    /* Small terms first: 1 + r is where digits are lost. */
    return times_power_of_2(1 + (upper - (lower - r * r * q)), k);
}

/*
 * ln x of normal numbers: k ln 2 + ln(1 + f), 1 + f from sqrt(1/2) to sqrt(2). With s = f / (2 + f) that is
 * 2 artanh s = 2 s + 2 s^3 / 3 + ..., and 2 s is f - s f: f has no error.
 */
static inline double log_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t from = UINT64_C(0x3FE6A09E667F3BCD); /* sqrt(1/2) */
    const int32_t k = (int32_t)((bits - from + (UINT64_C(1023) << 52)) >> 52) - 1023;
    const double f = times_power_of_2(x, -k) - 1, s = f / (2 + f), square = s * s;
    double q = 0;
    for (int odd = 23; odd > 1; odd -= 2)
        q = (q + 2.0 / odd) * square;
    return (double)k * LN_2_UPPER + (f - (s * (f - q) - (double)k * LN_2_LOWER));
}

#endif
