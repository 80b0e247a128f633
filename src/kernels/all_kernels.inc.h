/*
 * Every kernel. Included by each kernels_<isa>.c after its vector header. kernels.inc lists them, and says
 * which template makes each of them, with which parameter.
 */

/* ---- Elements ---- */

#include "kernels/elements/elements.inc.h"

#define WIDTH b64
#include "kernels/elements/nonzero.inc.h"
#include "kernels/elements/select.inc.h"
#undef WIDTH

#define WIDTH b32
#include "kernels/elements/nonzero.inc.h"
#include "kernels/elements/select.inc.h"
#undef WIDTH

#define WIDTH b16
#include "kernels/elements/nonzero.inc.h"
#include "kernels/elements/select.inc.h"
#undef WIDTH

#define WIDTH b8
#include "kernels/elements/nonzero.inc.h"
#include "kernels/elements/select.inc.h"
#undef WIDTH

#include "kernels/elements/clear.inc.h"
#include "kernels/elements/small_floats.inc.h"
#include "kernels/elements/convert.inc.h"

/* ---- Bits ---- */

#include "kernels/bits/erode.inc.h"
#include "kernels/bits/threshold.inc.h"

/* ---- Reals: what is computed, in f32 and in f64 ---- */

#define REAL f32
#define NUMBER float
#define WIDTH b32
#include "kernels/reals/vector_io.inc.h"
#undef REAL
#undef NUMBER
#undef WIDTH

#define REAL f64
#define NUMBER double
#define WIDTH b64
#include "kernels/reals/vector_io.inc.h"
#undef REAL
#undef NUMBER
#undef WIDTH

/* Adds a vector of terms i, i + 1, ... to 16 partial sums in f64, term i to sum i mod 16. */
VEC_INLINE void add_terms_f32(vec_f64 *partial, size_t i, vec_f32 v)
{
    uint8_t terms[sizeof v];
    store_b32(terms, as_b32(v));
    for (size_t k = 0; k < LANES_b32; k += LANES_b64)
        add_to_sums_f64(partial, i + k, f64_of_f32(terms + k * sizeof(float)));
}

VEC_INLINE void add_terms_f64(vec_f64 *partial, size_t i, vec_f64 v)
{
    add_to_sums_f64(partial, i, v);
}

#include "kernels/reals/rest.inc.h"
#include "kernels/reals/exp_f32.inc.h"
#include "kernels/reals/functions_f32.inc.h"
#include "kernels/reals/log_sincos_f32.inc.h"
#include "kernels/reals/functions_f64.inc.h"

#define ELEMENT f32
#define REAL f32
#define NUMBER float
#define WIDTH b32
#define BELOW_ONE 0x1.fffffep-1f
#include "kernels/reals/element_io.inc.h"
#include "kernels/reals/functions.inc.h"
#include "kernels/reals/residual.inc.h"
#define FUNCTION_LOOP VEC_INLINE
#include "kernels/reals/activation.inc.h"
#undef FUNCTION_LOOP
#include "kernels/reals/softmax.inc.h"
#include "kernels/reals/softmax_pieces.inc.h"
#include "kernels/reals/affine.inc.h"
#include "kernels/reals/product.inc.h"
#include "kernels/reals/accumulate.inc.h"
#include "kernels/reals/noise.inc.h"
#include "kernels/reals/dropconnect.inc.h"
#undef ELEMENT
#undef REAL
#undef NUMBER
#undef WIDTH
#undef BELOW_ONE

#define ELEMENT f64
#define REAL f64
#define NUMBER double
#define WIDTH b64
#define BELOW_ONE 0x1.fffffffffffffp-1
#include "kernels/reals/element_io.inc.h"
#include "kernels/reals/functions.inc.h"
#include "kernels/reals/residual.inc.h"
#ifndef DROPWISE_HAVE_SLEEF
#define WITHOUT_FUNCTIONS
#endif
#define FUNCTION_LOOP VEC_SHARED
#include "kernels/reals/activation.inc.h"
#undef FUNCTION_LOOP
#include "kernels/reals/softmax.inc.h"
#include "kernels/reals/softmax_pieces.inc.h"
#include "kernels/reals/affine.inc.h"
#include "kernels/reals/product.inc.h"
#include "kernels/reals/accumulate.inc.h"
#include "kernels/reals/noise.inc.h"
#undef WITHOUT_FUNCTIONS
#include "kernels/reals/dropconnect.inc.h"
#undef ELEMENT
#undef REAL
#undef NUMBER
#undef WIDTH
#undef BELOW_ONE

#define ELEMENT f16
#define REAL f32
#define NUMBER float
#define WIDTH b16
#include "kernels/reals/element_io.inc.h"
#include "kernels/reals/residual.inc.h"
#define FUNCTION_LOOP VEC_SHARED
#include "kernels/reals/activation.inc.h"
#undef FUNCTION_LOOP
#include "kernels/reals/softmax.inc.h"
#include "kernels/reals/affine.inc.h"
#include "kernels/reals/product.inc.h"
#include "kernels/reals/accumulate.inc.h"
#undef ELEMENT
#undef REAL
#undef NUMBER
#undef WIDTH

#define ELEMENT bf16
#define REAL f32
#define NUMBER float
#define WIDTH b16
#include "kernels/reals/element_io.inc.h"
#include "kernels/reals/residual.inc.h"
#define FUNCTION_LOOP VEC_SHARED
#include "kernels/reals/activation.inc.h"
#undef FUNCTION_LOOP
#include "kernels/reals/softmax.inc.h"
#include "kernels/reals/affine.inc.h"
#include "kernels/reals/product.inc.h"
#include "kernels/reals/accumulate.inc.h"
#undef ELEMENT
#undef REAL
#undef NUMBER
#undef WIDTH

#ifndef DROPWISE_WITHOUT_ATTENTION
#include "kernels/reals/matmul.inc.h"
#include "kernels/reals/matmul_bf16.inc.h"
#include "kernels/reals/attention.inc.h"
#endif

/* ---- Generators ---- */

#include "kernels/generators/overlap.inc.h"
#include "kernels/generators/philox_round.inc.h"
#define GENERATOR_TEMPLATES
#include "kernels/generators.inc"
#undef GENERATOR_TEMPLATES

/* ---- Foreign: random numbers of other systems, and what makes bits of them ---- */

#include "kernels/foreign/compare.inc.h"
#include "kernels/foreign/words.inc.h"
#include "kernels/foreign/mersenne31.inc.h"
#include "kernels/foreign/mt19937.inc.h"
