/*
 * dropwise: DropBlock, dropout of whole blocks of feature maps. G. Ghiasi, T.-Y. Lin, Q. V. Le, "DropBlock: a
 * regularization method for convolutional networks", NeurIPS 2018.
 *
 *   seeds    a mask whose drop probability is gamma, a small one: an element that it drops is a seed
 *   blocks   grown from the seeds: every element of a block is dropped
 *   scale    what is kept is multiplied by entries / kept entries of the mask
 *
 *     dropwise_view_init(&view, 4, size);                              // N, C, H, W
 *     dropwise_dropblock_init(&block, &view, 1u << 2 | 1u << 3, 7);    // 7 x 7 along H, W
 *     dropwise_dropblock_gamma(&block, &view, 0.1, &gamma);
 *     dropwise_mask_init(&mask, gamma, seed, stream);
 *     dropwise_dropblock_entries(&view, &entries);                     // bits: ceil(entries / 8) bytes
 *     dropwise_dropblock_forward(&mask, DROPWISE_F32, &block, &view, x, y, bits);
 *     dropwise_dropblock_backward(&mask, DROPWISE_F32, &view, dy, dx, bits);
 *
 * What dropwise.h says of every function holds here too: reproducible, stateless, caller's memory, statuses.
 * Besides that:
 *
 *   Views       Any view of dropwise.h; any of its dimensions may have blocks: 1D, 2D, 3D, channels first or
 *               last. Seeds are drawn by the mask's indices: the seed at an element is what the mask decides
 *               there. Dimensions that share their mask share blocks, e.g. all channels of a sample.
 *   Bits        The mask as packed keep bits, least significant first: an entry for each combination of
 *               coordinates in the dimensions whose mask stride is not 0, in row-major order, without gaps
 *               between rows: a dropwise_stored with one row of all entries. Unused bits of the last byte
 *               are written as 0 and do not count. The caller always gives this buffer, as nothing is
 *               allocated and everything is counted before anything is scaled; after the call only a backward
 *               pass that is to read it needs it.
 *   Shards      Whoever holds a part of a tensor, by dropwise_view_shard, draws the same blocks as the whole,
 *               if the dimensions that have blocks are whole in the part. Kept entries have to be summed over
 *               all parts then: dropwise_dropblock_draw, the sum, dropwise_dropblock_apply.
 *   Inference   changes nothing.
 *
 * Where frameworks differ
 *
 *                      seeds     blocks beyond the map        mask of channels     scale
 *   the paper          inside    -                            own, better; shared  entries / kept
 *   torchvision        inside    clipped to the smaller side  own                  entries / (kept + 1e-6)
 *   KerasCV            inside    clipped side by side         own                  entries / kept
 *   timm from 1.0.23   anywhere  clipped side by side         shared; own          entries / (kept + 1e-7); 1
 *   timm before        either    clipped to the smaller side  own                  as torchvision or timm now
 *   here               either    init clips side by side      by the view          entries / kept; 1; yours
 *
 * All have the same gamma, and count over the whole call. Where they allow blocks of even size, these reach
 * one element further towards index 0; torchvision wants odd sizes. torchvision draws seeds for the valid
 * places only, the others, as here, for all elements.
 */
#ifndef DROPWISE_DROPBLOCK_H
#define DROPWISE_DROPBLOCK_H

#include <dropwise.h>

