/* The NEON tier: the loops over vec_neon.h. Every little-endian AArch64 CPU runs it. */
#if !defined(__ARM_NEON) || defined(__ARM_BIG_ENDIAN)
#error "this file is for AArch64 with Advanced SIMD, little-endian"
#endif

#include "dropwise.h"
#include "arm/vec_neon.h"

#include "kernels/all_kernels.inc.h"

const dropwise_kernels dropwise_kernels_neon = {
    .isa = DROPWISE_ISA_NEON,
    .required = UINT64_C(1) << DROPWISE_CPU_NEON,
#include "kernels/table.inc.h"
};
