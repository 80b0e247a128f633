/*
 * Dropout as an engine's author writes it into a loop: scalar Philox4x32-10 (Salmon et al., SC11) from the
 * counter, a comparison, a product. No call and no set-up, so it is what small calls have to stand beside.
 * And loops without a mask, which compilers make vectors of. Compiled once for each tier: LOOPS names its
 * table.
 */
#include "loops.h"

#include <string.h>

typedef struct block {
    uint32_t word[4];
} block;

static inline block philox(const dropwise_mask *mask, uint64_t number)
{
    uint32_t k0 = (uint32_t)mask->seed, k1 = (uint32_t)(mask->seed >> 32);
    block c = {
        {(uint32_t)number, (uint32_t)(number >> 32), (uint32_t)mask->stream, (uint32_t)(mask->stream >> 32)}};
    for (int round = 0; round < 10; round++) {
        const uint64_t a = UINT64_C(0xD2511F53) * c.word[0], b = UINT64_C(0xCD9E8D57) * c.word[2];
        c = (block){{(uint32_t)(b >> 32) ^ c.word[1] ^ k0, (uint32_t)b, (uint32_t)(a >> 32) ^ c.word[3] ^ k1,
                     (uint32_t)a}};
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }
    return c;
}

static void drop_by_words(const dropwise_mask *mask, uint64_t first, size_t n, const float *x, float *y)
{
    const uint32_t threshold = (uint32_t)(mask->keep_threshold >> 8);
    const float scale = 0x1p40f / (float)mask->keep_threshold;
    for (size_t i = 0; i < n;) {
        const block words = philox(mask, (first + i) / 4);
        for (size_t j = (first + i) % 4; j < 4 && i < n; j++, i++)
            y[i] = words.word[j] < threshold ? x[i] * scale : 0;
    }
}

/* Another block for ties: our mask, for a quarter of the random numbers. */
static void drop_by_bytes(const dropwise_mask *mask, uint64_t first, size_t n, const float *x, float *y)
{
    const uint32_t byte_threshold = (uint32_t)(mask->keep_threshold >> 32);
    const uint32_t tie_threshold = (uint32_t)mask->keep_threshold;
    const float scale = 0x1p40f / (float)mask->keep_threshold;
    for (size_t i = 0; i < n;) {
        const block bytes = philox(mask, (first + i) / 16);
        for (size_t j = (first + i) % 16; j < 16 && i < n; j++, i++) {
            const uint32_t byte = bytes.word[j / 4] >> j % 4 * 8 & 0xFF;
            int keeps = byte < byte_threshold;
            if (byte == byte_threshold && tie_threshold != 0) {
                const uint64_t element = first + i;
                keeps = philox(mask, element / 4 | UINT64_C(1) << 60).word[element % 4] < tie_threshold;
            }
            y[i] = keeps ? x[i] * scale : 0;
        }
    }
}

static void scale_rows(size_t rows, size_t width, size_t stride, float s, const float *restrict x,
                       float *restrict y)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < width; i++)
            y[r * stride + i] = s * x[r * stride + i];
}

static inline float widen(uint16_t bits)
{
    const uint32_t high = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &high, sizeof value);
    return value;
}

/* Of numbers, to nearest, ties to even. */
static inline uint16_t narrow(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

static void residual_bf16(size_t rows, size_t width, float s, const uint16_t *restrict x,
                          const uint16_t *restrict bias, const uint16_t *restrict residual,
                          uint16_t *restrict y)
{
    for (size_t r = 0; r < rows; r++, x += width, residual += width, y += width)
        for (size_t i = 0; i < width; i++)
            y[i] = narrow(widen(residual[i]) + s * (widen(x[i]) + widen(bias[i])));
}

extern const bench_loops LOOPS;
const bench_loops LOOPS = {LOOPS_ISA, drop_by_words, drop_by_bytes, scale_rows, residual_bf16};
