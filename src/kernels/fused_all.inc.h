/*
 * All kernels of the fused steps: the loops of fused.inc.h for both types that are computed in. Included by
 * each kernels_<isa>.c after its vector header. Narrower types go through f32: see src/layers/fused.c.
 */

#define REAL f32
#define NUMBER float
#define WIDTH b32
#include "kernels/reals/fused.inc.h"

#define REAL f64
#define NUMBER double
#define WIDTH b64
#include "kernels/reals/fused.inc.h"
