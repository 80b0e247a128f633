#include "interop/seed_sequence.h"

/* One step of the hash. */
static uint32_t hash(uint32_t value, uint32_t *constant, uint32_t multiplier)
{
    value ^= *constant;
    *constant *= multiplier;
    value *= *constant;
    return value ^ value >> 16;
}

void dropwise_seed_sequence(uint64_t seed, size_t n, uint32_t *words)
{
    const uint32_t entropy[4] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t pool[4], constant = UINT32_C(0x43B0D7E5);
    for (unsigned i = 0; i < 4; i++)
        pool[i] = hash(entropy[i], &constant, UINT32_C(0x931E8875));
    for (unsigned from = 0; from < 4; from++) {
        for (unsigned to = 0; to < 4; to++) {
            if (from == to)
                continue;
            const uint32_t hashed = hash(pool[from], &constant, UINT32_C(0x931E8875));
            const uint32_t mixed = UINT32_C(0xCA01F9DD) * pool[to] - UINT32_C(0x4973F715) * hashed;
            pool[to] = mixed ^ mixed >> 16;
        }
    }
    constant = UINT32_C(0x8B51F9DD);
    for (size_t i = 0; i < n; i++)
        words[i] = hash(pool[i % 4], &constant, UINT32_C(0x58F38DED));
}
