/*
 * Attention: dropout(softmax(scale * x + mask)) and its gradient. A kernel takes rows of up to 4,096
 * elements whole, several of them in a call. Longer ones, and elements that go by f32, are done by passes
 * over the pieces of each row, with the same bits.
 */
#include "dropwise_fused.h"

#include <string.h>

#include "base/bits.h"
#include "base/fp_env.h"
#include "tiers/dispatch.h"
#include "view/rows.h"

enum {
    ROW_BUFFER = DROPWISE_SOFTMAX_ROW, /* longest row whose exponentials are kept, and not made again */
    BLOCK_ROWS = 64,                   /* whole rows in a call of a kernel, and their elements        */
    BLOCK_ELEMENTS = ROW_BUFFER,
    BLOCK_BYTES = BLOCK_ELEMENTS / 8 + BLOCK_ROWS, /* of their bits */
};

typedef struct softmax_kernels {
    dropwise_row_max_fn *row_max;
    dropwise_row_exp_fn *row_exp;
    dropwise_row_drop_fn *row_drop;
    dropwise_row_dot_fn *row_dot;
    dropwise_row_grad_fn *row_grad;
} softmax_kernels;

typedef struct softmax_call {
    row_call rows;
    softmax_kernels kernels;
    dropwise_step_kernels steps;
} softmax_call;

static softmax_kernels kernels_for(const dropwise_kernels *k, bool is_f64)
{
    if (is_f64)
        return (softmax_kernels){.row_max = k->row_max_f64,
                                 .row_exp = k->row_exp_f64,
                                 .row_drop = k->row_drop_f64,
                                 .row_dot = k->row_dot_f64,
                                 .row_grad = k->row_grad_f64};
    return (softmax_kernels){.row_max = k->row_max_f32,
                             .row_exp = k->row_exp_f32,
                             .row_drop = k->row_drop_f32,
                             .row_dot = k->row_dot_f32,
                             .row_grad = k->row_grad_f32};
}

static dropwise_status begin(softmax_call *c, const dropwise_kernels *kernels, const dropwise_mask *mask,
                             dropwise_dtype dtype, const dropwise_view *view, const operand *operands,
                             size_t n_operands, const dropwise_stored *stored, bool draws)
{
    c->kernels = kernels_for(kernels, dtype == DROPWISE_F64);
    c->steps = dropwise_steps_of(kernels, dtype);
    const dropwise_status status =
        dropwise_begin_rows(&c->rows, kernels, mask, dtype, view, operands, n_operands, stored, draws);
    if (status == DROPWISE_OK && c->rows.row_length <= ROW_BUFFER)
        take_elements(&c->rows);
    return status;
}

/* Whether rows go to a kernel whole. */
static bool takes_rows(const softmax_call *c)
{
    return c->rows.row_length <= ROW_BUFFER && c->rows.dtype.widen == NULL && !c->rows.adds;
}

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

static dropwise_status check_softmax(const dropwise_kernels *kernels, dropwise_dtype dtype,
                                     const dropwise_softmax *softmax, const dropwise_view *view, bool forward)
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
    return dropwise_check_math(kernels, dtype);
}

/*
 * Columns of a row that the causal mask lets through: the first so many; below 0 if some rows after it
 * have none either.
 */
static int64_t visible_from(const softmax_call *c, const dropwise_softmax *softmax, const row *r)
{
    const int64_t length = (int64_t)c->rows.row_length;
    if (!softmax->causal)
        return length;
    const int64_t query = (int64_t)r->at[c->rows.view->rank - 2];
    int64_t last;
    if (__builtin_add_overflow(query, softmax->causal_offset, &last))
        return length; /* both are positive: beyond any column */
    return last >= length ? length : last < -BLOCK_ROWS ? -BLOCK_ROWS : last + 1;
}

static uint64_t visible_columns(const softmax_call *c, const dropwise_softmax *softmax, const row *r)
{
    const int64_t columns = visible_from(c, softmax, r);
    return columns < 0 ? 0 : (uint64_t)columns;
}

/* Zeroes the columns of an output from one on. */
static void clear_columns(const softmax_call *c, const operand *o, const row *r, uint64_t from)
{
    if (o->p != NULL && from < c->rows.row_length)
        memset(operand_at(&c->rows, o, r, from), 0,
               (size_t)(c->rows.row_length - from) * c->rows.element_bytes);
}

/* ---- Whole rows ---- */

/*
 * Rows from r on that a kernel may take in one call: their places differ by the same step, and there is
 * room for their bits.
 */
static size_t rows_together(const softmax_call *c, const row *r)
{
    const dropwise_view *view = c->rows.view;
    if (view->rank < 2)
        return 1;
    const uint64_t left = view->size[view->rank - 2] - r->at[view->rank - 2];
    return min_size(min_size(BLOCK_ROWS, BLOCK_ELEMENTS / c->rows.row_length), left);
}

/*
 * The bits of so many rows from r on, a step of bytes apart, and the row after them in place of r; false if
 * there is none.
 */
