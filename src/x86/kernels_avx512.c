/* The AVX-512 tier: the loops over vec_avx512.h. */
#if !defined(__AVX512F__) || !defined(__AVX512BW__) || !defined(__AVX512DQ__) || \
    !defined(__AVX512VL__)
#error "compile this file with -mavx512f -mavx512bw -mavx512dq -mavx512vl"
#endif

#include "dropwise.h"
#include "vec_avx512.h"

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

const dropwise_kernels dropwise_kernels_avx512 = {
    .isa = DROPWISE_ISA_AVX512,
#include "required.inc.h"
#include "table.inc.h"
};
