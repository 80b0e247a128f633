/* Zoneout: what is dropped keeps the value that it had before. */
#include "dropwise_variants.h"

#include "base/bits.h"
#include "base/fp_env.h"
#include "layers/row_layer.h"
#include "tiers/dispatch.h"

typedef struct move_kernels {
    dropwise_blend_fn *blend, *blend_nt;
    dropwise_split_fn *split, *split_nt;
} move_kernels;

static move_kernels moves_of(const dropwise_kernels *k, size_t element_bytes)
{
    switch (element_bytes) {
    case 1:
        return (move_kernels){k->blend_b8, k->blend_nt_b8, k->split_b8, k->split_nt_b8};
    case 2:
        return (move_kernels){k->blend_b16, k->blend_nt_b16, k->split_b16, k->split_nt_b16};
    case 4:
        return (move_kernels){k->blend_b32, k->blend_nt_b32, k->split_b32, k->split_nt_b32};
    default:
        return (move_kernels){k->blend_b64, k->blend_nt_b64, k->split_b64, k->split_nt_b64};
    }
}

static void run_blend(row_call *c, const operand *h, const operand *before, const operand *y)
{
    const move_kernels k = moves_of(c->kernels, c->element_bytes);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, y); p.n != 0; p = next_piece(c, p)) {
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, h, &r, p.column);
            prefetch_piece(c, before, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            (p.nontemporal ? k.blend_nt : k.blend)(bits, p.n, operand_at(c, h, &r, p.column),
                                                   operand_at(c, before, &r, p.column),
                                                   operand_at(c, y, &r, p.column));
        }
    } while (dropwise_next_row(c, &r));
    end_rows(c);
}

/* A piece of dy is copied first, as it may be one of the outputs. */
static void run_split_adding(row_call *c, const operand *dy, const operand *dh, const operand *dbefore)
{
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, dh); p.n != 0; p = next_piece(c, p)) {
            uint8_t buffer[PIECE / 8], dropped[PIECE / 8];
            double of_dy[PIECE];
            prefetch_piece(c, dy, &r, p.column);
            prefetch_sum(c, dh, &r, p.column);
            prefetch_sum(c, dbefore, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            const uint8_t *from = operand_at(c, dy, &r, p.column);
            for (size_t i = 0; i < bytes_of_bits(p.n); i++)
                dropped[i] = (uint8_t)~bits[i];
            if (c->dtype.widen != NULL)
                c->dtype.widen(p.n, from, (float *)of_dy);
            else
                memcpy(of_dy, from, p.n * c->element_bytes);
            finish_gradient(c, dh, &r, p.column, p.n, bits, of_dy);
            finish_gradient(c, dbefore, &r, p.column, p.n, dropped, of_dy);
        }
    } while (dropwise_next_row(c, &r));
}

static void run_split(row_call *c, const operand *dy, const operand *dh, const operand *dbefore)
{
    const move_kernels k = moves_of(c->kernels, c->element_bytes);
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, dh); p.n != 0; p = next_piece(c, p)) {
            uint8_t buffer[PIECE / 8];
            prefetch_piece(c, dy, &r, p.column);
            const uint8_t *bits = bits_of(c, &r, p, buffer);
            uint8_t *dropped = operand_at(c, dbefore, &r, p.column);
            const bool nontemporal = p.nontemporal && (uintptr_t)dropped % DROPWISE_NT_ALIGN == 0;
            (nontemporal ? k.split_nt : k.split)(bits, p.n, operand_at(c, dy, &r, p.column),
                                                 operand_at(c, dh, &r, p.column), dropped);
        }
    } while (dropwise_next_row(c, &r));
    end_rows(c);
}

/* A call with three tensors, none of which may be NULL: the first by x_stride, the others by y_stride. */
typedef struct zoneout_call {
    row_call rows;
    dropwise_view view;
    operand operands[3];
} zoneout_call;

