#include "layers/masked_products.h"

#include <string.h>

#include "apply/apply.h"
#include "base/bits.h"
#include "base/min.h"
#include "tiers/dispatch.h"

enum {
    TOGETHER = 8192,  /* weights that are multiplied together: they stay near for all samples    */
    MIN_ROWS = 4,     /* of them, as the kernel overlaps rows                                    */
    MAX_ROWS = 64,    /* of them; and rows that are added up together                            */
    WIDE_ROWS = 16,   /* of the latter, where they are widened                                   */
    SUMS_BYTES = 2048 /* of a row of partial sums: with 16 such rows, what the smallest L1 holds */
};

static product_kernels kernels_for(const dropwise_kernels *k, bool is_f64)
{
    if (is_f64)
        return (product_kernels){.masked_dot = k->masked_dot_f64,
                                 .masked_axpy = k->masked_axpy_f64,
                                 .dot_moments = k->dot_moments_f64,
                                 .fold_sums = k->fold_sums_f64};
    return (product_kernels){.masked_dot = k->masked_dot_f32,
                             .masked_axpy = k->masked_axpy_f32,
                             .dot_moments = k->dot_moments_f32,
                             .fold_sums = k->fold_sums_f32};
}

product_call dropwise_begin_products(const dropwise_mask *mask, dropwise_dtype dtype,
                                     const dropwise_dropconnect *layer)
{
    const dropwise_kernels *kernels = dropwise_active();
    const dropwise_dtype_kernels of_dtype = dropwise_dtype_of(kernels, dtype);
    return (product_call){.layer = layer,
                          .kernels = kernels_for(kernels, dtype == DROPWISE_F64),
                          .widen = of_dtype.widen,
                          .narrow = of_dtype.narrow,
                          .dtype = dtype,
                          .element_bytes = dropwise_dtype_bytes(dtype),
                          .real_bytes = dropwise_real_bytes(dtype),
                          .draw = dropwise_draw_plan(kernels, mask),
                          .scale = dropwise_kept_factor(mask, dtype)};
}

/* ---- Bits ---- */

/* Rows that will be read soon: `rows` of them, of row_bytes bytes, `step` bytes apart. */
typedef struct upcoming {
    const uint8_t *p;
    size_t rows, row_bytes, step;
    size_t at;   /* in the first of them: what lies before was prefetched */
    size_t pace; /* bytes to prefetch during a step of drawing           */
} upcoming;

/* Into the second-level cache, as apply.c does. */
static void prefetch_some(upcoming *next)
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
 * Drawing leaves memory alone: prefetches of what is multiplied next overlap with it. That takes a sixth off
 * the time of dropconnect/f32/avx512/p:0.5/samples:1/bytes:4194304 of the benchmark.
 */
static void draw(const draw_plan *plan, uint64_t index, size_t n, uint8_t *bits, upcoming *next)
{
    draw_chunk chunk;
    dropwise_draw_begin(&chunk, index, n, bits);
    for (size_t done = 0; done < n; done += DRAW_STEP) {
        prefetch_some(next);
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

/* ---- Reals ---- */

/* Rows of n elements, `stride` of them apart, as reals *step bytes apart: where they are, or widened. */
static const void *load_reals(const product_call *c, const uint8_t *p, uint64_t stride, size_t rows, size_t n,
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

/* Where reals are written for an output: in place, or to the buffer, from where they are narrowed. */
static void *output(const product_call *c, uint8_t *p, float *buffer)
{
    return c->narrow == NULL ? (void *)p : buffer;
}

static void finish_output(const product_call *c, size_t n, const float *buffer, uint8_t *p)
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

/* The weights below `rows` rows from o on, as many rows again if there are. */
static upcoming weights_below(const product_call *c, const void *w, uint64_t o, size_t rows, uint64_t column,
                              size_t n)
{
    const dropwise_dropconnect *l = c->layer;
    if (l->rows - o == rows)
        return (upcoming){.rows = 0};
    return (upcoming){.p = element_at(w, o + rows, l->w_stride, column, c->element_bytes),
                      .rows = min_size(rows, l->rows - o - rows),
                      .row_bytes = n * c->element_bytes,
                      .step = (size_t)l->w_stride * c->element_bytes,
                      .pace = DRAW_STEP * c->element_bytes};
}

/* Rows o to o + rows - 1 of all samples. */
static void multiply_rows(const product_call *c, const product *p, uint64_t o, size_t rows)
{
    const dropwise_dropconnect *l = c->layer;
    const size_t piece = c->widen != NULL ? TOGETHER / MIN_ROWS : TOGETHER;
    const size_t n_sums = sums_of(l->columns), sums_step = rows * c->real_bytes;
    const size_t y_bytes = c->narrow != NULL ? c->element_bytes : c->real_bytes;
    float wide_w[TOGETHER], wide_x[TOGETHER / MIN_ROWS], wide_bias[MAX_ROWS], wide_y[MAX_ROWS];
    _Alignas(64) uint8_t sums[16 * MAX_ROWS * sizeof(double)], squares[sizeof sums];
    size_t a_step = 0, unused;
    const uint8_t *a = NULL;
    const void *bias = p->bias;
    if (bias != NULL)
        bias = load_reals(c, element_at(bias, 0, 0, o, c->element_bytes), 0, 1, rows, wide_bias, &unused);
    for (uint64_t b = 0; b < l->samples; b++) {
        memset(sums, 0, n_sums * sums_step);
        memset(squares, 0, n_sums * sums_step);
        for (uint64_t column = 0; column < l->columns; column += piece) {
            const size_t n = min_size(piece, l->columns - column);
            if (b == 0 || l->columns > piece)
                a = load_reals(c, element_at(p->w, o, l->w_stride, column, c->element_bytes), l->w_stride,
                               rows, n, wide_w, &a_step);
            const void *x = load_reals(c, element_at(p->x, b, l->x_stride, column, c->element_bytes), 0, 1, n,
                                       wide_x, &unused);
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
                    c->kernels.dot_moments(n, a + r * a_step, x, sums + r * c->real_bytes,
                                           squares + r * c->real_bytes, sums_step);
            }
        }
        uint8_t *y = element_at(p->y, b, l->y_stride, o, y_bytes);
        c->kernels.fold_sums(n_sums, rows, sums, sums_step, &c->scale, bias, output(c, y, wide_y));
        finish_output(c, rows, wide_y, y);
        if (p->variance != NULL)
            c->kernels.fold_sums(n_sums, rows, squares, sums_step, &p->square_scale, NULL,
                                 output(c, element_at(p->variance, b, l->y_stride, o, y_bytes), wide_y));
    }
}

void dropwise_multiply_masked(const product_call *c, const product *p)
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

/* The coefficients of n rows as reals. */
static void load_coefficients(const product_call *c, const weighted_rows *s, uint64_t first, size_t n,
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
               element_at(s->coefficients, first + r, s->coefficient_stride, 0, c->element_bytes),
               c->element_bytes);
    if (c->widen != NULL)
        c->widen(n, elements, out->f32);
}

/* scale * (the weighted sum of the rows, columns `column` to column + n - 1) + add, which may be NULL. */
static void sum_rows(const product_call *c, const weighted_rows *s, uint64_t column, size_t n, real scale,
                     const void *add, void *y)
{
    _Alignas(64) uint8_t sums[16 * SUMS_BYTES];
    const size_t n_sums = sums_of(s->count), sums_step = n * c->real_bytes;
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
            const void *a = load_reals(c, element_at(s->a, first + r, s->a_stride, column, c->element_bytes),
                                       s->a_stride, k, n, wide, &step);
            c->kernels.masked_axpy(bits + r * row_bytes, row_bytes, k, n,
                                   (const uint8_t *)&coefficients + r * c->real_bytes, a, step, sums,
                                   sums_step);
        }
    }
    c->kernels.fold_sums(n_sums, n, sums, sums_step, &scale, add, y);
}

