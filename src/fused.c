/*
 * The fused steps: check the arguments, then row by row, in pieces that stay in L1, bits and a kernel.
 * Elements narrower than f32 are widened piece by piece into buffers, and narrowed out of them.
 */
#include "dropwise_fused.h"

#include <string.h>

#include "apply.h"
#include "bits.h"
#include "dispatch.h"
#include "walk.h"

enum {
    PIECE = 512,       /* elements of a row that go through a kernel at a time       */
    SUM_COLUMNS = 256, /* columns whose 16 partial sums are kept at a time           */
    ROW_BUFFER = 4096, /* longest row whose exponentials are kept, and not made again */
    MAX_OPERANDS = 6
};

/* A number of the type that is computed in. */
typedef union number {
    double f64;
    float f32;
} number;

typedef struct fused_kernels {
    dropwise_residual_fn *residual, *residual_stream;
    dropwise_activate_fn *activate[DROPWISE_SILU + 1];
    dropwise_activate_grad_fn *activate_grad[DROPWISE_SILU + 1]; /* 0: identity */
    dropwise_row_max_fn *row_max;
    dropwise_row_exp_fn *row_exp;
    dropwise_row_drop_fn *row_drop;
    dropwise_row_dot_fn *row_dot;
    dropwise_row_grad_fn *row_grad;
} fused_kernels;

/* A tensor of a call: pointer, strides in elements, element size. Bias and dbias have a stride of 0 but along
 * the row. */
typedef struct operand {
    const void *p;
    const int64_t *stride;
    size_t element_bytes;
    bool output;
} operand;

/* A call, after it was checked. */
typedef struct fused {
    const dropwise_view *view;
    bool is_f64;
    size_t element_bytes, number_bytes;
    dropwise_dtype_kernels dtype;
    fused_kernels kernels;
    number factor;
    draw_plan draw;
    bit_source source;
    uint64_t ahead; /* mask indices that follow each other from row to row, from the first row on */
    bool reads_stored;
    bool streams; /* outputs are large and apart from the inputs */
    stored_plan stored;
    uint64_t row_length, n_rows;
} fused;

/* Where a row lies. */
typedef struct row {
    uint64_t at[DROPWISE_MAX_RANK]; /* coordinates; the last is 0 */
    uint64_t number;
    uint64_t index;  /* of its first element in the mask */
    uint64_t stored; /* its row in the stored mask       */
} row;

static size_t smaller(uint64_t a, size_t b)
{
    return a < b ? (size_t)a : b;
}

static fused_kernels kernels_for(const dropwise_kernels *k, bool is_f64)
{
    if (is_f64)
        return (fused_kernels){
            .residual = k->residual_f64, .residual_stream = k->residual_stream_f64,
            .activate = {NULL, k->activate_relu_f64, k->activate_gelu_f64, k->activate_gelu_tanh_f64,
                         k->activate_silu_f64},
            .activate_grad = {k->activate_grad_identity_f64, k->activate_grad_relu_f64,
                              k->activate_grad_gelu_f64, k->activate_grad_gelu_tanh_f64,
                              k->activate_grad_silu_f64},
            .row_max = k->row_max_f64, .row_exp = k->row_exp_f64, .row_drop = k->row_drop_f64,
            .row_dot = k->row_dot_f64, .row_grad = k->row_grad_f64};
    return (fused_kernels){
        .residual = k->residual_f32, .residual_stream = k->residual_stream_f32,
        .activate = {NULL, k->activate_relu_f32, k->activate_gelu_f32, k->activate_gelu_tanh_f32,
                     k->activate_silu_f32},
        .activate_grad = {k->activate_grad_identity_f32, k->activate_grad_relu_f32,
                          k->activate_grad_gelu_f32, k->activate_grad_gelu_tanh_f32,
                          k->activate_grad_silu_f32},
        .row_max = k->row_max_f32, .row_exp = k->row_exp_f32, .row_drop = k->row_drop_f32,
        .row_dot = k->row_dot_f32, .row_grad = k->row_grad_f32};
}

static number number_of(const fused *f, double value)
{
    return f->is_f64 ? (number){.f64 = value} : (number){.f32 = (float)value};
}

/* ---- Checks ---- */

static bool same_place(const dropwise_view *view, const operand *a, const operand *b)
{
    if (a->p != b->p || a->element_bytes != b->element_bytes)
        return false;
    for (uint32_t d = 0; d < view->rank; d++)
        if (view->size[d] != 1 && a->stride[d] != b->stride[d])
            return false;
    return true;
}