static bool bits_of_rows(softmax_call *c, row *r, dropwise_softmax_rows *rows, uint8_t *buffer)
{
    const size_t n = rows->n, step = bytes_of_bits(n);
    const bool together = c->rows.view->mask_stride[c->rows.view->rank - 1] == 1 && !c->rows.reads_stored &&
                          n % 8 == 0 && r->into_run + rows->rows * n <= c->rows.run_length;
    rows->bits = buffer;
    rows->bits_step = step;
    if (together)
        rows->bits = dropwise_piece_bits(&c->rows, r, 0, rows->rows * n, true, buffer);
    bool more = true;
    for (size_t k = 0; k < rows->rows; k++) {
        uint8_t of_row[BLOCK_ELEMENTS / 8];
        if (!together)
            memcpy(buffer + k * step, dropwise_piece_bits(&c->rows, r, 0, n, true, of_row), step);
        more = dropwise_next_row(&c->rows, r);
    }
    return more;
}

static ptrdiff_t row_step(const softmax_call *c, const operand *o)
{
    const dropwise_view *view = c->rows.view;
    return view->rank < 2 ? 0 : (ptrdiff_t)(o->stride[view->rank - 2] * (int64_t)o->element_bytes);
}

/* All rows, by a kernel for them; backward x is dy, and y dx. */
static __attribute__((noinline)) void softmax_whole_rows(softmax_call *c, const dropwise_softmax *softmax,
                                                         dropwise_softmax_fn *kernel, const operand *x,
                                                         const operand *add, const operand *probabilities,
                                                         const operand *y)
{
    const real scale = real_of(c->rows.is_f64, softmax->scale);
    dropwise_softmax_rows rows = {.n = (size_t)c->rows.row_length,
                                  .x_step = row_step(c, x),
                                  .y_step = row_step(c, y),
                                  .visible_step = softmax->causal,
                                  .scale = &scale,
                                  .factor = &c->rows.factor};
    row r = first_row(&c->rows);
    bool more = true;
    while (more) {
        uint8_t bits[BLOCK_BYTES];
        rows.rows = rows_together(c, &r);
        rows.x = operand_at(&c->rows, x, &r, 0);
        rows.y = operand_at(&c->rows, y, &r, 0);
        rows.probabilities = probabilities->p == NULL ? NULL : operand_at(&c->rows, probabilities, &r, 0);
        if (add != NULL && add->p != NULL) {
            rows.add = operand_at(&c->rows, add, &r, 0);
            rows.add_step = row_step(c, add);
        }
        rows.visible = visible_from(c, softmax, &r);
        more = bits_of_rows(c, &r, &rows, bits);
        kernel(&rows);
    }
}

/* ---- Rows by pieces ---- */

typedef struct softmax_row {
    const operand *x, *add;
    real scale, max;
    uint8_t sums[16 * sizeof(double)];
} softmax_row;

static void softmax_max(const softmax_call *c, softmax_row *s, const row *r, uint64_t visible)
{
    s->max = real_of(c->rows.is_f64, -(double)__builtin_inff());
    for (uint64_t column = 0; column < visible; column += PIECE) {
        float of_x[PIECE], of_add[PIECE];
        const size_t n = piece_length(visible, column);
        c->kernels.row_max(n, load_reals(&c->rows, s->x, r, column, n, of_x),
                           load_reals(&c->rows, s->add, r, column, n, of_add), &s->scale, &s->max);
    }
    /* Nothing counts, or only what is no number: exp(-infinity - 0) is 0, and NaN stay NaN. */
    const double max = c->rows.is_f64 ? s->max.f64 : (double)s->max.f32;
    if (max == -(double)__builtin_inff())
        s->max = real_of(c->rows.is_f64, 0.0);
}

/* exp of a piece into out; the sums grow. */
static void softmax_exp(const softmax_call *c, softmax_row *s, const row *r, uint64_t column, size_t n,
                        void *out)
{
    float of_x[PIECE], of_add[PIECE];
    c->kernels.row_exp(n, load_reals(&c->rows, s->x, r, column, n, of_x),
                       load_reals(&c->rows, s->add, r, column, n, of_add), &s->scale, &s->max, out, s->sums);
}

/* 1 / sum; 0 for a row in which nothing counts. */
static real inverse(const softmax_call *c, real sum)
{
    if (c->rows.is_f64)
        return (real){.f64 = sum.f64 == 0.0 ? 0.0 : 1.0 / sum.f64};
    return (real){.f32 = sum.f32 == 0.0f ? 0.0f : 1.0f / sum.f32};
}

