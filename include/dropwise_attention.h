/*
 * dropwise: scaled-dot-product attention with dropout of the probabilities, forward and backward, without a
 * matrix of queries by keys in memory.
 *
 *     logits = scale * q k^T + add         p = softmax(logits) along keys         out = dropout(p) v
 *
 * (A. Vaswani et al., "Attention is all you need", NIPS 2017; in tiles, with a running maximum and a backward
 * pass from the log-sum-exp: T. Dao, D. Y. Fu, S. Ermon, A. Rudra, C. Re, "FlashAttention", NeurIPS 2022; the
 * running maximum: M. Milakov, N. Gimelshein, "Online normalizer calculation for softmax", 2018.)
 *
 * Two ways to use it
 *
 *   whole      dropwise_attention_forward, _backward: for those who have no such loop
 *   by tiles   what stands between the products of a loop that an engine has already: bits of rows, the tile
 *              functions, the end of rows, delta
 *
 * Both have one mask: element (b, h, i, j) of the probabilities, batch, head, query and key, is element
 *
 *     first + b * mask_stride[0] + h * mask_stride[1] + i * mask_stride[2] + j
 *
 * of it, ((b * heads + h) * queries + i) * keys + j unless other strides are asked for. So any tiling draws
 * the mask of the whole, and it is the mask of dropwise_softmax_forward on all probabilities.
 *
 * What dropwise.h says of every function holds here too: reproducible, stateless, caller's memory, statuses.
 * Besides that:
 *
 *   Types       f32, f16 and bf16, computed in f32, with one rounding where an output is written. Scores,
 *               maxima, sums, log-sum-exps and delta are f32 always, and lie where floats may. NaN that come
 *               out are the quiet NaN.
 *   Identical   Results are the same bits on every tier, however the work is split into calls. An element
 *               of a product is one chain of fused multiply-adds in the order of its index, which begins
 *               with +0; of bf16 in whole attention see there.
 *   Masks       A logit of -infinity does not count: its probability is 0. Nor does one that `add` brings
 *               below -2.3e38, as the lowest float does, which is infinite once it is times log2(e). A query
 *               without any key that counts has out = 0, a log-sum-exp of +infinity, and gradients of 0.
 *   NaN         A NaN or +infinity among the logits of a query makes its out NaN. What is dropped or does not
 *               count takes part in products as a 0: a NaN or an infinity in v, k, q or dout may make NaN of
 *               outputs that do not depend on it.
 *   Precision   Powers are of 2, of logits times log2(e) less their maximum or log-sum-exp: within 1.5 ULP of
 *               those of what they are given down to 2^-126, and from 0 to 2^-126 below that.
 *
 * A build with the option attention turned off (docs/embedding.md) has none of these functions.
 */
#ifndef DROPWISE_ATTENTION_H
#define DROPWISE_ATTENTION_H

#include <dropwise.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Whole ------------------------------------------------------------------------------- */

/*
 * Products of bf16
 *
 * With bf16 each operand of a product is one: probabilities and, backward, they and the gradients of scores
 * are rounded to bf16 before they are multiplied, as in PyTorch; sums are f32. Sums go as the matrix unit of
 * Intel's CPUs takes them (AMX-BF16), and every tier follows it bit by bit: of 32 elements that follow each
 * other the even ones are a chain of fused multiply-adds that begins with +0, the odd ones another, and the
 * sum of both is added to what is there. These 32 begin at the head's first element, the tile's first key,
 * or, of sums over queries, at a multiple of 64 queries.
 *
 * That unit knows no subnormal numbers. So that none come up, elements of q, k, v and probabilities below
 * 2^-40 (9e-13) in size count as 0 in products, and so do dout and the gradients of scores below 2^-72
 * (2e-22), and what the first 512 keys and more add up to once a larger maximum makes it less than 2^-102.
 *
 * The unit is used on the AVX-512 tier, on Linux, where the process may use it. Linux allows that to those
 * that ask for it: syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, 18), for the whole process and for good. The
 * library does not ask, as signals then need more room on their stacks; a program may, and PyTorch does.
 * Elsewhere bf16 is multiplied in f32, as fast as f32. The bf16 instruction of AVX-512 is not used: its sums
 * go in another order, and Intel's CPUs with AMX take twice the time of f32 for it.
 */