/* Operands with a NULL pointer are left out: who needs them has checked that. */
static dropwise_status check_operands(const dropwise_view *view, const operand *operands, size_t n,
                                      dropwise_extent *extents)
{
    for (size_t i = 0; i < n; i++) {
        if (operands[i].p == NULL)
            continue;
        const dropwise_status status = dropwise_check_view_extent(
            view, operands[i].stride, operands[i].element_bytes, operands[i].p, &extents[i]);
        if (status != DROPWISE_OK)
            return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (!operands[i].output || operands[i].p == NULL)
            continue;
        if (operands[i].stride == view->y_stride && !dropwise_is_free_of_overlap(view, view->y_stride))
            return DROPWISE_ERROR_SELF_OVERLAP;
        for (size_t j = 0; j < n; j++) {
            if (j == i || operands[j].p == NULL || !dropwise_overlap(extents[i], extents[j]))
                continue;
            if (operands[j].output || !same_place(view, &operands[i], &operands[j]))
                return DROPWISE_ERROR_OVERLAP;
        }
    }
    return DROPWISE_OK;
}

/* Rows are contiguous and have elements. */
static dropwise_status check_rows(const dropwise_view *view)
{
    const uint32_t last = view->rank - 1;
    if (view->size[last] == 0)
        return DROPWISE_ERROR_SHAPE;
    if (view->size[last] != 1 && (view->x_stride[last] != 1 || view->y_stride[last] != 1))
        return DROPWISE_ERROR_SHAPE;
    return DROPWISE_OK;
}

/* The checks that come before those of data; *empty says that there is none. */
static dropwise_status check_call(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *view,
                                  const dropwise_stored *stored, bool *empty)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, empty);
    if (status == DROPWISE_OK && stored != NULL)
        status = dropwise_check_stored(stored);
    if (status == DROPWISE_OK)
        status = check_rows(view);
    return status;
}

/* Whether an output is better written past the caches: none of it is an input too. */
static bool is_large_and_apart(const operand *operands, const dropwise_extent *extents, size_t n)
{
    bool large = false;
    for (size_t i = 0; i < n; i++) {
        if (!operands[i].output || operands[i].p == NULL)
            continue;
        large = large || dropwise_is_large(extents[i].to - extents[i].from);
        for (size_t j = 0; j < n; j++)
            if (operands[j].p == operands[i].p && j != i)
                return false;
    }
    return large;
}

/* Fills the call and, if `draws`, writes the stored mask, which is read from then on. */
static dropwise_status begin(fused *f, const dropwise_mask *mask, dropwise_dtype dtype,
                             const dropwise_view *view, const operand *operands, size_t n_operands,
                             const dropwise_stored *stored, bool draws)
{
    const dropwise_kernels *kernels = dropwise_active();
    dropwise_extent extents[MAX_OPERANDS];
    dropwise_status status = check_operands(view, operands, n_operands, extents);
    if (status != DROPWISE_OK)
        return status;
    const walk_rows mask_rows = dropwise_view_rows(view);
    if (stored != NULL) {
        dropwise_extent of_stored;
        status = dropwise_plan_stored(stored, mask, dtype, mask_rows.rows, mask_rows.row_length, kernels,
                                      &f->stored, &of_stored);
        for (size_t i = 0; i < n_operands && status == DROPWISE_OK; i++)
            if (operands[i].p != NULL && dropwise_overlap(extents[i], of_stored))
                status = DROPWISE_ERROR_OVERLAP;
        if (status != DROPWISE_OK)
            return status;
    }
    f->view = view;
    f->is_f64 = dtype == DROPWISE_F64;
    f->element_bytes = dropwise_dtype_bytes(dtype);
    f->number_bytes = f->is_f64 ? sizeof(double) : sizeof(float);
    f->dtype = dropwise_dtype_of(kernels, dtype);
    f->kernels = kernels_for(kernels, f->is_f64);
    const apply_plan scaling = dropwise_apply_plan(kernels, mask, dtype, false);
    f->factor = number_of(f, 1.0);
    if (scaling.scales)
        memcpy(&f->factor, &scaling.factor, sizeof scaling.factor);
    f->draw = dropwise_draw_plan(kernels, mask);
    bit_source_init(&f->source, &f->draw);
    f->row_length = view->size[view->rank - 1];
    f->n_rows = 1;
    f->ahead = f->row_length;
    for (uint32_t d = view->rank - 1; d-- > 0;) {
        if (f->ahead == f->row_length * f->n_rows && (uint64_t)view->mask_stride[d] == f->ahead)
            f->ahead *= view->size[d];
        f->n_rows *= view->size[d];
    }
    if (stored != NULL && draws)
        dropwise_draw_rows(&f->draw, view, &mask_rows, &f->stored);
    f->reads_stored = stored != NULL && mask->keep_threshold != 0;
    f->streams = is_large_and_apart(operands, extents, n_operands);
    return DROPWISE_OK;
}

