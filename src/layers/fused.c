/* The fused steps: check the arguments, then row by row, piece by piece, bits and a kernel. */
#include "dropwise_fused.h"

#include <string.h>

#include "base/fp_env.h"
#include "base/min.h"
#include "tiers/dispatch.h"
#include "view/rows.h"

enum {
    SUM_COLUMNS = 256, /* columns whose 16 partial sums are kept at a time            */
    ROW_BUFFER = 4096  /* longest row whose exponentials are kept, and not made again */
};

typedef struct fused_kernels {
    dropwise_residual_fn *residual, *residual_nt;
    dropwise_activate_fn *activate[DROPWISE_SILU + 1];
    dropwise_activate_grad_fn *activate_grad[DROPWISE_SILU + 1]; /* 0: identity */
    dropwise_row_max_fn *row_max;
    dropwise_row_exp_fn *row_exp;
    dropwise_row_drop_fn *row_drop;
    dropwise_row_dot_fn *row_dot;
    dropwise_row_grad_fn *row_grad;
} fused_kernels;

typedef struct fused {
    row_call rows;
    fused_kernels kernels;
} fused;

static fused_kernels kernels_for(const dropwise_kernels *k, bool is_f64)
{
    if (is_f64)
        return (fused_kernels){.residual = k->residual_f64,
                               .residual_nt = k->residual_nt_f64,
                               .activate = {NULL, k->activate_relu_f64, k->activate_gelu_f64,
                                            k->activate_gelu_tanh_f64, k->activate_silu_f64},
                               .activate_grad = {k->activate_grad_identity_f64, k->activate_grad_relu_f64,
                                                 k->activate_grad_gelu_f64, k->activate_grad_gelu_tanh_f64,
                                                 k->activate_grad_silu_f64},
                               .row_max = k->row_max_f64,
                               .row_exp = k->row_exp_f64,
                               .row_drop = k->row_drop_f64,
                               .row_dot = k->row_dot_f64,
                               .row_grad = k->row_grad_f64};
    return (fused_kernels){.residual = k->residual_f32,
                           .residual_nt = k->residual_nt_f32,
                           .activate = {NULL, k->activate_relu_f32, k->activate_gelu_f32,
                                        k->activate_gelu_tanh_f32, k->activate_silu_f32},
                           .activate_grad = {k->activate_grad_identity_f32, k->activate_grad_relu_f32,
                                             k->activate_grad_gelu_f32, k->activate_grad_gelu_tanh_f32,
                                             k->activate_grad_silu_f32},
                           .row_max = k->row_max_f32,
                           .row_exp = k->row_exp_f32,
                           .row_drop = k->row_drop_f32,
                           .row_dot = k->row_dot_f32,
                           .row_grad = k->row_grad_f32};
}

static dropwise_status begin(fused *f, const dropwise_kernels *kernels, const dropwise_mask *mask,
                             dropwise_dtype dtype, const dropwise_view *view, const operand *operands,
                             size_t n_operands, const dropwise_stored *stored, bool draws)
{
    f->kernels = kernels_for(kernels, dtype == DROPWISE_F64);
    return dropwise_begin_rows(&f->rows, kernels, mask, dtype, view, operands, n_operands, stored, draws);
}

/* ---- Residual and activations ---- */

enum { FORWARD_OPERANDS = 4, BACKWARD_OPERANDS = 5 };

/* The kernel that writes past the caches, where that is worth it and y is aligned for it. */
static dropwise_residual_fn *residual_for(const fused *f, const void *out)
{
    const bool nontemporal =
        f->rows.nontemporal && f->rows.dtype.narrow == NULL && (uintptr_t)out % DROPWISE_NT_ALIGN == 0;
    return nontemporal ? f->kernels.residual_nt : f->kernels.residual;
}

