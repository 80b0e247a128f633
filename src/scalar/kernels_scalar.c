/* The scalar tier: the loops over vectors of one lane. It runs everywhere. */
#include "dropwise.h"
#include "scalar/vec_scalar.h"

#include "kernels/all_kernels.inc.h"

const dropwise_kernels dropwise_kernels_scalar = {
    .isa = DROPWISE_ISA_SCALAR,
    .required = 0,
#if defined(__x86_64__)
    .math_required = UINT64_C(1) << DROPWISE_CPU_FMA, /* of SLEEF's purecfma functions */
#endif
#include "kernels/table.inc.h"
};
