/* RISC-V Vector 1.0. */
#ifndef DROPWISE_VEC_RVV_H
#define DROPWISE_VEC_RVV_H

#include "riscv/vec_words_rvv.h"
#include "riscv/vec_bits_rvv.h"
#include "riscv/vec_reals_rvv.h"

#endif
