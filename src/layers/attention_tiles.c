/* Attention by tiles: what an engine calls between the products of its own loop. */
#include <string.h>

#include "dropwise_attention.h"

#include "base/bits.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "base/own_frame.h"
#include "draw/bit_source.h"
#include "draw/strip.h"
#include "layers/attention.h"
#include "tiers/dispatch.h"
#include "view/rows.h"

static const double LOG2_E = 1.4426950408889634;
static const double LN_2 = 0.6931471805599453;

bool dropwise_attention_type_of(const dropwise_kernels *kernels, dropwise_dtype dtype, attention_type *type)
{
    if (dtype != DROPWISE_F32 && dtype != DROPWISE_F16 && dtype != DROPWISE_BF16)
        return false;
    const dropwise_dtype_kernels k = dropwise_dtype_of(kernels, dtype);
    *type = (attention_type){dropwise_dtype_bytes(dtype), k.widen, k.narrow, dtype == DROPWISE_BF16};
    return true;
}

bool dropwise_is_attention_scale(double scale)
{
    return scale >= 0x1p-100 && scale <= 0x1p100;
}

float dropwise_attention_factor(double scale)
{
    return (float)(scale * LOG2_E);
}

double dropwise_attention_kept(const dropwise_mask *mask)
{
    const bool scales = mask->scaling == DROPWISE_SCALING_INVERTED && mask->keep_threshold != 0;
    return scales ? 0x1p40 / (double)mask->keep_threshold : 1;
}

/* ---- Logits ---- */

int64_t dropwise_attention_offset(int64_t offset, uint64_t rows, uint64_t columns)
{
    return offset < -(int64_t)rows ? -(int64_t)rows : offset > (int64_t)columns ? (int64_t)columns : offset;
}

typedef struct infinities {
    float least[ATTENTION_PIECE];
} infinities;

static void mask_piece(const dropwise_kernels *kernels, const attention_masks *m, const infinities *with,
                       size_t number, size_t column, size_t n, float factor, float *x)
{
    if (m->add != NULL) {
        float buffer[ATTENTION_PIECE];
        const uint8_t *add = m->add + (ptrdiff_t)number * m->add_row + column * m->add_type.bytes;
        const dropwise_params params = {.f32 = {factor, (float)LOG2_E}};
        kernels->mix_f32(n, x, attention_load(&m->add_type, add, n, buffer), &params, x);
    }
    if (m->allow != NULL) {
        uint8_t bits[ATTENTION_PIECE / 8];
        kernels->nonzero_b8(n, m->allow + (ptrdiff_t)number * m->allow_row + column, bits);
        kernels->blend_b32(bits, n, (const uint8_t *)x, (const uint8_t *)with->least, (uint8_t *)x);
    }
}

static OWN_FRAME void mask_rows(const dropwise_kernels *kernels, const attention_masks *m,
                                const dropwise_attention_rows *rows)
{
    infinities with;
    for (size_t i = 0; i < ATTENTION_PIECE; i++)
        with.least[i] = -__builtin_inff();
    for (size_t r = 0; r < rows->rows; r++) {
        uint8_t *x = rows->x + r * rows->step;
        const size_t visible = (size_t)attention_visible(m->causal, m->offset, r, rows->n);
        for (size_t i = 0; i < rows->n; i += ATTENTION_PIECE)
            mask_piece(kernels, m, &with, r, i, min_size(ATTENTION_PIECE, rows->n - i), rows->factor,
                       (float *)(void *)(x + i * sizeof(float)));
        for (size_t i = visible; i < rows->n; i += ATTENTION_PIECE)
            memcpy(x + i * sizeof(float), with.least, min_size(ATTENTION_PIECE, rows->n - i) * sizeof(float));
    }
}

void dropwise_attention_logits(const dropwise_kernels *kernels, const attention_masks *masks,
                               dropwise_attention_rows *rows)
{
    /* The first row sees the fewest columns. */
    const bool cuts = attention_visible(masks->causal, masks->offset, 0, rows->n) != rows->n;
    if (cuts || masks->add != NULL || masks->allow != NULL)
        mask_rows(kernels, masks, rows);
    if (masks->add != NULL)
        rows->factor = 1;
}

