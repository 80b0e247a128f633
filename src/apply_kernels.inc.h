/*
 * Kernels of kinds apply and scale for one element type.
 *
 * Included by apply_all.inc.h once for each type, with the parameter ELEMENT, the type, and COPIES where the
 * kernels copy what is kept.
 */
#include "template.h"

#define KERNEL(kind) CONCAT(kind, ELEMENT)

#ifdef COPIES
static void KERNEL(copy_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    KERNEL(apply)(true, false, bits, n, x, y, scale);
}

static void KERNEL(copy_kept_stream)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    KERNEL(apply)(true, true, bits, n, x, y, scale);
}
#else
static void KERNEL(scale_kept)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    KERNEL(apply)(true, false, bits, n, x, y, scale);
}

static void KERNEL(scale_kept_stream)(const void *bits, size_t n, const void *x, void *y, const void *scale)
{
    KERNEL(apply)(true, true, bits, n, x, y, scale);
}

static void KERNEL(scale)(size_t n, const void *x, void *y, const void *scale)
{
    KERNEL(apply)(false, false, NULL, n, x, y, scale);
}

static void KERNEL(scale_stream)(size_t n, const void *x, void *y, const void *scale)
{
    KERNEL(apply)(false, true, NULL, n, x, y, scale);
}
#endif

#undef KERNEL
#undef ELEMENT
#undef COPIES
