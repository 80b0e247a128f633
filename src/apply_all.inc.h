/*
 * All kernels of kinds apply, scale, nonzero and clear: the loops of apply.inc.h for each element type, and
 * of nonzero.inc.h for each width. Included by each kernels_<isa>.c after its vector header.
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

#define ELEMENT b8
#define WIDTH b8
#include "apply.inc.h"

#define WIDTH b64
#include "nonzero.inc.h"

#define WIDTH b32
#include "nonzero.inc.h"

#define WIDTH b16
#include "nonzero.inc.h"

#define WIDTH b8
#include "nonzero.inc.h"

static void clear_stream(size_t n, void *y)
{
    const vec_b64 zero = as_b64(set_f64(0.0));
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= sizeof zero; done += sizeof zero)
        stream_b64(out + done, zero);
    if (done < n)
        memset(out + done, 0, n - done);
}
