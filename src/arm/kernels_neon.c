/* The NEON tier: the loops over vec_neon.h. Every little-endian AArch64 CPU runs it. */
#include "dropwise.h"
#ifdef __aarch64__ /* not the other half of a universal binary */
#if !defined(__ARM_NEON) || defined(__ARM_BIG_ENDIAN)
#error "this file is for AArch64 with Advanced SIMD, little-endian"
#endif

#include "arm/vec_neon.h"

#include "kernels/all_kernels.inc.h"

const dropwise_kernels dropwise_kernels_neon = {
    .isa = DROPWISE_ISA_NEON,
    .required = UINT64_C(1) << DROPWISE_CPU_NEON,
#include "kernels/table.inc.h"
};
#endif
