/* All kernels of the variants. Included by each kernels_<isa>.c after fused_all.inc.h. */

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

#define REAL f32
#define NUMBER float
#define WIDTH b32
#define BELOW_ONE 0x1.fffffep-1f
#include "kernels/reals/variants.inc.h"

#define REAL f64
#define NUMBER double
#define WIDTH b64
#define BELOW_ONE 0x1.fffffffffffffp-1
#include "kernels/reals/variants.inc.h"

#ifdef DROPWISE_HAVE_SLEEF
static void map_exp_f64(size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i += LANES_b64)
        store_reals_f64(y, i, n, exp_f64(load_reals_f64(x, i, n)));
}

static void map_log_f64(size_t n, const double *x, double *y)
{
    for (size_t i = 0; i < n; i += LANES_b64)
        store_reals_f64(y, i, n, log_f64(load_reals_f64(x, i, n)));
}
#endif

#define WIDTH b64
#include "kernels/elements/select.inc.h"

#define WIDTH b32
#include "kernels/elements/select.inc.h"

#define WIDTH b16
#include "kernels/elements/select.inc.h"

#define WIDTH b8
#include "kernels/elements/select.inc.h"
