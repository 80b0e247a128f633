/* Products of integers. */
#ifndef DROPWISE_MULTIPLY_H
#define DROPWISE_MULTIPLY_H

#include <stdint.h>

/* The halves of the 128-bit product. */
static inline void multiply_u64(uint64_t a, uint64_t b, uint64_t *hi, uint64_t *lo)
{
#ifdef __SIZEOF_INT128__
    __extension__ const unsigned __int128 product = (unsigned __int128)a * b;
    *hi = (uint64_t)(product >> 64);
    *lo = (uint64_t)product;
#else
    const uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
    const uint64_t cross = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
    const uint64_t other = (a & UINT32_MAX) * (b >> 32) + (cross & UINT32_MAX);
    *hi = (a >> 32) * (b >> 32) + (cross >> 32) + (other >> 32);
    *lo = other << 32 | (low & UINT32_MAX);
#endif
}

/* a b modulo 2^31 - 1, of numbers below it. */
static inline uint32_t mersenne31_times(uint32_t a, uint32_t b)
{
    return (uint32_t)((uint64_t)a * b % INT32_MAX);
}

#endif
