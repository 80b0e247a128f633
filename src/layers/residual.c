/*
 * The steps around a linear layer: residual + dropout(x + bias), dropout(activation(x + bias)), and their
 * gradients. Row by row, piece by piece: bits and a kernel.
 */
#include "dropwise_fused.h"

#include <string.h>

#include "base/fp_env.h"
#include "base/min.h"
#include "tiers/dispatch.h"
#include "view/rows.h"

enum {
    SUM_COLUMNS = 256, /* columns whose 16 partial sums are kept at a time */
    LONG_PIECE = 4096, /* elements that an activation takes at a time, where they need no buffer in between */
};

typedef struct residual_call {
    row_call rows;
    dropwise_step_kernels kernels;
} residual_call;

static dropwise_status begin(residual_call *c, const dropwise_kernels *kernels, const dropwise_mask *mask,
                             dropwise_dtype dtype, const dropwise_view *view, const operand *operands,
                             size_t n_operands, const dropwise_stored *stored, bool draws)
{
    const dropwise_status status =
        dropwise_begin_rows(&c->rows, kernels, mask, dtype, view, operands, n_operands, stored, draws);
    if (status != DROPWISE_OK)
        return status;
    take_elements(&c->rows);
    c->kernels = steps_of_rows(&c->rows, dtype);
    return DROPWISE_OK;
}

enum { FORWARD_OPERANDS = 4, BACKWARD_OPERANDS = 5 };

/* The kernel that writes past the caches, where that is worth it and y is aligned for it. */
static dropwise_residual_fn *residual_for(const residual_call *c, const void *out)
{
    const bool nontemporal =
        c->rows.nontemporal && c->rows.dtype.narrow == NULL && (uintptr_t)out % DROPWISE_NT_ALIGN == 0;
    return nontemporal ? c->kernels.residual_nt : c->kernels.residual;
}

/* Elements of a row that go through a kernel at a time: few where memory is waited for, as bits are drawn
 * meanwhile. */
static size_t piece_of(const residual_call *c, dropwise_activation activation)
{
    return (activation != 0 || !c->rows.far) && c->rows.dtype.widen == NULL && !c->rows.adds ? LONG_PIECE
                                                                                             : PIECE;
}

/* y = residual + drop(x + bias), or y = drop(activation(x + bias)) for an activation that is not 0. */
static void run_forward(residual_call *c, dropwise_activation activation, const operand *x,
                        const operand *bias, const operand *residual, const operand *y)
{
    const size_t piece = piece_of(c, activation);
    row r = first_row(&c->rows);
    do {
        for (uint64_t column = 0; column < c->rows.row_length; column += piece) {
            float of_x[PIECE], of_bias[PIECE], of_residual[PIECE], of_y[PIECE];
            uint8_t buffer[LONG_PIECE / 8];
            const size_t n = min_size(piece, c->rows.row_length - column);
            const uint8_t *bits = dropwise_piece_bits(&c->rows, &r, column, n, true, buffer);
            const void *in = load_reals(&c->rows, x, &r, column, n, of_x);
            const void *b = load_reals(&c->rows, bias, &r, column, n, of_bias);
            void *out = output(&c->rows, y, &r, column, of_y);
            if (activation != 0)
                c->kernels.activate[activation](bits, n, in, b, out, &c->rows.factor);
            else
                residual_for(c, out)(bits, n, in, b,
                                     load_reals(&c->rows, residual, &r, column, n, of_residual), out,
                                     &c->rows.factor);
            finish_output(&c->rows, y, &r, column, n, of_y);
        }
    } while (dropwise_next_row(&c->rows, &r));
    end_rows(&c->rows);
}

/*
 * Prefetches a piece of the row but one below: where columns are walked, hardware does not foresee it. That
 * takes a quarter off residual_backward/f32/avx2/p:0.1/bytes:67108864 of the benchmark.
 */
