/* AVX-512 vectors (F, BW, DQ, VL). */
#ifndef DROPWISE_VEC_AVX512_H
#define DROPWISE_VEC_AVX512_H

#define VEC_OVERLAPS
#include "x86/vec_words_avx512.h"
#include "x86/vec_bits_avx512.h"
#include "x86/vec_reals_avx512.h"

#endif