/* y = residual + drop(x + bias), or y = drop(activation(x + bias)) for an activation that is not 0. */
static void run_forward(fused *f, dropwise_activation activation, const operand *x, const operand *bias,
                        const operand *residual, const operand *y)
{
    row r = first_row(&f->rows);
    do {
        for (uint64_t column = 0; column < f->rows.row_length; column += PIECE) {
            float of_x[PIECE], of_bias[PIECE], of_residual[PIECE], of_y[PIECE];
            uint8_t buffer[PIECE / 8];
            const size_t n = piece_length(f->rows.row_length, column);
            const uint8_t *bits = dropwise_piece_bits(&f->rows, &r, column, n, true, buffer);
            const void *in = numbers(&f->rows, x, &r, column, n, of_x);
            const void *b = numbers(&f->rows, bias, &r, column, n, of_bias);
            void *out = output(&f->rows, y, &r, column, of_y);
            if (activation != 0)
                f->kernels.activate[activation](bits, n, in, b, out, &f->rows.factor);
            else
                residual_for(f, out)(bits, n, in, b, numbers(&f->rows, residual, &r, column, n, of_residual),
                                     out, &f->rows.factor);
            finish_output(&f->rows, y, &r, column, n, of_y);
        }
    } while (dropwise_next_row(&f->rows, &r));
    if (f->rows.nontemporal)
        f->rows.kernels->nt_fence();
}

/*
 * Asks for a piece of the row but one below: where columns are walked, hardware does not foresee it. That
 * takes a quarter off residual_backward/f32/avx2/p:0.1/bytes:67108864 of the benchmark.
 */
static void prefetch_below(const fused *f, const operand *o, const row *r, uint64_t column, size_t n)
{
    if (f->rows.view->rank < 2)
        return;
    const uintptr_t row_bytes = (uintptr_t)o->stride[f->rows.view->rank - 2] * o->element_bytes;
    const uintptr_t from = (uintptr_t)place(&f->rows, o, r, column) + 2 * row_bytes;
    for (size_t i = 0; i < n * o->element_bytes; i += 64)
        __builtin_prefetch((const void *)(from + i), 0, 2);
}

/* Columns [from, to) of all rows. sums, if not NULL: 16 partial sums for each of them. */
static void backward_columns(fused *f, dropwise_activation activation, uint64_t from, uint64_t to,
                             const operand *dy, const operand *x, const operand *bias, const operand *dx,
                             uint8_t *sums)
{
    const bool whole = from == 0 && to == f->rows.row_length;
    row r = first_row(&f->rows);
    do {
        for (uint64_t column = from; column < to; column += PIECE) {
            float of_dy[PIECE], of_x[PIECE], of_bias[PIECE], of_dx[PIECE];
            uint8_t buffer[PIECE / 8];
            const size_t n = piece_length(to, column);
            if (!whole)
                prefetch_below(f, dy, &r, column, n);
            const uint8_t *bits = dropwise_piece_bits(&f->rows, &r, column, n, whole, buffer);
            const void *in = numbers(&f->rows, dy, &r, column, n, of_dy);
            const void *at = numbers(&f->rows, x, &r, column, n, of_x);
            const void *b = numbers(&f->rows, bias, &r, column, n, of_bias);
            uint8_t *sum = sums == NULL ? NULL : sums + r.number % 16 * SUM_COLUMNS * f->rows.number_bytes;
            f->kernels.activate_grad[activation](bits, n, in, at, b, output(&f->rows, dx, &r, column, of_dx),
                                                 &f->rows.factor, sum);
            finish_output(&f->rows, dx, &r, column, n, of_dx);
        }
    } while (dropwise_next_row(&f->rows, &r));
}