/*
 * Sizes, masks, and where tensors lie: fill with dropwise_attention_init, then change fields.
 *
 *   tensor       sizes                                     strides
 *   q, dq        batches, heads, queries, size             q_stride, dq_stride
 *   k, dk        batches, kv_heads, keys, size             k_stride, dk_stride
 *   v, dv        batches, kv_heads, keys, value_size       v_stride, dv_stride
 *   out, dout    batches, heads, queries, value_size       out_stride, dout_stride
 *   lse          batches, heads, queries                   none: row-major, in f32, of the whole
 *   add, allow   batches, heads, queries, keys             add_stride, allow_stride, 0 where shared
 *
 * Strides are in elements, from batch to batch, from head to head, from row to row, in any order of
 * magnitude, and may be negative; the last dimension is contiguous.
 *
 * Grouped queries: heads is a multiple of kv_heads, and head h reads head h / (heads / kv_heads) of k and v.
 *
 * A call may do a part: n_heads of the batches * heads heads, counted through all batches, from first_head
 * on, and of each n_queries queries from first_query on. Pointers, strides and sizes stay those of the whole,
 * and so do the bits of the result; so threads share the work, each with a workspace of its own. k is packed
 * by each call for each of its heads: give a call many queries rather than few. The backward pass has all
 * queries in each call, and the heads of each head of k and v together.
 *
 * A shard, of which nothing but its own part is in memory, is an attention of its own, whose `first` is the
 * mask index of its first element, with the mask strides of the whole, and with causal_offset for its place.
 */
typedef struct dropwise_attention {
    uint32_t struct_size; /* sizeof(dropwise_attention)                                            */
    uint32_t causal;      /* 1: key j counts for query i if j <= i + causal_offset; 0: all count    */
    uint64_t batches;     /* 0: nothing is done; likewise heads, and queries, but dk and dv are 0  */
    uint64_t heads;
    uint64_t kv_heads; /* at least 1; divides heads                                              */
    uint64_t queries;
    uint64_t keys;         /* 0: out is 0                                                            */
    uint64_t size;         /* of a row of q and k, at least 1. Usually 16 to 256                     */
    uint64_t value_size;   /* of a row of v and out, at least 1. Usually the same                    */
    double scale;          /* from 2^-100 to 2^100                                                   */
    int64_t causal_offset; /* keys before the first query: 0, or keys - queries                    */
    uint64_t first;        /* mask index of the first element of the probabilities                 */
    uint64_t mask_stride[3];
    uint64_t first_head;
    uint64_t n_heads;
    uint64_t first_query;
    uint64_t n_queries;
    int64_t q_stride[3];
    int64_t k_stride[3];
    int64_t v_stride[3];
    int64_t out_stride[3];
    int64_t dout_stride[3];
    int64_t dq_stride[3];
    int64_t dk_stride[3];
    int64_t dv_stride[3];
    const void *add; /* NULL, or numbers of the dtype that are added to the scaled scores          */
    int64_t add_stride[3];
    const void *allow; /* NULL, or a byte each: keys count where it is not 0                       */
    int64_t allow_stride[3];
    uint64_t reserved[4]; /* zero                                                                  */
} dropwise_attention;

/*
 * Dense tensors in the order batch, head, row; mask indices in this order from 0 on; scale = 1 / sqrt(size),
 * no masks, the whole.
 * Errors: NULL, SHAPE (as for dropwise_attention_forward), RANGE (more than 2^60 probabilities, or elements
 * of a tensor).
 */
DROPWISE_API dropwise_status dropwise_attention_init(dropwise_attention *attention, uint64_t batches,
                                                     uint64_t heads, uint64_t kv_heads, uint64_t queries,
                                                     uint64_t keys, uint64_t size, uint64_t value_size);

/*
 * The bytes of workspace that a forward call (backward = 0) or a backward call (1) needs, whatever its part,
 * strides and masks. They grow with keys * (size + value_size), and not with queries: 0.4 and 0.7 MiB for 512
 * keys of size 64.
 * Errors: NULL, STRUCT_SIZE, RESERVED, DTYPE, SHAPE, RANGE, SIZE, PARAMETER (also: backward is above 1).
 */
DROPWISE_API dropwise_status dropwise_attention_workspace(const dropwise_attention *attention,
                                                          dropwise_dtype dtype, uint32_t backward,
                                                          uint64_t *bytes);

