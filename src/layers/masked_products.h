/*
 * Products with weights that are dropped: bits for some rows of a matrix, then a kernel that multiplies them.
 * The products of DropConnect and their gradients.
 */
#ifndef DROPWISE_MASKED_PRODUCTS_H
#define DROPWISE_MASKED_PRODUCTS_H

#include "apply/dtype.h"
#include "draw/draw.h"
#include "dropwise_dropconnect.h"
#include "kernels/kernels.h"

typedef struct product_kernels {
    dropwise_masked_dot_fn *masked_dot;
    dropwise_masked_axpy_fn *masked_axpy;
    dropwise_dot_moments_fn *dot_moments;
    dropwise_fold_sums_fn *fold_sums;
} product_kernels;

/* A call, after it was checked. */
typedef struct product_call {
    const dropwise_dropconnect *layer;
    product_kernels kernels;
    dropwise_widen_fn *widen; /* NULL for f32 and f64 */
    dropwise_narrow_fn *narrow;
    dropwise_dtype dtype;
    size_t element_bytes, real_bytes;
    draw_plan draw;
    real scale; /* of the sums of what is kept */
} product_call;

/*
 * y = bias + scale * (M * w) x. With a variance to write there are no masks, y is the mean, and the variance
 * is square_scale times the sum of squared products.
 */
typedef struct product {
    const void *w, *x, *bias;
    void *y, *variance;
    real square_scale;
} product;

/* Where an element of a matrix lies, input or output. */
static inline uint8_t *element_at(const void *p, uint64_t row, uint64_t stride, uint64_t column, size_t bytes)
{
    return (uint8_t *)(uintptr_t)p + (row * stride + column) * bytes;
}

product_call dropwise_begin_products(const dropwise_mask *mask, dropwise_dtype dtype,
                                     const dropwise_dropconnect *layer);

void dropwise_multiply_masked(const product_call *c, const product *p);

/* The gradient of x, which may be added, too; those of the weights and of the bias, which grow by it. */
void dropwise_gradient_x(const product_call *c, const void *w, const void *dy, bool adds, void *dx);
void dropwise_gradient_w(const product_call *c, const void *x, const void *dy, void *dw);
void dropwise_gradient_bias(const product_call *c, const void *dy, void *db);

#endif
