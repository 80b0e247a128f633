/*
 * A member of each x86 tier's table: the CPU features that the compiler was allowed to use in this
 * translation unit, as it says itself. So a tier's flags and its check cannot drift apart: with -march=...
 * added by a packager, the tier requires what that means.
 */
/* clang-format off: a member, and no statement */
.required = 0
#ifdef __SSE3__
            | UINT64_C(1) << DROPWISE_CPU_SSE3
#endif
#ifdef __SSSE3__
            | UINT64_C(1) << DROPWISE_CPU_SSSE3
#endif
#ifdef __SSE4_1__
            | UINT64_C(1) << DROPWISE_CPU_SSE4_1
#endif
#ifdef __SSE4_2__
            | UINT64_C(1) << DROPWISE_CPU_SSE4_2
#endif
#ifdef __POPCNT__
            | UINT64_C(1) << DROPWISE_CPU_POPCNT
#endif
#ifdef __AVX__
            | UINT64_C(1) << DROPWISE_CPU_AVX
#endif
#ifdef __AVX2__
            | UINT64_C(1) << DROPWISE_CPU_AVX2
#endif
#ifdef __FMA__
            | UINT64_C(1) << DROPWISE_CPU_FMA
#endif
#ifdef __F16C__
            | UINT64_C(1) << DROPWISE_CPU_F16C
#endif
#ifdef __BMI__
            | UINT64_C(1) << DROPWISE_CPU_BMI1
#endif
#ifdef __BMI2__
            | UINT64_C(1) << DROPWISE_CPU_BMI2
#endif
#ifdef __LZCNT__
            | UINT64_C(1) << DROPWISE_CPU_LZCNT
#endif
#ifdef __MOVBE__
            | UINT64_C(1) << DROPWISE_CPU_MOVBE
#endif
#ifdef __AES__
            | UINT64_C(1) << DROPWISE_CPU_AES
#endif
#ifdef __VAES__
            | UINT64_C(1) << DROPWISE_CPU_VAES
#endif
#ifdef __AVX512F__
            | UINT64_C(1) << DROPWISE_CPU_AVX512F
#endif
#ifdef __AVX512BW__
            | UINT64_C(1) << DROPWISE_CPU_AVX512BW
#endif
#ifdef __AVX512DQ__
            | UINT64_C(1) << DROPWISE_CPU_AVX512DQ
#endif
#ifdef __AVX512VL__
            | UINT64_C(1) << DROPWISE_CPU_AVX512VL
#endif
#ifdef __AVX512CD__
            | UINT64_C(1) << DROPWISE_CPU_AVX512CD
#endif
    ,
