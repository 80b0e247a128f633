/*
 * All kernels of kinds apply and scale: the loop of apply.inc.h for each element type. Included by each
 * kernels_<isa>.c after its vector header.
 */

#define ELEMENT f64
#define WIDTH b64
#define FACTOR double
#include "apply.inc.h"

#define ELEMENT f32
#define WIDTH b32
#define FACTOR float
#include "apply.inc.h"

#define ELEMENT f16
#define WIDTH b16
#define FACTOR float
#include "apply.inc.h"

#define ELEMENT bf16
#define WIDTH b16
#define FACTOR float
#include "apply.inc.h"

#define ELEMENT b64
#define WIDTH b64
#include "apply.inc.h"

#define ELEMENT b32
#define WIDTH b32
#include "apply.inc.h"

#define ELEMENT b16
#define WIDTH b16
#include "apply.inc.h"
