/* The AVX-512 tier: the loops over vec_avx512.h. */
#include "dropwise.h"
#ifdef __x86_64__ /* not the other half of a universal binary */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif

#include "x86/vec_avx512.h"

#include "kernels/all_kernels.inc.h"
#include "x86/matmul_amx.h"

const dropwise_kernels dropwise_kernels_avx512 = {
    .isa = DROPWISE_ISA_AVX512,
#ifdef DROPWISE_HAVE_AMX
    .matmul_tiles = matmul_amx,
    .may_use_tiles = may_use_amx,
#endif
#include "x86/required.inc.h"
#include "kernels/table.inc.h"
};
#endif
