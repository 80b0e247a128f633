/* The AVX2 tier: the loops over vec_avx2.h. */
#include "dropwise.h"
#ifdef __x86_64__ /* not the other half of a universal binary */
#if !defined(__AVX2__) || !defined(__F16C__) || !defined(__FMA__)
#error "compile this file with -mavx2 -mf16c -mfma"
#endif

#include "x86/vec_avx2.h"

#include "kernels/all_kernels.inc.h"

const dropwise_kernels dropwise_kernels_avx2 = {
    .isa = DROPWISE_ISA_AVX2,
#include "x86/required.inc.h"
#include "kernels/table.inc.h"
};
#endif