/*
 * out = dropout(softmax(scale * q k^T + add)) v for the heads and queries of the part.
 *
 * lse        NULL, or where to write the logarithm of the sum of exp(logit) of each query, which the backward
 *            pass needs; at the places of the part.
 * workspace  workspace_bytes bytes that nobody else uses during the call; what they hold does not count, and
 *            need not be kept for the backward pass.
 *
 * Keys go by 512. m is the largest logit so far; 2^((logit - m) log2 e) are added to 16 partial sums, key j
 * to sum j mod 16, which start at +0 for each 512; then sum k += sum k + 8 for k < 8, sum k + 4 for k < 4,
 * + 2, + 1. Where the maximum grows, the sum so far and the row of out are multiplied by a power of 2.
 *
 * Aliasing: outputs and workspace overlap no input and not each other, from their first byte to their last.
 * Errors: of the mask, DTYPE (none of the three), NULL, STRUCT_SIZE, RESERVED, SHAPE (kv_heads, size or
 * value_size is 0, kv_heads does not divide heads, the part is not inside), PARAMETER (scale, causal), RANGE
 * (mask indices of 2^60 and more), SIZE (more bytes than an object can have), WORKSPACE (it is too small),
 * SELF_OVERLAP (rows of an output overlap each other), OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_attention_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                        const dropwise_attention *attention, const void *q,
                                                        const void *k, const void *v, void *out, float *lse,
                                                        void *workspace, uint64_t workspace_bytes);

/*
 * The gradients of sum(out * dout) by q, k and v, for the heads of the part: n_heads and first_head are
 * multiples of heads / kv_heads, and all queries belong to it. The mask is drawn again.
 *
 *     p = exp(logits - lse)       delta = sum of dout * out over a row       dp = dout v^T
 *     dv = dropout(p)^T dout      ds = scale * p * (dropout(dp) - delta)     dq = ds k      dk = ds^T q
 *
 * out, lse   as the forward pass wrote them.
 * dq, dk, dv are written, or added to, by the mask's flag. They may be slices of one buffer, whose elements
 *            stand between each other: that these do not overlap is not looked at.
 *
 * Sums over queries go from the first to the last, of grouped heads from the first to the last. There is no
 * gradient of `add`.
 * Errors: those of dropwise_attention_forward.
 */
DROPWISE_API dropwise_status dropwise_attention_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                         const dropwise_attention *attention, const void *q,
                                                         const void *k, const void *v, const void *out,
                                                         const float *lse, const void *dout, void *dq,
                                                         void *dk, void *dv, void *workspace,
                                                         uint64_t workspace_bytes);

/* ---- By tiles ---------------------------------------------------------------------------- */

/*
 * The keep bits of a rectangle of a matrix: bit c of row r, at bits + r * bits_stride bytes, is mask element
 * first + r * row_stride + c. Each row begins with a byte; of its last byte unused bits are 0. Bytes between
 * rows are not written.
 *
 * Rows that follow each other in the mask (row_stride == columns) are drawn in one run, whatever their
 * length, and fastest if bits_stride == columns / 8: draw the bits of a strip of whole rows once, and take
 * tiles of keys out of it, each from a multiple of 8 on.
 * Errors: of the mask, NULL, RANGE, SIZE, SHAPE (bits_stride is less than a row's bytes).
 */
DROPWISE_API dropwise_status dropwise_draw_bits_rows(const dropwise_mask *mask, uint64_t first, uint64_t rows,
                                                     uint64_t columns, uint64_t row_stride, void *bits,
                                                     uint64_t bits_stride);

/* A tile of scores, queries by keys: zero it, and fill what is needed. */
typedef struct dropwise_attention_tile {
    uint32_t struct_size;  /* sizeof(dropwise_attention_tile)                                      */
    uint32_t causal;       /* 1: column c counts for row r if c <= r + causal_offset, in the tile  */
    int64_t causal_offset; /* of the whole, + the tile's first query - its first key               */
    uint64_t rows;         /* queries of the tile; 0: nothing is done                              */
    uint64_t columns;      /* keys of the tile                                                     */
    uint64_t stride;       /* numbers from row to row of scores and of dp, at least columns        */
    uint64_t out_stride;   /* elements from row to row of the outputs, at least columns            */
    const void *bits;      /* keep bits, each row from a byte on, or NULL: nothing is dropped      */
    uint64_t bits_stride;  /* bytes from row to row of these                                       */
    const float *add;      /* NULL, or numbers that are added to the scaled scores                 */
    uint64_t add_stride;   /* numbers from row to row of these, 0 where shared                     */
    double scale;          /* of the scores, from 2^-100 to 2^100                                  */
    uint64_t reserved[2];  /* zero                                                                 */
} dropwise_attention_tile;