/* Checks a call and begins it; `outputs` of the tensors, the last ones, are written or added to. */
static dropwise_status begin_zoneout(zoneout_call *c, const dropwise_mask *mask, dropwise_dtype dtype,
                                     const dropwise_view *view, const void *const tensors[3], int outputs,
                                     operand_use use, const dropwise_stored *stored, bool draws, bool *empty)
{
    dropwise_status status = dropwise_check_merged_rows(mask, dtype, view, stored, &c->view, empty);
    for (int i = 0; i < 3 && status == DROPWISE_OK && !*empty; i++)
        status = tensors[i] == NULL ? DROPWISE_ERROR_NULL : DROPWISE_OK;
    if (status != DROPWISE_OK || *empty)
        return status;
    for (int i = 0; i < 3; i++)
        c->operands[i] = (operand){tensors[i], i == 0 ? c->view.x_stride : c->view.y_stride,
                                   dropwise_dtype_bytes(dtype), i >= 3 - outputs ? use : READ};
    status = dropwise_begin_rows(&c->rows, dropwise_active(), mask, dtype, &c->view, c->operands, 3, stored,
                                 draws);
    /* As nothing is scaled, a stored mask counts for p = 1 too. */
    if (status == DROPWISE_OK)
        c->rows.reads_stored = stored != NULL;
    return status;
}

static FP_ENV_BODY dropwise_status zoneout_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                   const dropwise_view *view, const void *h,
                                                   const void *before, void *y, const dropwise_stored *stored)
{
    zoneout_call c;
    bool empty;
    const void *const tensors[3] = {h, before, y};
    const dropwise_status status =
        begin_zoneout(&c, mask, dtype, view, tensors, 1, WRITTEN, stored, true, &empty);
    if (status == DROPWISE_OK && !empty)
        run_blend(&c.rows, &c.operands[0], &c.operands[1], &c.operands[2]);
    return status;
}

dropwise_status dropwise_zoneout_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const void *h, const void *before,
                                         void *y, const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, zoneout_forward(mask, dtype, view, h, before, y, stored));
}

static FP_ENV_BODY dropwise_status zoneout_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view, const void *dy, void *dh,
                                                    void *dbefore, const dropwise_stored *stored)
{
    zoneout_call c;
    bool empty;
    const void *const tensors[3] = {dy, dh, dbefore};
    const operand_use use = gradient_use(mask);
    const dropwise_status status =
        begin_zoneout(&c, mask, dtype, view, tensors, 2, use, stored, false, &empty);
    if (status == DROPWISE_OK && !empty)
        (use == ADDED ? run_split_adding : run_split)(&c.rows, &c.operands[0], &c.operands[1],
                                                      &c.operands[2]);
    return status;
}

dropwise_status dropwise_zoneout_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const void *dy, void *dh, void *dbefore,
                                          const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, zoneout_backward(mask, dtype, view, dy, dh, dbefore, stored));
}

static void run_mix(row_call *c, const dropwise_step_kernels *k, const dropwise_params *weights,
                    const operand *a, const operand *b, const operand *y)
{
    row r = first_row(c);
    do {
        for (row_piece p = first_piece(c, &r, y); p.n != 0; p = next_piece(c, p)) {
            float of_a[PIECE], of_b[PIECE], of_y[PIECE];
            const void *in = load_reals(c, a, &r, p.column, p.n, of_a);
            (stores_nontemporally(c, p) ? k->mix_nt : k->mix)(p.n, in,
                                                              load_reals(c, b, &r, p.column, p.n, of_b),
                                                              weights, output(c, y, &r, p.column, of_y));
            finish_output(c, y, &r, p.column, p.n, of_y);
        }
    } while (dropwise_next_row(c, &r));
    end_rows(c);
}

static FP_ENV_BODY dropwise_status zoneout_infer(const dropwise_mask *mask, dropwise_dtype dtype,
                                                 const dropwise_view *view, const void *h, const void *before,
                                                 void *y)
{
    if (dropwise_check_mask(mask) == DROPWISE_OK && dropwise_is_constant(mask->keep_threshold))
        return dropwise_zoneout_forward(mask, dtype, view, h, before, y, NULL);
    zoneout_call c;
    bool empty;
    const void *const tensors[3] = {h, before, y};
    const dropwise_status status =
        begin_zoneout(&c, mask, dtype, view, tensors, 1, WRITTEN, NULL, false, &empty);
    if (status != DROPWISE_OK || empty)
        return status;
    const double q = dropwise_keep_probability(mask);
    const dropwise_params weights = params_of(&c.rows, q, 1.0 - q, 0);
    const dropwise_step_kernels steps = dropwise_steps_of(c.rows.kernels, dtype);
    take_elements(&c.rows);
    run_mix(&c.rows, &steps, &weights, &c.operands[0], &c.operands[1], &c.operands[2]);
    return DROPWISE_OK;
}

dropwise_status dropwise_zoneout_infer(const dropwise_mask *mask, dropwise_dtype dtype,
                                       const dropwise_view *view, const void *h, const void *before, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, zoneout_infer(mask, dtype, view, h, before, y));
}
