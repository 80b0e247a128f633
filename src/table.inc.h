/* The members of each tier's table that come from the loops and the vector header. */
    .stream_fence = stream_fence,
#define DROPWISE_KERNEL(kind, name) .name = name,
#include "kernels.inc"
#undef DROPWISE_KERNEL
