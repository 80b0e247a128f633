/*
 * Kernels of kinds apply and scale for one element type.
 *
 * Included by apply_all.inc.h once for each type, with the parameter ELEMENT, the type, and COPIES where the
 * kernels copy what is kept.
 */
#include "kernels/template.h"

#ifdef COPIES
static void OP_E(copy_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, false, bits, n, x, y, scale);
}

static void OP_E(copy_kept_nt)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, true, bits, n, x, y, scale);
}
#else
static void OP_E(scale_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, false, bits, n, x, y, scale);
}

static void OP_E(scale_kept_nt)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(true, true, bits, n, x, y, scale);
}

static void OP_E(scale)(size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(false, false, NULL, n, x, y, scale);
}

static void OP_E(scale_nt)(size_t n, const void *x, void *y, const void *scale)
{
    OP_E(apply)(false, true, NULL, n, x, y, scale);
}
#endif

#undef ELEMENT
#undef COPIES
