/*
 * Choosing a tier: once at load time, in a constructor; lazily, should something call the library
 * before that. No locks: the choice is one atomic pointer to a constant table.
 */
#define _GNU_SOURCE /* secure_getenv */

#include "dispatch.h"

#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
#include <unistd.h>
#endif

#include "cpu.h"
#include "dropwise.h"

_Atomic(const dropwise_kernels *) dropwise_active_kernels;
_Atomic(const dropwise_ars_kernels *) dropwise_active_ars_kernels;

static _Atomic(const char *) active_reason;
static _Atomic bool active_math;

/* What dropwise_cpu_detect answered, and a bit beyond the features' that says that it did. */
static _Atomic uint64_t known_features;

static const char *const feature_names[DROPWISE_CPU_COUNT] = {
    [DROPWISE_CPU_AVX] = "avx",           [DROPWISE_CPU_AVX2] = "avx2",
    [DROPWISE_CPU_FMA] = "fma",           [DROPWISE_CPU_F16C] = "f16c",
    [DROPWISE_CPU_BMI1] = "bmi1",         [DROPWISE_CPU_BMI2] = "bmi2",
    [DROPWISE_CPU_LZCNT] = "lzcnt",       [DROPWISE_CPU_MOVBE] = "movbe",
    [DROPWISE_CPU_POPCNT] = "popcnt",     [DROPWISE_CPU_SSE3] = "sse3",
    [DROPWISE_CPU_SSSE3] = "ssse3",       [DROPWISE_CPU_SSE4_1] = "sse4.1",
    [DROPWISE_CPU_SSE4_2] = "sse4.2",     [DROPWISE_CPU_AVX512F] = "avx512f",
    [DROPWISE_CPU_AVX512BW] = "avx512bw", [DROPWISE_CPU_AVX512DQ] = "avx512dq",
    [DROPWISE_CPU_AVX512VL] = "avx512vl", [DROPWISE_CPU_AVX512CD] = "avx512cd",
    [DROPWISE_CPU_NEON] = "neon",         [DROPWISE_CPU_AES] = "aes",
    [DROPWISE_CPU_VAES] = "vaes",
};

static const char *const isa_names[DROPWISE_ISA_COUNT] = {
    [DROPWISE_ISA_SCALAR] = "scalar",
    [DROPWISE_ISA_NEON] = "neon",
    [DROPWISE_ISA_AVX2] = "avx2",
    [DROPWISE_ISA_AVX512] = "avx512",
};

/* The tiers of this build; src/meson.build defines DROPWISE_HAVE_... for what it compiled. */
static const dropwise_kernels *const built[DROPWISE_ISA_COUNT] = {
    [DROPWISE_ISA_SCALAR] = &dropwise_kernels_scalar,
#ifdef DROPWISE_HAVE_NEON
    [DROPWISE_ISA_NEON] = &dropwise_kernels_neon,
#endif
#ifdef DROPWISE_HAVE_AVX2
    [DROPWISE_ISA_AVX2] = &dropwise_kernels_avx2,
#endif
#ifdef DROPWISE_HAVE_AVX512
    [DROPWISE_ISA_AVX512] = &dropwise_kernels_avx512,
#endif
};

/* The tables of ARS, each better than those before it. */
static const dropwise_ars_kernels *const built_ars[] = {
    &dropwise_ars7_software,
#ifdef DROPWISE_HAVE_ARS_NEON
    &dropwise_ars7_neon,
#endif
#ifdef DROPWISE_HAVE_ARS_AESNI
    &dropwise_ars7_aesni,
#endif
#ifdef DROPWISE_HAVE_ARS_VAES256
    &dropwise_ars7_vaes256,
#endif
#ifdef DROPWISE_HAVE_ARS_VAES512
    &dropwise_ars7_vaes512,
#endif
};

uint64_t dropwise_cpu_features(void)
{
    const uint64_t known = UINT64_C(1) << 63;
    uint64_t features = atomic_load_explicit(&known_features, memory_order_relaxed);
    if (features == 0) {
        features = dropwise_cpu_detect() | known;
        atomic_store_explicit(&known_features, features, memory_order_relaxed);
    }
    return features & ~known;
}

static int is_isa(int32_t isa)
{
    return isa > DROPWISE_ISA_AUTO && isa < DROPWISE_ISA_COUNT;
}

