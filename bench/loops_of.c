/* The tables of loops that were built: src/meson.build defines DROPWISE_HAVE_<TIER>. */
#include "loops.h"

extern const bench_loops bench_loops_scalar, bench_loops_neon, bench_loops_rvv, bench_loops_avx2,
    bench_loops_avx512;

const bench_loops *bench_loops_of(dropwise_isa isa)
{
    switch (isa) {
#ifdef DROPWISE_HAVE_NEON
    case DROPWISE_ISA_NEON:
        return &bench_loops_neon;
#endif
#ifdef DROPWISE_HAVE_RVV
    case DROPWISE_ISA_RVV:
        return &bench_loops_rvv;
#endif
#ifdef DROPWISE_HAVE_AVX2
    case DROPWISE_ISA_AVX2:
        return &bench_loops_avx2;
#endif
#ifdef DROPWISE_HAVE_AVX512
    case DROPWISE_ISA_AVX512:
        return &bench_loops_avx512;
#endif
    default:
        return &bench_loops_scalar;
    }
}
