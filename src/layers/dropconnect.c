/* DropConnect: bits for some rows of a matrix, then a kernel that multiplies them. */
#include "dropwise_dropconnect.h"

#include <string.h>

#include "apply/apply.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "draw/reals.h"
#include "tiers/dispatch.h"

enum {
    TOGETHER = 8192,   /* weights that are multiplied together: they stay near for all samples    */
    MIN_ROWS = 4,      /* of them, as the kernel overlaps rows                                    */
    MAX_ROWS = 64,     /* of them; and rows that are added up together                            */
    WIDE_ROWS = 16,    /* of the latter, where they are widened                                   */
    SUMS_BYTES = 2048, /* of a row of partial sums: with 16 such rows, what the smallest L1 holds */
    MAX_MATRICES = 6   /* of a call                                                               */
};

typedef struct connect_kernels {
    dropwise_masked_dot_fn *masked_dot;
    dropwise_masked_axpy_fn *masked_axpy;
    dropwise_dot_moments_fn *dot_moments;
    dropwise_fold_sums_fn *fold_sums;
    dropwise_sample_normal_fn *sample_normal;
    dropwise_noise_fn *noise_normal;
} connect_kernels;

/* A call, after it was checked. */
typedef struct connect {
    const dropwise_dropconnect *layer;
    connect_kernels kernels;
    dropwise_widen_fn *widen; /* NULL for f32 and f64 */
    dropwise_narrow_fn *narrow;
    dropwise_dtype dtype;
    size_t element_bytes, number_bytes;
    draw_plan draw;
    dropwise_factor scale; /* of the sums of what is kept */
} connect;

static connect_kernels kernels_for(const dropwise_kernels *k, bool is_f64)
{
    if (is_f64)
        return (connect_kernels){.masked_dot = k->masked_dot_f64,
                                 .masked_axpy = k->masked_axpy_f64,
                                 .dot_moments = k->dot_moments_f64,
                                 .fold_sums = k->fold_sums_f64,
                                 .sample_normal = k->sample_normal_f64,
                                 .noise_normal = k->noise_normal_f64};
    return (connect_kernels){.masked_dot = k->masked_dot_f32,
                             .masked_axpy = k->masked_axpy_f32,
                             .dot_moments = k->dot_moments_f32,
                             .fold_sums = k->fold_sums_f32,
                             .sample_normal = k->sample_normal_f32,
                             .noise_normal = k->noise_normal_f32};
}

/* ---- Checks ---- */

/* A matrix of a call: some rows, `stride` elements apart. */
typedef struct matrix {
    const void *p;
    uint64_t rows, row_length, stride;
    size_t element_bytes;
    bool output;
} matrix;

/* Grows *sum by n * stride; false if it does not fit. */
static bool add_product(uint64_t n, uint64_t stride, uint64_t *sum)
{
    uint64_t product;
    return !__builtin_mul_overflow(n, stride, &product) && !__builtin_add_overflow(*sum, product, sum);
}

static dropwise_status check_layer(const dropwise_dropconnect *layer)
{
    if (layer == NULL)
        return DROPWISE_ERROR_NULL;
    if (layer->struct_size != sizeof *layer)
        return DROPWISE_ERROR_STRUCT_SIZE;
    for (size_t i = 0; i < sizeof layer->reserved / sizeof layer->reserved[0]; i++)
        if (layer->reserved[i] != 0)
            return DROPWISE_ERROR_RESERVED;
    if (layer->rows == 0 || layer->columns == 0)
        return DROPWISE_ERROR_SHAPE;
    uint64_t last = layer->first;
    if (layer->samples != 0 && (!add_product(layer->samples - 1, layer->mask_sample_stride, &last) ||
                                !add_product(layer->rows - 1, layer->mask_row_stride, &last) ||
                                !add_product(layer->columns - 1, 1, &last) || last >= DROPWISE_INDEX_LIMIT))
        return DROPWISE_ERROR_RANGE;
    return DROPWISE_OK;
}

static dropwise_status extent_of(const matrix *m, dropwise_extent *extent)
{
    uint64_t elements = m->row_length;
    if (!add_product(m->rows - 1, m->stride, &elements) ||
        dropwise_check_size(elements, m->element_bytes) != DROPWISE_OK)
        return DROPWISE_ERROR_SIZE;
    *extent = dropwise_extent_of(m->p, (size_t)elements * m->element_bytes);
    return DROPWISE_OK;
}

