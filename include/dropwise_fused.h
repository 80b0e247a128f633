/*
 * dropwise: the steps of a network that dropout stands in the middle of, each in one pass over memory,
 * forward and backward, with the masks of dropwise.h.
 *
 *     y = residual + dropout(x + bias)             the end of a transformer's sublayers
 *     y = dropout(activation(x + bias))            feed-forward layers
 *     y = dropout(softmax(scale * x + add))        the rows of attention
 *
 * What dropwise.h says of every function holds here too: reproducible, stateless, caller's memory, statuses.
 * Besides that:
 *
 *   Views       Tensors are described by a dropwise_view (dropwise.h). Its last dimension is a row; x_stride
 *               and y_stride are 1 along it. All other strides, shards and shared masks work as there.
 *   Precision   f64 is computed in f64, all other dtypes in f32, with one rounding where an output is
 *               written. Multiply and add are rounded separately. NaN that come out are the quiet NaN.
 *   Sums        are added in one fixed order: 16 partial sums, element i into sum i mod 16, starting at +0;
 *               then sum k += sum k + 8 for k < 8, sum k + 4 for k < 4, + 2, + 1.
 *   Identical   Results, sums and functions included, are the same bits on every tier. In f32 the functions
 *               are the library's own. In f64 they are those of SLEEF's "finz" family (deterministic, with
 *               FMA, of 1 ULP; N. Shibata, F. Petrogalli, "SLEEF: a portable vectorized library of C standard
 *               mathematical functions", IEEE TPDS 31(6), 2020) in the version that the library is linked to.
 *   Aliasing    An output is one of the inputs of its own shape, with equal strides, or overlaps nothing.
 *
 * In f64 GELU, SiLU and softmax give DROPWISE_ERROR_MATH in a build without SLEEF, and on x86 CPUs without
 * FMA.
 */
#ifndef DROPWISE_FUSED_H
#define DROPWISE_FUSED_H

#include <dropwise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Residual ----------------------------------------------------------------------------- */

/*
 * y = residual + dropout(x + bias).
 *
 * x         by x_stride; y and residual by y_stride. In place: y == x with equal strides, or y == residual.
 * bias      a row of the view's last size, added to every row, or NULL for none.
 * residual  NULL for none.
 * stored    as in dropwise_forward_view: NULL, or where to write the mask.
 * Errors: those of dropwise_forward_view, and SHAPE (rows of length 0, or not contiguous).
 */
DROPWISE_API dropwise_status dropwise_residual_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_view *view, const void *x,
                                                       const void *bias, const void *residual, void *y,
                                                       const dropwise_stored *stored);

/*
 * dx = dy * s where the mask keeps, +0.0 elsewhere; dbias is the sum of dx over all rows. The gradient of the
 * residual is dy itself.
 *
 * dy      by x_stride, dx by y_stride; in place: dx == dy with equal strides.
 * dbias   NULL, or where to write a row of sums, in f64 for f64 and in f32 for all other dtypes. Summed is
 *         dx before it is rounded to a narrower dtype, row r (in row-major order) as element r. Overwritten
 *         unless the mask has the flag DROPWISE_ACCUMULATE.
 * stored  as in dropwise_backward_view: NULL to draw the mask again, or the stored mask.
 */
DROPWISE_API dropwise_status dropwise_residual_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                        const dropwise_view *view, const void *dy, void *dx,
                                                        void *dbias, const dropwise_stored *stored);

/* ---- Activations -------------------------------------------------------------------------- */

typedef int32_t dropwise_activation;

enum dropwise_activations {
    DROPWISE_RELU = 1,      /* 0 if z < 0, else z: NaN and -0.0 stay                           */
    DROPWISE_GELU = 2,      /* z Phi(z) = z (1 + erf(z / sqrt 2)) / 2                          */
    DROPWISE_GELU_TANH = 3, /* z (1 + tanh(sqrt(2 / pi) (z + 0.044715 z^3))) / 2               */
    DROPWISE_SILU = 4       /* z / (1 + exp(-z))                                               */
};