/* GELU, SiLU and softmax need SLEEF, and that the CPU can run what SLEEF has for this tier. */
static dropwise_status check_math(void)
{
    return dropwise_active_has_math() ? DROPWISE_OK : DROPWISE_ERROR_MATH;
}

/* ---- Rows and pieces ---- */

static row first_row(const fused *f)
{
    row r;
    memset(&r, 0, sizeof r);
    r.index = f->view->first;
    return r;
}

/* The next row in row-major order; false after the last one. */
static bool next_row(const fused *f, row *r)
{
    const dropwise_view *view = f->view;
    r->number++;
    for (uint32_t d = view->rank - 1; d-- > 0;) {
        r->index += (uint64_t)view->mask_stride[d];
        if (++r->at[d] < view->size[d]) {
            r->stored = 0;
            for (uint32_t e = 0; e + 1 < view->rank; e++)
                if (view->mask_stride[e] != 0)
                    r->stored = r->stored * view->size[e] + r->at[e];
            return true;
        }
        r->index -= (uint64_t)((int64_t)view->size[d] * view->mask_stride[d]);
        r->at[d] = 0;
    }
    return false;
}

/* Where an operand's element lies. */
static uint8_t *place(const fused *f, const operand *o, const row *r, uint64_t column)
{
    int64_t at = (int64_t)column * o->stride[f->view->rank - 1];
    for (uint32_t d = 0; d + 1 < f->view->rank; d++)
        at += (int64_t)r->at[d] * o->stride[d];
    return (uint8_t *)(uintptr_t)o->p + at * (int64_t)o->element_bytes;
}

/* The keep bits of a piece of a row, by themselves or in a buffer of PIECE bits. `whole` rows will follow. */
static const uint8_t *piece_bits(fused *f, const row *r, uint64_t column, size_t n, bool whole,
                                 uint8_t *buffer)
{
    const dropwise_view *view = f->view;
    const int64_t step = view->mask_stride[view->rank - 1];
    const uint64_t index = r->index + (uint64_t)((int64_t)column * step);
    if (f->reads_stored) {
        const walk_rows rows = dropwise_view_rows(view);
        const int64_t entry = stored_entry_step(&f->stored), row_step = stored_row_step(&f->stored);
        if (step != 0) {
            dropwise_read_stored(&f->stored, (int64_t)r->stored * row_step + (int64_t)column * entry, entry,
                                 n, buffer);
        } else { /* the mask's own rows are shorter than the view has dimensions */
            const uint64_t own_row = r->stored / rows.row_length, own_column = r->stored % rows.row_length;
            uint8_t bit;
            dropwise_read_stored(&f->stored, (int64_t)own_row * row_step + (int64_t)own_column * entry,
                                 entry, 1, &bit);
            fill_bits(buffer, n, bit & 1);
        }
        return buffer;
    }
    if (step == 0) {
        const bool bit = *dropwise_bits_get(&f->source, index, 1, 1, 1, buffer) & 1;
        fill_bits(buffer, n, bit);
        return buffer;
    }
    const uint64_t into_run = (r->number * f->row_length + column) % f->ahead;
    return dropwise_bits_get(&f->source, index, step, n, whole && step == 1 ? f->ahead - into_run : n,
                             buffer);
}

/* A piece of an operand as numbers that are computed in: where it is, or widened into the buffer. */
static const void *numbers(const fused *f, const operand *o, const row *r, uint64_t column, size_t n,
                           float *buffer)
{
    if (o->p == NULL)
        return NULL;
    const uint8_t *p = place(f, o, r, column);
    if (f->dtype.widen == NULL)
        return p;
    f->dtype.widen(n, p, buffer);
    return buffer;
}