/* Matrices with a NULL pointer are left out: who needs them has checked that. */
static dropwise_status check_matrices(const matrix *matrices, size_t n)
{
    dropwise_extent extents[MAX_MATRICES];
    for (size_t i = 0; i < n; i++) {
        const dropwise_status status =
            matrices[i].p != NULL ? extent_of(&matrices[i], &extents[i]) : DROPWISE_OK;
        if (status != DROPWISE_OK)
            return status;
    }
    for (size_t i = 0; i < n; i++) {
        if (!matrices[i].output || matrices[i].p == NULL)
            continue;
        if (matrices[i].rows > 1 && matrices[i].stride < matrices[i].row_length)
            return DROPWISE_ERROR_SELF_OVERLAP;
        for (size_t j = 0; j < n; j++)
            if (j != i && matrices[j].p != NULL && dropwise_overlap(extents[i], extents[j]))
                return DROPWISE_ERROR_OVERLAP;
    }
    return DROPWISE_OK;
}

static dropwise_status check_call(const dropwise_mask *mask, dropwise_dtype dtype,
                                  const dropwise_dropconnect *layer)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    return status == DROPWISE_OK ? check_layer(layer) : status;
}

static connect begin(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_dropconnect *layer)
{
    const dropwise_kernels *kernels = dropwise_active();
    const dropwise_dtype_kernels of_dtype = dropwise_dtype_of(kernels, dtype);
    const apply_plan scaling = dropwise_apply_plan(kernels, mask, dtype, false);
    connect c = {.layer = layer,
                 .kernels = kernels_for(kernels, dtype == DROPWISE_F64),
                 .widen = of_dtype.widen,
                 .narrow = of_dtype.narrow,
                 .dtype = dtype,
                 .element_bytes = dropwise_dtype_bytes(dtype),
                 .number_bytes = dtype == DROPWISE_F64 ? sizeof(double) : sizeof(float),
                 .draw = dropwise_draw_plan(kernels, mask)};
    c.scale = scaling.scales ? scaling.factor : dropwise_factor_of(dtype, 1.0);
    return c;
}

/* ---- Bits ---- */

/* Rows that will be read soon: `rows` of them, of row_bytes bytes, `step` bytes apart. */
typedef struct upcoming {
    const uint8_t *p;
    size_t rows, row_bytes, step;
    size_t at;   /* in the first of them: what lies before was asked for */
    size_t pace; /* bytes to ask for during a step of drawing            */
} upcoming;

/* Into the second-level cache, as apply.c does. */
static void ask_for(upcoming *next)
{
    for (size_t i = 0; i < next->pace && next->rows != 0; i += 64) {
        __builtin_prefetch(next->p + next->at, 0, 2);
        next->at += 64;
        if (next->at >= next->row_bytes) {
            next->p += next->step;
            next->rows--;
            next->at = 0;
        }
    }
}

/*
 * Drawing leaves memory alone: meanwhile it may bring what is multiplied next. That takes a sixth off the
 * time of dropconnect/f32/avx512/p:0.5/samples:1/bytes:4194304 of the benchmark.
 */
static void draw(const draw_plan *plan, uint64_t index, size_t n, uint8_t *bits, upcoming *next)
{
    draw_chunk chunk;
    dropwise_draw_begin(&chunk, index, n, bits);
    for (size_t done = 0; done < n; done += DRAW_STEP) {
        ask_for(next);
        dropwise_draw_step(plan, &chunk, DRAW_STEP);
    }
    dropwise_draw_end(plan, &chunk);
}

/*
 * Rows of n <= DRAW_CHUNK bits, each in whole bytes, of the elements at index, index + step, ...; rows that
 * follow each other in the mask are drawn together.
 */
