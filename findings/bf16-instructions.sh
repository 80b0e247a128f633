#!/bin/bash
# Intel's CPUs with AMX (seen on an Emerald Rapids) have two instructions for products of bf16 that sum them up
# in different orders, so that one cannot stand in for the other, and the older one gains nothing there:
#   VDPBF16PS   c = fma(a1, b1, c), then fma(a0, b0, c). Takes four times as long as the f32 multiply-add of
#               half its products, so a product of bf16 costs twice one of f32
#   TDPBF16PS   of 16 pairs fma chains of the even and of the odd elements, each from 0, whose sum is added to c
# Fails if that changes; says so where the CPU has not both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for feature in avx512_bf16 amx_bf16; do
    grep -qw "$feature" /proc/cpuinfo || { echo "this CPU has no $feature"; exit 0; }
done

cat > "$folder/bf16.c" << 'END'
#define _GNU_SOURCE
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static uint64_t state = 1;

static uint16_t element(void) /* of 2^-4 to 2^4 */
{
    state = state * 6364136223846793005 + 1442695040888963407;
    return (uint16_t)((state >> 40 & 0x807F) | (123 + (state >> 33) % 8) << 7);
}

static float wide(uint16_t half)
{
    const uint32_t bits = (uint32_t)half << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static _Alignas(64) uint16_t a[16][32], b[16][32]; /* rows of a, pairs of rows of b */
static _Alignas(64) float c[16][16];

#define LEAST_TIME(result, step) \
    for (int run = 0; run < 20; run++) { \
        const double begin = seconds(); \
        for (int i = 0; i < 100000; i++) \
            _Pragma("GCC unroll 12") for (int k = 0; k < 12; k++) { \
                sum[k] = step; \
                __asm__ volatile("" : "+v"(sum[k])); \
            } \
        const double time = seconds() - begin; \
        result = run == 0 || time < result ? time : result; \
    }

int main(void)
{
    int differ_tiles = 0, differ_pairs = 0, same = 0;
    if (syscall(SYS_arch_prctl, 0x1023, 18) != 0) {
        puts("Linux does not allow tiles here");
        return 0;
    }
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t bytes[16];
        uint8_t rows[16];
    } tiles = {1, 0, {0}, {64, 64, 64}, {16, 16, 16}};
    for (int round = 0; round < 1000; round++) {
        for (int i = 0; i < 512; i++) {
            a[i / 32][i % 32] = element();
            b[i / 32][i % 32] = element();
        }
        __asm__ volatile("ldtilecfg %0\n\ttilezero %%tmm0\n\ttileloadd (%1,%4), %%tmm1\n\t"
                         "tileloadd (%2,%4), %%tmm2\n\ttdpbf16ps %%tmm2, %%tmm1, %%tmm0\n\t"
                         "tilestored %%tmm0, (%3,%4)\n\ttilerelease"
                         : : "m"(tiles), "r"(a), "r"(b), "r"(c), "r"(64L) : "memory");
        __m512 pairs = _mm512_setzero_ps();
        for (int k = 0; k < 16; k++) {
            uint32_t pair;
            memcpy(&pair, &a[0][2 * k], sizeof pair);
            pairs = _mm512_dpbf16_ps(pairs, (__m512bh)_mm512_set1_epi32((int)pair),
                                     (__m512bh)_mm512_load_si512(b[k]));
        }
        float of_pairs[16];
        memcpy(of_pairs, &pairs, sizeof of_pairs);
        for (int j = 0; j < 16; j++) {
            float even = 0, odd = 0, chain = 0;
            for (int k = 0; k < 16; k++) {
                even = fmaf(wide(a[0][2 * k]), wide(b[k][2 * j]), even);
                odd = fmaf(wide(a[0][2 * k + 1]), wide(b[k][2 * j + 1]), odd);
                chain = fmaf(wide(a[0][2 * k + 1]), wide(b[k][2 * j + 1]), chain);
                chain = fmaf(wide(a[0][2 * k]), wide(b[k][2 * j]), chain);
            }
            differ_tiles += c[0][j] != 0 + (even + odd);
            differ_pairs += of_pairs[j] != chain;
            same += c[0][j] == of_pairs[j];
        }
    }
    printf("of 16,000 sums %d of TDPBF16PS and %d of VDPBF16PS differ from the formulas; %d are the same by both\n",
           differ_tiles, differ_pairs, same);
    __m512 sum[12];
    _Pragma("GCC unroll 12") for (int k = 0; k < 12; k++) /* so that they stay in registers */
        sum[k] = _mm512_setzero_ps();
    const __m512 x = _mm512_set1_ps(1.5f);
    const __m512bh y = (__m512bh)_mm512_set1_epi32(0x3F803F80);
    double of_f32 = 0, of_bf16 = 0;
    LEAST_TIME(of_f32, _mm512_fmadd_ps(x, x, sum[k]))
    LEAST_TIME(of_bf16, _mm512_dpbf16_ps(sum[k], y, y))
    printf("VDPBF16PS takes %.1f times as long as VFMADD231PS\n", of_bf16 / of_f32);
    const int changed = differ_tiles != 0 || differ_pairs != 0 || same > 15000 || of_bf16 < 2.5 * of_f32;
    if (changed)
        puts("the behaviour has changed");
    return changed;
}
END
gcc -O2 -mfma -mavx512f -mavx512bf16 "$folder/bf16.c" -o "$folder/bf16" -lm
"$folder/bf16"