/* Where a kernel writes a piece of an output: in place, or to the buffer, from where it is narrowed. */
static void *output(const fused *f, const operand *o, const row *r, uint64_t column, float *buffer)
{
    if (o->p == NULL)
        return NULL;
    return f->dtype.narrow == NULL ? (void *)place(f, o, r, column) : buffer;
}

static void finish_output(const fused *f, const operand *o, const row *r, uint64_t column, size_t n,
                          const float *buffer)
{
    if (o->p != NULL && f->dtype.narrow != NULL)
        f->dtype.narrow(n, buffer, place(f, o, r, column));
}

/* ---- Sums ---- */

/* 16 partial sums, `step` numbers apart, to one. */
static number tree(const fused *f, const void *sums, size_t step)
{
    number total;
    if (f->is_f64) {
        double s[16];
        for (size_t k = 0; k < 16; k++)
            memcpy(&s[k], (const uint8_t *)sums + k * step * sizeof *s, sizeof *s);
        for (size_t half = 8; half != 0; half /= 2)
            for (size_t k = 0; k < half; k++)
                s[k] += s[k + half];
        total.f64 = s[0] == s[0] ? s[0] : (double)__builtin_nan("");
    } else {
        float s[16];
        for (size_t k = 0; k < 16; k++)
            memcpy(&s[k], (const uint8_t *)sums + k * step * sizeof *s, sizeof *s);
        for (size_t half = 8; half != 0; half /= 2)
            for (size_t k = 0; k < half; k++)
                s[k] += s[k + half];
        total.f32 = s[0] == s[0] ? s[0] : __builtin_nanf("");
    }
    return total;
}

/* ---- Residual and activations ---- */

enum { FORWARD_OPERANDS = 4, BACKWARD_OPERANDS = 5 };

/* The kernel that writes past the caches, where that is worth it and y is aligned for it. */
static dropwise_residual_fn *residual_for(const fused *f, const void *out)
{
    const bool streams = f->streams && f->dtype.narrow == NULL && (uintptr_t)out % DROPWISE_STREAM_ALIGN == 0;
    return streams ? f->kernels.residual_stream : f->kernels.residual;
}

/* y = residual + drop(x + bias), or y = drop(activation(x + bias)) for an activation that is not 0. */
static void run_forward(fused *f, dropwise_activation activation, const operand *x, const operand *bias,
                        const operand *residual, const operand *y)
{
    row r = first_row(f);
    do {
        for (uint64_t column = 0; column < f->row_length; column += PIECE) {
            float of_x[PIECE], of_bias[PIECE], of_residual[PIECE], of_y[PIECE];
            uint8_t buffer[PIECE / 8];
            const size_t n = smaller(f->row_length - column, PIECE);
            const uint8_t *bits = piece_bits(f, &r, column, n, true, buffer);
            const void *in = numbers(f, x, &r, column, n, of_x);
            const void *b = numbers(f, bias, &r, column, n, of_bias);
            void *out = output(f, y, &r, column, of_y);
            if (activation != 0)
                f->kernels.activate[activation](bits, n, in, b, out, &f->factor);
            else
                residual_for(f, out)(bits, n, in, b, numbers(f, residual, &r, column, n, of_residual), out,
                                     &f->factor);
            finish_output(f, y, &r, column, n, of_y);
        }
    } while (next_row(f, &r));
    if (f->streams)
        f->draw.kernels->stream_fence();
}

/*
 * Asks for a piece of the row but one below: where columns are walked, hardware does not foresee it. That
 * takes a quarter off residual_backward/f32/avx2/p:0.1/bytes:67108864 of the benchmark.
 */
static void prefetch_below(const fused *f, const operand *o, const row *r, uint64_t column, size_t n)
{
    if (f->view->rank < 2)
        return;
    const int64_t row_bytes = o->stride[f->view->rank - 2] * (int64_t)o->element_bytes;
    const uintptr_t from = (uintptr_t)place(f, o, r, column) + 2 * (uintptr_t)row_bytes;
    for (size_t i = 0; i < n * o->element_bytes; i += 64)
        __builtin_prefetch((const void *)(from + i), 0, 2);
}

