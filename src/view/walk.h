/*
 * Views: from sizes and strides to axes in the order in which they are walked, and the bits of a mask at
 * strided indices.
 */
#ifndef DROPWISE_WALK_H
#define DROPWISE_WALK_H

#include <stdbool.h>

#include "base/check.h"
#include "draw/draw.h"
#include "apply/stored.h"

/* One dimension: steps in bytes of x and y, mask indices, units of the stored mask. */
typedef struct walk_axis {
    uint64_t size;
    int64_t x, y, mask, stored;
} walk_axis;

/* Where a walk stands, or begins. */
typedef struct walk_place {
    uint8_t *x; /* not written, if it is not y */
    uint8_t *y;
    uint64_t index;
    int64_t stored;
} walk_place;

/* The rows and the row length of a view's stored mask, in the view's own order. */
typedef struct stored_shape {
    uint64_t rows, row_length;
    int64_t mask_step;      /* along a row */
    uint32_t row_dimension; /* the dimension along a row; the rank if all is shared */
} stored_shape;

/* Checks a view but for its pointers: ranks, sizes, strides, mask indices. *empty says if a size is 0. */
dropwise_status dropwise_check_view(const dropwise_view *view, bool *empty);

/* Checks where x and y lie; y may be NULL for a view of one operand. Their extents in bytes. */
dropwise_status dropwise_check_view_data(const dropwise_view *view, size_t element_bytes, const void *x,
                                         const void *y, dropwise_extent *of_x, dropwise_extent *of_y);

/* The bytes from the first to the last element at these strides. */
dropwise_status dropwise_check_view_extent(const dropwise_view *view, const int64_t *stride,
                                           size_t element_bytes, const void *p, dropwise_extent *extent);

/* Whether each stride reaches past all that smaller ones span: no two elements are at the same place. */
bool dropwise_is_free_of_overlap(const dropwise_view *view, const int64_t *stride);

stored_shape dropwise_view_rows(const dropwise_view *view);

/* Steps a place through axes in row-major order; at[] counts, and begins with zeros. False at the end. */
static inline bool walk_next(const walk_axis *axis, unsigned n_axes, uint64_t *at, walk_place *place)
{
    for (unsigned a = n_axes; a-- > 0;) {
        if (++at[a] < axis[a].size) {
            place->x += axis[a].x;
            place->y += axis[a].y;
            place->index += (uint64_t)axis[a].mask;
            place->stored += axis[a].stored;
            return true;
        }
        const int64_t back = (int64_t)(axis[a].size - 1);
        at[a] = 0;
        place->x -= back * axis[a].x;
        place->y -= back * axis[a].y;
        place->index -= (uint64_t)(back * axis[a].mask);
        place->stored -= back * axis[a].stored;
    }
    return false;
}

/*
 * The keep bits of a mask, drawn on demand. Bits that were drawn are kept, so that rows which follow each
 * other in the mask are cut out of one chunk. While they are asked for piece by piece, the chunk after them
 * is drawn step by step: drawing is work for the arithmetic units, what the caller does with the bits work
 * for the memory.
 */
typedef struct bit_source {
    const draw_plan *draw;
    uint64_t from, to; /* indices whose bits stand in the window */
    uint64_t next;     /* those of to .. next - 1 are being drawn, behind them; none if next == to */
    draw_chunk chunk;
    uint8_t window[3 * DRAW_CHUNK / 8 + 8];
} bit_source;

static inline void bit_source_init(bit_source *source, const draw_plan *draw)
{
    source->draw = draw;
    source->from = source->to = source->next = 0;
    dropwise_draw_begin(&source->chunk, 0, 0, source->window);
}

/*
 * The bits of n <= DRAW_CHUNK elements at index, index + step, ...; unused bits of the last byte are
 * undefined. `ahead` elements from index on will be asked for in order (at least n with step 1), so that
 * they may be drawn together. The result lies in the source, up to the next call, or in buffer, which has
 * DRAW_CHUNK bits.
 */
const uint8_t *dropwise_bits_get(bit_source *source, uint64_t index, int64_t step, size_t n, uint64_t ahead,
                                 uint8_t *buffer);

/*
 * Applies packed bits to a view, by a plan whose factor need not be that of a mask. The bits are those of the
 * view's mask, an entry for each combination of coordinates in the dimensions whose mask stride is not 0, in
 * row-major order and, other than in stored masks, without gaps between rows.
 */
void dropwise_apply_packed(const apply_plan *apply, const dropwise_view *view, const uint8_t *bits,
                           const void *x, void *y);

/* Writes the mask of a view, row by row. */
void dropwise_draw_rows(const draw_plan *draw, const dropwise_view *view, const stored_shape *rows,
                        const stored_plan *stored);

#endif
