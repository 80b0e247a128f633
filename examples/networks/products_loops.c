/* Products of matrices where there is no BLAS. */
#include <string.h>

#include "matrix.h"

const char *products_begin(void)
{
    return "loops of the examples";
}

/* Four rows of B at a time, so that C is loaded less often. */
void multiply(size_t m, size_t k, size_t n, const real *a, const real *b, const real *bias, real *c)
{
    for (size_t i = 0; i < m; i++) {
        real *restrict row = c + i * n;
        if (bias != NULL)
            memcpy(row, bias, n * sizeof *row);
        for (size_t l = 0; l + 4 <= k; l += 4) {
            const real a0 = a[i * k + l], a1 = a[i * k + l + 1];
            const real a2 = a[i * k + l + 2], a3 = a[i * k + l + 3];
            const real *b0 = b + l * n, *b1 = b0 + n, *b2 = b1 + n, *b3 = b2 + n;
            for (size_t j = 0; j < n; j++)
                row[j] += a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j];
        }
        for (size_t l = k / 4 * 4; l < k; l++)
            for (size_t j = 0; j < n; j++)
                row[j] += a[i * k + l] * b[l * n + j];
    }
}

void multiply_transposed_a(size_t m, size_t k, size_t n, const real *a, const real *b, real *c)
{
    for (size_t l = 0; l < k; l++) {
        real *restrict row = c + l * n;
        memset(row, 0, n * sizeof *row);
        size_t i = 0;
        for (; i + 4 <= m; i += 4) {
            const real a0 = a[i * k + l], a1 = a[(i + 1) * k + l];
            const real a2 = a[(i + 2) * k + l], a3 = a[(i + 3) * k + l];
            const real *b0 = b + i * n, *b1 = b0 + n, *b2 = b1 + n, *b3 = b2 + n;
            if (a0 == 0 && a1 == 0 && a2 == 0 && a3 == 0) /* half of the units after a ReLU are 0 */
                continue;
            for (size_t j = 0; j < n; j++)
                row[j] = row[j] + a0 * b0[j] + a1 * b1[j] + a2 * b2[j] + a3 * b3[j];
        }
        for (; i < m; i++)
            for (size_t j = 0; j < n; j++)
                row[j] += a[i * k + l] * b[i * n + j];
    }
}

/* Eight partial sums, as compilers may not reorder one. */
void multiply_transposed_b(size_t m, size_t n, size_t k, const real *a, const real *b, real *c)
{
    for (size_t i = 0; i < m; i++) {
        for (size_t l = 0; l < k; l++) {
            const real *x = a + i * n, *y = b + l * n;
            real sum[8] = {0};
            size_t j = 0;
            for (; j + 8 <= n; j += 8)
                for (size_t s = 0; s < 8; s++)
                    sum[s] += x[j + s] * y[j + s];
            for (; j < n; j++)
                sum[0] += x[j] * y[j];
            c[i * k + l] = ((sum[0] + sum[4]) + (sum[1] + sum[5])) + ((sum[2] + sum[6]) + (sum[3] + sum[7]));
        }
    }
}