static void draw_rows(const draw_plan *plan, uint64_t index, uint64_t step, size_t rows, size_t n,
                      uint8_t *bits, upcoming next)
{
    const size_t row_bytes = bytes_of_bits(n), together = step == n ? DRAW_CHUNK / n : 1;
    for (size_t r = 0; r < rows; r += together) {
        const size_t count = min_size(together, rows - r);
        uint8_t window[DRAW_CHUNK / 8], *to = bits + r * row_bytes;
        const bool direct = n % 8 == 0 || count == 1;
        draw(plan, index + r * step, count * n, direct ? to : window, &next);
        for (size_t k = 0; k < count && !direct; k++)
            copy_bits(window, k * n, n, to + k * row_bytes);
    }
}

/* ---- Numbers ---- */

/* Where an element of a matrix lies, input or output. */
static uint8_t *at(const void *p, uint64_t row, uint64_t stride, uint64_t column, size_t bytes)
{
    return (uint8_t *)(uintptr_t)p + (row * stride + column) * bytes;
}

/* Rows of n elements, `stride` of them apart, as numbers *step bytes apart: where they are, or widened. */
static const void *numbers_of(const connect *c, const uint8_t *p, uint64_t stride, size_t rows, size_t n,
                              float *buffer, size_t *step)
{
    if (c->widen == NULL) {
        *step = (size_t)stride * c->element_bytes;
        return p;
    }
    for (size_t r = 0; r < rows; r++)
        c->widen(n, p + r * (size_t)stride * c->element_bytes, buffer + r * n);
    *step = n * sizeof *buffer;
    return buffer;
}

/* Where numbers are written for an output: in place, or to the buffer, from where they are narrowed. */
static void *numbers_to(const connect *c, uint8_t *p, float *buffer)
{
    return c->narrow == NULL ? (void *)p : buffer;
}

static void finish(const connect *c, size_t n, const float *buffer, uint8_t *p)
{
    if (c->narrow != NULL)
        c->narrow(n, buffer, p);
}

/* Partial sums that n elements are added to, rounded up to a power of 2: the others of the 16 stay +0. */
static size_t sums_of(uint64_t n)
{
    return n > 8 ? 16 : n > 4 ? 8 : n > 2 ? 4 : (size_t)n;
}

/* ---- Products with rows: forward, and its moments ---- */

/* Rows of the layer that are multiplied together. */
static size_t rows_together(const dropwise_dropconnect *layer)
{
    const uint64_t rows = layer->columns < TOGETHER / MIN_ROWS ? TOGETHER / layer->columns : MIN_ROWS;
    return min_size(MAX_ROWS, min_u64(rows, layer->rows));
}

/*
 * y = bias + scale * (M * w) x. With a variance to write there are no masks, y is the mean, and the variance
 * is square_scale times the sum of squared products.
 */
typedef struct product {
    const void *w, *x, *bias;
    void *y, *variance;
    dropwise_factor square_scale;
} product;

/* The weights below `rows` rows from o on, as many rows again if there are. */
static upcoming weights_below(const connect *c, const void *w, uint64_t o, size_t rows, uint64_t column,
                              size_t n)
{
    const dropwise_dropconnect *l = c->layer;
    if (l->rows - o == rows)
        return (upcoming){.rows = 0};
    return (upcoming){.p = at(w, o + rows, l->w_stride, column, c->element_bytes),
                      .rows = min_size(rows, l->rows - o - rows),
                      .row_bytes = n * c->element_bytes,
                      .step = (size_t)l->w_stride * c->element_bytes,
                      .pace = DRAW_STEP * c->element_bytes};
}

