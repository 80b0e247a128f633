/* The AVX2 tier: the loops over vec_avx2.h. */
#ifndef __AVX2__
#error "compile this file with -mavx2"
#endif

#include "dropwise.h"
#include "vec_avx2.h"

#include "apply.inc.h"
#include "philox4x32.inc.h"
#include "threshold.inc.h"

const dropwise_kernels dropwise_kernels_avx2 = {
    .isa = DROPWISE_ISA_AVX2,
#include "required.inc.h"
#include "table.inc.h"
};
