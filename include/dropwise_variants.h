/*
 * dropwise: relatives of dropout that do something else with what is kept and what is dropped, or drop by
 * degrees, from the same masks and counters as dropwise.h.
 *
 *     alpha dropout      for self-normalizing networks: mean and variance stay
 *     zoneout            a dropped element keeps its value of the step before
 *     Gaussian dropout   multiplies by normal noise of the same variance as dropout
 *     Gaussian noise     adds normal noise
 *     concrete dropout   relaxes the mask, so that p can be learned
 *
 * What dropwise.h says of every function holds here too. Besides that:
 *
 *   Views       Tensors are described by a dropwise_view (dropwise.h). Its last dimension is a row; x_stride
 *               and y_stride are 1 along it. All other strides, shards and shared masks work as there: alpha
 *               dropout with the mask shared along H and W is feature-alpha dropout, concrete dropout so
 *               is its spatial form. Rows that follow each other in memory and in the mask cost no more
 *               than one long row.
 *   Mask        Its scaling does not count here.
 *   Precision   f64 is computed in f64, all other dtypes in f32, with one rounding where an output is
 *               written. Multiply and add are rounded separately. Parameters are worked out in double and
 *               rounded once to the type that is computed in. NaN that noise or two tensors make come out as
 *               the quiet NaN; alpha dropout keeps NaN as dropout does, zoneout moves any bits.
 *   Sums        are added in f64, whatever the dtype, in one fixed order: each term is rounded to the type
 *               that is computed in, then added to one of 16 partial sums, which start at +0; then sum k +=
 *               sum k + 8 for k < 8, sum k + 4 for k < 4, + 2, + 1.
 *   Identical   Results are the same bits on every tier. In f32 the functions of normal noise and concrete
 *               dropout are the library's own. In f64 they are SLEEF's deterministic ones (dropwise_fused.h
 *               says which), exp of 1 ULP and ln, sin and cos of 3.5 ULP; there both give
 *               DROPWISE_ERROR_MATH in a build without SLEEF, and on x86 CPUs without FMA.
 *   Aliasing    An output is one of the inputs of its own shape, with equal strides, or overlaps nothing.
 */
#ifndef DROPWISE_VARIANTS_H
#define DROPWISE_VARIANTS_H

#include <dropwise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Alpha dropout ------------------------------------------------------------------------ */

/*
 * G. Klambauer, T. Unterthiner, A. Mayr, S. Hochreiter, "Self-normalizing neural networks", NIPS 2017, "New
 * dropout technique". With q the keep probability and alpha' = -1.7580993408473766, which SELU tends to at
 * -infinity,
 *
 *     y = a x + b           where the mask keeps,    a = 1 / sqrt(q + alpha'^2 q (1 - q))
 *     y = a alpha' + b      where it drops,          b = -a alpha' (1 - q)
 *
 * so that inputs of mean 0 and variance 1 give such outputs. p = 0 copies, p = 1 gives zeros. At inference
 * nothing is done.
 *
 * x       by x_stride, y by y_stride. In place: y == x with equal strides.
 * stored  as in dropwise_forward_view: NULL, or where to write the mask.
 *
 * PyTorch's alpha_dropout and feature_alpha_dropout and Keras' AlphaDropout write the same function in
 * other letters. For p = 1 PyTorch multiplies by 0, so that NaN stay, and Keras gives NaN.
 * Errors: those of dropwise_forward_view, and SHAPE (rows of length 0, or not contiguous).
 */
DROPWISE_API dropwise_status dropwise_alpha_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view, const void *x, void *y,
                                                    const dropwise_stored *stored);

/* dx = a dy where the mask keeps, +0.0 where it drops. stored as in dropwise_backward_view. */
DROPWISE_API dropwise_status dropwise_alpha_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                     const dropwise_view *view, const void *dy, void *dx,
                                                     const dropwise_stored *stored);

/* ---- Zoneout ------------------------------------------------------------------------------ */

/*
 * D. Krueger et al., "Zoneout: regularizing RNNs by randomly preserving hidden activations", ICLR 2017: a
 * dropped unit keeps its value of the step before. With p the probability of that,
 *
 *     y = h       where the mask keeps, the new value
 *     y = before  where it drops,
 *
 * bit for bit. Use another stream for each step, and for the cell and the hidden state of an LSTM.
 *
 * h       by x_stride; before and y by y_stride. In place: y == h with equal strides, or y == before.
 * stored  as in dropwise_forward_view.
 *
 * Recurrent dropout without memory loss (S. Semeniuta, A. Severyn, E. Barth, COLING 2016) needs no function
 * of its own: it is dropwise_forward of the candidate g in c = f * c_before + i * g, alone.
 * Errors: those of dropwise_forward_view, and SHAPE (rows of length 0, or not contiguous).
 */
