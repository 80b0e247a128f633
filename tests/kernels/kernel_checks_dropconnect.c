/* Checks of the kernels of DropConnect, in f32 and f64. */
#include <math.h>

#include "kernels/kernel_checks.h"

enum { MAX_ROWS = 35, MAX_TOTALS = 512 };

/* A matrix, its mask and a vector, each between guard pages; sums of any width. */
typedef struct matrix_case {
    ref_dtype dtype;
    size_t rows, n, a_step, bits_step, sums_step;
    uint8_t *a, *bits, *x, *sums, *more_sums;
} matrix_case;

static double sum[16][MAX_TOTALS], square[16][MAX_TOTALS];

/* Values that are not dropped are finite: NaN are made canonical only later, by fold_sums. */
static bool bit_of(const matrix_case *c, size_t r, size_t i)
{
    return c->bits[r * c->bits_step + i / 8] >> i % 8 & 1;
}

static matrix_case matrix_setup(const char *name, size_t rows, size_t n, size_t x_n, size_t sums_n,
                                bool at_end)
{
    matrix_case c = {.dtype = dtype_of(name), .rows = rows, .n = n};
    const size_t bytes = ref_bytes(c.dtype), gap = at_end ? 3 : 0;
    uint64_t state = rows * 1000 + n + at_end;
    c.a_step = n * bytes + gap;
    c.bits_step = (n + 7) / 8 + gap;
    c.sums_step = sums_n * bytes + gap;
    const size_t last = rows == 0 ? 0 : rows - 1;
    c.bits = guard_place(&second, last * c.bits_step + (n + 7) / 8, at_end, n % 64);
    c.a = guard_place(&arenas[0], last * c.a_step + n * bytes, at_end, n % 64);
    c.x = guard_place(&arenas[1], x_n * bytes, at_end, n % 32);
    c.sums = guard_place(&arenas[2], 15 * c.sums_step + sums_n * bytes, at_end, n % 16);
    c.more_sums = guard_place(&arenas[3], 15 * c.sums_step + sums_n * bytes, at_end, n % 16);
    fill_noise(c.bits, last * c.bits_step + (n + 7) / 8, noise(&state));
    for (size_t i = 0; i < x_n; i++)
        put(c.dtype, c.x, i, (double)(int64_t)noise(&state) * 0x1p-61);
    for (size_t r = 0; r < rows; r++) {
        fill_awkward(c.dtype, c.a + r * c.a_step, n, noise(&state));
        for (size_t i = 0; i < n; i++)
            if (bit_of(&c, r, i))
                put(c.dtype, c.a + r * c.a_step, i, (double)(int64_t)noise(&state) * 0x1p-61);
    }
    for (size_t k = 0; k < 16; k++)
        for (size_t t = 0; t < sums_n; t++) {
            sum[k][t] = 0.25 * (double)k + (double)(t % 7);
            square[k][t] = 0.5 * (double)k;
            put(c.dtype, c.sums + k * c.sums_step, t, sum[k][t]);
            put(c.dtype, c.more_sums + k * c.sums_step, t, square[k][t]);
        }
    guard_readonly(&second, true);
    guard_readonly(&arenas[0], true);
    guard_readonly(&arenas[1], true);
    return c;
}

static void assert_sums(const matrix_case *c, const uint8_t *sums, double (*expected)[MAX_TOTALS],
                        size_t sums_n, const char *name)
{
    static uint8_t row[8 * MAX_TOTALS];
    for (size_t k = 0; k < 16; k++) {
        for (size_t t = 0; t < sums_n; t++)
            put(c->dtype, row, t, expected[k][t]);
        assert_same_bytes(sums + k * c->sums_step, row, sums_n * ref_bytes(c->dtype),
                          "%s: %zu rows of %zu, sums %zu", name, c->rows, c->n, k);
    }
}

static void matrix_finish(void)
{
    guard_readonly(&second, false);
    guard_readonly(&arenas[0], false);
    guard_readonly(&arenas[1], false);
    assert_true(guard_intact(&second));
    assert_all_intact();
}

/* Rows that go with a number of columns, so that matrices fit. */
static const size_t row_counts[] = {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, MAX_ROWS, 0};

static bool fits(size_t rows, size_t n)
{
    return rows * (n + 1) <= LARGE_N;
}

void check_masked_dot(dropwise_masked_dot_fn *masked_dot, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++)
        for (size_t q = 0; q < sizeof row_counts / sizeof row_counts[0]; q++) {
            const size_t rows = row_counts[q], n = size_number(s);
            if (rows != 1 && !fits(rows, n))
                continue;
            matrix_case c = matrix_setup(name, rows, n, n, rows, (s + q) % 2);
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < n; i++)
                    if (bit_of(&c, r, i)) {
                        const double product =
                            rounded(c.dtype, get(c.dtype, c.a + r * c.a_step, i) * get(c.dtype, c.x, i));
                        sum[i % 16][r] = rounded(c.dtype, sum[i % 16][r] + product);
                    }
            masked_dot(c.bits, c.bits_step, rows, n, c.a, c.a_step, c.x, c.sums, c.sums_step);
            assert_sums(&c, c.sums, sum, rows, name);
            matrix_finish();
        }
}

