/*
 * All kernels of DropConnect: the loops of dropconnect.inc.h for both types that are computed in. Included by
 * each kernels_<isa>.c after fused_all.inc.h.
 */

#define REAL f32
#define NUMBER float
#define WIDTH b32
#include "kernels/reals/dropconnect.inc.h"

#define REAL f64
#define NUMBER double
#define WIDTH b64
#include "kernels/reals/dropconnect.inc.h"
