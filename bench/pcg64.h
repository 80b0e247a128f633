/* The generator of numpy.random.default_rng, PCG64 (O'Neill), as NumPy draws float32 from it. */
#ifndef BENCH_PCG64_H
#define BENCH_PCG64_H

#include <cstdint>

__extension__ typedef unsigned __int128 uint128;

struct Pcg64 {
    uint128 state = 1, increment = 3;
    uint64_t spare = 0;
    bool has_spare = false;

    uint64_t next64()
    {
        const uint128 multiplier =
            static_cast<uint128>(UINT64_C(2549297995355413924)) << 64 | UINT64_C(4865540595714422341);
        state = state * multiplier + increment;
        const auto folded = static_cast<uint64_t>(state >> 64) ^ static_cast<uint64_t>(state);
        const auto turn = static_cast<unsigned>(state >> 122);
        return folded >> turn | folded << (-turn & 63);
    }

    /* The low half of a number first. */
    uint32_t next32()
    {
        if (!has_spare)
            spare = next64();
        const uint64_t number = spare;
        spare >>= 32;
        has_spare = !has_spare;
        return static_cast<uint32_t>(number);
    }

    float uniform()
    {
        return static_cast<float>(next32() >> 8) * 0x1p-24f;
    }
};

#endif