DROPWISE_API dropwise_status dropwise_zoneout_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                      const dropwise_view *view, const void *h,
                                                      const void *before, void *y,
                                                      const dropwise_stored *stored);

/*
 * dh = dy where the mask keeps, dbefore = dy where it drops, +0.0 elsewhere.
 *
 * dy      by x_stride; dh and dbefore by y_stride. In place: one of them is dy, with equal strides.
 * stored  as in dropwise_backward_view.
 */
DROPWISE_API dropwise_status dropwise_zoneout_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_view *view, const void *dy, void *dh,
                                                       void *dbefore, const dropwise_stored *stored);

/*
 * Inference, the expectation: y = q h + (1 - q) before, with q = keep_threshold / 2^40; for q = 1 and 0 a
 * copy. Arguments as for dropwise_zoneout_forward; no mask is drawn. Chainer's zoneout takes y = h here.
 */
DROPWISE_API dropwise_status dropwise_zoneout_infer(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view, const void *h,
                                                    const void *before, void *y);

/* ---- Random numbers ----------------------------------------------------------------------- */

/*
 * Numbers that the functions below are made of, for uses of their own: those of the mask's seed and stream,
 * whatever its p. Strides of y are y_stride; numbers are shared along dimensions whose mask stride is 0.
 *
 * Each element has a 32-bit word w of the stream (docs/stream.md, domain 2), and the uniform number
 *
 *     u(w) = (w + 1/2) / 2^32,    2^-33 <= u < 1.
 *
 * In f64 it is exact. In f32 it is w, rounded to f32, times 2^-32, plus 2^-33, rounded, and at most
 * 1 - 2^-24. An even narrower dtype may round it to 0 or 1.
 * Errors: of the mask, DTYPE, STRUCT_SIZE, RESERVED, RANK, SHAPE (rows), SIZE, SELF_OVERLAP, RANGE, NULL.
 */
DROPWISE_API dropwise_status dropwise_draw_uniform(const dropwise_mask *mask, dropwise_dtype dtype,
                                                   const dropwise_view *view, void *y);

/*
 * Standard normal numbers (G. E. P. Box, M. E. Muller, "A note on the generation of random normal deviates",
 * 1958). Elements i and i + 1, i even, share two words w0 and w1 of domain 3:
 *
 *     z(i) = r cos(2 pi u(w1)),    z(i + 1) = r sin(2 pi u(w1)),    r = sqrt(-2 ln u(w0)).
 *
 * As u is at least 2^-33, |z| is at most 6.764: normal numbers beyond have a probability of 1.4e-11 and do
 * not come. Tails up to there are as they should be: that of |z| > 6, which has a probability of 2.0e-9, to
 * 0.2 percent. In f32 numbers are within 3.5 ULP of the formulas, in f64 within 8.
 * Errors: those of dropwise_draw_uniform, MATH.
 */
DROPWISE_API dropwise_status dropwise_draw_normal(const dropwise_mask *mask, dropwise_dtype dtype,
                                                  const dropwise_view *view, void *y);

/* ---- Normal noise ------------------------------------------------------------------------- */

/*
 * Gaussian dropout (N. Srivastava et al., JMLR 15, 2014, section 10; S. Wang, C. Manning, "Fast dropout
 * training", ICML 2013):
 *
 *     y = x (1 + sigma z),    sigma = sqrt(p / (1 - p)),
 *
 * z the normal numbers of dropwise_draw_normal: the mean and the variance of dropout with p. The p is that of
 * the mask, p = 1 - keep_threshold / 2^40; p = 1 is PARAMETER. At inference nothing is done. Keras'
 * GaussianDropout is the same function.
 *
 * x by x_stride, y by y_stride. In place: y == x with equal strides.
 * Errors: those of dropwise_forward_view but for stored masks, SHAPE (rows), PARAMETER, MATH.
 */
DROPWISE_API dropwise_status dropwise_gaussian_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_view *view, const void *x, void *y);

/* dx = dy (1 + sigma z): the forward function again. */
DROPWISE_API dropwise_status dropwise_gaussian_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                        const dropwise_view *view, const void *dy, void *dx);

/*
 * Gaussian noise: y = x + sigma z, whatever the p of the mask. sigma is finite and not negative, else
 * PARAMETER. The gradient passes as it is. Otherwise as dropwise_gaussian_forward.
 */
DROPWISE_API dropwise_status dropwise_gaussian_noise(const dropwise_mask *mask, dropwise_dtype dtype,
                                                     const dropwise_view *view, double sigma, const void *x,
                                                     void *y);

/* ---- Concrete dropout --------------------------------------------------------------------- */

