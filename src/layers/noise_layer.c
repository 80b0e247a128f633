#include "layers/noise_layer.h"

dropwise_status dropwise_begin_noise(noise_call *c, const dropwise_kernels *kernels,
                                     const dropwise_mask *mask, dropwise_dtype dtype,
                                     const dropwise_view *view, bool has_x, const void *x, void *y,
                                     operand_use use, bool *empty)
{
    dropwise_status status = dropwise_check_merged_rows(mask, dtype, view, NULL, &c->view, empty);
    if (status == DROPWISE_OK && !*empty && (y == NULL || (has_x && x == NULL)))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || *empty)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{x, c->view.x_stride, bytes, READ}, {y, c->view.y_stride, bytes, use}};
    c->x = operands[0];
    c->y = operands[1];
    return dropwise_begin_rows(&c->rows, kernels, mask, dtype, &c->view, operands, 2, NULL, false);
}

void dropwise_run_noise(noise_call *c, combine_kernels kernels, const dropwise_params *p)
{
    row_call *rows = &c->rows;
    row r = first_row(rows);
    do {
        for (row_piece at = first_piece(rows, &r, &c->y); at.n != 0; at = next_piece(rows, at)) {
            float of_x[PIECE];
            double buffer[PIECE], of_y[PIECE];
            prefetch_piece(rows, &c->x, &r, at.column);
            prefetch_sum(rows, &c->y, &r, at.column);
            const void *noise = noise_of(c, &r, at, buffer);
            const void *in = load_reals(rows, &c->x, &r, at.column, at.n, of_x);
            (stores_nontemporally(rows, at) ? kernels.nontemporal : kernels.ordinary)(
                at.n, in, noise, p, output(rows, &c->y, &r, at.column, of_y));
            finish_gradient(rows, &c->y, &r, at.column, at.n, NULL, of_y);
        }
    } while (dropwise_next_row(rows, &r));
    end_rows(rows);
}
