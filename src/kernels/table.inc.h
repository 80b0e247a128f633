/* The members of each tier's table that come from the loops and the vector header. */
.nt_fence = nt_fence,
#define DROPWISE_GENERATOR(name) .name = GENERATOR_KERNELS(name),
#define DROPWISE_KERNEL(kind, name) .name = name,
#ifdef DROPWISE_HAVE_SLEEF
#define DROPWISE_MATH_KERNEL DROPWISE_KERNEL
#else
#define DROPWISE_MATH_KERNEL(kind, name) .name = NULL,
#endif
#include "kernels/kernels.inc"
#undef DROPWISE_GENERATOR
#undef DROPWISE_KERNEL
#undef DROPWISE_MATH_KERNEL