/* ---- Bits of rows ---- */

static OWN_FRAME void draw_run(const draw_plan *plan, uint64_t first, size_t n, uint8_t *bits)
{
    draw_chunk chunk;
    dropwise_draw_begin(&chunk, first, min_size(DRAW_CHUNK, n), bits);
    dropwise_draw_end(plan, &chunk);
    for (size_t done = DRAW_CHUNK; done < n; done += DRAW_CHUNK) {
        dropwise_draw_next(&chunk, min_size(DRAW_CHUNK, n - done), bits + done / 8);
        dropwise_draw_end(plan, &chunk);
    }
}

/* Rows that do not follow each other and are short. */
static OWN_FRAME void draw_short_rows(const draw_plan *plan, uint64_t first, uint64_t rows, size_t columns,
                                      uint64_t row_stride, uint8_t *bits, size_t bits_stride)
{
    strip s;
    uint8_t drawn[STRIP_BYTES];
    const size_t step = dropwise_strip_step(columns), together = dropwise_strip_rows(columns);
    for (uint64_t done = 0; done < rows; done += together) {
        const size_t n = min_size(together, rows - done);
        dropwise_draw_strip(plan, &s, first + done * row_stride, (int64_t)row_stride, n, columns, drawn);
        for (size_t r = 0; r < n; r++) {
            uint8_t *out = bits + (size_t)(done + r) * bits_stride;
            memcpy(out, drawn + r * step, bytes_of_bits(columns));
            clear_unused_bits(out, columns);
        }
    }
}

/* Others, and rows that do follow each other but do not begin with a byte, out of chunks. */
static OWN_FRAME void draw_rows(const draw_plan *plan, uint64_t first, uint64_t rows, size_t columns,
                                uint64_t row_stride, uint8_t *bits, size_t bits_stride)
{
    bit_source source;
    uint8_t buffer[DRAW_CHUNK / 8];
    bit_source_init(&source, plan);
    for (uint64_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < columns; c += DRAW_CHUNK) {
            const size_t n = min_size(DRAW_CHUNK, columns - c);
            const uint64_t run = (row_stride == columns ? (rows - r) * columns : columns) - c;
            uint8_t *out = bits + (size_t)r * bits_stride + c / 8;
            memcpy(out, dropwise_bits_get(&source, first + r * row_stride + c, 1, n, run, buffer),
                   bytes_of_bits(n));
            clear_unused_bits(out, n);
        }
    }
}

void dropwise_attention_bits(const draw_plan *plan, uint64_t first, uint64_t rows, size_t columns,
                             uint64_t row_stride, uint8_t *bits, size_t bits_stride)
{
    if (rows == 1 || (row_stride == columns && columns % 8 == 0 && bits_stride == columns / 8))
        draw_run(plan, first, (size_t)rows * columns, bits);
    else if (row_stride != columns && columns <= STRIP_ROW)
        draw_short_rows(plan, first, rows, columns, row_stride, bits, bits_stride);
    else
        draw_rows(plan, first, rows, columns, row_stride, bits, bits_stride);
}

/* The last of n rows, `stride` apart, ends there; false if that is no number. */
static bool end_of_rows(uint64_t rows, uint64_t columns, uint64_t stride, uint64_t *end)
{
    return !__builtin_mul_overflow(rows - 1, stride, end) && !__builtin_add_overflow(*end, columns, end);
}

dropwise_status dropwise_draw_bits_rows(const dropwise_mask *mask, uint64_t first, uint64_t rows,
                                        uint64_t columns, uint64_t row_stride, void *bits,
                                        uint64_t bits_stride)
{
    uint64_t end;
    dropwise_status status = dropwise_check_mask(mask);
    if (status != DROPWISE_OK || rows == 0 || columns == 0)
        return status;
    if (!end_of_rows(rows, columns, row_stride, &end) || dropwise_check_range(first, end) != DROPWISE_OK)
        return DROPWISE_ERROR_RANGE;
    if (bits_stride < columns / 8 + (columns % 8 != 0))
        return DROPWISE_ERROR_SHAPE;
    if (!end_of_rows(rows, columns / 8 + 1, bits_stride, &end) || dropwise_check_size(end, 1) != DROPWISE_OK)
        return DROPWISE_ERROR_SIZE;
    if (rows >
        SIZE_MAX / columns) /* bits in less bytes than a 32-bit host has, which a size_t counts there */
        return DROPWISE_ERROR_SIZE;
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;
    const draw_plan plan = dropwise_draw_plan(dropwise_active(), mask);
    dropwise_attention_bits(&plan, first, rows, (size_t)columns, row_stride, bits, (size_t)bits_stride);
    return DROPWISE_OK;
}

