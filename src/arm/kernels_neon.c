/* The NEON tier: the loops over vec_neon.h. Every little-endian AArch64 CPU runs it. */
#if !defined(__ARM_NEON) || defined(__ARM_BIG_ENDIAN)
#error "this file is for AArch64 with Advanced SIMD, little-endian"
#endif

#include "dropwise.h"
#include "vec_neon.h"

#include "apply_loops.inc.h"
#include "apply_all.inc.h"
#include "compare.inc.h"
#include "convert_all.inc.h"
#include "dropblock.inc.h"
#include "fused_all.inc.h"
#include "dropconnect_all.inc.h"
#include "generators_all.inc.h"
#include "variants_all.inc.h"
#include "words.inc.h"

const dropwise_kernels dropwise_kernels_neon = {
    .isa = DROPWISE_ISA_NEON,
    .required = UINT64_C(1) << DROPWISE_CPU_NEON,
#include "table.inc.h"
};
