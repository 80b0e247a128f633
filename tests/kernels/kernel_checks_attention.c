/* Checks of the kernels of attention. */
#include <math.h>

#include "kernels/kernel_checks.h"

static float number(const uint8_t *p, size_t i)
{
    float f;
    memcpy(&f, p + 4 * i, sizeof f);
    return f;
}

static void fill_numbers(uint8_t *p, size_t n, uint64_t *state)
{
    for (size_t i = 0; i < n; i++)
        put(REF_F32, p, i, (double)(int64_t)noise(state) * 0x1p-62);
}

/* a * b + c, rounded once. */
#ifdef _WIN32
/*
 * mingw-w64's fmaf rounds twice. Here the last bit of the double says that something was cut off, and so
 * that what looks like a tie between two floats is none (S. Boldo and G. Melquiond, "Emulation of FMA and
 * correctly rounded sums: proved algorithms using rounding to odd", IEEE Transactions on Computers 57, 2008).
 */
static float fused(float a, float b, float c)
{
    const double product = (double)a * (double)b, addend = (double)c;
    double sum = product + addend;
    const double added = sum - product;
    const double lost = (product - (sum - added)) + (addend - added); /* NaN where the sum is not finite */
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    if (bits % 2 == 0 && (lost < 0 || lost > 0))
        bits += (lost > 0) == (sum > 0) ? UINT64_C(1) : UINT64_MAX;
    memcpy(&sum, &bits, sizeof sum);
    return (float)sum;
}
#else
static float fused(float a, float b, float c)
{
    return fmaf(a, b, c);
}
#endif

void check_matmul(dropwise_matmul_fn *matmul, const char *name)
{
    static const size_t sizes[][3] = {{6, 1, 16},  {6, 3, 32},   {12, 64, 48}, {18, 65, 64},
                                      {6, 64, 80}, {6, 128, 48}, {6, 17, 128}, {12, 5, 144}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int variant = 0; variant < 8; variant++) {
            const size_t rows = sizes[s][0], depth = sizes[s][1], columns = sizes[s][2];
            const bool adds = variant & 1, transposed = variant & 2, at_end = variant & 4;
            const bool panels = at_end; /* y is blocks of 64 columns, or rows */
            const size_t blocks = (columns + 63) / 64, y_width = panels ? 64 : columns;
            dropwise_matmul m = {.rows = rows, .depth = depth, .columns = columns, .adds = adds};
            uint64_t state = s + 1;
            uint8_t *x = guard_place(&arenas[0], 4 * rows * depth, at_end, 4);
            uint8_t *y = guard_place(&arenas[1], 4 * depth * (panels ? 64 * blocks : columns), at_end, 8);
            uint8_t *c = guard_place(&arenas[2], 4 * rows * columns, at_end, 12);
            fill_numbers(x, rows * depth, &state);
            fill_numbers(y, depth * (panels ? 64 * blocks : columns), &state);
            fill_numbers(c, rows * columns, &state);
            m.x = x, m.y = y, m.c = c;
            m.x_row = 4 * (transposed ? 1 : (ptrdiff_t)depth);
            m.x_step = 4 * (transposed ? (ptrdiff_t)rows : 1);
            m.y_row = (ptrdiff_t)(4 * y_width);
            m.y_block = panels ? 4 * 64 * depth : 4 * 64;
            m.c_row = 4 * columns;
            static uint8_t expected[8 * LARGE_N];
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < columns; j++) {
                    float sum = adds ? number(c, i * columns + j) : 0;
                    for (size_t k = 0; k < depth; k++)
                        sum = fused(number(x, transposed ? k * rows + i : i * depth + k),
                                    number(y, panels ? (j / 64 * depth + k) * 64 + j % 64 : k * columns + j),
                                    sum);
                    memcpy(expected + 4 * (i * columns + j), &sum, sizeof sum);
                }
            guard_readonly(&arenas[0], true);
            guard_readonly(&arenas[1], true);
            matmul(&m);
            guard_readonly(&arenas[0], false);
            guard_readonly(&arenas[1], false);
            assert_same_bytes(c, expected, 4 * rows * columns, "%s: %zu x %zu x %zu, variant %d", name, rows,
                              depth, columns, variant);
            assert_all_intact();
        }
}