/* Columns [from, to) of all rows. sums, if not NULL: 16 partial sums for each of them. */
static void backward_columns(fused *f, dropwise_activation activation, uint64_t from, uint64_t to,
                             const operand *dy, const operand *x, const operand *bias, const operand *dx,
                             uint8_t *sums)
{
    const bool whole = from == 0 && to == f->row_length;
    row r = first_row(f);
    do {
        for (uint64_t column = from; column < to; column += PIECE) {
            float of_dy[PIECE], of_x[PIECE], of_bias[PIECE], of_dx[PIECE];
            uint8_t buffer[PIECE / 8];
            const size_t n = smaller(to - column, PIECE);
            if (!whole)
                prefetch_below(f, dy, &r, column, n);
            const uint8_t *bits = piece_bits(f, &r, column, n, whole, buffer);
            const void *in = numbers(f, dy, &r, column, n, of_dy);
            const void *at = numbers(f, x, &r, column, n, of_x);
            const void *b = numbers(f, bias, &r, column, n, of_bias);
            uint8_t *sum = sums == NULL ? NULL : sums + r.number % 16 * SUM_COLUMNS * f->number_bytes;
            f->kernels.activate_grad[activation](bits, n, in, at, b, output(f, dx, &r, column, of_dx),
                                                 &f->factor, sum);
            finish_output(f, dx, &r, column, n, of_dx);
        }
    } while (next_row(f, &r));
}

static void run_backward(fused *f, dropwise_activation activation, const operand *dy, const operand *x,
                         const operand *bias, const operand *dx, void *dbias)
{
    if (dbias == NULL) {
        backward_columns(f, activation, 0, f->row_length, dy, x, bias, dx, NULL);
        return;
    }
    for (uint64_t from = 0; from < f->row_length; from += SUM_COLUMNS) {
        uint8_t sums[16 * SUM_COLUMNS * sizeof(double)];
        memset(sums, 0, sizeof sums);
        const size_t n = smaller(f->row_length - from, SUM_COLUMNS);
        backward_columns(f, activation, from, from + n, dy, x, bias, dx, sums);
        for (size_t c = 0; c < n; c++) {
            const number total = tree(f, sums + c * f->number_bytes, SUM_COLUMNS);
            memcpy((uint8_t *)dbias + (from + c) * f->number_bytes, &total, f->number_bytes);
        }
    }
}

/* Strides of a row that all rows share. */
static void row_strides(const dropwise_view *view, int64_t *stride)
{
    memset(stride, 0, DROPWISE_MAX_RANK * sizeof *stride);
    stride[view->rank - 1] = 1;
}

static dropwise_status forward(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *view,
                               dropwise_activation activation, const void *x, const void *bias,
                               const void *residual, void *y, const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = check_call(mask, dtype, view, stored, &empty);
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
    status = begin(&f, mask, dtype, view, operands, FORWARD_OPERANDS, stored, true);
    if (status == DROPWISE_OK)
        run_forward(&f, activation, &operands[0], &operands[1], &operands[2], &operands[3]);
    return status;
}

static dropwise_status backward(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *view,
                                dropwise_activation activation, const void *dy, const void *x,
                                const void *bias, void *dx, void *dbias, const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = check_call(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK && !empty && (dy == NULL || dx == NULL || (activation != 0 && x == NULL)))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const size_t number_bytes = dtype == DROPWISE_F64 ? sizeof(double) : sizeof(float);
    if (empty) { /* sums of nothing */
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
    status = begin(&f, mask, dtype, view, operands, BACKWARD_OPERANDS, stored, false);
    if (status == DROPWISE_OK)
        run_backward(&f, activation, &operands[0], &operands[1], &operands[2], &operands[3], dbias);
    return status;
}

static dropwise_status check_activation(dropwise_activation activation)
{
    if (activation < DROPWISE_RELU || activation > DROPWISE_SILU)
        return DROPWISE_ERROR_ACTIVATION;
    if (activation == DROPWISE_RELU)
        return DROPWISE_OK;
    return check_math();
}

dropwise_status dropwise_residual_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const void *x, const void *bias,
                                          const void *residual, void *y, const dropwise_stored *stored)
{
    return forward(mask, dtype, view, 0, x, bias, residual, y, stored);
}

dropwise_status dropwise_residual_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_view *view, const void *dy, void *dx, void *dbias,
                                           const dropwise_stored *stored)
{
    return backward(mask, dtype, view, 0, dy, NULL, NULL, dx, dbias, stored);
}

dropwise_status dropwise_activation_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                            const dropwise_view *view, dropwise_activation activation,
                                            const void *x, const void *bias, void *y,
                                            const dropwise_stored *stored)
{
    const dropwise_status status = check_activation(activation);
    if (status != DROPWISE_OK)
        return status;
    return forward(mask, dtype, view, activation, x, bias, NULL, y, stored);
}