static void prefetch_below(const residual_call *c, const operand *o, const row *r, uint64_t column, size_t n)
{
    if (c->rows.view->rank < 2)
        return;
    const uintptr_t row_bytes = (uintptr_t)o->stride[c->rows.view->rank - 2] * o->element_bytes;
    const uintptr_t from = (uintptr_t)operand_at(&c->rows, o, r, column) + 2 * row_bytes;
    for (size_t i = 0; i < n * o->element_bytes; i += 64)
        __builtin_prefetch((const void *)(from + i), 0, 2);
}

/* Columns [from, to) of all rows. sums, if not NULL: 16 partial sums for each of them. */
static void backward_columns(residual_call *c, dropwise_activation activation, uint64_t from, uint64_t to,
                             const operand *dy, const operand *x, const operand *bias, const operand *dx,
                             uint8_t *sums)
{
    const bool whole = from == 0 && to == c->rows.row_length;
    const size_t piece = piece_of(c, activation);
    row r = first_row(&c->rows);
    do {
        for (uint64_t column = from; column < to; column += piece) {
            double of_dy[PIECE]; /* dx takes its place */
            float of_x[PIECE], of_bias[PIECE];
            uint8_t buffer[LONG_PIECE / 8];
            const size_t n = min_size(piece, to - column);
            if (!whole)
                prefetch_below(c, dy, &r, column, n);
            prefetch_sum(&c->rows, dx, &r, column);
            const uint8_t *bits = dropwise_piece_bits(&c->rows, &r, column, n, whole, buffer);
            const void *in = load_reals(&c->rows, dy, &r, column, n, (float *)of_dy);
            const void *at = load_reals(&c->rows, x, &r, column, n, of_x);
            const void *b = load_reals(&c->rows, bias, &r, column, n, of_bias);
            uint8_t *sum = sums == NULL ? NULL : sums + r.number % 16 * SUM_COLUMNS * c->rows.real_bytes;
            c->kernels.activate_grad[activation](bits, n, in, at, b, output(&c->rows, dx, &r, column, of_dy),
                                                 &c->rows.factor, sum);
            finish_gradient(&c->rows, dx, &r, column, n, bits, of_dy);
        }
    } while (dropwise_next_row(&c->rows, &r));
}

static void run_backward(residual_call *c, dropwise_activation activation, const operand *dy,
                         const operand *x, const operand *bias, const operand *dx, const operand *dbias)
{
    if (dbias->p == NULL) {
        backward_columns(c, activation, 0, c->rows.row_length, dy, x, bias, dx, NULL);
        return;
    }
    for (uint64_t from = 0; from < c->rows.row_length; from += SUM_COLUMNS) {
        uint8_t sums[16 * SUM_COLUMNS * sizeof(double)];
        memset(sums, 0, sizeof sums);
        const size_t n = min_size(SUM_COLUMNS, c->rows.row_length - from);
        backward_columns(c, activation, from, from + n, dy, x, bias, dx, sums);
        for (size_t k = 0; k < n; k++) { /* in the place of the first partial sum */
            const real total = dropwise_sum_tree(c->rows.is_f64, sums + k * c->rows.real_bytes, SUM_COLUMNS);
            memcpy(sums + k * c->rows.real_bytes, &total, c->rows.real_bytes);
        }
        dropwise_put_sums(c->rows.kernels, c->rows.is_f64, dbias->use, n, sums,
                          (uint8_t *)(uintptr_t)dbias->p + from * c->rows.real_bytes);
    }
}

/* Strides of a row that all rows share. */
static void row_strides(const dropwise_view *view, int64_t *stride)
{
    memset(stride, 0, DROPWISE_MAX_RANK * sizeof *stride);
    stride[view->rank - 1] = 1;
}

