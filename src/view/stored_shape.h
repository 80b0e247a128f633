/* The stored mask of a view: its rows, and drawing it: bits to stored entries. */
#ifndef DROPWISE_STORED_SHAPE_H
#define DROPWISE_STORED_SHAPE_H

#include "apply/stored.h"
#include "draw/bit_source.h"
#include "draw/draw.h"

/* The rows and the row length of a view's stored mask, in the view's own order. */
typedef struct stored_shape {
    uint64_t rows, row_length;
    int64_t mask_step;      /* along a row */
    uint32_t row_dimension; /* the dimension along a row; the rank if all is shared */
} stored_shape;

stored_shape dropwise_stored_shape_of(const dropwise_view *view);

/* Writes the mask of a view, row by row. */
void dropwise_draw_stored(const draw_plan *draw, const dropwise_view *view, const stored_shape *shape,
                          const stored_mask *stored);

/* The same for who has a source of these bits already, of which the stack need not hold two. */
void dropwise_draw_stored_by(bit_source *source, const dropwise_view *view, const stored_shape *shape,
                             const stored_mask *stored);

#endif