void check_transpose(dropwise_transpose_fn *transpose, const char *name)
{
    static const size_t sizes[][2] = {{64, 16}, {1, 1}, {63, 17}, {30, 40}, {7, 60}, {16, 48}, {33, 5}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int at_end = 0; at_end < 2; at_end++) {
            const size_t rows = sizes[s][0], columns = sizes[s][1], padded = (columns + 15) / 16 * 16;
            const size_t gap = at_end ? 3 : 0;
            uint8_t *x = guard_place(&arenas[0], (rows - 1) * (4 * columns + gap) + 4 * columns, at_end, 1);
            uint8_t *y = guard_place(&arenas[1], 4 * 64 * padded, at_end, 2);
            fill_noise(x, (rows - 1) * (4 * columns + gap) + 4 * columns, s);
            guard_readonly(&arenas[0], true);
            transpose(rows, columns, x, (ptrdiff_t)(4 * columns + gap), y);
            guard_readonly(&arenas[0], false);
            for (size_t j = 0; j < columns; j++)
                for (size_t i = 0; i < 64; i++) {
                    static const uint8_t zero[4];
                    const uint8_t *from = i < rows ? x + i * (4 * columns + gap) + 4 * j : zero;
                    assert_same_bytes(y + 4 * (64 * j + i), from, 4, "%s: %zu x %zu, %zu, %zu", name, rows,
                                      columns, i, j);
                }
            assert_all_intact();
        }
}

/* ---- bf16 ---- */

static float bf16_number(const uint8_t *p, size_t i)
{
    uint16_t half;
    memcpy(&half, p + 2 * i, sizeof half);
    const uint32_t bits = (uint32_t)half << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* Numbers of all sizes whose products, and sums of products, are multiples of 2^-126: from 2^-56 on. */
static void fill_bf16(uint8_t *p, size_t n, unsigned exponents, uint64_t *state)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t u = noise(state);
        const uint16_t half = u % 16 == 0
                                  ? (uint16_t)(u >> 8 & 0x8000)
                                  : (uint16_t)((u >> 8 & 0x807F) | (127 - 56 + (u >> 32) % exponents) << 7);
        memcpy(p + 2 * i, &half, sizeof half);
    }
}

