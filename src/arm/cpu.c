/* CPU detection on AArch64: HWCAP on Linux; elsewhere Advanced SIMD is part of the platform's ABI. */
#include "tiers/cpu.h"

#if defined(__linux__)
#include <sys/auxv.h>
#endif

uint64_t dropwise_cpu_detect(void)
{
    const uint64_t neon = UINT64_C(1) << DROPWISE_CPU_NEON;
#if defined(__linux__)
    const uint64_t aes = UINT64_C(1) << DROPWISE_CPU_AES;
    const unsigned long hwcap_asimd = 1ul << 1, hwcap_aes = 1ul << 3;
    const unsigned long hwcap = getauxval(AT_HWCAP);
    /* A kernel that reports nothing at all (WSL 1 did) says nothing against the baseline. */
    return (hwcap == 0 || (hwcap & hwcap_asimd) != 0 ? neon : 0) | ((hwcap & hwcap_aes) != 0 ? aes : 0);
#else
    return neon;
#endif
}

uint64_t dropwise_cpu_caches(void)
{
    return 0; /* no instruction tells that to a program */
}
