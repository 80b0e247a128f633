/* AArch64 Advanced SIMD vectors, little-endian. */
#ifndef DROPWISE_VEC_NEON_H
#define DROPWISE_VEC_NEON_H

#include "arm/vec_words_neon.h"
#include "arm/vec_bits_neon.h"
#include "arm/vec_reals_neon.h"

#endif
