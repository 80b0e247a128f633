/*
 * All kernels of kinds apply, scale, nonzero and clear. Included by each kernels_<isa>.c after
 * apply_loops.inc.h.
 */

#define ELEMENT f64
#include "kernels/elements/apply_kernels.inc.h"

#define ELEMENT f32
#include "kernels/elements/apply_kernels.inc.h"

#define ELEMENT f16
#include "kernels/elements/apply_kernels.inc.h"

#define ELEMENT bf16
#include "kernels/elements/apply_kernels.inc.h"

#define ELEMENT b64
#define COPIES
#include "kernels/elements/apply_kernels.inc.h"

#define ELEMENT b32
#define COPIES
#include "kernels/elements/apply_kernels.inc.h"

#define ELEMENT b16
#define COPIES
#include "kernels/elements/apply_kernels.inc.h"

#define ELEMENT b8
#define COPIES
#include "kernels/elements/apply_kernels.inc.h"

#define WIDTH b64
#include "kernels/elements/nonzero.inc.h"

#define WIDTH b32
#include "kernels/elements/nonzero.inc.h"

#define WIDTH b16
#include "kernels/elements/nonzero.inc.h"

#define WIDTH b8
#include "kernels/elements/nonzero.inc.h"

static void clear_nt(size_t n, void *y)
{
    const vec_b64 zero = as_b64(set_f64(0.0));
    uint8_t *out = y;
    size_t done = 0;
    for (; n - done >= sizeof zero; done += sizeof zero)
        store_nt_b64(out + done, zero);
    if (done < n)
        memset(out + done, 0, n - done);
}