/* ---- Rows ---- */

/*
 * The natural logarithm of a positive finite number, or a NaN, to 2^-34, by the series of the area tangent:
 * what C libraries have differs from one to the next.
 */
static double log_of(double x)
{
    static const double series[] = {1.0, 1.0 / 3, 1.0 / 5, 1.0 / 7, 1.0 / 9, 1.0 / 11};
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    /* In integers, as compilers branch on comparisons of reals: the rest is from sqrt(1 / 2) to sqrt(2). */
    const int64_t exponent = (int64_t)(bits - UINT64_C(0x3FE6A09E667F3BCE)) >> 52;
    bits -= (uint64_t)exponent << 52;
    double m;
    memcpy(&m, &bits, sizeof m);
    const double s = (m - 1) / (m + 1);
    double sum = 0;
    for (int k = 5; k >= 0; k--)
        sum = sum * (s * s) + series[k];
    return (double)exponent * LN_2 + 2 * s * sum;
}

void dropwise_attention_store(const dropwise_kernels *kernels, const attention_type *type, size_t n,
                              const float *from, float factor, bool adds, void *out)
{
    if (type->narrow == NULL) {
        kernels->fold_sums_f32(1, n, from, 0, &factor, adds ? out : NULL, out);
        return;
    }
    for (size_t i = 0; i < n; i += ATTENTION_PIECE) {
        float buffer[ATTENTION_PIECE];
        const size_t piece = min_size(ATTENTION_PIECE, n - i);
        if (adds)
            type->widen(piece, (const uint8_t *)out + i * type->bytes, buffer);
        kernels->fold_sums_f32(1, piece, from + i, 0, &factor, adds ? buffer : NULL, buffer);
        type->narrow(piece, buffer, (uint8_t *)out + i * type->bytes);
    }
}

void dropwise_attention_end(const dropwise_kernels *kernels, const attention_type *type, size_t n,
                            const float *o, double kept, float top, float sum, void *out, float *lse)
{
    if (sum == 0)
        memset(out, 0, n * type->bytes);
    else
        dropwise_attention_store(kernels, type, n, o, (float)kept / sum, false, out);
    if (lse != NULL)
        *lse = sum == 0     ? __builtin_inff()
               : sum == sum ? (float)((double)top * LN_2 + log_of((double)sum))
                            : __builtin_nanf("");
}

float dropwise_attention_delta_of(const dropwise_kernels *kernels, const attention_type *type, size_t n,
                                  const uint8_t *dout, const uint8_t *out)
{
    double sums[16] = {0};
    for (size_t i = 0; i < n; i += ATTENTION_PIECE) {
        float buffers[2][ATTENTION_PIECE];
        const size_t piece = min_size(ATTENTION_PIECE, n - i), at = i * type->bytes;
        kernels->dot_f32(piece, attention_load(type, dout + at, piece, buffers[0]),
                         attention_load(type, out + at, piece, buffers[1]), sums);
    }
    return (float)dropwise_sum_tree(true, sums, 1).f64;
}

/* ---- Public functions ---- */

/* Rows of a call: elements from one to the next. */
typedef struct some_rows {
    const void *p;
    uint64_t rows, columns, stride;
    size_t bytes;
    bool output;
    int pair; /* rows of f32 of the same pair may be the same */
} some_rows;

enum { MOST_ROWS = 10 };

