/* CPU features that tiers may require, as far as both the CPU and the operating system offer them. */
#ifndef DROPWISE_CPU_H
#define DROPWISE_CPU_H

#include <stdint.h>

/* Bit numbers; dispatch.c holds their names in this order. */
enum {
    DROPWISE_CPU_AVX,
    DROPWISE_CPU_AVX2,
    DROPWISE_CPU_FMA,
    DROPWISE_CPU_F16C,
    DROPWISE_CPU_BMI1,
    DROPWISE_CPU_BMI2,
    DROPWISE_CPU_LZCNT,
    DROPWISE_CPU_MOVBE,
    DROPWISE_CPU_POPCNT,
    DROPWISE_CPU_SSE3,
    DROPWISE_CPU_SSSE3,
    DROPWISE_CPU_SSE4_1,
    DROPWISE_CPU_SSE4_2,
    DROPWISE_CPU_AVX512F,
    DROPWISE_CPU_AVX512BW,
    DROPWISE_CPU_AVX512DQ,
    DROPWISE_CPU_AVX512VL,
    DROPWISE_CPU_AVX512CD,
    DROPWISE_CPU_NEON,
    DROPWISE_CPU_AES,
    DROPWISE_CPU_VAES,
    DROPWISE_CPU_RVV,
    DROPWISE_CPU_AMX_BF16,
    DROPWISE_CPU_COUNT
};

/*
 * Bit k is set where feature k can be used. Pure: the same answer at each call. Asks the CPU, which takes
 * microseconds in a virtual machine: dropwise_cpu_features remembers the answer.
 */
uint64_t dropwise_cpu_detect(void);

/*
 * Bytes that the caches of this core, and its share of those that it has with others, hold; 0 where the CPU
 * does not tell. Pure, and as slow: dropwise_cached_bytes remembers the answer.
 */
uint64_t dropwise_cpu_caches(void);

#endif
