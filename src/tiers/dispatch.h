/* Which tier is in use. */
#ifndef DROPWISE_DISPATCH_H
#define DROPWISE_DISPATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "dropwise.h"
#include "kernels/kernels.h"

/* All that the library can write, besides the reason, what the CPU has, the table of ARS of each tier and the
 * size of the caches: the constant table of a tier, or NULL before the first use. A call loads it once, as
 * another thread may choose another tier meanwhile. */
extern _Atomic(const dropwise_kernels *) dropwise_active_kernels;

/* Chooses as at load time and publishes the choice. Pure up to the environment, so threads that come here
 * together store the same. */
const dropwise_kernels *dropwise_resolve(void);

static inline const dropwise_kernels *dropwise_active(void)
{
    const dropwise_kernels *kernels = atomic_load_explicit(&dropwise_active_kernels, memory_order_acquire);
    return kernels != NULL ? kernels : dropwise_resolve();
}

/*
 * Bytes of a tensor that fit, beside as many of another one, into the caches of this core and its share of
 * the others. Asked for by the first call that is large enough for it to matter, not at load time, as each
 * CPUID is trapped in a virtual machine. 0 before that; tests store what they like.
 */
extern _Atomic size_t dropwise_known_cached_bytes;
size_t dropwise_ask_cached_bytes(void);

static inline size_t dropwise_cached_bytes(void)
{
    const size_t known = atomic_load_explicit(&dropwise_known_cached_bytes, memory_order_relaxed);
    return known != 0 ? known : dropwise_ask_cached_bytes();
}

/*
 * What multiplies bf16: tiles, where the CPU has them for this tier and this process may use them, as Linux
 * allows those that have asked for it. The library does not ask, as it would change the process: signals need
 * more room on their stacks afterwards.
 */
dropwise_matmul_bf16_fn *dropwise_matmul_bf16_of(const dropwise_kernels *kernels);

/* A table of ARS that gives another answer than this is not used: a digest of blocks, more than any table
 * makes at a time, of a known key and counters. tests/spec/test_dispatch.c has the oracle make it. */
enum { DROPWISE_ARS_ANSWER_BLOCKS = 64 };
#define DROPWISE_ARS_ANSWER_FACTOR UINT64_C(0x9E3779B97F4A7C15)
#define DROPWISE_ARS_ANSWER UINT64_C(0xC752794929B599C2)

/* Whether the tier's kernels of SLEEF's functions are built, and this CPU can run them. */
bool dropwise_has_math(const dropwise_kernels *kernels);

/* Of a call that needs functions: all but those in f64 are the library's own. */
static inline dropwise_status dropwise_check_math(const dropwise_kernels *kernels, dropwise_dtype dtype)
{
    return dtype != DROPWISE_F64 || dropwise_has_math(kernels) ? DROPWISE_OK : DROPWISE_ERROR_MATH;
}

#endif
