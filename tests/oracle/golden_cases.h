/* The cases of data/golden.txt: seeds, streams, probabilities and ranges of the stream, version 1. */
#ifndef GOLDEN_CASES_H
#define GOLDEN_CASES_H

#include <stdint.h>

typedef struct golden_case {
    uint64_t seed, stream;
    double p;
    uint64_t first;
    uint32_t n;
    int generator; /* less one, the number of the mask's generator field */
} golden_case;

#define GOLDEN_LIMIT (UINT64_C(1) << 60)

static const golden_case golden_cases[] = {
    {0, 0, 0.0, 0, 1000, 0},
    {0, 0, 0.5, 0, 10000, 0},
    {0, 0, 0.1, 0, 10000, 0},
    {0, 0, 1.0, 0, 1000, 0},
    {1, 0, 0.1, 0, 10000, 0},
    {0, 1, 0.1, 0, 10000, 0},
    {42, 7, 1.0 / 3, 0, 20000, 0},
    {42, 7, 255.0 / 256, 5, 20000, 0},
    {42, 7, 1.0 / 512, 5, 20000, 0},
    {UINT64_MAX, UINT64_MAX, 0.25, 1, 4099, 0},
    {UINT64_C(0x123456789abcdef0), UINT64_C(0x0fedcba987654321), 0.9, 1000000007, 4099, 0},
    {3, UINT64_C(1) << 32, 0.2, (UINT64_C(1) << 31) - 2000, 4099, 0},
    {3, UINT64_C(1) << 63, 0.2, (UINT64_C(1) << 32) - 2000, 4099, 0},
    {UINT64_C(1) << 32, 5, 0.2, (UINT64_C(1) << 34) - 2000, 4099, 0},
    {UINT64_C(1) << 63, 5, 0.2, (UINT64_C(1) << 36) - 2000, 4099, 0},
    {5, 5, 0.7, GOLDEN_LIMIT - 4099, 4099, 0},
    {6, 6, 0x1p-40, 0, 65536, 0},
    {6, 6, 1.0 - 0x1p-40, 0, 65536, 0},
    {2026, 11, 0.15, 123456789, 300000, 0},
    {42, 7, 0.1, 5, 20000, 1},
    {UINT64_MAX, UINT64_MAX, 0.3, (UINT64_C(1) << 36) - 2000, 300000, 1},
    {42, 7, 0.1, 5, 20000, 2},
    {UINT64_MAX, UINT64_MAX, 0.3, (UINT64_C(1) << 36) - 2000, 300000, 2},
    {42, 7, 0.1, 5, 20000, 3},
    {UINT64_MAX, UINT64_MAX, 0.3, (UINT64_C(1) << 36) - 2000, 300000, 3},
};

enum { N_GOLDEN = sizeof golden_cases / sizeof golden_cases[0], GOLDEN_MAX_N = 300000 };

#endif