void check_matmul_bf16(dropwise_matmul_bf16_fn *matmul, const char *name)
{
    static const size_t sizes[][3] = {{32, 32, 32},  {32, 64, 64}, {64, 96, 32},
                                      {32, 32, 160}, {96, 64, 64}, {32, 224, 64}};
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (int variant = 0; variant < 24; variant++) {
            const size_t rows = sizes[s][0], depth = sizes[s][1], columns = sizes[s][2];
            const bool adds = variant & 1, panels = variant & 2, at_end = variant & 4;
            const size_t blocks = (columns + 63) / 64, y_width = panels ? 64 : columns;
            const size_t y_numbers = depth / 2 * (panels ? 64 * blocks : columns);
            dropwise_matmul m = {.rows = rows, .depth = depth, .columns = columns, .adds = adds};
            uint64_t state = s + 1;
            uint8_t *x = guard_place(&arenas[0], 2 * rows * depth, at_end, 4);
            uint8_t *y = guard_place(&arenas[1], 4 * y_numbers, at_end, 8);
            uint8_t *c = guard_place(&arenas[2], 4 * rows * columns, at_end, 12);
            /* sums near the least number, usual ones, and those that overflow */
            static const unsigned exponents[] = {2, 64, 180};
            fill_bf16(x, rows * depth, exponents[variant / 8], &state);
            fill_bf16(y, 2 * y_numbers, exponents[variant / 8], &state);
            for (size_t i = 0; i < rows * columns; i++)
                put(REF_F32, c, i,
                    (double)((int64_t)noise(&state) >> 40) * (variant < 8 ? 0x1p-126 : 0x1p-22));
            if (variant >= 16) {
                static const uint16_t others[] = {0x7F80, 0xFF80, 0x7FC1};
                memcpy(x + 2 * depth, &others[s % 3], 2);
                memcpy(y + 4, &others[(s + variant) % 3], 2);
            }
            m.x = x, m.y = y, m.c = c;
            m.x_row = 2 * (ptrdiff_t)depth;
            m.y_row = (ptrdiff_t)(4 * y_width);
            m.y_block = panels ? 4 * 64 * (depth / 2) : 4 * 64;
            m.c_row = 4 * columns;
            static uint8_t expected[8 * LARGE_N];
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < columns; j++) {
                    float sum = adds ? number(c, i * columns + j) : 0;
                    for (size_t k = 0; k < depth; k += 32) {
                        float part[2] = {0, 0};
                        for (size_t l = k; l < k + 32; l++) {
                            const size_t pair =
                                panels ? (j / 64 * (depth / 2) + l / 2) * 64 + j % 64 : l / 2 * columns + j;
                            part[l % 2] = fused(bf16_number(x, i * depth + l),
                                                bf16_number(y, 2 * pair + l % 2), part[l % 2]);
                        }
                        sum += part[0] + part[1];
                    }
                    memcpy(expected + 4 * (i * columns + j), &sum, sizeof sum);
                }
            guard_readonly(&arenas[0], true);
            guard_readonly(&arenas[1], true);
            matmul(&m);
            guard_readonly(&arenas[0], false);
            guard_readonly(&arenas[1], false);
            for (size_t i = 0; i < rows * columns; i++) {
                const float actual = number(c, i), wanted = number(expected, i);
                if (memcmp(c + 4 * i, expected + 4 * i, 4) != 0 && !(isnan(actual) && isnan(wanted)))
                    fail_msg("%s: %zu x %zu x %zu, variant %d: element %zu is %a, expected %a", name, rows,
                             depth, columns, variant, i, (double)actual, (double)wanted);
            }
            assert_all_intact();
        }
}

void check_pack(dropwise_pack_fn *pack, const char *name)
{
    static const uint16_t special[] = {0,      0x8000, 0x7F80, 0xFF80, 0x7FC0, 0xFF81,
                                       0x2B7F, 0x2B80, 0xAB7F, 0xAB80, 1,      0x807F};
    for (size_t n = 0; n <= 130; n++)
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t *x = guard_place(&arenas[0], 2 * n, at_end, 2);
            uint8_t *y = guard_place(&arenas[1], 2 * n, at_end, 4);
            fill_noise(x, 2 * n, n);
            for (size_t i = 0; i < n && i < sizeof special / sizeof special[0]; i++)
                memcpy(x + 2 * (n - 1 - i), &special[i], 2);
            guard_readonly(&arenas[0], true);
            pack(n, 0x2B80, x, y);
            guard_readonly(&arenas[0], false);
            for (size_t i = 0; i < n; i++) {
                uint16_t u;
                memcpy(&u, x + 2 * i, sizeof u);
                if (!(fabsf(bf16_number(x, i)) >= 0x1p-40f) && !isnan(bf16_number(x, i)))
                    u = 0;
                assert_same_bytes(y + 2 * i, &u, sizeof u, "%s: n %zu, element %zu", name, n, i);
            }
            assert_all_intact();
        }
}

