/* The AVX-512 tier: the loops over vec_avx512.h. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || !defined(__AVX512VL__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif

#include "dropwise.h"
#include "x86/vec_avx512.h"

#include "kernels/elements/apply_loops.inc.h"
#include "kernels/apply_all.inc.h"
#include "kernels/foreign/compare.inc.h"
#include "kernels/convert_all.inc.h"
#include "kernels/bits/erode.inc.h"
#include "kernels/fused_all.inc.h"
#include "kernels/dropconnect_all.inc.h"
#include "kernels/generators_all.inc.h"
#include "kernels/variants_all.inc.h"
#include "kernels/foreign/words.inc.h"

const dropwise_kernels dropwise_kernels_avx512 = {
    .isa = DROPWISE_ISA_AVX512,
#include "x86/required.inc.h"
#include "kernels/table.inc.h"
};