/* Rows o to o + rows - 1 of all samples. */
static void multiply_rows(const connect *c, const product *p, uint64_t o, size_t rows)
{
    const dropwise_dropconnect *l = c->layer;
    const size_t piece = c->widen != NULL ? TOGETHER / MIN_ROWS : TOGETHER;
    const size_t n_sums = sums_of(l->columns), sums_step = rows * c->number_bytes;
    const size_t y_bytes = c->narrow != NULL ? c->element_bytes : c->number_bytes;
    float wide_w[TOGETHER], wide_x[TOGETHER / MIN_ROWS], wide_bias[MAX_ROWS], wide_y[MAX_ROWS];
    _Alignas(64) uint8_t sums[16 * MAX_ROWS * sizeof(double)], squares[sizeof sums];
    size_t a_step = 0, unused;
    const uint8_t *a = NULL;
    const void *bias = p->bias;
    if (bias != NULL)
        bias = numbers_of(c, at(bias, 0, 0, o, c->element_bytes), 0, 1, rows, wide_bias, &unused);
    for (uint64_t b = 0; b < l->samples; b++) {
        memset(sums, 0, n_sums * sums_step);
        memset(squares, 0, n_sums * sums_step);
        for (uint64_t column = 0; column < l->columns; column += piece) {
            const size_t n = min_size(piece, l->columns - column);
            if (b == 0 || l->columns > piece)
                a = numbers_of(c, at(p->w, o, l->w_stride, column, c->element_bytes), l->w_stride, rows, n,
                               wide_w, &a_step);
            const void *x =
                numbers_of(c, at(p->x, b, l->x_stride, column, c->element_bytes), 0, 1, n, wide_x, &unused);
            if (p->variance == NULL) {
                uint8_t bits[MIN_ROWS * TOGETHER / 8];
                /* The first sample is the one that meets them far away. */
                const upcoming next =
                    b == 0 ? weights_below(c, p->w, o, rows, column, n) : (upcoming){.rows = 0};
                draw_rows(&c->draw, l->first + b * l->mask_sample_stride + o * l->mask_row_stride + column,
                          l->mask_row_stride, rows, n, bits, next);
                c->kernels.masked_dot(bits, bytes_of_bits(n), rows, n, a, a_step, x, sums, sums_step);
            } else {
                for (size_t r = 0; r < rows; r++)
                    c->kernels.dot_moments(n, a + r * a_step, x, sums + r * c->number_bytes,
                                           squares + r * c->number_bytes, sums_step);
            }
        }
        uint8_t *y = at(p->y, b, l->y_stride, o, y_bytes);
        c->kernels.fold_sums(n_sums, rows, sums, sums_step, &c->scale, bias, numbers_to(c, y, wide_y));
        finish(c, rows, wide_y, y);
        if (p->variance != NULL)
            c->kernels.fold_sums(n_sums, rows, squares, sums_step, &p->square_scale, NULL,
                                 numbers_to(c, at(p->variance, b, l->y_stride, o, y_bytes), wide_y));
    }
}

static void multiply(const connect *c, const product *p)
{
    const size_t together = rows_together(c->layer);
    for (uint64_t o = 0; o < c->layer->rows; o += together)
        multiply_rows(c, p, o, min_size(together, c->layer->rows - o));
}

/* ---- Sums of rows: backward ---- */

/* Rows of elements, each with a coefficient and a mask. */
typedef struct weighted_rows {
    const void *a;
    uint64_t a_stride, count;
    const void *coefficients; /* NULL: all are 1 */
    uint64_t coefficient_stride;
    const draw_plan *draw;
    uint64_t index, index_step; /* of column 0 in the masks */
} weighted_rows;

typedef union coefficient_buffer {
    double f64[MAX_ROWS];
    float f32[MAX_ROWS];
} coefficient_buffer;

/* The coefficients of n rows as numbers. */
static void load_coefficients(const connect *c, const weighted_rows *s, uint64_t first, size_t n,
                              coefficient_buffer *out)
{
    if (s->coefficients == NULL) {
        for (size_t r = 0; r < n; r++)
            if (c->dtype == DROPWISE_F64)
                out->f64[r] = 1.0;
            else
                out->f32[r] = 1.0f;
        return;
    }
    uint8_t elements[sizeof *out], *to = c->widen != NULL ? elements : (uint8_t *)out;
    for (size_t r = 0; r < n; r++)
        memcpy(to + r * c->element_bytes,
               at(s->coefficients, first + r, s->coefficient_stride, 0, c->element_bytes), c->element_bytes);
    if (c->widen != NULL)
        c->widen(n, elements, out->f32);
}

