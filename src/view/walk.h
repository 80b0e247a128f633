/*
 * Views: from sizes and strides to axes in the order in which they are walked, and masks applied along them:
 * bits to elements, where these lie in rows at any strides.
 */
#ifndef DROPWISE_WALK_H
#define DROPWISE_WALK_H

#include <stdbool.h>

#include "apply/apply.h"
#include "apply/stored.h"
#include "dropwise.h"

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
 * Applies the mask of a view: a stored one, or, where `stored` is NULL, one that is drawn. y_bytes is what y
 * extends over. If `adds`, it is added to y.
 */
void dropwise_apply_view(const dropwise_kernels *kernels, const dropwise_mask *mask, dropwise_dtype dtype,
                         const dropwise_view *view, const void *x, void *y, const stored_mask *stored,
                         uint64_t y_bytes, bool adds);

/*
 * Applies packed bits to a view, by a plan whose factor need not be that of a mask. The bits are those of the
 * view's mask, an entry for each combination of coordinates in the dimensions whose mask stride is not 0, in
 * row-major order and, other than in stored masks, without gaps between rows.
 */
void dropwise_apply_packed(const apply_plan *apply, const dropwise_view *view, const uint8_t *bits,
                           const void *x, void *y);

#endif