/* Those with a NULL pointer are left out. */
static dropwise_status check_rows(const some_rows *all, size_t n)
{
    dropwise_extent extents[MOST_ROWS];
    for (size_t i = 0; i < n; i++) {
        const some_rows *r = &all[i];
        uint64_t end;
        if (!end_of_rows(r->rows, r->columns, r->stride, &end) ||
            dropwise_check_size(end, r->bytes) != DROPWISE_OK)
            return DROPWISE_ERROR_SIZE;
        extents[i] = dropwise_extent_of(r->p, r->p == NULL ? 0 : (size_t)end * r->bytes);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const bool in_place = all[i].pair != 0 && all[i].pair == all[j].pair && all[i].p == all[j].p &&
                                  all[i].bytes == all[j].bytes && all[i].stride == all[j].stride;
            if ((all[i].output || all[j].output) && !in_place && dropwise_overlap(extents[i], extents[j]))
                return DROPWISE_ERROR_OVERLAP;
        }
    return DROPWISE_OK;
}

static bool any_is_null(const some_rows *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].p == NULL)
            return true;
    return false;
}

static dropwise_status check_tile(const dropwise_attention_tile *t)
{
    if (t == NULL)
        return DROPWISE_ERROR_NULL;
    if (t->struct_size != sizeof *t)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (t->reserved[0] != 0 || t->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    if (t->causal > 1 || !dropwise_is_attention_scale(t->scale))
        return DROPWISE_ERROR_PARAMETER;
    if (t->stride < t->columns || t->out_stride < t->columns ||
        (t->add != NULL && t->add_stride != 0 && t->add_stride < t->columns) ||
        (t->bits != NULL && t->bits_stride < t->columns / 8 + (t->columns % 8 != 0)))
        return DROPWISE_ERROR_SHAPE;
    return t->rows > PTRDIFF_MAX || t->columns > PTRDIFF_MAX ? DROPWISE_ERROR_SIZE : DROPWISE_OK;
}

/* The rows of a tile, made logits. */
static dropwise_attention_rows begin_tile(const dropwise_kernels *kernels, const dropwise_attention_tile *t,
                                          float *scores)
{
    dropwise_attention_rows rows = {.rows = (size_t)t->rows,
                                    .n = (size_t)t->columns,
                                    .x = (uint8_t *)scores,
                                    .step = (size_t)t->stride * sizeof(float),
                                    .bits = t->bits,
                                    .bits_step = (size_t)t->bits_stride,
                                    .factor = dropwise_attention_factor(t->scale)};
    const attention_masks masks = {.causal = t->causal != 0,
                                   .offset = dropwise_attention_offset(t->causal_offset, t->rows, t->columns),
                                   .add = (const uint8_t *)t->add,
                                   .add_row = (ptrdiff_t)(t->add_stride * sizeof(float)),
                                   .add_type = {.bytes = sizeof(float)}};
    dropwise_attention_logits(kernels, &masks, &rows);
    return rows;
}

/* What a kernel left in place becomes elements elsewhere. */
static void move_tile(const dropwise_attention_tile *t, const attention_type *type, const float *from,
                      void *to)
{
    for (size_t r = 0; r < t->rows; r++) {
        const float *scores = from + r * (size_t)t->stride;
        uint8_t *out = (uint8_t *)to + r * (size_t)t->out_stride * type->bytes;
        if (type->narrow != NULL)
            type->narrow((size_t)t->columns, scores, out);
        else if (out != (const uint8_t *)scores)
            memcpy(out, scores, (size_t)t->columns * sizeof(float));
    }
}

static FP_ENV_BODY dropwise_status tile_forward(const dropwise_attention_tile *t, dropwise_dtype dtype,
                                                uint32_t first, float *scores, float *top, float *sum,
                                                float *shrink, void *probabilities)
{
    const dropwise_kernels *kernels = dropwise_active();
    attention_type type;
    if (!dropwise_attention_type_of(kernels, dtype, &type))
        return DROPWISE_ERROR_DTYPE;
    dropwise_status status = check_tile(t);
    if (status == DROPWISE_OK && first > 1)
        status = DROPWISE_ERROR_PARAMETER;
    if (status != DROPWISE_OK || t->rows == 0)
        return status;
    const some_rows all[] = {
        {scores, t->rows, t->columns, t->stride, sizeof(float), true, 1},
        {probabilities, t->rows, t->columns, t->out_stride, type.bytes, true, 1},
        {top, 1, t->rows, 0, sizeof(float), true, 0},
        {sum, 1, t->rows, 0, sizeof(float), true, 0},
        {shrink, 1, t->rows, 0, sizeof(float), true, 0},
        {t->bits, t->rows, bytes_of_bits((size_t)t->columns), t->bits_stride, 1, false, 0},
        {t->add, t->rows, t->columns, t->add_stride, sizeof(float), false, 0},
    };
    if (any_is_null(all, 5))
        return DROPWISE_ERROR_NULL;
    status = check_rows(all, sizeof all / sizeof all[0]);
    if (status != DROPWISE_OK)
        return status;
    dropwise_attention_rows rows = begin_tile(kernels, t, scores);
    rows.first = first != 0;
    rows.top = top;
    rows.sum = sum;
    rows.shrink = shrink;
    kernels->attention_f32(&rows);
    move_tile(t, &type, scores, probabilities);
    return DROPWISE_OK;
}

dropwise_status dropwise_attention_tile_forward(const dropwise_attention_tile *tile, dropwise_dtype dtype,
                                                uint32_t first, float *scores, float *top, float *sum,
                                                float *shrink, void *probabilities)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, tile_forward(tile, dtype, first, scores, top, sum, shrink, probabilities));
}

