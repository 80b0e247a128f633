/* AVX2 vectors. */
#ifndef DROPWISE_VEC_AVX2_H
#define DROPWISE_VEC_AVX2_H

#define VEC_OVERLAPS
#include "x86/vec_words_avx2.h"
#include "x86/vec_bits_avx2.h"
#include "x86/vec_reals_avx2.h"

#endif