/* Out of line: its buffer would else be on the stack while a mask is stored, too. */
static __attribute__((noinline)) void softmax_forward_row(softmax_call *c, const dropwise_softmax *softmax,
                                                          const row *r, const operand *x, const operand *add,
                                                          const operand *probabilities, const operand *y)
{
    _Alignas(64) uint8_t e[ROW_BUFFER * sizeof(double)];
    const uint64_t visible = visible_columns(c, softmax, r);
    const bool fits = visible <= ROW_BUFFER;
    softmax_row s = {.x = x, .add = add, .scale = real_of(c->rows.is_f64, softmax->scale)};
    softmax_max(c, &s, r, visible);
    for (uint64_t column = 0; column < visible; column += PIECE)
        softmax_exp(c, &s, r, column, piece_length(visible, column),
                    e + (fits ? (size_t)column * c->rows.real_bytes : 0));
    const real by_sum = inverse(c, dropwise_sum_tree(c->rows.is_f64, s.sums, 1));

    for (uint64_t column = 0; column < visible; column += PIECE) {
        float of_probabilities[PIECE], of_y[PIECE];
        uint8_t buffer[PIECE / 8];
        const size_t n = piece_length(visible, column);
        uint8_t *piece = e + (fits ? (size_t)column * c->rows.real_bytes : 0);
        if (!fits)
            softmax_exp(c, &s, r, column, n, piece);
        c->kernels.row_drop(dropwise_piece_bits(&c->rows, r, column, n, true, buffer), n, piece, &by_sum,
                            &c->rows.factor, output(&c->rows, probabilities, r, column, of_probabilities),
                            output(&c->rows, y, r, column, of_y));
        finish_output(&c->rows, probabilities, r, column, n, of_probabilities);
        finish_output(&c->rows, y, r, column, n, of_y);
    }
    clear_columns(c, probabilities, r, visible);
    clear_columns(c, y, r, visible);
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
        status = check_softmax(kernels, dtype, softmax, view, true);
    if (status == DROPWISE_OK && !empty && (x == NULL || y == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{x, view->x_stride, bytes, READ},
                                {softmax->add, softmax->add_stride, bytes, READ},
                                {probabilities, view->y_stride, bytes, WRITTEN},
                                {y, view->y_stride, bytes, WRITTEN}};
    softmax_call c;
    status = begin(&c, kernels, mask, dtype, view, operands, 4, stored, true);
    if (status != DROPWISE_OK)
        return status;
    if (takes_rows(&c)) {
        softmax_whole_rows(&c, softmax, c.steps.softmax, &operands[0], &operands[1], &operands[2],
                           &operands[3]);
        return DROPWISE_OK;
    }
    row r = first_row(&c.rows);
    do
        softmax_forward_row(&c, softmax, &r, &operands[0], &operands[1], &operands[2], &operands[3]);
    while (dropwise_next_row(&c.rows, &r));
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

static void softmax_backward_row(softmax_call *c, const dropwise_softmax *softmax, const row *r,
                                 const operand *dy, const operand *probabilities, const operand *dx)
{
    const real scale = real_of(c->rows.is_f64, softmax->scale);
    const uint64_t visible = visible_columns(c, softmax, r);
    uint8_t sums[16 * sizeof(double)] = {0};
    real dot = real_of(c->rows.is_f64, 0.0);
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t column = 0; column < visible; column += PIECE) {
            float of_dy[PIECE], of_probabilities[PIECE];
            double of_dx[PIECE];
            uint8_t buffer[PIECE / 8];
            const size_t n = piece_length(visible, column);
            const uint8_t *bits = dropwise_piece_bits(&c->rows, r, column, n, true, buffer);
            const void *d = load_reals(&c->rows, dy, r, column, n, of_dy);
            const void *p = load_reals(&c->rows, probabilities, r, column, n, of_probabilities);
            if (pass == 0) {
                c->kernels.row_dot(bits, n, d, p, &c->rows.factor, sums);
            } else {
                c->kernels.row_grad(bits, n, d, p, &c->rows.factor, &dot, &scale,
                                    output(&c->rows, dx, r, column, of_dx));
                finish_gradient(&c->rows, dx, r, column, n, NULL, of_dx);
            }
        }
        dot = dropwise_sum_tree(c->rows.is_f64, sums, 1);
    }
    if (dx->use != ADDED)
        clear_columns(c, dx, r, visible);
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
        status = check_softmax(kernels, dtype, softmax, view, false);
    if (status == DROPWISE_OK && !empty && (dy == NULL || probabilities == NULL || dx == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{dy, view->x_stride, bytes, READ},
                                {probabilities, view->y_stride, bytes, READ},
                                {dx, view->y_stride, bytes, gradient_use(mask)}};
    softmax_call c;
    status = begin(&c, kernels, mask, dtype, view, operands, 3, stored, false);
    if (status != DROPWISE_OK)
        return status;
    if (takes_rows(&c)) {
        softmax_whole_rows(&c, softmax, c.steps.softmax_grad, &operands[0], NULL, &operands[1], &operands[2]);
        return DROPWISE_OK;
    }
    row r = first_row(&c.rows);
    do
        softmax_backward_row(&c, softmax, &r, &operands[0], &operands[1], &operands[2]);
    while (dropwise_next_row(&c.rows, &r));
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
