/*
 * Drawing the masks of other systems: by the plan of a layout, a walk over its blocks of random numbers.
 *
 *   element --layout--> block, place in it --counters--> generator --numbers--> compare --> keep bits
 */
#ifndef DROPWISE_INTEROP_DRAW_H
#define DROPWISE_INTEROP_DRAW_H

#include "dropwise_interop.h"
#include "kernels/kernels.h"

/* Writes the keep bits of elements [first, first + n), which the layout has; n is not 0. */
void dropwise_interop_draw(const dropwise_kernels *kernels, const dropwise_interop *interop, uint64_t first,
                           size_t n, uint8_t *bits);

/* What is done with the keep bits of n elements. Pieces follow each other; all but the last are multiples of
 * 64. */
typedef void piece_fn(void *arg, const uint8_t *bits, size_t n);

/* Hands on the same bits piece by piece. */
void dropwise_interop_draw_pieces(const dropwise_kernels *kernels, const dropwise_interop *interop,
                                  uint64_t first, size_t n, piece_fn *use, void *arg);

#endif