/*
 * Of scores q k^T of the tile makes dropped probabilities that are not normalised yet, in one pass, while the
 * maximum and the sum of each row are brought up to date:
 *
 *     m = max(top, logits)   shrink = exp(top - m)   e = exp(logits - m)   sum = sum * shrink + sum of e
 *     probabilities = e where the bit is 1, +0.0 elsewhere                 top = m
 *
 * after which the engine does o = o * shrink + probabilities * v. Nothing is multiplied by 1 / (1 - p) here:
 * that is free in dropwise_attention_rows_end.
 *
 * dtype          of probabilities: f32, f16 or bf16; they are rounded once.
 * first          1 for the first tile of the rows: top and sum hold nothing yet, and shrink is 1; else 0.
 * scores         may be overwritten.
 * top, sum       of each row. top is the largest logit times log2(e).
 * shrink         of each row. exactly 1 where nothing is to be multiplied.
 * probabilities  may be scores, for f32 and with equal strides; else they overlap nothing.
 * Errors: NULL, DTYPE, STRUCT_SIZE, RESERVED, PARAMETER (scale, causal, first), SHAPE (a stride is less than
 * a row), SIZE, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_attention_tile_forward(const dropwise_attention_tile *tile,
                                                             dropwise_dtype dtype, uint32_t first,
                                                             float *scores, float *top, float *sum,
                                                             float *shrink, void *probabilities);

/*
 * After the last tile: out = o * (s / sum), with the mask's scale s of dropwise_forward, and
 * lse = (top + log2(sum)) / log2(e). A row with sum 0 has out = 0, whatever o is, and lse = +infinity.
 *
 * o      rows of `size` numbers, o_stride apart.
 * out    rows of as many elements of the dtype, out_stride apart; may be o, for f32 and with equal strides.
 * lse    NULL, or a number for each row.
 * Errors: of the mask, NULL, DTYPE, SHAPE (a stride is less than size), SIZE, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_attention_rows_end(const dropwise_mask *mask, dropwise_dtype dtype,
                                                         uint64_t rows, uint64_t size, const float *o,
                                                         uint64_t o_stride, const float *top,
                                                         const float *sum, void *out, uint64_t out_stride,
                                                         float *lse);

/*
 * delta = the sum of dout * out over each row, out as the forward pass wrote it, dropped and scaled. Products
 * are rounded to f32 and added in f64, in the order of dropwise_variants.h, and the sum is rounded to f32.
 * Errors: DTYPE, NULL, SHAPE (a stride is less than size), SIZE, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_attention_delta(dropwise_dtype dtype, uint64_t rows, uint64_t size,
                                                      const void *dout, uint64_t dout_stride, const void *out,
                                                      uint64_t out_stride, float *delta);

/*
 * Backward: of scores q k^T and dp = dout v^T of the tile makes, in one pass,
 *
 *     p = exp(logits - lse)      probabilities = p * s where the bit is 1, +0.0 elsewhere
 *     d = dp * s where the bit is 1, +0.0 elsewhere        gradients = scale * p * (d - delta)
 *
 * after which the engine does dv += probabilities^T dout, dq += gradients k, dk += gradients^T q.
 *
 * dtype                     of the two outputs: f32, f16 or bf16; they are rounded once.
 * lse, delta                of each row.
 * scores, dp                may be overwritten.
 * probabilities, gradients  may be scores and dp, for f32 and with equal strides; else they overlap nothing.
 * Errors: of the mask, and those of dropwise_attention_tile_forward.
 */
DROPWISE_API dropwise_status dropwise_attention_tile_backward(const dropwise_mask *mask,
                                                              const dropwise_attention_tile *tile,
                                                              dropwise_dtype dtype, float *scores, float *dp,
                                                              const float *lse, const float *delta,
                                                              void *probabilities, void *gradients);

#ifdef __cplusplus
}
#endif

#endif /* DROPWISE_ATTENTION_H */
