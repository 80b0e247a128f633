#include "noise.h"

#include <math.h>

uint64_t noise_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

double noise_normal(uint64_t *state)
{
    const double u = ((double)(noise_next(state) >> 11) + 0.5) * 0x1p-53;
    const double v = (double)(noise_next(state) >> 11) * 0x1p-53;
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

void noise_shuffle(size_t *order, size_t n, uint64_t *state)
{
    for (size_t i = n - 1; i > 0; i--) {
        const size_t j = noise_next(state) % (i + 1), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
}