static void run_backward(fused *f, dropwise_activation activation, const operand *dy, const operand *x,
                         const operand *bias, const operand *dx, void *dbias)
{
    if (dbias == NULL) {
        backward_columns(f, activation, 0, f->rows.row_length, dy, x, bias, dx, NULL);
        return;
    }
    for (uint64_t from = 0; from < f->rows.row_length; from += SUM_COLUMNS) {
        uint8_t sums[16 * SUM_COLUMNS * sizeof(double)];
        memset(sums, 0, sizeof sums);
        const size_t n = min_size(SUM_COLUMNS, f->rows.row_length - from);
        backward_columns(f, activation, from, from + n, dy, x, bias, dx, sums);
        for (size_t c = 0; c < n; c++) {
            const number total =
                dropwise_sum_tree(f->rows.is_f64, sums + c * f->rows.number_bytes, SUM_COLUMNS);
            memcpy((uint8_t *)dbias + (from + c) * f->rows.number_bytes, &total, f->rows.number_bytes);
        }
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
    const operand operands[FORWARD_OPERANDS] = {{x, view->x_stride, bytes, false},
                                                {bias, along, bytes, false},
                                                {residual, view->y_stride, bytes, false},
                                                {y, view->y_stride, bytes, true}};
    fused f;
    status = begin(&f, kernels, mask, dtype, view, operands, FORWARD_OPERANDS, stored, true);
    if (status == DROPWISE_OK)
        run_forward(&f, activation, &operands[0], &operands[1], &operands[2], &operands[3]);
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
    const size_t number_bytes = dtype == DROPWISE_F64 ? sizeof(double) : sizeof(float);
    if (empty) { /* sums of nothing */
        if (dropwise_check_size(view->size[view->rank - 1], number_bytes) != DROPWISE_OK)
            return DROPWISE_ERROR_SIZE;
        if (dbias != NULL)
            memset(dbias, 0, (size_t)view->size[view->rank - 1] * number_bytes);
        return DROPWISE_OK;
    }
    int64_t along[DROPWISE_MAX_RANK];
    row_strides(view, along);
    const operand operands[BACKWARD_OPERANDS] = {{dy, view->x_stride, bytes, false},
                                                 {x, view->y_stride, bytes, false},
                                                 {bias, along, bytes, false},
                                                 {dx, view->y_stride, bytes, true},
                                                 {dbias, along, number_bytes, true}};
    fused f;
    status = begin(&f, kernels, mask, dtype, view, operands, BACKWARD_OPERANDS, stored, false);
    if (status == DROPWISE_OK)
        run_backward(&f, activation, &operands[0], &operands[1], &operands[2], &operands[3], dbias);
    return status;
}

/* GELU, SiLU and softmax need SLEEF. */
static dropwise_status check_activation(const dropwise_kernels *kernels, dropwise_activation activation)
{
    if (activation < DROPWISE_RELU || activation > DROPWISE_SILU)
        return DROPWISE_ERROR_ACTIVATION;
    if (activation == DROPWISE_RELU)
        return DROPWISE_OK;
    return dropwise_check_math(kernels);
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
    const dropwise_status status = check_activation(kernels, activation);
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
    const dropwise_status status = check_activation(kernels, activation);
    if (status != DROPWISE_OK)
        return status;
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        backward(kernels, mask, dtype, view, activation, dy, x, bias, dx, dbias, stored));
}

/* ---- Attention ---- */

static FP_ENV_BODY dropwise_status softmax_init(dropwise_softmax *softmax, double scale)
{
    if (softmax == NULL)
        return DROPWISE_ERROR_NULL;
    if (!dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    memset(softmax, 0, sizeof *softmax);
    softmax->struct_size = sizeof *softmax;
    softmax->scale = scale;
    return DROPWISE_OK;
}

dropwise_status dropwise_softmax_init(dropwise_softmax *softmax, double scale)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, softmax_init(softmax, scale));
}

