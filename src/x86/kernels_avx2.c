/* The AVX2 tier: the loops over vec_avx2.h. */
#if !defined(__AVX2__) || !defined(__F16C__) || !defined(__FMA__)
#error "compile this file with -mavx2 -mf16c -mfma"
#endif

#include "dropwise.h"
#include "x86/vec_avx2.h"

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

const dropwise_kernels dropwise_kernels_avx2 = {
    .isa = DROPWISE_ISA_AVX2,
#include "x86/required.inc.h"
#include "kernels/table.inc.h"
};
