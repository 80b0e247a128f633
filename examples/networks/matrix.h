/* Products of matrices, row major, and what else the examples' networks share. */
#ifndef MATRIX_H
#define MATRIX_H

#include <dropwise.h>
#include <stddef.h>

/* What networks compute in: f32, and f64 where gradients are checked against central differences. */
#ifdef REAL_IS_F64
typedef double real;
enum { REAL = DROPWISE_F64 };
#else
typedef float real;
enum { REAL = DROPWISE_F32 };
#endif

/* To be called before the first product: each will run in the thread that asks for it. Says what computes
 * them: a BLAS, or loops where there is none. */
const char *products_begin(void);

/* C = A B + bias, with A m x k, B k x n, and a bias of n numbers; NULL: C += A B. */
void multiply(size_t m, size_t k, size_t n, const real *a, const real *b, const real *bias, real *c);

/* C = A^T B, with A m x k, B m x n, C k x n. */
void multiply_transposed_a(size_t m, size_t k, size_t n, const real *a, const real *b, real *c);

/* C = A B^T, with A m x n, B k x n, C m x k. */
void multiply_transposed_b(size_t m, size_t n, size_t k, const real *a, const real *b, real *c);

/* sum = the sum of the m rows of A, m x n. */
void sum_rows(size_t m, size_t n, const real *a, real *sum);

/* The place of the largest number, the first one if there are several. */
size_t largest(const real *row, size_t n);

/* The logits of a row become probabilities; the loss, which is cross-entropy, of its label. */
double softmax_loss(real *row, size_t n, int label);

/*
 * Step number `step`, from 1, of Adam (D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization",
 * ICLR 2015) with its usual settings; mean and square are its moments, zero before the first step.
 */
void adam(real *w, const real *gradient, real *mean, real *square, size_t n, double learning_rate,
          double step);

#endif