/* Piece by piece of columns, so that a piece of all rows that are added up stays in the cache. */
static size_t columns_together(const product_call *c)
{
    return SUMS_BYTES / c->real_bytes;
}

void dropwise_gradient_x(const product_call *c, const void *w, const void *dy, bool adds, void *dx)
{
    const dropwise_dropconnect *l = c->layer;
    for (uint64_t column = 0; column < l->columns; column += columns_together(c)) {
        const size_t n = min_size(columns_together(c), l->columns - column);
        for (uint64_t b = 0; b < l->samples; b++) {
            float wide[SUMS_BYTES / sizeof(float)];
            const weighted_rows rows = {.a = w,
                                        .a_stride = l->w_stride,
                                        .count = l->rows,
                                        .coefficients = element_at(dy, b, l->y_stride, 0, c->element_bytes),
                                        .coefficient_stride = 1,
                                        .draw = &c->draw,
                                        .index = l->first + b * l->mask_sample_stride,
                                        .index_step = l->mask_row_stride};
            uint8_t *out = element_at(dx, b, l->x_stride, column, c->element_bytes);
            if (adds && c->widen != NULL)
                c->widen(n, out, wide);
            sum_rows(c, &rows, column, n, c->scale, adds ? output(c, out, wide) : NULL, output(c, out, wide));
            finish_output(c, n, wide, out);
        }
    }
}

void dropwise_gradient_w(const product_call *c, const void *x, const void *dy, void *dw)
{
    const dropwise_dropconnect *l = c->layer;
    for (uint64_t column = 0; column < l->columns; column += columns_together(c)) {
        const size_t n = min_size(columns_together(c), l->columns - column);
        for (uint64_t o = 0; o < l->rows; o++) {
            const weighted_rows samples = {.a = x,
                                           .a_stride = l->x_stride,
                                           .count = l->samples,
                                           .coefficients = element_at(dy, 0, 0, o, c->element_bytes),
                                           .coefficient_stride = l->y_stride,
                                           .draw = &c->draw,
                                           .index = l->first + o * l->mask_row_stride,
                                           .index_step = l->mask_sample_stride};
            void *out = element_at(dw, o, l->w_stride, column, c->real_bytes);
            sum_rows(c, &samples, column, n, c->scale, out, out);
        }
    }
}

void dropwise_gradient_bias(const product_call *c, const void *dy, void *db)
{
    const dropwise_dropconnect *l = c->layer;
    const real one = real_of(c->dtype == DROPWISE_F64, 1.0);
    draw_plan all = c->draw;
    all.keep_threshold = DROPWISE_KEEP_ONE;
    const weighted_rows samples = {.a = dy, .a_stride = l->y_stride, .count = l->samples, .draw = &all};
    for (uint64_t o = 0; o < l->rows; o += columns_together(c)) {
        void *out = element_at(db, 0, 0, o, c->real_bytes);
        sum_rows(c, &samples, o, min_size(columns_together(c), l->rows - o), one, out, out);
    }
}
