/*
 * Bits of DropBlock: seeds are drawn as keep bits, in row-major order of a mask's entries, and blocks eroded
 * out of them.
 */
#ifndef DROPWISE_BLOCKS_H
#define DROPWISE_BLOCKS_H

#include <stdbool.h>

#include "dropwise_dropblock.h"
#include "kernels/kernels.h"

/* A dimension of the mask: how many bits apart its neighbours are, and mask indices. */
typedef struct block_axis {
    uint64_t size, block, step;
    int64_t mask;
} block_axis;

/* The mask of a view, and its blocks. */
typedef struct block_geometry {
    block_axis axis[DROPWISE_MAX_RANK];
    unsigned n_axes;
    uint64_t entries;
    uint64_t map; /* entries that blocks do not leave: a map or, with channels last, all those of a sample */
    bool inside;
} block_geometry;

/* Of a view and blocks that were checked. */
block_geometry dropwise_block_geometry_of(const dropwise_dropblock *block, const dropwise_view *view);

/* Writes the bits of all entries; the result is how many are kept. */
uint64_t dropwise_draw_blocks(const dropwise_kernels *kernels, const dropwise_mask *mask,
                              const dropwise_view *view, const block_geometry *geometry, uint8_t *bits);

#endif