dropwise_status dropwise_activation_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_view *view, dropwise_activation activation,
                                             const void *dy, const void *x, const void *bias, void *dx,
                                             void *dbias, const dropwise_stored *stored)
{
    const dropwise_status status = check_activation(activation);
    if (status != DROPWISE_OK)
        return status;
    return backward(mask, dtype, view, activation, dy, x, bias, dx, dbias, stored);
}

/* ---- Attention ---- */

dropwise_status dropwise_softmax_init(dropwise_softmax *softmax, double scale)
{
    if (softmax == NULL)
        return DROPWISE_ERROR_NULL;
    if (!(scale - scale == 0.0))
        return DROPWISE_ERROR_PARAMETER;
    memset(softmax, 0, sizeof *softmax);
    softmax->struct_size = sizeof *softmax;
    softmax->scale = scale;
    return DROPWISE_OK;
}

static dropwise_status check_softmax(const dropwise_softmax *softmax, const dropwise_view *view, bool forward)
{
    if (softmax == NULL)
        return DROPWISE_ERROR_NULL;
    if (softmax->struct_size != sizeof *softmax)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (softmax->reserved[0] != 0 || softmax->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    if (softmax->causal > 1 || !(softmax->scale - softmax->scale == 0.0))
        return DROPWISE_ERROR_PARAMETER;
    const uint32_t last = view->rank - 1;
    if (softmax->causal && view->rank < 2)
        return DROPWISE_ERROR_SHAPE;
    if (forward && softmax->add != NULL && view->size[last] != 1 && softmax->add_stride[last] != 1)
        return DROPWISE_ERROR_SHAPE;
    return check_math();
}

/* Columns of a row that the causal mask lets through: the first so many. */
static uint64_t visible_columns(const fused *f, const dropwise_softmax *softmax, const row *r)
{
    if (!softmax->causal)
        return f->row_length;
    const int64_t query = (int64_t)r->at[f->view->rank - 2];
    int64_t last;
    if (__builtin_add_overflow(query, softmax->causal_offset, &last))
        return f->row_length; /* both are positive: beyond any column */
    return last < 0 ? 0 : (uint64_t)last >= f->row_length ? f->row_length : (uint64_t)last + 1;
}

/* Zeroes the columns of an output from one on. */
static void clear_columns(const fused *f, const operand *o, const row *r, uint64_t from)
{
    if (o->p != NULL && from < f->row_length)
        memset(place(f, o, r, from), 0, (size_t)(f->row_length - from) * f->element_bytes);
}

typedef struct softmax_row {
    const operand *x, *add;
    number scale, max;
    uint8_t sums[16 * sizeof(double)];
} softmax_row;

static void softmax_max(const fused *f, softmax_row *s, const row *r, uint64_t visible)
{
    s->max = number_of(f, -(double)__builtin_inff());
    for (uint64_t column = 0; column < visible; column += PIECE) {
        float of_x[PIECE], of_add[PIECE];
        const size_t n = smaller(visible - column, PIECE);
        f->kernels.row_max(n, numbers(f, s->x, r, column, n, of_x), numbers(f, s->add, r, column, n, of_add),
                           &s->scale, &s->max);
    }
    /* Nothing counts, or only what is no number: exp(-infinity - 0) is 0, and NaN stay NaN. */
    const double max = f->is_f64 ? s->max.f64 : (double)s->max.f32;
    if (max == -(double)__builtin_inff())
        s->max = number_of(f, 0.0);
}

/* exp of a piece into out; the sums grow. */
static void softmax_exp(const fused *f, softmax_row *s, const row *r, uint64_t column, size_t n, void *out)
{
    float of_x[PIECE], of_add[PIECE];
    f->kernels.row_exp(n, numbers(f, s->x, r, column, n, of_x), numbers(f, s->add, r, column, n, of_add),
                       &s->scale, &s->max, out, s->sums);
}

/* 1 / sum; 0 for a row in which nothing counts. */
static number inverse(const fused *f, number sum)
{
    if (f->is_f64)
        return (number){.f64 = sum.f64 == 0.0 ? 0.0 : 1.0 / sum.f64};
    return (number){.f32 = sum.f32 == 0.0f ? 0.0f : 1.0f / sum.f32};
}

static void softmax_forward_row(fused *f, const dropwise_softmax *softmax, const row *r, const operand *x,
                                const operand *add, const operand *probabilities, const operand *y)
{
    _Alignas(64) uint8_t e[ROW_BUFFER * sizeof(double)];
    const uint64_t visible = visible_columns(f, softmax, r);
    const bool fits = visible <= ROW_BUFFER;
    softmax_row s = {.x = x, .add = add, .scale = number_of(f, softmax->scale)};
    softmax_max(f, &s, r, visible);
    for (uint64_t column = 0; column < visible; column += PIECE)
        softmax_exp(f, &s, r, column, smaller(visible - column, PIECE),
                    e + (fits ? (size_t)column * f->number_bytes : 0));
    const number by_sum = inverse(f, tree(f, s.sums, 1));

    for (uint64_t column = 0; column < visible; column += PIECE) {
        float of_probabilities[PIECE], of_y[PIECE];
        uint8_t buffer[PIECE / 8];
        const size_t n = smaller(visible - column, PIECE);
        uint8_t *piece = e + (fits ? (size_t)column * f->number_bytes : 0);
        if (!fits)
            softmax_exp(f, &s, r, column, n, piece);
        f->kernels.row_drop(piece_bits(f, r, column, n, true, buffer), n, piece, &by_sum, &f->factor,
                            output(f, probabilities, r, column, of_probabilities),
                            output(f, y, r, column, of_y));
        finish_output(f, probabilities, r, column, n, of_probabilities);
        finish_output(f, y, r, column, n, of_y);
    }
    clear_columns(f, probabilities, r, visible);
    clear_columns(f, y, r, visible);
}

dropwise_status dropwise_softmax_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                         const dropwise_view *view, const dropwise_softmax *softmax,
                                         const void *x, void *probabilities, void *y,
                                         const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = check_call(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK)
        status = check_softmax(softmax, view, true);
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
    status = begin(&f, mask, dtype, view, operands, 4, stored, true);
    if (status != DROPWISE_OK)
        return status;
    row r = first_row(&f);
    do
        softmax_forward_row(&f, softmax, &r, &operands[0], &operands[1], &operands[2], &operands[3]);
    while (next_row(&f, &r));
    return DROPWISE_OK;
}

