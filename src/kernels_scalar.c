/* The scalar tier: the loops over vectors of one lane. It runs everywhere. */
#include "dropwise.h"
#include "vec_scalar.h"

#include "apply_all.inc.h"
#include "philox4x32.inc.h"
#include "threshold.inc.h"

const dropwise_kernels dropwise_kernels_scalar = {
    .isa = DROPWISE_ISA_SCALAR,
    .required = 0,
#include "table.inc.h"
};
