#include "view/stored_shape.h"

#include "base/bits.h"
#include "base/min.h"
#include "base/own_frame.h"
#include "view/walk.h"

stored_shape dropwise_stored_shape_of(const dropwise_view *view)
{
    stored_shape shape = {1, 1, 1, view->rank};
    for (uint32_t d = view->rank; d-- > 0;) {
        if (view->mask_stride[d] == 0)
            continue;
        if (shape.row_dimension == view->rank) {
            shape.row_dimension = d;
            shape.row_length = view->size[d];
            shape.mask_step = view->mask_stride[d];
        } else {
            shape.rows *= view->size[d];
        }
    }
    return shape;
}

void dropwise_draw_stored_by(bit_source *source, const dropwise_view *view, const stored_shape *shape,
                             const stored_mask *stored)
{
    walk_axis outer[DROPWISE_MAX_RANK];
    unsigned n_outer = 0;
    uint64_t run_length = shape->mask_step == 1 ? shape->row_length : 1;
    bool follows = shape->mask_step == 1;
    for (uint32_t d = shape->row_dimension; d-- > 0;) {
        if (view->mask_stride[d] == 0)
            continue;
        follows = follows && (uint64_t)view->mask_stride[d] == run_length;
        run_length *= follows ? view->size[d] : 1;
    }
    for (uint32_t d = 0; d < shape->row_dimension && shape->row_dimension != view->rank; d++)
        if (view->mask_stride[d] != 0)
            outer[n_outer++] = (walk_axis){view->size[d], 0, 0, view->mask_stride[d], 0};

    uint8_t no_data = 0;
    walk_place place = {&no_data, &no_data, view->first, 0};
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    for (uint64_t row = 0; row < shape->rows; row++) {
        const int64_t row_place = (int64_t)row * stored_row_step(stored);
        const uint64_t into_run = row * shape->row_length % run_length;
        for (uint64_t done = 0; done < shape->row_length; done += DRAW_CHUNK) {
            uint8_t buffer[DRAW_CHUNK / 8];
            const size_t len = min_size(DRAW_CHUNK, shape->row_length - done);
            const uint64_t index = place.index + (uint64_t)((int64_t)done * shape->mask_step);
            const uint8_t *bits =
                dropwise_bits_get(source, index, shape->mask_step, len,
                                  shape->mask_step == 1 ? run_length - into_run - done : 0, buffer);
            if (len % 8 != 0) { /* the end of a row: its unused bits are 0 */
                copy_bits(bits, 0, len, buffer);
                bits = buffer;
            }
            dropwise_write_stored(stored, row_place + (int64_t)done * stored_entry_step(stored), len, bits);
        }
        walk_next(outer, n_outer, at, &place);
    }
}

OWN_FRAME void dropwise_draw_stored(const draw_plan *draw, const dropwise_view *view,
                                    const stored_shape *shape, const stored_mask *stored)
{
    bit_source source;
    bit_source_init(&source, draw);
    dropwise_draw_stored_by(&source, view, shape, stored);
}
