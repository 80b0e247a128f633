/* CPU detection on x86: CPUID for what the CPU has, XGETBV for what the operating system saves. */
#include "tiers/cpu.h"
#ifdef __x86_64__ /* not the other half of a universal binary */
#include <cpuid.h>

#include "x86/caches.h"

/* Read by its bytes, so that no compiler flag is needed; only after OSXSAVE was seen. */
static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

/*
 * LZCNT of 1 is 31. CPUs without that instruction ignore its prefix and run BSR, which gives 0. CPUID would
 * say so in a third leaf, at half the time that the first two take.
 */
static int has_lzcnt(void)
{
    uint32_t result;
    __asm__("rep bsr %1, %0" : "=r"(result) : "r"(1) : "cc");
    return result == 31;
}

/* Feature `feature`, if bit `bit` of `reg` is set. */
static uint64_t feature_if(uint32_t reg, unsigned bit, unsigned feature)
{
    return (uint64_t)(reg >> bit & 1) << feature;
}

uint64_t dropwise_cpu_detect(void)
{
    /* Registers that the operating system saves: bits 1, 2 are xmm and ymm; 5, 6, 7 are k, zmm;
     * 17, 18 tiles. */
    const uint64_t xcr0_avx = 0x06, xcr0_avx512 = 0xE6, xcr0_amx = 0x60000;
    uint32_t eax, ebx, ecx, edx;
    uint64_t features = 0;

    /* Each CPUID is trapped in a virtual machine: two of them. Leaf 1 is on every x86-64 CPU. */
    __cpuid(1, eax, ebx, ecx, edx);
    features |= feature_if(ecx, 0, DROPWISE_CPU_SSE3);
    features |= feature_if(ecx, 9, DROPWISE_CPU_SSSE3);
    features |= feature_if(ecx, 19, DROPWISE_CPU_SSE4_1);
    features |= feature_if(ecx, 20, DROPWISE_CPU_SSE4_2);
    features |= feature_if(ecx, 22, DROPWISE_CPU_MOVBE);
    features |= feature_if(ecx, 23, DROPWISE_CPU_POPCNT);
    features |= feature_if(ecx, 25, DROPWISE_CPU_AES);

    const uint64_t xcr0 = ecx >> 27 & 1 ? read_xcr0() : 0; /* bit 27: OSXSAVE */
    const int os_avx = (xcr0 & xcr0_avx) == xcr0_avx;
    int os_avx512 = (xcr0 & xcr0_avx512) == xcr0_avx512;
#ifdef __APPLE__
    os_avx512 = 0; /* macOS could corrupt mask registers; libdeflate refuses for the same reason */
#endif
    if (!os_avx)
        return features; /* tiers beyond the scalar one begin with AVX */

    features |= feature_if(ecx, 12, DROPWISE_CPU_FMA);
    features |= feature_if(ecx, 28, DROPWISE_CPU_AVX);
    features |= feature_if(ecx, 29, DROPWISE_CPU_F16C);
    /* XSAVE is described by leaf 13, so a CPU that has it has leaf 7. */
    __cpuid_count(7, 0, eax, ebx, ecx, edx);
    features |= feature_if(ebx, 3, DROPWISE_CPU_BMI1);
    features |= feature_if(ebx, 5, DROPWISE_CPU_AVX2);
    features |= feature_if(ebx, 8, DROPWISE_CPU_BMI2);
    features |= feature_if(ecx, 9, DROPWISE_CPU_VAES);
    if (os_avx512) {
        features |= feature_if(ebx, 16, DROPWISE_CPU_AVX512F);
        features |= feature_if(ebx, 17, DROPWISE_CPU_AVX512DQ);
        features |= feature_if(ebx, 28, DROPWISE_CPU_AVX512CD);
        features |= feature_if(ebx, 30, DROPWISE_CPU_AVX512BW);
        features |= feature_if(ebx, 31, DROPWISE_CPU_AVX512VL);
        if ((xcr0 & xcr0_amx) == xcr0_amx) /* AMX-BF16 says that AMX-TILE is there */
            features |= feature_if(edx, 22, DROPWISE_CPU_AMX_BF16);
    }
    features |= (uint64_t)has_lzcnt() << DROPWISE_CPU_LZCNT;
    return features;
}

uint64_t dropwise_cpu_caches(void)
{
    enum { MOST = 8 };
    static const uint32_t numbers[] = {4, 0x8000001D}; /* AMD answers the first one with zeros */
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        const uint32_t number = numbers[i];
        if ((uint32_t)__get_cpuid_max(number & 0x80000000, NULL) < number)
            continue;
        cache_leaf leaves[MOST];
        size_t n = 0;
        for (; n < MOST; n++) {
            cache_leaf *leaf = &leaves[n];
            __cpuid_count(number, (uint32_t)n, leaf->eax, leaf->ebx, leaf->ecx, leaf->edx);
            if (cache_type(leaf) == NO_CACHE)
                break;
        }
        if (n != 0)
            return caches_of_core(leaves, n);
    }
    return 0;
}
#endif
