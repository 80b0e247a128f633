/* The scalar tier: the loops over vectors of one lane. It runs everywhere. */
#include "dropwise.h"
#include "vec_scalar.h"

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

const dropwise_kernels dropwise_kernels_scalar = {
    .isa = DROPWISE_ISA_SCALAR,
    .required = 0,
#if defined(__x86_64__)
    .math_required = UINT64_C(1) << DROPWISE_CPU_FMA, /* of SLEEF's purecfma functions */
#endif
#include "table.inc.h"
};