dropwise_status dropwise_isa_check(dropwise_isa isa)
{
    if (!is_isa(isa))
        return DROPWISE_ERROR_ISA_UNKNOWN;
    if (built[isa] == NULL)
        return DROPWISE_ERROR_ISA_NOT_BUILT;
    if ((built[isa]->required & ~dropwise_cpu_features()) != 0)
        return DROPWISE_ERROR_ISA_NOT_USABLE;
    return DROPWISE_OK;
}

const dropwise_kernels *dropwise_kernels_get(int32_t isa)
{
    return dropwise_isa_check(isa) == DROPWISE_OK ? built[isa] : NULL;
}

const dropwise_ars_kernels *dropwise_ars_for(int32_t isa)
{
    const uint64_t features = dropwise_cpu_features();
    const dropwise_ars_kernels *best = built_ars[0];
    for (size_t i = 1; i < sizeof built_ars / sizeof built_ars[0]; i++)
        if (built_ars[i]->isa <= isa && (built_ars[i]->required & ~features) == 0)
            best = built_ars[i];
    return best;
}

/* NULL where the variable is not set, or where the process has more rights than who started it. */
static const char *wanted_isa(void)
{
#if defined(__linux__)
    return secure_getenv("DROPWISE_ISA");
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__)
    return issetugid() ? NULL : getenv("DROPWISE_ISA");
#else
    return getenv("DROPWISE_ISA");
#endif
}

static const dropwise_kernels *publish(const dropwise_kernels *kernels, const char *reason)
{
    const uint64_t required = kernels->math_required;
    const bool math = required == 0 || (required & ~dropwise_cpu_features()) == 0;
    atomic_store_explicit(&active_reason, reason, memory_order_relaxed);
    atomic_store_explicit(&active_math, math, memory_order_relaxed);
    atomic_store_explicit(&dropwise_active_ars_kernels, dropwise_ars_for(kernels->isa), memory_order_release);
    atomic_store_explicit(&dropwise_active_kernels, kernels, memory_order_release);
    return kernels;
}

const dropwise_kernels *dropwise_resolve(void)
{
    /* The scalar tier stands even where the whole library was compiled for a later CPU. */
    const dropwise_kernels *best = &dropwise_kernels_scalar;
    for (int32_t isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        const dropwise_kernels *kernels = dropwise_kernels_get(isa);
        best = kernels != NULL ? kernels : best; /* later ones are better */
    }

    const char *wanted = wanted_isa();
    if (wanted == NULL || wanted[0] == '\0')
        return publish(best, "the best tier that this CPU and operating system can run");
    for (int32_t isa = 1; isa < DROPWISE_ISA_COUNT; isa++) {
        if (strcmp(wanted, isa_names[isa]) != 0)
            continue;
        const dropwise_kernels *kernels = dropwise_kernels_get(isa);
        if (kernels != NULL)
            return publish(kernels, "asked for by the environment variable DROPWISE_ISA");
        return publish(best, "the best usable tier; DROPWISE_ISA names one that is not usable here");
    }
    return publish(best, "the best usable tier; DROPWISE_ISA names no tier");
}

/* In this file, as an archive member with nothing but a constructor would not be linked. */
__attribute__((constructor, used)) static void choose_at_load(void)
{
    dropwise_resolve();
}

dropwise_status dropwise_isa_select(dropwise_isa isa)
{
    if (isa == DROPWISE_ISA_AUTO) {
        dropwise_resolve();
        return DROPWISE_OK;
    }
    const dropwise_status status = dropwise_isa_check(isa);
    if (status == DROPWISE_OK)
        publish(built[isa], "asked for by dropwise_isa_select");
    return status;
}

dropwise_isa dropwise_isa_active(void)
{
    return dropwise_active()->isa;
}

const char *dropwise_isa_reason(void)
{
    dropwise_active();
    return atomic_load_explicit(&active_reason, memory_order_relaxed);
}

bool dropwise_active_has_math(void)
{
    const dropwise_kernels *kernels = dropwise_active();
    return kernels->row_exp_f32 != NULL && atomic_load_explicit(&active_math, memory_order_relaxed);
}

const char *dropwise_aes_name(void)
{
    return dropwise_active_ars()->name;
}

const char *dropwise_isa_name(dropwise_isa isa)
{
    return is_isa(isa) ? isa_names[isa] : NULL;
}

const char *dropwise_cpu_feature_name(uint32_t k)
{
    return k < DROPWISE_CPU_COUNT ? feature_names[k] : NULL;
}
