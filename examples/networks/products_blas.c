/* Products of matrices by OpenBLAS. */
#include <cblas.h>
#include <string.h>

#include "matrix.h"

#ifdef REAL_IS_F64
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

/* Programs have threads of their own, a network each: more threads in a product would be in their way. */
const char *products_begin(void)
{
    openblas_set_num_threads(1);
    return "OpenBLAS";
}

void multiply(size_t m, size_t k, size_t n, const real *a, const real *b, const real *bias, real *c)
{
    for (size_t i = 0; i < m && bias != NULL; i++)
        memcpy(c + i * n, bias, n * sizeof *c);
    GEMM(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)k, b, (int)n, 1, c,
         (int)n);
}

void multiply_transposed_a(size_t m, size_t k, size_t n, const real *a, const real *b, real *c)
{
    GEMM(CblasRowMajor, CblasTrans, CblasNoTrans, (int)k, (int)n, (int)m, 1, a, (int)k, b, (int)n, 0, c,
         (int)n);
}

void multiply_transposed_b(size_t m, size_t n, size_t k, const real *a, const real *b, real *c)
{
    GEMM(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)k, (int)n, 1, a, (int)n, b, (int)n, 0, c,
         (int)k);
}
