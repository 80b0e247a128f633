/* The RVV tier: the loops over vec_rvv.h. */
#if !defined(__riscv_vector) || !defined(__clang__)
#error "compile this file with Clang and -march=rv64gcv"
#endif

#include "dropwise.h"
#include "riscv/vec_rvv.h"

#include "kernels/all_kernels.inc.h"

const dropwise_kernels dropwise_kernels_rvv = {
    .isa = DROPWISE_ISA_RVV,
    .required = UINT64_C(1) << DROPWISE_CPU_RVV,
#include "kernels/table.inc.h"
};