/* scale * (the weighted sum of the rows, columns `column` to column + n - 1) + add, which may be NULL. */
static void sum_rows(const connect *c, const weighted_rows *s, uint64_t column, size_t n,
                     dropwise_factor scale, const void *add, void *y)
{
    _Alignas(64) uint8_t sums[16 * SUMS_BYTES];
    const size_t n_sums = sums_of(s->count), sums_step = n * c->number_bytes;
    const size_t slice = c->widen != NULL ? WIDE_ROWS : MAX_ROWS, row_bytes = bytes_of_bits(n);
    memset(sums, 0, n_sums * sums_step);
    for (uint64_t first = 0; first < s->count; first += MAX_ROWS) {
        uint8_t bits[MAX_ROWS * SUMS_BYTES / sizeof(float) / 8];
        coefficient_buffer coefficients;
        const size_t rows = min_size(MAX_ROWS, s->count - first);
        draw_rows(s->draw, s->index + first * s->index_step + column, s->index_step, rows, n, bits,
                  (upcoming){.rows = 0});
        load_coefficients(c, s, first, rows, &coefficients);
        for (size_t r = 0; r < rows; r += slice) {
            float wide[WIDE_ROWS * SUMS_BYTES / sizeof(float)];
            size_t step;
            const size_t k = min_size(slice, rows - r);
            const void *a = numbers_of(c, at(s->a, first + r, s->a_stride, column, c->element_bytes),
                                       s->a_stride, k, n, wide, &step);
            c->kernels.masked_axpy(bits + r * row_bytes, row_bytes, k, n,
                                   (const uint8_t *)&coefficients + r * c->number_bytes, a, step, sums,
                                   sums_step);
        }
    }
    c->kernels.fold_sums(n_sums, n, sums, sums_step, &scale, add, y);
}

/* Piece by piece of columns, so that a piece of all rows that are added up stays in the cache. */
static size_t columns_together(const connect *c)
{
    return SUMS_BYTES / c->number_bytes;
}

static void backward_x(const connect *c, const void *w, const void *dy, void *dx)
{
    const dropwise_dropconnect *l = c->layer;
    for (uint64_t column = 0; column < l->columns; column += columns_together(c)) {
        const size_t n = min_size(columns_together(c), l->columns - column);
        for (uint64_t b = 0; b < l->samples; b++) {
            float wide[SUMS_BYTES / sizeof(float)];
            const weighted_rows rows = {.a = w,
                                        .a_stride = l->w_stride,
                                        .count = l->rows,
                                        .coefficients = at(dy, b, l->y_stride, 0, c->element_bytes),
                                        .coefficient_stride = 1,
                                        .draw = &c->draw,
                                        .index = l->first + b * l->mask_sample_stride,
                                        .index_step = l->mask_row_stride};
            uint8_t *out = at(dx, b, l->x_stride, column, c->element_bytes);
            sum_rows(c, &rows, column, n, c->scale, NULL, numbers_to(c, out, wide));
            finish(c, n, wide, out);
        }
    }
}

static void backward_w(const connect *c, const void *x, const void *dy, void *dw)
{
    const dropwise_dropconnect *l = c->layer;
    for (uint64_t column = 0; column < l->columns; column += columns_together(c)) {
        const size_t n = min_size(columns_together(c), l->columns - column);
        for (uint64_t o = 0; o < l->rows; o++) {
            const weighted_rows samples = {.a = x,
                                           .a_stride = l->x_stride,
                                           .count = l->samples,
                                           .coefficients = at(dy, 0, 0, o, c->element_bytes),
                                           .coefficient_stride = l->y_stride,
                                           .draw = &c->draw,
                                           .index = l->first + o * l->mask_row_stride,
                                           .index_step = l->mask_sample_stride};
            void *out = at(dw, o, l->w_stride, column, c->number_bytes);
            sum_rows(c, &samples, column, n, c->scale, out, out);
        }
    }
}

static void backward_bias(const connect *c, const void *dy, void *db)
{
    const dropwise_dropconnect *l = c->layer;
    const dropwise_factor one = dropwise_factor_of(c->dtype, 1.0);
    draw_plan all = c->draw;
    all.keep_threshold = DROPWISE_KEEP_ONE;
    const weighted_rows samples = {.a = dy, .a_stride = l->y_stride, .count = l->samples, .draw = &all};
    for (uint64_t o = 0; o < l->rows; o += columns_together(c)) {
        void *out = at(db, 0, 0, o, c->number_bytes);
        sum_rows(c, &samples, o, min_size(columns_together(c), l->rows - o), one, out, out);
    }
}

/* ---- Public functions ---- */