static FP_ENV_BODY dropwise_status rows_end(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t rows,
                                            uint64_t size, const float *o, uint64_t o_stride,
                                            const float *top, const float *sum, void *out,
                                            uint64_t out_stride, float *lse)
{
    const dropwise_kernels *kernels = dropwise_active();
    attention_type type;
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && !dropwise_attention_type_of(kernels, dtype, &type))
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK && (o_stride < size || out_stride < size))
        status = DROPWISE_ERROR_SHAPE;
    if (status != DROPWISE_OK || rows == 0)
        return status;
    const some_rows all[] = {
        {out, rows, size, out_stride, type.bytes, true, 1},
        {o, rows, size, o_stride, sizeof(float), false, 1},
        {top, 1, rows, 0, sizeof(float), false, 0},
        {sum, 1, rows, 0, sizeof(float), false, 0},
        {lse, 1, rows, 0, sizeof(float), true, 0},
    };
    if (any_is_null(all, 4))
        return DROPWISE_ERROR_NULL;
    status = check_rows(all, sizeof all / sizeof all[0]);
    if (status != DROPWISE_OK)
        return status;
    const double kept = dropwise_attention_kept(mask);
    for (size_t r = 0; r < rows; r++)
        dropwise_attention_end(kernels, &type, (size_t)size, o + r * (size_t)o_stride, kept, top[r], sum[r],
                               (uint8_t *)out + r * (size_t)out_stride * type.bytes,
                               lse == NULL ? NULL : lse + r);
    return DROPWISE_OK;
}

dropwise_status dropwise_attention_rows_end(const dropwise_mask *mask, dropwise_dtype dtype, uint64_t rows,
                                            uint64_t size, const float *o, uint64_t o_stride,
                                            const float *top, const float *sum, void *out,
                                            uint64_t out_stride, float *lse)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        rows_end(mask, dtype, rows, size, o, o_stride, top, sum, out, out_stride, lse));
}

static FP_ENV_BODY dropwise_status delta_rows(dropwise_dtype dtype, uint64_t rows, uint64_t size,
                                              const void *dout, uint64_t dout_stride, const void *out,
                                              uint64_t out_stride, float *delta)
{
    const dropwise_kernels *kernels = dropwise_active();
    attention_type type;
    if (!dropwise_attention_type_of(kernels, dtype, &type))
        return DROPWISE_ERROR_DTYPE;
    if (dout_stride < size || out_stride < size)
        return DROPWISE_ERROR_SHAPE;
    if (rows == 0)
        return DROPWISE_OK;
    const some_rows all[] = {
        {dout, rows, size, dout_stride, type.bytes, false, 0},
        {out, rows, size, out_stride, type.bytes, false, 0},
        {delta, 1, rows, 0, sizeof(float), true, 0},
    };
    if (any_is_null(all, 3))
        return DROPWISE_ERROR_NULL;
    const dropwise_status status = check_rows(all, 3);
    if (status != DROPWISE_OK)
        return status;
    for (size_t r = 0; r < rows; r++)
        delta[r] = dropwise_attention_delta_of(kernels, &type, (size_t)size,
                                               (const uint8_t *)dout + r * (size_t)dout_stride * type.bytes,
                                               (const uint8_t *)out + r * (size_t)out_stride * type.bytes);
    return DROPWISE_OK;
}

