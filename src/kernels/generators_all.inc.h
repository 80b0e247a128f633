/*
 * All kernels of the generators. Included by each kernels_<isa>.c after its vector header, of which they use
 * vword, and bits64_below and bits64_equal, which turn bytes into bits.
 */

#include "kernels/generators/philox_round.inc.h"

#define GENERATOR philox4x32_10
#define ROUNDS 10
#include "kernels/generators/philox4x32.inc.h"

#define GENERATOR philox4x32_7
#define ROUNDS 7
#include "kernels/generators/philox4x32.inc.h"

#define GENERATOR threefry4x32_20
#include "kernels/generators/threefry4x32.inc.h"
