/*
 * dropwise: DropConnect, dropout of the weights of a linear layer instead of its inputs (L. Wan, M. Zeiler,
 * S. Zhang, Y. LeCun, R. Fergus, "Regularization of neural networks using DropConnect", ICML 2013).
 *
 * One mask for a batch
 *
 * Weights are a tensor like others, and nothing of this header is needed: dropwise_forward_view makes the
 * masked copy that the batch, or all steps of a sequence, is multiplied by, and dropwise_backward_view turns
 * the gradient of that copy into the gradient of the weights. The views are
 *
 *   name                                    sizes           mask is shared along
 *   DropConnect, one mask for a batch       rows, columns   nothing
 *   WeightDrop of recurrent weights         4 H, H          nothing
 *   WeightDrop, "variational"               4 H, H          columns: whole rows are dropped
 *
 * (S. Merity, N. S. Keskar, R. Socher, "Regularizing and optimizing LSTM language models", ICLR 2018:
 * AWD-LSTM.) What EfficientNets call drop_connect drops whole samples, which is stochastic depth.
 *
 * A mask for each sample
 *
 * As published, each sample of a batch has a mask of its own. Such masks are many times as large as the
 * weights, so they are neither stored nor applied to copies: the functions below draw them as they multiply.
 *
 *     y[b][o] = bias[o] + s * sum over i of m[b][o][i] * w[o][i] * x[b][i]          training, forward
 *     dx[b][i] = s * sum over o of m[b][o][i] * w[o][i] * dy[b][o]                  training, backward
 *     dw[o][i] += s * sum over b of m[b][o][i] * x[b][i] * dy[b][o],   db[o] += sum over b of dy[b][o]
 *     mean and variance of y[b][o], and samples of the normal distribution with these       inference
 *
 * with the keep bit of weight (o, i) in sample b
 *
 *     m[b][o][i] = bit of mask index first + b * mask_sample_stride + o * mask_row_stride + i
 *
 * which is first + (b * rows + o) * columns + i unless other strides are asked for, and the mask's scale s of
 * dropwise_forward. A product whose bit is 0 is left out by selection: it adds +0.0 whatever its factors are.
 *
 * What dropwise.h says of every function holds here too: reproducible, stateless, caller's memory, statuses.
 * Besides that:
 *
 *   Precision   f64 is computed in f64, all other dtypes in f32, with one rounding where an output is
 *               written. Multiply and add are rounded separately. NaN that come out are the quiet NaN.
 *   Sums        are added in one fixed order: 16 partial sums, element k into sum k mod 16, starting at +0;
 *               then sum j += sum j + 8 for j < 8, sum j + 4 for j < 4, + 2, + 1. An element is a rounded
 *               product. The total is multiplied by s, and that is added to the bias or to dw.
 *   Identical   Results are the same bits on every tier.
 *   Aliasing    From their first to their last byte, outputs overlap neither inputs nor each other.
 *   Shards      Who holds some of the samples gets the y and dx of the whole layer there, who holds some of
 *               the rows its y, dw and db, bit for bit. What is summed over rows or samples is the sum of
 *               the shards' results, up to rounding.
 *
 * The paper drops biases too: for that, append them to w as a column, and a 1 to each x. It leaves weights
 * that are kept as they are, which is DROPWISE_SCALING_STANDARD. Chainer's simplified_dropconnect has a mask
 * for each sample as well (use_batchwise_mask), with inverted scaling; it keeps biases and infers by the mean
 * alone.
 */
#ifndef DROPWISE_DROPCONNECT_H
#define DROPWISE_DROPCONNECT_H

#include <dropwise.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The sizes of a layer, and where its matrices lie: fill with dropwise_dropconnect_init, then change fields.
 *
 *   w, dw           rows of `columns` elements, w_stride apart
 *   x, dx           samples of `columns` elements, x_stride apart; x_stride 0 is one x for all samples, as in
 *                   averages over masks
 *   y, dy           samples of `rows` elements, y_stride apart; mean and variance likewise
 *   bias, db        `rows` elements
 *
 * A shard of rows [from, from + n): first += from * mask_row_stride, rows = n, and w, y and bias point at
 * their elements of row `from`. A shard of samples: first += from * mask_sample_stride, samples = n, and x
 * and y point at theirs. All strides stay.
 *
 * A mask_sample_stride of 0 is one mask for all samples; a mask_row_stride of 0 drops inputs, as ordinary
 * dropout does.
 */