/*
 * Y. Gal, J. Hron, A. Kendall, "Concrete dropout", NIPS 2017: p is learned. Training changes its logit a, of
 * which p = 1 / (1 + exp(-a)). Fill the struct with dropwise_concrete_init, then change fields.
 */
typedef struct dropwise_concrete {
    uint32_t struct_size;       /* sizeof(dropwise_concrete)                                       */
    uint32_t reserved[5];       /* zero                                                            */
    double logit;               /* a, from -64 to 64                                               */
    double temperature;         /* t, from 2^-20 to 2^20; the authors take 0.1, spatially 2/3      */
    double weight_regularizer;  /* l^2 / (tau N): N examples, prior length scale l, precision tau  */
    double dropout_regularizer; /* 2 / (tau N) for a Euclidean loss, 1 / (tau N) for cross-entropy */
    uint64_t features;          /* D, the inputs that are dropped; in the spatial form channels    */
} dropwise_concrete;

/* A logit and a temperature; no regularizers and no features. Errors: NULL, PARAMETER. */
DROPWISE_API dropwise_status dropwise_concrete_init(dropwise_concrete *concrete, double logit,
                                                    double temperature);

/*
 * p of the logit: to show it, and to make a mask of it once it is learned.
 * Errors: of *concrete NULL, STRUCT_SIZE, RESERVED, PARAMETER; NULL.
 */
DROPWISE_API dropwise_status dropwise_concrete_probability(const dropwise_concrete *concrete, double *p);

/*
 *     y = x (1 - z) / (1 - p),    z = 1 / (1 + exp(-(a + ln(u / (1 - u))) / t)),
 *
 * u the uniform numbers of dropwise_draw_uniform; 1 - u is the number of the complement of the word, so that
 * in f32 it has all of its digits. z is the part that is dropped: as t goes to 0 it becomes 0 or 1, and this
 * becomes dropout with p. At inference nothing is done, or y is averaged over many streams. The p of the mask
 * does not count. In f32, 1 - z is within 2.5 (1 + z (|a| + |ln(u / (1 - u))|) / t) ULP, but where it is
 * below 2^-126 it may be 0.
 *
 * The authors' programs (concrete-dropout-keras.ipynb and others) add 1e-7 in each logarithm, against ln 0,
 * which does not occur here; that of PyTorch draws one u for the whole tensor, which is a view with all
 * dimensions shared.
 *
 * x by x_stride, y by y_stride. In place: y == x with equal strides.
 * Errors: those of dropwise_forward_view but for stored masks, SHAPE (rows), MATH; of *concrete NULL,
 * STRUCT_SIZE, RESERVED, PARAMETER (a field is not finite or out of its range).
 */
DROPWISE_API dropwise_status dropwise_concrete_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_view *view,
                                                       const dropwise_concrete *concrete, const void *x,
                                                       void *y);

/*
 *     dx = dy (1 - z) / (1 - p),    *dlogit = sum of dx x (p - z / t),
 *
 * the sum over all elements: that at column c of its row is added to partial sum c mod 16, row after row.
 *
 * dy      by x_stride; x, the input of the forward pass, and dx by y_stride. In place: dx == dy with equal
 *         strides, or dx == x.
 * dlogit  overwritten, or added to, by the mask's flag; overlaps nothing.
 */
DROPWISE_API dropwise_status dropwise_concrete_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                        const dropwise_view *view,
                                                        const dropwise_concrete *concrete, const void *dy,
                                                        const void *x, void *dx, double *dlogit);

/*
 * What the loss gets besides, for each layer of weights w behind a concrete dropout:
 *
 *     *value  = weight_regularizer S / (1 - p) + dropout_regularizer D (p ln p + (1 - p) ln(1 - p)),
 *     *dlogit = weight_regularizer S p / (1 - p) + dropout_regularizer D a p (1 - p),
 *     *decay  = 2 weight_regularizer / (1 - p): the gradient to each weight is *decay times the weight,
 *
 * with S the sum of w^2 over all n weights, which lie one after the other. This is the paper's KL term with
 * the prior's length scale for w / (1 - p), as inverted dropout makes the weights, scaled as the authors'
 * programs scale it. Tensors of one layer add up: give the others a copy with features = 0.
 *
 * Weight i is added to partial sum i mod 16.
 * Errors: of *concrete as above, DTYPE, SIZE, NULL, OVERLAP (of the results with each other or with the
 * weights).
 */
DROPWISE_API dropwise_status dropwise_concrete_regularizer(const dropwise_concrete *concrete,
                                                           dropwise_dtype dtype, uint64_t n,
                                                           const void *weights, double *value, double *dlogit,
                                                           double *decay);

#ifdef __cplusplus
}
#endif

#endif /* DROPWISE_VARIANTS_H */