#ifdef __cplusplus
extern "C" {
#endif

enum dropwise_dropblock_seeds {
    /* Seeds count only where the whole block lies inside of the map, as in the paper. */
    DROPWISE_SEEDS_INSIDE = 1,
    /* Seeds count everywhere; blocks end at the edges. */
    DROPWISE_SEEDS_ANYWHERE = 2
};

/*
 * Blocks: fill with dropwise_dropblock_init, then change fields.
 *
 * size[d] is a block's size along dimension d of the view: 1 where it has none or where the mask is shared,
 * at most the view's size. A seed at coordinate c drops coordinates c - size / 2 to c + (size - 1) / 2, both
 * quotients rounded down.
 */
typedef struct dropwise_dropblock {
    uint32_t struct_size; /* sizeof(dropwise_dropblock)                       */
    uint32_t seeds;       /* DROPWISE_SEEDS_INSIDE or DROPWISE_SEEDS_ANYWHERE */
    uint64_t size[DROPWISE_MAX_RANK];
    uint64_t reserved[2]; /* zero                                             */
} dropwise_dropblock;

/*
 * Blocks of one size along all dimensions d of the view whose bit 1 << d is set in `dimensions`, clipped to
 * the view's size there; seeds inside.
 * Errors: NULL, STRUCT_SIZE, RANK, SHAPE (a dimension beyond the rank, size 0).
 */
DROPWISE_API dropwise_status dropwise_dropblock_init(dropwise_dropblock *block, const dropwise_view *view,
                                                     uint32_t dimensions, uint64_t size);

/*
 * The probability of a seed with which about the part p of all elements is dropped, for dropwise_mask_init:
 * the paper's equation 1 for maps of any shape,
 *   gamma = p * product of n / (k * (n - k + 1)) over all dimensions, n and k the sizes of view and block.
 * It is never above p.
 *
 * As blocks overlap, somewhat less is dropped: 0.093 for p = 0.1, blocks of 7 x 7 and maps of 32 x 32. With
 * seeds anywhere it is more: 0.13 there, 0.18 for maps of 16 x 16, 0.63 for maps of 8 x 8. The scale is right
 * in all cases, as it is counted.
 * Errors: NULL, STRUCT_SIZE, RESERVED, RANK, SIZE, RANGE, PARAMETER (seeds), SHAPE (as for
 * dropwise_dropblock_draw; a view without elements), PROBABILITY.
 */
DROPWISE_API dropwise_status dropwise_dropblock_gamma(const dropwise_dropblock *block,
                                                      const dropwise_view *view, double p, double *gamma);

/*
 * The entries of a view's mask; its bits take ceil(*entries / 8) bytes.
 * Errors: NULL, STRUCT_SIZE, RESERVED, RANK, SIZE, RANGE.
 */
DROPWISE_API dropwise_status dropwise_dropblock_entries(const dropwise_view *view, uint64_t *entries);

/*
 * Draws seeds, grows blocks and writes the keep bits; *kept is how many entries are kept. Strides of x and y
 * do not count.
 * Errors: of the mask, STRUCT_SIZE, RESERVED, RANK, SIZE, RANGE, PARAMETER (seeds), SHAPE (a block's size is
 * 0, larger than the view's, or not 1 where the mask is shared), NULL, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_dropblock_draw(const dropwise_mask *mask,
                                                     const dropwise_dropblock *block,
                                                     const dropwise_view *view, void *bits, uint64_t *kept);

/*
 * y = x * scale where the bits keep, +0.0 elsewhere; with scale 1, the same bits as x. The scale is rounded
 * to f32 but for f64. For shards it is (double)entries / (double)kept, both summed over all of them, forward
 * and backward. Aliasing as in dropwise_forward_view.
 * Errors: DTYPE, STRUCT_SIZE, RESERVED, RANK, SIZE, RANGE, PARAMETER (scale is not finite), SELF_OVERLAP,
 * NULL, OVERLAP.
 */
DROPWISE_API dropwise_status dropwise_dropblock_apply(dropwise_dtype dtype, const dropwise_view *view,
                                                      double scale, const void *bits, const void *x, void *y);

/*
 * Training, forward: dropwise_dropblock_draw, and dropwise_dropblock_apply with
 *   scale = (double)entries / (double)kept     with inverted scaling
 *   scale = 1                                  with standard scaling
 * If nothing is kept, all of y is +0.0.
 *
 * This is also the backward pass without a stored mask: the bits are drawn again, into a buffer that nobody
 * needs afterwards.
 * Errors: those of dropwise_dropblock_draw and dropwise_dropblock_apply.
 */
DROPWISE_API dropwise_status dropwise_dropblock_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                        const dropwise_dropblock *block,
                                                        const dropwise_view *view, const void *x, void *y,
                                                        void *bits);

/*
 * Training, backward, with the bits that the forward pass wrote: dx = dy * scale where they keep, +0.0
 * elsewhere. The scale is that of the forward pass, counted again. Of the mask only its scaling counts.
 * dy is laid out by x_stride, dx by y_stride.
 * Errors: of the mask, and those of dropwise_dropblock_apply.
 */
DROPWISE_API dropwise_status dropwise_dropblock_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                         const dropwise_view *view, const void *dy, void *dx,
                                                         const void *bits);

#ifdef __cplusplus
}
#endif

#endif /* DROPWISE_DROPBLOCK_H */