static void softmax_backward_row(fused *f, const dropwise_softmax *softmax, const row *r, const operand *dy,
                                 const operand *probabilities, const operand *dx)
{
    const number scale = number_of(f, softmax->scale);
    const uint64_t visible = visible_columns(f, softmax, r);
    uint8_t sums[16 * sizeof(double)] = {0};
    number dot = number_of(f, 0.0);
    for (int pass = 0; pass < 2; pass++) {
        for (uint64_t column = 0; column < visible; column += PIECE) {
            float of_dy[PIECE], of_probabilities[PIECE], of_dx[PIECE];
            uint8_t buffer[PIECE / 8];
            const size_t n = smaller(visible - column, PIECE);
            const uint8_t *bits = piece_bits(f, r, column, n, true, buffer);
            const void *d = numbers(f, dy, r, column, n, of_dy);
            const void *p = numbers(f, probabilities, r, column, n, of_probabilities);
            if (pass == 0) {
                f->kernels.row_dot(bits, n, d, p, &f->factor, sums);
            } else {
                f->kernels.row_grad(bits, n, d, p, &f->factor, &dot, &scale,
                                    output(f, dx, r, column, of_dx));
                finish_output(f, dx, r, column, n, of_dx);
            }
        }
        dot = tree(f, sums, 1);
    }
    clear_columns(f, dx, r, visible);
}

dropwise_status dropwise_softmax_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                          const dropwise_view *view, const dropwise_softmax *softmax,
                                          const void *dy, const void *probabilities, void *dx,
                                          const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = check_call(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK)
        status = check_softmax(softmax, view, false);
    if (status == DROPWISE_OK && !empty && (dy == NULL || probabilities == NULL || dx == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const operand operands[] = {{dy, view->x_stride, bytes, false},
                                {probabilities, view->y_stride, bytes, false},
                                {dx, view->y_stride, bytes, true}};
    fused f;
    status = begin(&f, mask, dtype, view, operands, 3, stored, false);
    if (status != DROPWISE_OK)
        return status;
    row r = first_row(&f);
    do
        softmax_backward_row(&f, softmax, &r, &operands[0], &operands[1], &operands[2]);
    while (next_row(&f, &r));
    return DROPWISE_OK;
}
