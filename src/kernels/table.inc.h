/* The members of each tier's table that come from the templates and the vector header. */
/* clang-format off: members, and no statements */
.nt_fence = nt_fence,
#define DROPWISE_KERNEL_OF(generator, kind, name, template) .generator.kind = name,
#ifdef VEC_OVERLAPS
#define DROPWISE_FUSED(kind, generator, element, name, template) .generator.kind##_##element = name,
#endif
#define DROPWISE_KERNEL(kind, name, template) .name = name,
#ifdef DROPWISE_HAVE_SLEEF
    .has_math = true,
#else
#define DROPWISE_MATH_KERNEL(kind, name, template) .name = NULL,
#endif
#ifdef DROPWISE_WITHOUT_ATTENTION
#define DROPWISE_ATTENTION_KERNEL(kind, name, template) .name = NULL,
#endif
#define DROPWISE_BUILT_KERNELS_ONLY
#include "kernels/kernels.inc"