static dropwise_status check_softmax(const dropwise_kernels *kernels, const dropwise_softmax *softmax,
                                     const dropwise_view *view, bool forward)
{
    if (softmax == NULL)
        return DROPWISE_ERROR_NULL;
    if (softmax->struct_size != sizeof *softmax)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (softmax->reserved[0] != 0 || softmax->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    if (softmax->causal > 1 || !dropwise_is_finite(softmax->scale))
        return DROPWISE_ERROR_PARAMETER;
    const uint32_t last = view->rank - 1;
    if (softmax->causal && view->rank < 2)
        return DROPWISE_ERROR_SHAPE;
    if (forward && softmax->add != NULL && view->size[last] != 1 && softmax->add_stride[last] != 1)
        return DROPWISE_ERROR_SHAPE;
    return dropwise_check_math(kernels);
}

/* Columns of a row that the causal mask lets through: the first so many. */
static uint64_t visible_columns(const fused *f, const dropwise_softmax *softmax, const row *r)
{
    if (!softmax->causal)
        return f->rows.row_length;
    const int64_t query = (int64_t)r->at[f->rows.view->rank - 2];
    int64_t last;
    if (__builtin_add_overflow(query, softmax->causal_offset, &last))
        return f->rows.row_length; /* both are positive: beyond any column */
    return last < 0 ? 0 : (uint64_t)last >= f->rows.row_length ? f->rows.row_length : (uint64_t)last + 1;
}

/* Zeroes the columns of an output from one on. */
static void clear_columns(const fused *f, const operand *o, const row *r, uint64_t from)
{
    if (o->p != NULL && from < f->rows.row_length)
        memset(place(&f->rows, o, r, from), 0, (size_t)(f->rows.row_length - from) * f->rows.element_bytes);
}

typedef struct softmax_row {
    const operand *x, *add;
    number scale, max;
    uint8_t sums[16 * sizeof(double)];
} softmax_row;

static void softmax_max(const fused *f, softmax_row *s, const row *r, uint64_t visible)
{
    s->max = number_of(&f->rows, -(double)__builtin_inff());
    for (uint64_t column = 0; column < visible; column += PIECE) {
        float of_x[PIECE], of_add[PIECE];
        const size_t n = piece_length(visible, column);
        f->kernels.row_max(n, numbers(&f->rows, s->x, r, column, n, of_x),
                           numbers(&f->rows, s->add, r, column, n, of_add), &s->scale, &s->max);
    }
    /* Nothing counts, or only what is no number: exp(-infinity - 0) is 0, and NaN stay NaN. */
    const double max = f->rows.is_f64 ? s->max.f64 : (double)s->max.f32;
    if (max == -(double)__builtin_inff())
        s->max = number_of(&f->rows, 0.0);
}

/* exp of a piece into out; the sums grow. */
static void softmax_exp(const fused *f, softmax_row *s, const row *r, uint64_t column, size_t n, void *out)
{
    float of_x[PIECE], of_add[PIECE];
    f->kernels.row_exp(n, numbers(&f->rows, s->x, r, column, n, of_x),
                       numbers(&f->rows, s->add, r, column, n, of_add), &s->scale, &s->max, out, s->sums);
}

/* 1 / sum; 0 for a row in which nothing counts. */
static number inverse(const fused *f, number sum)
{
    if (f->rows.is_f64)
        return (number){.f64 = sum.f64 == 0.0 ? 0.0 : 1.0 / sum.f64};
    return (number){.f32 = sum.f32 == 0.0f ? 0.0f : 1.0f / sum.f32};
}

static void softmax_forward_row(fused *f, const dropwise_softmax *softmax, const row *r, const operand *x,
                                const operand *add, const operand *probabilities, const operand *y)
{
    _Alignas(64) uint8_t e[ROW_BUFFER * sizeof(double)];
    const uint64_t visible = visible_columns(f, softmax, r);
    const bool fits = visible <= ROW_BUFFER;
    softmax_row s = {.x = x, .add = add, .scale = number_of(&f->rows, softmax->scale)};
    softmax_max(f, &s, r, visible);
    for (uint64_t column = 0; column < visible; column += PIECE)
        softmax_exp(f, &s, r, column, piece_length(visible, column),
                    e + (fits ? (size_t)column * f->rows.number_bytes : 0));
    const number by_sum = inverse(f, dropwise_sum_tree(f->rows.is_f64, s.sums, 1));

    for (uint64_t column = 0; column < visible; column += PIECE) {
        float of_probabilities[PIECE], of_y[PIECE];
        uint8_t buffer[PIECE / 8];
        const size_t n = piece_length(visible, column);
        uint8_t *piece = e + (fits ? (size_t)column * f->rows.number_bytes : 0);
        if (!fits)
            softmax_exp(f, &s, r, column, n, piece);
        f->kernels.row_drop(dropwise_piece_bits(&f->rows, r, column, n, true, buffer), n, piece, &by_sum,
                            &f->rows.factor, output(&f->rows, probabilities, r, column, of_probabilities),
                            output(&f->rows, y, r, column, of_y));
        finish_output(&f->rows, probabilities, r, column, n, of_probabilities);
        finish_output(&f->rows, y, r, column, n, of_y);
    }
    clear_columns(f, probabilities, r, visible);
    clear_columns(f, y, r, visible);
}

static FP_ENV_BODY dropwise_status softmax_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                   const dropwise_view *view, const dropwise_softmax *softmax,
                                                   const void *x, void *probabilities, void *y,
                                                   const dropwise_stored *stored)
{
    const dropwise_kernels *kernels = dropwise_active();
    bool empty;
    dropwise_status status = dropwise_check_rows(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK)
        status = check_softmax(kernels, softmax, view, true);
    if (status == DROPWISE_OK && !empty && (x == NULL || y == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{x, view->x_stride, bytes, false},
                                {softmax->add, softmax->add_stride, bytes, false},
                                {probabilities, view->y_stride, bytes, true},
                                {y, view->y_stride, bytes, true}};
    fused f;
    status = begin(&f, kernels, mask, dtype, view, operands, 4, stored, true);
    if (status != DROPWISE_OK)
        return status;
    row r = first_row(&f.rows);
    do
        softmax_forward_row(&f, softmax, &r, &operands[0], &operands[1], &operands[2], &operands[3]);
    while (dropwise_next_row(&f.rows, &r));
    return DROPWISE_OK;
}

dropwise_status dropwise_softmax_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const dropwise_softmax *softmax,
                                         const void *x, void *probabilities, void *y,
                                         const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, softmax_forward(mask, dtype, view, softmax, x, probabilities, y, stored));
}