dropwise_status dropwise_attention_delta(dropwise_dtype dtype, uint64_t rows, uint64_t size, const void *dout,
                                         uint64_t dout_stride, const void *out, uint64_t out_stride,
                                         float *delta)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, delta_rows(dtype, rows, size, dout, dout_stride, out, out_stride, delta));
}

/* Rows that a kernel takes in a call, whose log-sum-exps and deltas are made what it wants. */
enum { GRAD_ROWS = 96 };

void dropwise_attention_grad(const dropwise_kernels *kernels, const dropwise_mask *mask, double scale,
                             dropwise_attention_rows *rows, const float *lse, const float *delta)
{
    const double kept = dropwise_attention_kept(mask);
    const size_t n = rows->rows;
    rows->kept = (float)kept;
    rows->kept_factor = (float)(kept * scale);
    for (size_t done = 0; done < n; done += GRAD_ROWS) {
        float of_lse[GRAD_ROWS], of_delta[GRAD_ROWS];
        rows->rows = min_size(GRAD_ROWS, n - done);
        for (size_t r = 0; r < rows->rows; r++) {
            of_lse[r] = lse[done + r] * (float)LOG2_E;
            of_delta[r] = delta[done + r] * (float)scale;
        }
        rows->lse = of_lse;
        rows->delta = of_delta;
        kernels->attention_grad_f32(rows);
        rows->x += rows->rows * rows->step;
        rows->d += rows->rows * rows->step;
        if (rows->bits != NULL)
            rows->bits += rows->rows * rows->bits_step;
    }
}

static FP_ENV_BODY dropwise_status tile_backward(const dropwise_mask *mask, const dropwise_attention_tile *t,
                                                 dropwise_dtype dtype, float *scores, float *dp,
                                                 const float *lse, const float *delta, void *probabilities,
                                                 void *gradients)
{
    const dropwise_kernels *kernels = dropwise_active();
    attention_type type;
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && !dropwise_attention_type_of(kernels, dtype, &type))
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK)
        status = check_tile(t);
    if (status != DROPWISE_OK || t->rows == 0)
        return status;
    const some_rows all[] = {
        {scores, t->rows, t->columns, t->stride, sizeof(float), true, 1},
        {dp, t->rows, t->columns, t->stride, sizeof(float), true, 2},
        {probabilities, t->rows, t->columns, t->out_stride, type.bytes, true, 1},
        {gradients, t->rows, t->columns, t->out_stride, type.bytes, true, 2},
        {lse, 1, t->rows, 0, sizeof(float), false, 0},
        {delta, 1, t->rows, 0, sizeof(float), false, 0},
        {t->bits, t->rows, bytes_of_bits((size_t)t->columns), t->bits_stride, 1, false, 0},
        {t->add, t->rows, t->columns, t->add_stride, sizeof(float), false, 0},
    };
    if (any_is_null(all, 6))
        return DROPWISE_ERROR_NULL;
    status = check_rows(all, sizeof all / sizeof all[0]);
    if (status != DROPWISE_OK)
        return status;
    dropwise_attention_rows rows = begin_tile(kernels, t, scores);
    rows.d = (uint8_t *)dp;
    dropwise_attention_grad(kernels, mask, t->scale, &rows, lse, delta);
    move_tile(t, &type, scores, probabilities);
    move_tile(t, &type, dp, gradients);
    return DROPWISE_OK;
}

dropwise_status dropwise_attention_tile_backward(const dropwise_mask *mask,
                                                 const dropwise_attention_tile *tile, dropwise_dtype dtype,
                                                 float *scores, float *dp, const float *lse,
                                                 const float *delta, void *probabilities, void *gradients)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        tile_backward(mask, tile, dtype, scores, dp, lse, delta, probabilities, gradients));
}
