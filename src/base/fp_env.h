/*
 * The floating-point environment of the caller, and that of the library: rounding to nearest, subnormals
 * kept, no traps. A public function that computes is two: one enters, calls the body, and leaves.
 *
 *     static FP_ENV_BODY dropwise_status mask_init(dropwise_mask *mask, double p, ...) { ... }
 *
 *     dropwise_status dropwise_mask_init(dropwise_mask *mask, double p, ...)
 *     {
 *         const fp_env caller = fp_env_enter();
 *         return fp_env_leave(caller, mask_init(mask, p, ...));
 *     }
 *
 * What a call leaves behind is what it found, exception flags too: which flags elements raise would else
 * depend on the tier, on lanes beyond the end, and on what was dropped. The control bits are set only where
 * they are not the default, and flags are put back only where there are new ones, since setting takes up to
 * hundreds of cycles, and looking takes one or two.
 */
#ifndef DROPWISE_FP_ENV_H
#define DROPWISE_FP_ENV_H

#include <float.h>
#include <stdint.h>

#include "dropwise.h"

/* f32 in a wider type would round twice: other scales, thresholds, masks. 16 is 0, but for _Float16. */
#if !defined(FLT_EVAL_METHOD) || (FLT_EVAL_METHOD != 0 && FLT_EVAL_METHOD != 16)
#error "dropwise needs FLT_EVAL_METHOD 0: add -msse2 -mfpmath=sse on i386, -fexcess-precision=fast on s390x"
#endif

/* Out of line: compilers move arithmetic across a change of the environment, which they do not know of. */
#define FP_ENV_BODY __attribute__((noinline))

#if defined(__x86_64__)

/* 32-bit x86 is not among these: it converts 64-bit integers by the x87, which has an environment of its own.
 * MXCSR: flags in bits 0 to 5, DAZ 6, trap masks 7 to 12, rounding 13 and 14, FTZ 15. */
typedef uint32_t fp_env;

enum { FP_ENV_FLAGS = 0x3F, FP_ENV_DEFAULT = 0x1F80 };

static inline fp_env fp_env_get(void)
{
    fp_env env;
    __asm__ volatile("stmxcsr %0" : "=m"(env) : : "memory");
    return env;
}

static inline void fp_env_set(fp_env env)
{
    __asm__ volatile("ldmxcsr %0" : : "m"(env) : "memory");
}

static inline fp_env fp_env_enter(void)
{
    const fp_env caller = fp_env_get();
    if (__builtin_expect((caller & ~(fp_env)FP_ENV_FLAGS) != FP_ENV_DEFAULT, 0))
        fp_env_set(FP_ENV_DEFAULT | (caller & FP_ENV_FLAGS));
    return caller;
}

static inline dropwise_status fp_env_leave(fp_env caller, dropwise_status status)
{
    if (__builtin_expect(fp_env_get() != caller, 0))
        fp_env_set(caller);
    return status;
}

#elif defined(__aarch64__)

/* FPCR, whose default is 0, and FPSR, which has the flags. */
typedef struct fp_env {
    uint64_t control, flags;
} fp_env;

static inline fp_env fp_env_enter(void)
{
    fp_env caller;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(caller.control), "=r"(caller.flags) : : "memory");
    if (__builtin_expect(caller.control != 0, 0))
        __asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(0)) : "memory");
    return caller;
}

static inline dropwise_status fp_env_leave(fp_env caller, dropwise_status status)
{
    uint64_t flags;
    __asm__ volatile("mrs %0, fpsr" : "=r"(flags) : : "memory");
    if (__builtin_expect(flags != caller.flags, 0))
        __asm__ volatile("msr fpsr, %0" : : "r"(caller.flags) : "memory");
    if (__builtin_expect(caller.control != 0, 0))
        __asm__ volatile("msr fpcr, %0" : : "r"(caller.control) : "memory");
    return status;
}

#else

#include <fenv.h>

typedef fenv_t fp_env;

static inline fp_env fp_env_enter(void)
{
    fp_env caller;
    fegetenv(&caller);
    fesetenv(FE_DFL_ENV);
    return caller;
}

static inline dropwise_status fp_env_leave(fp_env caller, dropwise_status status)
{
    fesetenv(&caller);
    return status;
}

#endif
#endif