static void softmax_backward_row(fused *f, const dropwise_softmax *softmax, const row *r, const operand *dy,
                                 const operand *probabilities, const operand *dx)
{
    const number scale = number_of(&f->rows, softmax->scale);
    const uint64_t visible = visible_columns(f, softmax, r);
    uint8_t sums[16 * sizeof(double)] = {0};
    number dot = number_of(&f->rows, 0.0);
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t column = 0; column < visible; column += PIECE) {
            float of_dy[PIECE], of_probabilities[PIECE], of_dx[PIECE];
            uint8_t buffer[PIECE / 8];
            const size_t n = piece_length(visible, column);
            const uint8_t *bits = dropwise_piece_bits(&f->rows, r, column, n, true, buffer);
            const void *d = numbers(&f->rows, dy, r, column, n, of_dy);
            const void *p = numbers(&f->rows, probabilities, r, column, n, of_probabilities);
            if (pass == 0) {
                f->kernels.row_dot(bits, n, d, p, &f->rows.factor, sums);
            } else {
                f->kernels.row_grad(bits, n, d, p, &f->rows.factor, &dot, &scale,
                                    output(&f->rows, dx, r, column, of_dx));
                finish_output(&f->rows, dx, r, column, n, of_dx);
            }
        }
        dot = dropwise_sum_tree(f->rows.is_f64, sums, 1);
    }
    clear_columns(f, dx, r, visible);
}

static FP_ENV_BODY dropwise_status softmax_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                    const dropwise_view *view,
                                                    const dropwise_softmax *softmax, const void *dy,
                                                    const void *probabilities, void *dx,
                                                    const dropwise_stored *stored)
{
    const dropwise_kernels *kernels = dropwise_active();
    bool empty;
    dropwise_status status = dropwise_check_rows(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK)
        status = check_softmax(kernels, softmax, view, false);
    if (status == DROPWISE_OK && !empty && (dy == NULL || probabilities == NULL || dx == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{dy, view->x_stride, bytes, false},
                                {probabilities, view->y_stride, bytes, false},
                                {dx, view->y_stride, bytes, true}};
    fused f;
    status = begin(&f, kernels, mask, dtype, view, operands, 3, stored, false);
    if (status != DROPWISE_OK)
        return status;
    row r = first_row(&f.rows);
    do
        softmax_backward_row(&f, softmax, &r, &operands[0], &operands[1], &operands[2]);
    while (dropwise_next_row(&f.rows, &r));
    return DROPWISE_OK;
}

dropwise_status dropwise_softmax_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const dropwise_softmax *softmax,
                                          const void *dy, const void *probabilities, void *dx,
                                          const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, softmax_backward(mask, dtype, view, softmax, dy, probabilities, dx, stored));
}
