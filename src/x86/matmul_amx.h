/*
 * Products of bf16 by AMX: 32 rows by 32 columns of c in four tiles, with two of x and two of y. In assembly,
 * since a compiler's functions for it need flags of their own, and GCC 11's do not say that they read memory.
 */
#ifndef DROPWISE_MATMUL_AMX_H
#define DROPWISE_MATMUL_AMX_H

#include "kernels/kernels.h"

/* An assembler that knows the instructions comes with a compiler that does. Memory sanitizers do not see what
 * assembly writes. */
#if defined(__linux__) && defined(__x86_64__) && !defined(DROPWISE_WITHOUT_ATTENTION) && \
    defined(__has_include)
#if __has_include(<amxbf16intrin.h>) || __has_include(<amxintrin.h>) /* GCC, Clang */
#define DROPWISE_HAVE_AMX
#endif
#endif
#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#undef DROPWISE_HAVE_AMX
#endif
#endif

#ifdef DROPWISE_HAVE_AMX
#include <sys/syscall.h>

/* Asked in assembly, as what the C library has for it would set errno. */
static bool may_use_amx(void)
{
    enum { ARCH_GET_XCOMP_PERM = 0x1022, XTILEDATA = 18 };
    uint64_t allowed = 0;
    long result = SYS_arch_prctl;
    __asm__ volatile("syscall"
                     : "+a"(result)
                     : "D"((long)ARCH_GET_XCOMP_PERM), "S"(&allowed)
                     : "rcx", "r11", "memory");
    return result == 0 && (allowed >> XTILEDATA & 1) != 0;
}

/* Tiles of 16 rows of 64 bytes. */
static inline void amx_begin(void)
{
    static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {1, 0, {0}, {64, 64, 64, 64, 64, 64, 64, 64}, {16, 16, 16, 16, 16, 16, 16, 16}};
    __asm__ volatile("ldtilecfg %0" : : "m"(configuration));
}

static inline void amx_end(void)
{
    __asm__ volatile("tilerelease");
}

/* Tiles 0 to 3 are c, in the order of rows. */
static inline void amx_clear(void)
{
    __asm__ volatile("tilezero %%tmm0\n\t"
                     "tilezero %%tmm1\n\t"
                     "tilezero %%tmm2\n\t"
                     "tilezero %%tmm3"
                     :
                     :);
}

static inline void amx_load(const uint8_t *c, size_t row)
{
    const uint8_t *below = c + 16 * row;
    __asm__ volatile("tileloadd (%0,%2), %%tmm0\n\t"
                     "tileloadd 64(%0,%2), %%tmm1\n\t"
                     "tileloadd (%1,%2), %%tmm2\n\t"
                     "tileloadd 64(%1,%2), %%tmm3"
                     :
                     : "r"(c), "r"(below), "r"(row)
                     : "memory");
}

static inline void amx_store(uint8_t *c, size_t row)
{
    uint8_t *below = c + 16 * row;
    __asm__ volatile("tilestored %%tmm0, (%0,%2)\n\t"
                     "tilestored %%tmm1, 64(%0,%2)\n\t"
                     "tilestored %%tmm2, (%1,%2)\n\t"
                     "tilestored %%tmm3, 64(%1,%2)"
                     :
                     : "r"(c), "r"(below), "r"(row)
                     : "memory");
}

static inline void amx_step(const uint8_t *x, ptrdiff_t x_row, const uint8_t *y, ptrdiff_t y_row)
{
    const uint8_t *below = x + 16 * x_row;
    __asm__ volatile("tileloadd (%0,%2), %%tmm4\n\t"
                     "tileloadd (%3,%4), %%tmm6\n\t"
                     "tileloadd 64(%3,%4), %%tmm7\n\t"
                     "tileloadd (%1,%2), %%tmm5\n\t"
                     "tdpbf16ps %%tmm6, %%tmm4, %%tmm0\n\t"
                     "tdpbf16ps %%tmm7, %%tmm4, %%tmm1\n\t"
                     "tdpbf16ps %%tmm6, %%tmm5, %%tmm2\n\t"
                     "tdpbf16ps %%tmm7, %%tmm5, %%tmm3"
                     :
                     : "r"(x), "r"(below), "r"(x_row), "r"(y), "r"(y_row)
                     : "memory");
}

static void matmul_amx(const dropwise_matmul *m)
{
    amx_begin();
    for (size_t j = 0; j < m->columns; j += 32) {
        const uint8_t *y = m->y + j / 64 * m->y_block + j % 64 * 4;
        for (size_t i = 0; i < m->rows; i += 32) {
            const uint8_t *x = m->x + (ptrdiff_t)i * m->x_row;
            uint8_t *c = m->c + i * m->c_row + j * sizeof(float);
            if (m->adds)
                amx_load(c, m->c_row);
            else
                amx_clear();
            for (size_t k = 0; k < m->depth; k += 32)
                amx_step(x + 2 * k, m->x_row, y + (ptrdiff_t)(k / 2) * m->y_row, m->y_row);
            amx_store(c, m->c_row);
        }
    }
    amx_end();
}
#endif

#endif
