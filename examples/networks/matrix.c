#include "matrix.h"

#include <string.h>
#include <tgmath.h>

void sum_rows(size_t m, size_t n, const real *a, real *sum)
{
    memset(sum, 0, n * sizeof *sum);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            sum[j] += a[i * n + j];
}

size_t largest(const real *row, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = row[i] > row[best] ? i : best;
    return best;
}

double softmax_loss(real *row, size_t n, int label)
{
    real top = row[0];
    for (size_t j = 1; j < n; j++)
        top = row[j] > top ? row[j] : top;
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += exp((double)row[j] - (double)top);
    const double loss = log(sum) - ((double)row[label] - (double)top);
    for (size_t j = 0; j < n; j++)
        row[j] = (real)(exp((double)row[j] - (double)top) / sum);
    return loss;
}

void adam(real *w, const real *gradient, real *mean, real *square, size_t n, double learning_rate,
          double step)
{
    const real rate = (real)(learning_rate * sqrt(1 - pow(0.999, step)) / (1 - pow(0.9, step)));
    for (size_t i = 0; i < n; i++) {
        mean[i] = (real)0.9 * mean[i] + (real)0.1 * gradient[i];
        square[i] = (real)0.999 * square[i] + (real)0.001 * gradient[i] * gradient[i];
        w[i] -= rate * mean[i] / (sqrt(square[i]) + (real)1e-8);
    }
}