void check_pair(dropwise_pair_fn *pair, const char *name)
{
    for (size_t n = 0; n <= 160; n += 16)
        for (int at_end = 0; at_end < 2; at_end++) {
            uint8_t *a = guard_place(&arenas[0], 2 * n, at_end, 2);
            uint8_t *b = guard_place(&arenas[1], 2 * n, at_end, 6);
            uint8_t *y = guard_place(&arenas[2], 4 * n, at_end, 4);
            fill_noise(a, 2 * n, n);
            fill_noise(b, 2 * n, n + 1);
            guard_readonly(&arenas[0], true);
            guard_readonly(&arenas[1], true);
            pair(n, a, b, y);
            guard_readonly(&arenas[0], false);
            guard_readonly(&arenas[1], false);
            for (size_t i = 0; i < 2 * n; i++)
                assert_same_bytes(y + 2 * i, (i % 2 == 0 ? a : b) + i / 2 * 2, 2, "%s: n %zu, %zu", name, n,
                                  i);
            assert_all_intact();
        }
}

/* ---- Rows ---- */

enum { TILE_ROWS = 3 };

/* Rows of scores with a gap, their bits, and what goes with rows, between guard pages. */
typedef struct tile_case {
    dropwise_attention_rows rows;
    uint8_t *bits;
    float of_rows[3][TILE_ROWS];
} tile_case;

static tile_case tile_setup(size_t n, int variant)
{
    tile_case c = {.rows = {.rows = TILE_ROWS, .n = n, .factor = 0.7f, .step = 4 * n + 8}};
    const size_t bytes = (TILE_ROWS - 1) * c.rows.step + 4 * n, of_bits = (n + 7) / 8;
    uint64_t state = n + 1;
    c.rows.x = guard_place(&arenas[0], bytes, variant & 1, 4);
    c.rows.d = guard_place(&arenas[1], bytes, variant & 1, 8);
    c.bits = guard_place(&second, (TILE_ROWS - 1) * (of_bits + 1) + of_bits, variant & 1, 3);
    fill_noise(c.bits, (TILE_ROWS - 1) * (of_bits + 1) + of_bits, n);
    c.rows.bits = variant & 2 ? c.bits : NULL;
    c.rows.bits_step = of_bits + 1;
    for (size_t r = 0; r < TILE_ROWS; r++) {
        fill_numbers(c.rows.x + r * c.rows.step, n, &state);
        fill_numbers(c.rows.d + r * c.rows.step, n, &state);
        if (n > 9)
            put(REF_F32, c.rows.x + r * c.rows.step, 7, -(double)INFINITY);
    }
    return c;
}

static bool keeps(const tile_case *c, size_t r, size_t i)
{
    return c->rows.bits == NULL || (c->bits[r * c->rows.bits_step + i / 8] >> i % 8 & 1) != 0;
}

static void assert_close(const char *name, size_t n, double actual, double expected, double size)
{
    if (!(fabs(actual - expected) <= 0x1p-21 * (fabs(expected) + size)))
        fail_msg("%s: n %zu: %.9g, expected %.9g", name, n, actual, expected);
}

static void begin_rows(tile_case *c)
{
    static const float before[TILE_ROWS] = {-3, 0.25f, 9};
    for (size_t r = 0; r < TILE_ROWS; r++) {
        c->of_rows[0][r] = c->rows.first ? NAN : before[r];
        c->of_rows[1][r] = c->rows.first ? NAN : 2;
    }
}

/* The same scores once more, to bf16: what became of them is rounded, and 0 below a limit. */
static void check_packed(dropwise_attention_fn *attention, const char *name, tile_case *c,
                         const uint8_t *scores, size_t bytes)
{
    static uint8_t wide[8 * LARGE_N];
    float of_rows[3][TILE_ROWS];
    memcpy(wide, c->rows.x, bytes);
    memcpy(of_rows, c->of_rows, sizeof of_rows);
    memcpy(c->rows.x, scores, bytes);
    begin_rows(c);
    c->rows.packs = true;
    c->rows.least = 0x1p-3f;
    attention(&c->rows);
    assert_memory_equal(c->of_rows, of_rows, sizeof of_rows);
    for (size_t r = 0; r < TILE_ROWS; r++)
        for (size_t i = 0; i < c->rows.n; i++) {
            uint8_t expected[2];
            const float e = number(wide + r * c->rows.step, i);
            put(REF_BF16, expected, 0, e < 0x1p-3f ? 0 : (double)e);
            assert_same_bytes(c->rows.x + r * c->rows.step + 2 * i, expected, 2, "%s: n %zu, row %zu, %zu",
                              name, c->rows.n, r, i);
        }
}