typedef struct dropwise_dropconnect {
    uint32_t struct_size;        /* sizeof(dropwise_dropconnect)              */
    uint32_t reserved[7];        /* zero                                      */
    uint64_t first;              /* mask index of weight (0, 0) in sample 0   */
    uint64_t samples;            /* 0: nothing is done                        */
    uint64_t rows;               /* outputs of the layer, at least 1          */
    uint64_t columns;            /* inputs of the layer, at least 1           */
    uint64_t mask_sample_stride; /* mask indices from sample to sample        */
    uint64_t mask_row_stride;    /* mask indices from row to row              */
    uint64_t w_stride;           /* elements from row to row                  */
    uint64_t x_stride;           /* elements from sample to sample            */
    uint64_t y_stride;           /* elements from sample to sample            */
} dropwise_dropconnect;

/*
 * Dense matrices, and the mask indices (b * rows + o) * columns + i.
 * Errors: NULL, SHAPE (rows or columns is 0), RANGE (more than 2^60 weights in all samples).
 */
DROPWISE_API dropwise_status dropwise_dropconnect_init(dropwise_dropconnect *layer, uint64_t samples,
                                                       uint64_t rows, uint64_t columns);

/*
 * Training, forward. A matrix-vector product is the call for one sample.
 *
 * bias  NULL for none.
 * Errors: of the mask, DTYPE, NULL, STRUCT_SIZE, RESERVED, SHAPE (rows or columns is 0), RANGE (mask indices
 * of 2^60 and more), SIZE (more bytes than an object can have), SELF_OVERLAP (rows of an output overlap each
 * other), OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_dropconnect_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                          const dropwise_dropconnect *layer, const void *w,
                                                          const void *x, const void *bias, void *y);

/*
 * Training, backward, with the masks of the forward pass. Each of dx, dw and db may be NULL: not wanted.
 *
 * w   is read for dx only, x for dw only; else they may be NULL.
 * dx  is written, or added to, by the mask's flag; elements of the sum are rows.
 * dw  is added to: fill it with zeros before the first call. In f64 for f64 and in f32 for all other dtypes.
 *     Elements of the sum are samples.
 * db  likewise; it has no masks, and s does not count.
 * Errors: those of dropwise_dropconnect_forward.
 */
DROPWISE_API dropwise_status dropwise_dropconnect_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                           const dropwise_dropconnect *layer, const void *w,
                                                           const void *x, const void *dy, void *dx, void *dw,
                                                           void *db);

/*
 * Inference: mean and variance of y over all masks. With q = keep_threshold / 2^40 and the products
 * t[i] = w[o][i] * x[b][i]
 *
 *     mean[b][o] = bias[o] + q s * sum over i of t[i]
 *     variance[b][o] = (1 - q) q s^2 * sum over i of t[i]^2
 *
 * The factors are q and (1 - q) q with standard scaling, as in the paper, 1 and (1 - q) / q with inverted
 * scaling, and 0 for q = 0, computed as double and rounded to f32 but for f64. Results are in f64 for f64 and
 * in f32 for all other dtypes. No mask is drawn.
 * bias  NULL for none.
 * Errors: those of dropwise_dropconnect_forward.
 */
DROPWISE_API dropwise_status dropwise_dropconnect_moments(const dropwise_mask *mask, dropwise_dtype dtype,
                                                          const dropwise_dropconnect *layer, const void *w,
                                                          const void *x, const void *bias, void *mean,
                                                          void *variance);

/*
 * Inference, as the paper goes on: a sample of the normal distribution with these moments,
 *
 *     y[j] = mean[j] + sqrt(variance[j]) * z,
 *
 * z the normal number of element first + j (dropwise_draw_normal of <dropwise_variants.h>) of the mask's seed
 * and stream, whatever its p. The paper averages the activations of some such samples: that costs a number
 * for each output, not for each weight. Give each sample numbers of its own by `first` or by the stream.
 *
 * mean, variance  n numbers, in f64 for f64 and in f32 for all other dtypes
 * y               n elements. In place: y may be mean or variance where the dtype is f32 or f64.
 * Errors: of the mask, DTYPE, SIZE, RANGE, NULL, MATH, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_dropconnect_sample(const dropwise_mask *mask, dropwise_dtype dtype,
                                                         uint64_t first, size_t n, const void *mean,
                                                         const void *variance, void *y);

#ifdef __cplusplus
}
#endif

#endif /* DROPWISE_DROPCONNECT_H */
