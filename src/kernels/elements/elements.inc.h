/*
 * apply.inc.h for every type of element. Included after a vector header by each kernels_<isa>.c and by each
 * ars_<instructions>.c.
 */

static inline vec_b16 load_masked_times_f16(const uint8_t *p, float factor, const mask64 *mask, unsigned lane)
{
    return masked_b16(load_times_f16(p, factor), mask, lane);
}

static inline vec_b16 load_masked_times_bf16(const uint8_t *p, float factor, const mask64 *mask,
                                             unsigned lane)
{
    return masked_b16(load_times_bf16(p, factor), mask, lane);
}

#define ELEMENT f64
#define WIDTH b64
#define FACTOR double
#include "kernels/elements/apply.inc.h"

#define ELEMENT f32
#define WIDTH b32
#define FACTOR float
#include "kernels/elements/apply.inc.h"

#define ELEMENT f16
#define WIDTH b16
#define FACTOR float
#include "kernels/elements/apply.inc.h"

#define ELEMENT bf16
#define WIDTH b16
#define FACTOR float
#include "kernels/elements/apply.inc.h"

#define ELEMENT b64
#define WIDTH b64
#include "kernels/elements/apply.inc.h"

#define ELEMENT b32
#define WIDTH b32
#include "kernels/elements/apply.inc.h"

#define ELEMENT b16
#define WIDTH b16
#include "kernels/elements/apply.inc.h"

#define ELEMENT b8
#define WIDTH b8
#include "kernels/elements/apply.inc.h"