static FP_ENV_BODY dropwise_status forward(const dropwise_kernels *kernels, const dropwise_mask *mask,
                                           dropwise_dtype dtype, const dropwise_view *view,
                                           dropwise_activation activation, const void *x, const void *bias,
                                           const void *residual, void *y, const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = dropwise_check_rows(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK && !empty && (x == NULL || y == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    int64_t along[DROPWISE_MAX_RANK];
    row_strides(view, along);
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[FORWARD_OPERANDS] = {{x, view->x_stride, bytes, READ},
                                                {bias, along, bytes, READ},
                                                {residual, view->y_stride, bytes, READ},
                                                {y, view->y_stride, bytes, WRITTEN}};
    residual_call c;
    status = begin(&c, kernels, mask, dtype, view, operands, FORWARD_OPERANDS, stored, true);
    if (status == DROPWISE_OK)
        run_forward(&c, activation, &operands[0], &operands[1], &operands[2], &operands[3]);
    return status;
}

static FP_ENV_BODY dropwise_status backward(const dropwise_kernels *kernels, const dropwise_mask *mask,
                                            dropwise_dtype dtype, const dropwise_view *view,
                                            dropwise_activation activation, const void *dy, const void *x,
                                            const void *bias, void *dx, void *dbias,
                                            const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = dropwise_check_rows(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK && !empty && (dy == NULL || dx == NULL || (activation != 0 && x == NULL)))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const size_t real_bytes = dropwise_real_bytes(dtype);
    const operand_use use = gradient_use(mask);
    if (empty) { /* sums of nothing */
        if (dropwise_check_size(view->size[view->rank - 1], real_bytes) != DROPWISE_OK)
            return DROPWISE_ERROR_SIZE;
        if (dbias != NULL && use == WRITTEN)
            memset(dbias, 0, (size_t)view->size[view->rank - 1] * real_bytes);
        return DROPWISE_OK;
    }
    int64_t along[DROPWISE_MAX_RANK];
    row_strides(view, along);
    const operand operands[BACKWARD_OPERANDS] = {{dy, view->x_stride, bytes, READ},
                                                 {x, view->y_stride, bytes, READ},
                                                 {bias, along, bytes, READ},
                                                 {dx, view->y_stride, bytes, use},
                                                 {dbias, along, real_bytes, use}};
    residual_call c;
    status = begin(&c, kernels, mask, dtype, view, operands, BACKWARD_OPERANDS, stored, false);
    if (status == DROPWISE_OK)
        run_backward(&c, activation, &operands[0], &operands[1], &operands[2], &operands[3], &operands[4]);
    return status;
}

/* In f64, GELU and SiLU need SLEEF. */
static dropwise_status check_activation(const dropwise_kernels *kernels, dropwise_dtype dtype,
                                        dropwise_activation activation)
{
    if (activation < DROPWISE_RELU || activation > DROPWISE_SILU)
        return DROPWISE_ERROR_ACTIVATION;
    return activation == DROPWISE_RELU ? DROPWISE_OK : dropwise_check_math(kernels, dtype);
}

dropwise_status dropwise_residual_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const void *x, const void *bias,
                                          const void *residual, void *y, const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        forward(dropwise_active(), mask, dtype, view, 0, x, bias, residual, y, stored));
}

dropwise_status dropwise_residual_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_view *view, const void *dy, void *dx, void *dbias,
                                           const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        backward(dropwise_active(), mask, dtype, view, 0, dy, NULL, NULL, dx, dbias, stored));
}

dropwise_status dropwise_activation_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                            const dropwise_view *view, dropwise_activation activation,
                                            const void *x, const void *bias, void *y,
                                            const dropwise_stored *stored)
{
    const dropwise_kernels *kernels = dropwise_active();
    const dropwise_status status = check_activation(kernels, dtype, activation);
    if (status != DROPWISE_OK)
        return status;
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, forward(kernels, mask, dtype, view, activation, x, bias, NULL, y, stored));
}

dropwise_status dropwise_activation_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_view *view, dropwise_activation activation,
                                             const void *dy, const void *x, const void *bias, void *dx,
                                             void *dbias, const dropwise_stored *stored)
{
    const dropwise_kernels *kernels = dropwise_active();
    const dropwise_status status = check_activation(kernels, dtype, activation);
    if (status != DROPWISE_OK)
        return status;
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        backward(kernels, mask, dtype, view, activation, dy, x, bias, dx, dbias, stored));
}