dropwise_status dropwise_dropconnect_init(dropwise_dropconnect *layer, uint64_t samples, uint64_t rows,
                                          uint64_t columns)
{
    if (layer == NULL)
        return DROPWISE_ERROR_NULL;
    if (rows == 0 || columns == 0)
        return DROPWISE_ERROR_SHAPE;
    uint64_t weights = 0, all = 0;
    if (!add_product(rows, columns, &weights) || weights > DROPWISE_INDEX_LIMIT ||
        !add_product(samples, weights, &all) || all > DROPWISE_INDEX_LIMIT)
        return DROPWISE_ERROR_RANGE;
    *layer = (dropwise_dropconnect){.struct_size = sizeof *layer,
                                    .samples = samples,
                                    .rows = rows,
                                    .columns = columns,
                                    .mask_sample_stride = weights,
                                    .mask_row_stride = columns,
                                    .w_stride = columns,
                                    .x_stride = columns,
                                    .y_stride = rows};
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status dropconnect_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_dropconnect *layer, const void *w,
                                                       const void *x, const void *bias, void *y)
{
    dropwise_status status = check_call(mask, dtype, layer);
    if (status != DROPWISE_OK || layer->samples == 0)
        return status;
    if (w == NULL || x == NULL || y == NULL)
        return DROPWISE_ERROR_NULL;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const matrix matrices[] = {{w, layer->rows, layer->columns, layer->w_stride, bytes, false},
                               {x, layer->samples, layer->columns, layer->x_stride, bytes, false},
                               {bias, 1, layer->rows, 0, bytes, false},
                               {y, layer->samples, layer->rows, layer->y_stride, bytes, true}};
    status = check_matrices(matrices, 4);
    if (status != DROPWISE_OK)
        return status;
    const connect c = begin(mask, dtype, layer);
    multiply(&c, &(product){.w = w, .x = x, .bias = bias, .y = y});
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_dropconnect *layer, const void *w, const void *x,
                                             const void *bias, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_forward(mask, dtype, layer, w, x, bias, y));
}

static FP_ENV_BODY dropwise_status dropconnect_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                        const dropwise_dropconnect *layer, const void *w,
                                                        const void *x, const void *dy, void *dx, void *dw,
                                                        void *db)
{
    dropwise_status status = check_call(mask, dtype, layer);
    if (status != DROPWISE_OK || layer->samples == 0)
        return status;
    if (dy == NULL || (dx != NULL && w == NULL) || (dw != NULL && x == NULL))
        return DROPWISE_ERROR_NULL;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const size_t number_bytes = dtype == DROPWISE_F64 ? sizeof(double) : sizeof(float);
    if (dx == NULL) /* it is not read */
        w = NULL;
    if (dw == NULL)
        x = NULL;
    const matrix matrices[] = {{w, layer->rows, layer->columns, layer->w_stride, bytes, false},
                               {x, layer->samples, layer->columns, layer->x_stride, bytes, false},
                               {dy, layer->samples, layer->rows, layer->y_stride, bytes, false},
                               {dx, layer->samples, layer->columns, layer->x_stride, bytes, true},
                               {dw, layer->rows, layer->columns, layer->w_stride, number_bytes, true},
                               {db, 1, layer->rows, 0, number_bytes, true}};
    status = check_matrices(matrices, 6);
    if (status != DROPWISE_OK)
        return status;
    const connect c = begin(mask, dtype, layer);
    if (dx != NULL)
        backward_x(&c, w, dy, dx);
    if (dw != NULL)
        backward_w(&c, x, dy, dw);
    if (db != NULL)
        backward_bias(&c, dy, db);
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                              const dropwise_dropconnect *layer, const void *w, const void *x,
                                              const void *dy, void *dx, void *dw, void *db)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_backward(mask, dtype, layer, w, x, dy, dx, dw, db));
}

