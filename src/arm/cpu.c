/*
 * CPU detection on AArch64: HWCAP on Linux, sysctl on Apple's systems; elsewhere Advanced SIMD is part of the
 * platform's ABI.
 */
#include "tiers/cpu.h"
#ifdef __aarch64__ /* not the other half of a universal binary */
#if defined(__linux__)
#include <sys/auxv.h>
#elif defined(__APPLE__)
#include <stdbool.h>
#include <stddef.h>
#include <sys/sysctl.h>

/* macOS 11 does not know the name; all CPUs that it runs on have AES, and compilers for it say so. */
static bool apple_has_aes(void)
{
#ifdef __ARM_FEATURE_AES
    return true;
#else
    int has = 0;
    size_t size = sizeof has;
    return sysctlbyname("hw.optional.arm.FEAT_AES", &has, &size, NULL, 0) == 0 && has != 0;
#endif
}
#endif

uint64_t dropwise_cpu_detect(void)
{
    const uint64_t neon = UINT64_C(1) << DROPWISE_CPU_NEON, aes = UINT64_C(1) << DROPWISE_CPU_AES;
#if defined(__linux__)
    const unsigned long hwcap_asimd = 1ul << 1, hwcap_aes = 1ul << 3;
    const unsigned long hwcap = getauxval(AT_HWCAP);
    /* A kernel that reports nothing at all (WSL 1 did) says nothing against the baseline. */
    return (hwcap == 0 || (hwcap & hwcap_asimd) != 0 ? neon : 0) | ((hwcap & hwcap_aes) != 0 ? aes : 0);
#elif defined(__APPLE__)
    return neon | (apple_has_aes() ? aes : 0);
#else
    (void)aes;
    return neon;
#endif
}

uint64_t dropwise_cpu_caches(void)
{
    return 0; /* no instruction tells that to a program */
}
#endif