/*
 * y = dropout(activation(x + bias)). Arguments as for dropwise_residual_forward.
 *
 * How far f32's functions are from the true ones at most, over all 2^32 numbers z = x + bias: by range, in
 * units in the last place of the result; and the error itself, of results above 1 their part of it. Of
 * slopes, which dropwise_activation_backward multiplies by, units say nothing where they pass 0. exp is
 * that of softmax.
 *
 *                     error   [-5,-3)  [-3,-1)   [-1,0)    [0,1)    [1,4)    [4,6)  from 6 on
 *     GELU          2^-22.9      55       8.1      2.6      1.6      1.1      0.8      0.6
 *     GELU_TANH     2^-22.8      23       7.2      2.4      1.8      1.8      1.1      0.6
 *     SILU          2^-22.9       2.2     2.4      2.4      1.8      1.7      1.5      1.5
 *     slope of GELU 2^-23                                   1.6      1.1      0.7      0.6
 *     of GELU_TANH  2^-22.1      24                         2.8      1.9      1.1      0.6
 *     of SILU       2^-22.1       4.8              4.1      3.0      3.1      1.8      1.8
 *     exp                         1.2     1.2      1.2   from -87.3 on; below that, from 0 to 2^-126
 *
 * Results of finite numbers are finite. At -infinity GELU and SiLU are 0, as are all slopes, and they are so
 * from -30, -10 (GELU_TANH) and -88 (SiLU) down already. At +infinity slopes are 1. Of a NaN all make a NaN.
 * In f64 the three functions are made as their formulas say: those of -infinity are NaN there.
 * Errors: those of dropwise_residual_forward, ACTIVATION, MATH.
 */
DROPWISE_API dropwise_status dropwise_activation_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                         const dropwise_view *view,
                                                         dropwise_activation activation, const void *x,
                                                         const void *bias, void *y,
                                                         const dropwise_stored *stored);

/*
 * dx = dy * s * activation'(x + bias) where the mask keeps, +0.0 elsewhere; dbias is the sum of dx over all
 * rows. ReLU's slope at 0 is 0.
 *
 * dy      by x_stride; x, the input of the forward pass, and dx by y_stride. In place: dx == dy with equal
 *         strides, or dx == x.
 * Other arguments as for dropwise_residual_backward.
 */
DROPWISE_API dropwise_status dropwise_activation_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                          const dropwise_view *view,
                                                          dropwise_activation activation, const void *dy,
                                                          const void *x, const void *bias, void *dx,
                                                          void *dbias, const dropwise_stored *stored);

/* ---- Attention ---------------------------------------------------------------------------- */

/* How logits are made of scores: fill with dropwise_softmax_init, then change fields. */
typedef struct dropwise_softmax {
    uint32_t struct_size;  /* sizeof(dropwise_softmax)                                                  */
    uint32_t causal;       /* 1: column c of row r counts if c <= r + causal_offset, where r is the
                            * coordinate in the last dimension but one; 0: all columns count            */
    double scale;          /* finite; rounded to f32 but for f64. Usually 1 / sqrt(size of a head)      */
    int64_t causal_offset; /* keys before the first query: 0, or columns - rows                         */
    const void *add;       /* NULL, or numbers of the dtype that are added to the scaled scores         */
    int64_t add_stride[DROPWISE_MAX_RANK]; /* in elements, 0 where add is shared; 1 along a row         */
    uint64_t reserved[2]; /* zero                                                                      */
} dropwise_softmax;

/* Scale, and neither a causal nor an additive mask. Errors: NULL, PARAMETER (scale is not finite). */
DROPWISE_API dropwise_status dropwise_softmax_init(dropwise_softmax *softmax, double scale);

/*
 * p = softmax(scale * x + add) along rows, y = dropout(p).
 *
 * x              by x_stride; y and probabilities by y_stride. In place: y == x with equal strides.
 * probabilities  NULL, or where to write p, which the backward pass needs.
 *
 * With m the largest logit of a row, p = exp(logit - m) * (1 / sum of exp(logit - m)). Columns that do not
 * count, by the causal mask or by -infinity, have p = 0; a row in which none counts is all 0. A NaN or
 * +infinity among the logits makes the row NaN where it counts. Rows may have any length; beyond 4,096
 * elements exp is computed twice.
 * Errors: those of dropwise_residual_forward, PARAMETER (scale, causal), MATH.
 */
DROPWISE_API dropwise_status dropwise_softmax_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                      const dropwise_view *view,
                                                      const dropwise_softmax *softmax, const void *x,
                                                      void *probabilities, void *y,
                                                      const dropwise_stored *stored);

/*
 * dx = scale * p * (dp - sum of dp * p over the row), with dp = dy * s where the mask keeps, +0.0 elsewhere.
 * Of *softmax only scale and the causal mask count; columns that it leaves out get +0.0.
 *
 * dy              by x_stride; probabilities, as the forward pass wrote them, and dx by y_stride. In place:
 *                 dx == dy with equal strides, or dx == probabilities.
 */
DROPWISE_API dropwise_status dropwise_softmax_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_view *view,
                                                       const dropwise_softmax *softmax, const void *dy,
                                                       const void *probabilities, void *dx,
                                                       const dropwise_stored *stored);

#ifdef __cplusplus
}
#endif

#endif /* DROPWISE_FUSED_H */
