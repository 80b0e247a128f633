/* Vectors of one lane, in portable C. */
#ifndef DROPWISE_VEC_SCALAR_H
#define DROPWISE_VEC_SCALAR_H

#include "scalar/vec_words_scalar.h"
#include "scalar/vec_bits_scalar.h"
#include "scalar/vec_reals_scalar.h"

#endif
