/* The members of each tier's table that come from the templates and the vector header. */
/* clang-format off: members, and no statements */
.nt_fence = nt_fence,
#define DROPWISE_KERNEL_OF(generator, kind, name, template) .generator.kind = name,
#ifdef VEC_OVERLAPS
#define DROPWISE_FUSED(kind, generator, element, name, template) .generator.kind##_##element = name,
#endif
#define DROPWISE_KERNEL(kind, name, template) .name = name,
#ifndef DROPWISE_HAVE_SLEEF
#define DROPWISE_MATH_KERNEL(kind, name, template) .name = NULL,
#endif
#ifdef DROPWISE_WITHOUT_ATTENTION
#define DROPWISE_ATTENTION_KERNEL(kind, name, template) .name = NULL,
#endif
#include "kernels/kernels.inc"