void check_attention(dropwise_attention_fn *attention, const char *name)
{
    static uint8_t scores[8 * LARGE_N];
    for (size_t n = 0; n <= 300; n += n < 70 ? 1 : 23)
        for (int variant = 0; variant < 8; variant++) {
            tile_case c = tile_setup(n, variant);
            c.rows.first = (variant & 4) != 0;
            c.rows.top = c.of_rows[0], c.rows.sum = c.of_rows[1], c.rows.shrink = c.of_rows[2];
            begin_rows(&c);
            const size_t bytes = (TILE_ROWS - 1) * c.rows.step + 4 * n;
            float before[TILE_ROWS];
            memcpy(before, c.rows.top, sizeof before);
            memcpy(scores, c.rows.x, bytes);
            attention(&c.rows);
            for (size_t r = 0; r < TILE_ROWS; r++) {
                const uint8_t *from = scores + r * c.rows.step;
                float top = c.rows.first ? -INFINITY : before[r];
                for (size_t i = 0; i < n; i++)
                    top = fmaxf(top, number(from, i) * 0.7f);
                assert_true(c.rows.top[r] == top);
                const bool none = isinf(top);
                const double shrink = c.rows.first ? 1 : exp2((double)before[r] - (double)top);
                double sum = c.rows.first ? 0 : 2 * shrink;
                for (size_t i = 0; i < n; i++) {
                    const double e = none ? 0 : exp2((double)number(from, i) * (double)0.7f - (double)top);
                    assert_close(name, n, (double)number(c.rows.x + r * c.rows.step, i),
                                 keeps(&c, r, i) ? e : 0, 0x1p-100);
                    sum += e;
                }
                assert_close(name, n, (double)c.rows.shrink[r], shrink, 0);
                assert_close(name, n, (double)c.rows.sum[r], sum, 0);
            }
            check_packed(attention, name, &c, scores, bytes);
            assert_all_intact();
        }
}

void check_attention_grad(dropwise_attention_grad_fn *grad, const char *name)
{
    static uint8_t scores[8 * LARGE_N], d[8 * LARGE_N];
    for (size_t n = 0; n <= 300; n += n < 70 ? 1 : 23)
        for (int variant = 0; variant < 4; variant++) {
            tile_case c = tile_setup(n, variant);
            static const float lse[TILE_ROWS] = {1.5f, 3, INFINITY}, delta[TILE_ROWS] = {0.5f, -2, 0};
            c.rows.lse = lse, c.rows.delta = delta;
            c.rows.kept = 1.25f, c.rows.kept_factor = 0.5f;
            const size_t bytes = (TILE_ROWS - 1) * c.rows.step + 4 * n;
            memcpy(scores, c.rows.x, bytes);
            memcpy(d, c.rows.d, bytes);
            grad(&c.rows);
            for (size_t r = 0; r < TILE_ROWS; r++)
                for (size_t i = 0; i < n; i++) {
                    const size_t at = r * c.rows.step;
                    const double logit = (double)number(scores + at, i) * (double)0.7f;
                    const double p = exp2(logit - (double)lse[r]), s = keeps(&c, r, i);
                    const double of_d = s * (double)number(d + at, i) * 0.5;
                    assert_close(name, n, (double)number(c.rows.x + at, i), s * p * 1.25, 0x1p-100);
                    assert_close(name, n, (double)number(c.rows.d + at, i), p * (of_d - (double)delta[r]),
                                 p * (fabs(of_d) + fabs((double)delta[r])));
                }
            assert_all_intact();
        }
}
