/* Which tier is in use. */
#ifndef DROPWISE_DISPATCH_H
#define DROPWISE_DISPATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "kernels.h"

/* All that the library can write, besides its reason, a flag and what the CPU has: constant tables of a tier,
 * or NULL before the first use. */
extern _Atomic(const dropwise_kernels *) dropwise_active_kernels;
extern _Atomic(const dropwise_ars_kernels *) dropwise_active_ars_kernels;

/* Chooses as at load time and publishes the choice. Pure up to the environment, so threads that come here
 * together store the same. */
const dropwise_kernels *dropwise_resolve(void);

static inline const dropwise_kernels *dropwise_active(void)
{
    const dropwise_kernels *kernels =
        atomic_load_explicit(&dropwise_active_kernels, memory_order_acquire);
    return kernels != NULL ? kernels : dropwise_resolve();
}

static inline const dropwise_ars_kernels *dropwise_active_ars(void)
{
    dropwise_active();
    return atomic_load_explicit(&dropwise_active_ars_kernels, memory_order_acquire);
}

/* Whether the tier's kernels of SLEEF's functions are built, and this CPU can run them. */
bool dropwise_active_has_math(void);

#endif