static FP_ENV_BODY dropwise_status dropconnect_moments(const dropwise_mask *mask, dropwise_dtype dtype,
                                                       const dropwise_dropconnect *layer, const void *w,
                                                       const void *x, const void *bias, void *mean,
                                                       void *variance)
{
    dropwise_status status = check_call(mask, dtype, layer);
    if (status != DROPWISE_OK || layer->samples == 0)
        return status;
    if (w == NULL || x == NULL || mean == NULL || variance == NULL)
        return DROPWISE_ERROR_NULL;
    const size_t bytes = dropwise_dtype_bytes(dtype);
    const size_t number_bytes = dtype == DROPWISE_F64 ? sizeof(double) : sizeof(float);
    const matrix matrices[] = {{w, layer->rows, layer->columns, layer->w_stride, bytes, false},
                               {x, layer->samples, layer->columns, layer->x_stride, bytes, false},
                               {bias, 1, layer->rows, 0, bytes, false},
                               {mean, layer->samples, layer->rows, layer->y_stride, number_bytes, true},
                               {variance, layer->samples, layer->rows, layer->y_stride, number_bytes, true}};
    status = check_matrices(matrices, 5);
    if (status != DROPWISE_OK)
        return status;
    /* With q the probability of being kept: q s, and (1 - q) q s^2; both are 0 where nothing is kept. */
    const double q = dropwise_keep_probability(mask);
    const bool inverted = mask->scaling == DROPWISE_SCALING_INVERTED;
    connect c = begin(mask, dtype, layer);
    c.narrow = NULL;
    c.scale = dropwise_factor_of(dtype, !inverted ? q : q != 0.0 ? 1.0 : 0.0);
    const double square_scale = !inverted ? (1.0 - q) * q : q != 0.0 ? (1.0 - q) / q : 0.0;
    const product p = {.w = w,
                       .x = x,
                       .bias = bias,
                       .y = mean,
                       .variance = variance,
                       .square_scale = dropwise_factor_of(dtype, square_scale)};
    multiply(&c, &p);
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_moments(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_dropconnect *layer, const void *w, const void *x,
                                             const void *bias, void *mean, void *variance)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_moments(mask, dtype, layer, w, x, bias, mean, variance));
}

static FP_ENV_BODY dropwise_status dropconnect_sample(const dropwise_mask *mask, dropwise_dtype dtype,
                                                      uint64_t first, size_t n, const void *mean,
                                                      const void *variance, void *y)
{
    const dropwise_kernels *kernels = dropwise_active();
    dropwise_status status = dropwise_check_mask(mask);
    const size_t bytes = dropwise_dtype_bytes(dtype);
    if (status == DROPWISE_OK && bytes == 0)
        status = DROPWISE_ERROR_DTYPE;
    const size_t number_bytes = dtype == DROPWISE_F64 ? sizeof(double) : sizeof(float);
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, number_bytes);
    if (status == DROPWISE_OK)
        status = dropwise_check_range(first, n);
    if (status == DROPWISE_OK && n != 0 && (mean == NULL || variance == NULL || y == NULL))
        status = DROPWISE_ERROR_NULL;
    if (status == DROPWISE_OK)
        status = dropwise_check_math(kernels);
    if (status != DROPWISE_OK || n == 0)
        return status;
    const void *const moments[] = {mean, variance};
    const dropwise_extent of_y = dropwise_extent_of(y, n * bytes);
    for (size_t i = 0; i < 2; i++)
        if ((moments[i] != y || bytes != number_bytes) &&
            dropwise_overlap(dropwise_extent_of(moments[i], n * number_bytes), of_y))
            return DROPWISE_ERROR_OVERLAP;

    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    const connect_kernels k = kernels_for(kernels, dtype == DROPWISE_F64);
    dropwise_narrow_fn *narrow = dropwise_dtype_of(kernels, dtype).narrow;
    noise_source normal;
    dropwise_noise_init(&normal, &draw, STREAM_NORMAL, k.noise_normal, NULL, number_bytes);
    for (size_t i = 0; i < n; i += NOISE_PIECE) {
        float wide[NOISE_PIECE];
        const size_t len = min_size(NOISE_PIECE, n - i);
        uint8_t *out = at(y, 0, 0, i, bytes);
        k.sample_normal(at(mean, 0, 0, i, number_bytes), at(variance, 0, 0, i, number_bytes), len,
                        dropwise_noise_get(&normal, first + i, 1, len, NULL),
                        narrow == NULL ? (void *)out : wide);
        if (narrow != NULL)
            narrow(len, wide, out);
    }
    return DROPWISE_OK;
}

dropwise_status dropwise_dropconnect_sample(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t first,
                                            size_t n, const void *mean, const void *variance, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropconnect_sample(mask, dtype, first, n, mean, variance, y));
}