void check_masked_axpy(dropwise_masked_axpy_fn *masked_axpy, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++)
        for (size_t q = 0; q < sizeof row_counts / sizeof row_counts[0]; q++) {
            const size_t rows = row_counts[q], n = size_number(s);
            if (n * 16 > LARGE_N || (rows != 1 && !fits(rows, n)))
                continue;
            matrix_case c = matrix_setup(name, rows, n, rows, n, (s + q) % 2);
            for (size_t r = 0; r < rows; r++)
                for (size_t i = 0; i < n; i++)
                    if (bit_of(&c, r, i)) {
                        const double product =
                            rounded(c.dtype, get(c.dtype, c.a + r * c.a_step, i) * get(c.dtype, c.x, r));
                        sum[r % 16][i] = rounded(c.dtype, sum[r % 16][i] + product);
                    }
            masked_axpy(c.bits, c.bits_step, rows, n, c.x, c.a, c.a_step, c.sums, c.sums_step);
            assert_sums(&c, c.sums, sum, n, name);
            matrix_finish();
        }
}

void check_dot_moments(dropwise_dot_moments_fn *dot_moments, const char *name)
{
    for (size_t s = 0; s < n_sizes(); s++) {
        const size_t n = size_number(s);
        matrix_case c = matrix_setup(name, 1, n, n, 1, s % 2);
        guard_readonly(&arenas[0], false);
        for (size_t i = 0; i < n; i++) {
            put(c.dtype, c.a, i, (double)(i % 29) - 14.3);
            const double product = rounded(c.dtype, get(c.dtype, c.a, i) * get(c.dtype, c.x, i));
            sum[i % 16][0] = rounded(c.dtype, sum[i % 16][0] + product);
            square[i % 16][0] = rounded(c.dtype, square[i % 16][0] + rounded(c.dtype, product * product));
        }
        guard_readonly(&arenas[0], true);
        dot_moments(n, c.a, c.x, c.sums, c.more_sums, c.sums_step);
        assert_sums(&c, c.sums, sum, 1, name);
        assert_sums(&c, c.more_sums, square, 1, name);
        matrix_finish();
    }
}

void check_fold_sums(dropwise_fold_sums_fn *fold_sums, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    const ref_dtype dtype = dtype_of(name);
    const size_t bytes = ref_bytes(dtype);
    const any_scale scale = scale_for(dtype, 1 / 0.7);
    for (size_t s = 0; s < n_sizes(); s++)
        for (size_t n_sums = 1; n_sums <= 16; n_sums *= 2)
            for (int variant = 0; variant < 3; variant++) {
                const size_t n = size_number(s), step = n * bytes + (variant == 1);
                const bool at_end = (s + n_sums) % 2;
                if (n * n_sums > LARGE_N - 1)
                    continue;
                uint8_t *sums = guard_place(&arenas[0], (n_sums - 1) * step + n * bytes, at_end, n % 64);
                uint8_t *y = guard_place(&arenas[1], n * bytes, at_end, n % 32);
                uint8_t *apart = guard_place(&arenas[2], n * bytes, at_end, n % 16);
                uint8_t *add = variant == 0 ? NULL : variant == 1 ? apart : y;
                for (size_t k = 0; k < n_sums; k++)
                    fill_awkward(dtype, sums + k * step, n, n + k);
                if (add != NULL)
                    fill_awkward(dtype, add, n, n + 99);
                for (size_t i = 0; i < n; i++) {
                    double v[16] = {0};
                    for (size_t k = 0; k < n_sums; k++)
                        v[k] = get(dtype, sums + k * step, i);
                    for (size_t half = n_sums / 2; half > 0; half /= 2)
                        for (size_t k = 0; k < half; k++)
                            v[k] = rounded(dtype, v[k] + v[k + half]);
                    v[0] = rounded(dtype, v[0] * rounded(dtype, 1 / 0.7));
                    if (add != NULL)
                        v[0] = rounded(dtype, v[0] + get(dtype, add, i));
                    put_result(dtype, expected, i, v[0]);
                }
                guard_readonly(&arenas[0], true);
                fold_sums(n_sums, n, sums, step, &scale, add, y);
                guard_readonly(&arenas[0], false);
                assert_same_bytes(y, expected, n * bytes, "%s: %zu sums of %zu", name, n_sums, n);
                assert_all_intact();
            }
}

void check_sample_normal(dropwise_sample_normal_fn *sample_normal, const char *name)
{
    static uint8_t expected[8 * LARGE_N];
    for (size_t s = 0; s < n_sizes(); s++)
        for (int variant = 0; variant < 4; variant++) {
            fused_case *c = fused_setup(name, size_number(s), variant & 2, true);
            for (size_t i = 0; i < c->n; i++) {
                const double deviation = rounded(c->dtype, sqrt(get(c->dtype, c->in[1], i)));
                const double z = rounded(c->dtype, deviation * get(c->dtype, c->in[2], i));
                put_result(c->dtype, expected, i, rounded(c->dtype, get(c->dtype, c->in[0], i) + z));
            }
            uint8_t *y = variant & 1 ? c->in[2] : c->in[3];
            sample_normal(c->in[0], c->in[1], c->n, c->in[2], y);
            assert_same_bytes(y, expected, c->bytes, "%s: n %zu, variant %d", name, c->n, variant);
            assert_all_intact();
        }
}
