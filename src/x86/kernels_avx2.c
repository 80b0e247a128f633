/* The AVX2 tier: the loops over vec_avx2.h. */
#if !defined(__AVX2__) || !defined(__F16C__) || !defined(__FMA__)
#error "compile this file with -mavx2 -mf16c -mfma"
#endif

#include "dropwise.h"
#include "vec_avx2.h"

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

const dropwise_kernels dropwise_kernels_avx2 = {
    .isa = DROPWISE_ISA_AVX2,
#include "required.inc.h"
#include "table.inc.h"
};
