/* The scalar tier: the loops over vectors of one lane. It runs everywhere. */
#include "dropwise.h"
#include "scalar/vec_scalar.h"

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

const dropwise_kernels dropwise_kernels_scalar = {
    .isa = DROPWISE_ISA_SCALAR,
    .required = 0,
#if defined(__x86_64__)
    .math_required = UINT64_C(1) << DROPWISE_CPU_FMA, /* of SLEEF's purecfma functions */
#endif
#include "kernels/table.inc.h"
};
