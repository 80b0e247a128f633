/*
 * Whole attention: strips of queries by tiles of keys, what is needed of a head packed as products want it in
 * the caller's workspace: as f32, or bf16 as such. Strips, tiles and panels are padded there to what the
 * kernels take, so that no product has a rest.
 */
#include <string.h>

#include "base/bits.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "layers/attention.h"
#include "tiers/dispatch.h"
#include "view/check_view.h"

enum {
    STRIP = 48,      /* queries together, a multiple of DROPWISE_MATMUL_ROWS            */
    BF16_STRIP = 64, /* and of bf16, of its block: part of the gradients                */
    MOST_STRIP = BF16_STRIP,
    TILE = 512,      /* keys together, forward: part of the results                     */
    GRAD_TILE = 192, /* and backward, a multiple of 64 and of DROPWISE_MATMUL_ROWS      */
    PANEL = 64,      /* keys of a panel, the columns of a block of matmul                */
    GAP = 16,        /* numbers between rows of a tile, which else meet in the caches   */
    BF16_BLOCK = 32, /* what rows, depth and columns of matmul_bf16 are multiples of    */
};

_Static_assert(STRIP % DROPWISE_MATMUL_ROWS == 0 && GRAD_TILE % DROPWISE_MATMUL_ROWS == 0, "whole blocks");
_Static_assert(BF16_STRIP % BF16_BLOCK == 0 && GRAD_TILE % BF16_BLOCK == 0 && TILE % BF16_BLOCK == 0, "");

/*
 * Elements of bf16 below these, by their bits, are 0 in products: the least product of one of each kind is
 * then a multiple of 2^-126, as matmul_bf16 wants it.
 */
enum {
    LEAST_VALUE = (127 - 40) << 7,   /* 2^-40, of q, k, v and probabilities             */
    LEAST_GRADIENT = (127 - 72) << 7 /* 2^-72, of dout and of the gradients of scores   */
};

static uint64_t round_up(uint64_t n, uint64_t to)
{
    return (n + to - 1) / to * to;
}

/* How products take numbers. */
typedef struct format {
    uint64_t strip;         /* queries together                           */
    uint64_t rows, columns; /* what those of products are multiples of    */
    uint64_t bytes;         /* of an element of x                         */
} format;

static const format format_f32 = {STRIP, DROPWISE_MATMUL_ROWS, 16, sizeof(float)};
static const format format_bf16 = {BF16_STRIP, BF16_BLOCK, BF16_BLOCK, 2};

static const format *format_of(const attention_type *type)
{
    return type->is_bf16 ? &format_bf16 : &format_f32;
}

/* ---- The workspace ---- */

/* Where things lie in it, in bytes. */
typedef struct layout {
    uint64_t k_panels, v_panels;    /* transposed, 64 keys at a time                            */
    uint64_t k, v;                  /* rows, or pairs of rows                                   */
    uint64_t dk, dv;                /* sums, of bf16 transposed                                 */
    uint64_t q, dout;               /* of a strip                                               */
    uint64_t sum;                   /* of a strip: out, or dq                                   */
    uint64_t scores, d;             /* of a tile                                                */
    uint64_t bits;                  /* of a strip                                               */
    uint64_t rows;                  /* a panel of rows, packed                                  */
    uint64_t p_pairs, d_pairs;      /* bf16: of a tile, pairs of rows                           */
    uint64_t q_turned, dout_turned; /* bf16: of a strip, transposed                          */
    uint64_t pairs, block;          /* bf16: rows of a strip in pairs; some sums, transposed */
    uint64_t bytes;
    bool fits;
} layout;

static uint64_t take(layout *l, uint64_t rows, uint64_t row_bytes)
{
    const uint64_t at = l->bytes;
    uint64_t n;
    l->fits = l->fits && !__builtin_mul_overflow(rows, row_bytes, &n) &&
              !__builtin_add_overflow(round_up(n, 64), l->bytes, &l->bytes) && l->bytes < PTRDIFF_MAX;
    return at;
}

/* Bytes of a row of numbers that tiles, or sums that are transposed, have. */
static uint64_t wide_row(uint64_t columns)
{
    return (round_up(columns, BF16_BLOCK) + GAP) * sizeof(float);
}

static uint64_t tile_row_of(const dropwise_attention *a, bool backward)
{
    return wide_row(min_u64(a->keys, backward ? GRAD_TILE : TILE));
}

/* Sizes are below 2^60. */
static layout lay_out(const dropwise_attention *a, const attention_type *type, bool backward)
{
    const format *f = format_of(type);
    const uint64_t columns = round_up(a->size, f->columns), values = round_up(a->value_size, f->columns);
    const uint64_t size = columns * f->bytes, value = values * f->bytes, number = sizeof(float);
    const uint64_t keys = round_up(a->keys, PANEL), strip = f->strip;
    const uint64_t tile_row = tile_row_of(a, backward);
    layout l = {.fits = true};
    l.k_panels = take(&l, keys, size);
    l.v = take(&l, backward ? 0 : keys, value);
    l.q = take(&l, strip, size);
    l.scores = take(&l, strip, tile_row);
    l.bits = take(&l, strip, bytes_of_bits((size_t)a->keys));
    l.rows = take(&l, type->widen == NULL ? 0 : PANEL, size > value ? size : value);
    l.sum = take(&l, strip, (backward ? columns : values) * number);
    if (!backward)
        return l;
    l.v_panels = take(&l, keys, value);
    l.k = take(&l, keys, size);
    l.dout = take(&l, strip, value);
    l.d = take(&l, strip, tile_row);
    if (!type->is_bf16) {
        l.dk = take(&l, round_up(a->keys, DROPWISE_MATMUL_ROWS), size);
        l.dv = take(&l, round_up(a->keys, DROPWISE_MATMUL_ROWS), value);
        return l;
    }
    l.dk = take(&l, columns, wide_row(a->keys));
    l.dv = take(&l, values, wide_row(a->keys));
    l.p_pairs = take(&l, strip / 2, tile_row);
    l.d_pairs = take(&l, strip / 2, tile_row);
    l.q_turned = take(&l, columns, PANEL * number);
    l.dout_turned = take(&l, values, PANEL * number);
    l.pairs = take(&l, strip / 2, (columns > values ? columns : values) * number);
    l.block = take(&l, PANEL, PANEL * number);
    return l;
}

/* ---- A call ---- */

typedef struct call {
    const dropwise_attention *a;
    const dropwise_mask *mask;
    const dropwise_kernels *kernels;
    attention_type type;
    const format *format;
    dropwise_matmul_fn *matmul;
    draw_plan draw;
    bool drops;
    int64_t offset;
    layout at;
    uint8_t *workspace;
    size_t size, value_size; /* of rows in the workspace, in bytes */
    size_t tile_row, bits_row;
} call;

static uint8_t *space(const call *c, uint64_t at)
{
    return c->workspace + at;
}

/* Bytes of a row of sums, for rows of so many bytes. */
static size_t sums_of(const call *c, size_t row_bytes)
{
    return row_bytes / (size_t)c->format->bytes * sizeof(float);
}

/* A head of queries, and the one of keys that it reads. */
typedef struct head {
    uint64_t batch, query, key;
} head;

static head head_of(const dropwise_attention *a, uint64_t number)
{
    const uint64_t of_batch = number % a->heads;
    return (head){number / a->heads, of_batch, of_batch / (a->heads / a->kv_heads)};
}

/* A matrix of a tensor, and its rows' distance in bytes. */
typedef struct matrix {
    uint8_t *p;
    ptrdiff_t row;
} matrix;

/* That of a batch and a head. The stride of a single row may be anything. */
static matrix matrix_of(const void *p, const int64_t *stride, size_t bytes, uint64_t batch, uint64_t number,
                        uint64_t rows)
{
    if (rows == 0) /* there may be no pointer, and C has no offsets from that */
        return (matrix){NULL, 0};
    const int64_t at = (int64_t)batch * stride[0] + (int64_t)number * stride[1];
    return (matrix){(uint8_t *)(uintptr_t)p + at * (int64_t)bytes,
                    rows > 1 ? (ptrdiff_t)(stride[2] * (int64_t)bytes) : 0};
}

static uint8_t *row_of(matrix m, uint64_t i)
{
    return m.p + (ptrdiff_t)i * m.row;
}

/* ---- Packing ---- */

/* A matrix of a tensor, and what becomes of its rows. */
typedef struct operand {
    matrix from;
    size_t columns;
    size_t row_bytes; /* of a packed row */
    uint16_t least;   /* of bf16         */
} operand;

static operand operand_of_size(const call *c, matrix from)
{
    return (operand){from, (size_t)c->a->size, c->size, LEAST_VALUE};
}

static operand operand_of_value_size(const call *c, matrix from, uint16_t least)
{
    return (operand){from, (size_t)c->a->value_size, c->value_size, least};
}

/*
 * n rows from one on as products take them, `padded` rows. Where they are, if that is as good, or packed.
 * Nobody looks at what comes of the padding; it is 0, as subnormal numbers could take long.
 */
static matrix pack_rows(const call *c, const operand *o, uint64_t first, size_t n, size_t padded, uint8_t *to)
{
    const size_t used = o->columns * (size_t)c->format->bytes;
    const matrix packed = {to, (ptrdiff_t)o->row_bytes};
    if (n != 0 && c->type.widen == NULL && padded == n && used == o->row_bytes)
        return (matrix){row_of(o->from, first), o->from.row};
    for (size_t r = 0; r < n; r++, to += o->row_bytes) {
        const uint8_t *from = row_of(o->from, first + r);
        if (c->type.is_bf16)
            c->kernels->pack_bf16(o->columns, o->least, from, to);
        else if (c->type.widen != NULL)
            c->type.widen(o->columns, from, (float *)(void *)to);
        else
            memcpy(to, from, used);
        if (used != o->row_bytes)
            memset(to + used, 0, o->row_bytes - used);
    }
    memset(to, 0, (padded - n) * o->row_bytes);
    return packed;
}

/* All keys' rows, transposed in panels: numbers of f32, or pairs of elements of bf16. */
static void pack_panels(const call *c, const operand *o, uint8_t *to)
{
    const size_t numbers = c->type.is_bf16 ? o->row_bytes / sizeof(float) : o->columns;
    for (uint64_t j = 0; j < c->a->keys; j += PANEL) {
        const size_t n = min_size(PANEL, c->a->keys - j);
        matrix rows = {row_of(o->from, j), o->from.row};
        if (c->type.widen != NULL)
            rows = pack_rows(c, o, j, n, n, space(c, c->at.rows));
        c->kernels->transpose_f32(n, numbers, rows.p, rows.row, to);
        to += PANEL * o->row_bytes;
    }
}

/* An even number of packed rows of bf16 in pairs. */
static void pair_rows(const call *c, size_t n, size_t columns, matrix rows, uint8_t *to, size_t to_row)
{
    for (size_t r = 0; r < n; r += 2, to += to_row)
        c->kernels->pair_bf16(columns, row_of(rows, r), row_of(rows, r + 1), to);
}

/* All keys' rows: of bf16 in pairs, up to a whole block. */
static matrix pack_keys(const call *c, const operand *o, uint8_t *to)
{
    const uint64_t keys = c->a->keys;
    if (!c->type.is_bf16)
        return pack_rows(c, o, 0, (size_t)keys, (size_t)keys, to);
    const matrix pairs = {to, 2 * (ptrdiff_t)o->row_bytes};
    for (uint64_t j = 0; j < keys; j += PANEL, to += PANEL * o->row_bytes) {
        const size_t n = min_size(PANEL, keys - j), padded = (size_t)round_up(n, BF16_BLOCK);
        const matrix rows = pack_rows(c, o, j, n, padded, space(c, c->at.rows));
        pair_rows(c, padded, o->row_bytes / 2, rows, to, 2 * o->row_bytes);
    }
    return pairs;
}

/* Rows of bf16 where numbers were: 0 behind the first n elements of `rows` rows, up to whole blocks. */
static matrix pad_tile(const call *c, uint64_t at, size_t rows, size_t padded_rows, size_t n)
{
    const size_t row_bytes = 2 * (size_t)round_up(n, BF16_BLOCK);
    const matrix tile = {space(c, at), (ptrdiff_t)c->tile_row};
    for (size_t r = 0; r < padded_rows; r++) {
        const size_t filled = r < rows ? 2 * n : 0;
        if (filled != row_bytes)
            memset(row_of(tile, r) + filled, 0, row_bytes - filled);
    }
    return tile;
}

/* Rows of numbers become such rows. */
static matrix pack_tile(const call *c, uint64_t at, size_t rows, size_t padded_rows, size_t n, uint16_t least)
{
    for (size_t r = 0; r < rows; r++) {
        uint8_t *row = space(c, at) + r * c->tile_row;
        c->type.narrow(n, (const float *)(const void *)row, row);
        c->kernels->pack_bf16(n, least, row, row);
    }
    return pad_tile(c, at, rows, padded_rows, n);
}

/* ---- Strips ---- */

/* Strips begin at multiples of their size, wherever a part does, and what their last query sees is what is
 * looked at: so results do not hang on the part. */
typedef struct query_strip {
    uint64_t first;
    size_t n, padded; /* queries, and rows of products */
    uint64_t keys;    /* that some query of the whole strip sees, and up to a whole block of rows of them */
} query_strip;

static query_strip strip_from(const call *c, uint64_t first, uint64_t end)
{
    const dropwise_attention *a = c->a;
    const uint64_t size = c->format->strip;
    const uint64_t whole = first - first % size + size, last = min_u64(whole, a->queries);
    query_strip s = {.first = first, .n = (size_t)(min_u64(whole, end) - first)};
    s.padded = (size_t)round_up(s.n, c->format->rows);
    const uint64_t seen = attention_visible(a->causal != 0, c->offset, last - 1, a->keys);
    s.keys = min_u64(round_up(seen, c->format->rows), a->keys);
    return s;
}

/* Draws the bits of a strip: in one run, unless a causal mask leaves a good part of it unseen. */
static void draw_strip(const call *c, head h, const query_strip *s)
{
    const uint64_t *stride = c->a->mask_stride, keys = c->a->keys;
    const uint64_t first = c->a->first + h.batch * stride[0] + h.query * stride[1] + s->first * stride[2];
    if (c->drops && s->keys != 0)
        dropwise_attention_bits(&c->draw, first, s->n, (size_t)(s->keys < keys / 4 * 3 ? s->keys : keys),
                                stride[2], space(c, c->at.bits), c->bits_row);
}

/* Scores of a tile, n keys from j on: x, a strip, times a panel. */
static void scores_of(const call *c, const query_strip *s, uint64_t j, size_t n, matrix x, size_t columns,
                      size_t row_bytes, uint64_t panels, uint64_t to)
{
    const dropwise_matmul m = {.rows = s->padded,
                               .depth = c->type.is_bf16 ? row_bytes / 2 : columns,
                               .columns = (size_t)round_up(n, c->format->columns),
                               .x = x.p,
                               .x_row = x.row,
                               .x_step = sizeof(float),
                               .y = space(c, panels) + j * row_bytes,
                               .y_row = PANEL * sizeof(float),
                               .y_block = PANEL * row_bytes,
                               .c = space(c, to),
                               .c_row = c->tile_row};
    c->matmul(&m);
}

/* What becomes of c by c += x y: rows of so many numbers. */
typedef struct sums {
    uint8_t *p;
    size_t row_bytes, columns;
    bool adds;
} sums;

/* c += t y, or t^T y, of a tile of numbers and rows of y. */
static void collect(const call *c, bool transposed, size_t rows, size_t depth, uint64_t tile, matrix y,
                    sums to)
{
    const dropwise_matmul m = {.rows = rows,
                               .depth = depth,
                               .columns = to.columns,
                               .x = space(c, tile),
                               .x_row = (ptrdiff_t)(transposed ? sizeof(float) : c->tile_row),
                               .x_step = (ptrdiff_t)(transposed ? c->tile_row : sizeof(float)),
                               .y = y.p,
                               .y_row = y.row,
                               .y_block = PANEL * sizeof(float),
                               .c = to.p,
                               .c_row = to.row_bytes,
                               .adds = to.adds};
    c->matmul(&m);
}

/* c += x y, of rows of bf16 and pairs of rows. */
static void collect_bf16(const call *c, size_t rows, size_t depth, matrix x, matrix y, sums to)
{
    const dropwise_matmul m = {.rows = rows,
                               .depth = (size_t)round_up(depth, BF16_BLOCK),
                               .columns = to.columns,
                               .x = x.p,
                               .x_row = x.row,
                               .y = y.p,
                               .y_row = y.row,
                               .y_block = PANEL * sizeof(float),
                               .c = to.p,
                               .c_row = to.row_bytes,
                               .adds = to.adds};
    c->matmul(&m);
}

/* The rows of a tile, made logits. */
static dropwise_attention_rows tile_of(const call *c, head h, const query_strip *s, uint64_t j, size_t n)
{
    const dropwise_attention *a = c->a;
    dropwise_attention_rows rows = {.rows = s->n,
                                    .n = n,
                                    .x = space(c, c->at.scores),
                                    .step = c->tile_row,
                                    .bits = c->drops ? space(c, c->at.bits) + j / 8 : NULL,
                                    .bits_step = c->bits_row,
                                    .factor = dropwise_attention_factor(a->scale)};
    attention_masks masks = {
        .causal = a->causal != 0, .offset = c->offset + (int64_t)s->first - (int64_t)j, .add_type = c->type};
    if (a->add != NULL) {
        const matrix m = matrix_of(a->add, a->add_stride, c->type.bytes, h.batch, h.query, a->queries);
        masks.add = row_of(m, s->first) + j * c->type.bytes;
        masks.add_row = m.row;
    }
    if (a->allow != NULL) {
        const matrix m = matrix_of(a->allow, a->allow_stride, 1, h.batch, h.query, a->queries);
        masks.allow = row_of(m, s->first) + j;
        masks.allow_row = m.row;
    }
    dropwise_attention_logits(c->kernels, &masks, &rows);
    return rows;
}

/* ---- Forward ---- */

typedef struct forward_tensors {
    const void *q, *k, *v;
    void *out;
    float *lse;
} forward_tensors;

/* Rows of sums to a new maximum. Those of bf16 stay multiples of 2^-126. */
static void shrink_rows(const call *c, size_t rows, size_t columns, const float *shrink, float *o)
{
    for (size_t r = 0; r < rows; r++, o += columns) {
        if (shrink[r] == 1)
            continue;
        c->kernels->scale_f32(columns, o, o, &shrink[r]);
        for (size_t i = 0; c->type.is_bf16 && i < columns; i += BF16_BLOCK)
            for (size_t k = i; k < i + BF16_BLOCK; k++)
                o[k] = __builtin_fabsf(o[k]) < 0x1p-102f ? 0 : o[k];
    }
}

static void forward_strip(const call *c, head h, const query_strip *s, matrix q, matrix v, matrix out,
                          float *lse)
{
    float top[MOST_STRIP], sum[MOST_STRIP] = {0}, shrink[MOST_STRIP];
    uint8_t *const o = space(c, c->at.sum);
    const size_t row_bytes = sums_of(c, c->value_size), columns = row_bytes / sizeof(float);
    draw_strip(c, h, s);
    for (uint64_t j = 0; j < s->keys; j += TILE) {
        const size_t n = min_size(TILE, s->keys - j);
        scores_of(c, s, j, n, q, (size_t)c->a->size, c->size, c->at.k_panels, c->at.scores);
        dropwise_attention_rows rows = tile_of(c, h, s, j, n);
        rows.first = j == 0;
        rows.top = top;
        rows.sum = sum;
        rows.shrink = shrink;
        rows.packs = c->type.is_bf16;
        rows.least = 0x1p-40f; /* LEAST_VALUE */
        c->kernels->attention_f32(&rows);
        shrink_rows(c, s->n, columns, shrink, (float *)(void *)o);
        const sums to = {o, row_bytes, columns, j != 0};
        if (c->type.is_bf16)
            collect_bf16(c, s->padded, n, pad_tile(c, c->at.scores, s->n, s->padded, n),
                         (matrix){row_of(v, j / 2), v.row}, to);
        else
            collect(c, false, s->padded, n, c->at.scores, (matrix){row_of(v, j), v.row}, to);
    }
    for (size_t r = 0; r < s->n; r++)
        dropwise_attention_end(c->kernels, &c->type, (size_t)c->a->value_size,
                               (const float *)(const void *)(o + r * row_bytes),
                               dropwise_attention_kept(c->mask), top[r], sum[r], row_of(out, s->first + r),
                               lse == NULL ? NULL : lse + s->first + r);
}

static void forward(const call *c, const forward_tensors *t)
{
    const dropwise_attention *a = c->a;
    const size_t bytes = c->type.bytes;
    const uint64_t end = a->first_query + a->n_queries;
    matrix v = {NULL, 0};
    for (uint64_t number = a->first_head; number < a->first_head + a->n_heads; number++) {
        const head h = head_of(a, number);
        if (number == a->first_head || h.query % (a->heads / a->kv_heads) == 0) {
            const operand of_k =
                operand_of_size(c, matrix_of(t->k, a->k_stride, bytes, h.batch, h.key, a->keys));
            const operand of_v = operand_of_value_size(
                c, matrix_of(t->v, a->v_stride, bytes, h.batch, h.key, a->keys), LEAST_VALUE);
            pack_panels(c, &of_k, space(c, c->at.k_panels));
            v = pack_keys(c, &of_v, space(c, c->at.v));
        }
        const operand q =
            operand_of_size(c, matrix_of(t->q, a->q_stride, bytes, h.batch, h.query, a->queries));
        const matrix out = matrix_of(t->out, a->out_stride, bytes, h.batch, h.query, a->queries);
        for (uint64_t i = a->first_query; i < end;) {
            const query_strip s = strip_from(c, i, end);
            const matrix of_strip = pack_rows(c, &q, i, s.n, s.padded, space(c, c->at.q));
            forward_strip(c, h, &s, of_strip, v, out, t->lse == NULL ? NULL : t->lse + number * a->queries);
            i += s.n;
        }
    }
}

/* ---- Backward ---- */

typedef struct backward_tensors {
    const void *q, *k, *v, *out, *dout;
    const float *lse;
    void *dq, *dk, *dv;
} backward_tensors;

static void store_rows(const call *c, uint64_t at, size_t row_bytes, uint64_t n, size_t columns, matrix to,
                       uint64_t first)
{
    if (c->type.narrow == NULL && row_bytes == columns * sizeof(float) && to.row == (ptrdiff_t)row_bytes) {
        columns *= (size_t)n; /* they are one long row in both */
        n = columns != 0;
    }
    for (uint64_t r = 0; r < n; r++)
        dropwise_attention_store(c->kernels, &c->type, columns,
                                 (const float *)(const void *)(space(c, at) + r * row_bytes), 1,
                                 dropwise_accumulates(c->mask), row_of(to, first + r));
}

/* The gradients of all keys: rows, or, of bf16, columns. */
static void store_keys(const call *c, uint64_t at, size_t row_bytes, size_t columns, matrix to)
{
    if (!c->type.is_bf16) {
        store_rows(c, at, row_bytes, c->a->keys, columns, to, 0);
        return;
    }
    const size_t turned = (size_t)wide_row(c->a->keys);
    for (uint64_t j = 0; j < c->a->keys; j += PANEL)
        for (size_t i = 0; i < columns; i += PANEL) {
            const size_t keys = min_size(PANEL, c->a->keys - j), n = min_size(PANEL, columns - i);
            const matrix some = {to.p + i * c->type.bytes, to.row};
            c->kernels->transpose_f32(n, keys, space(c, at) + i * turned + j * sizeof(float),
                                      (ptrdiff_t)turned, space(c, c->at.block));
            store_rows(c, c->at.block, PANEL * sizeof(float), keys, n, some, j);
        }
}

static void clear_keys(const call *c, uint64_t at, size_t row_bytes)
{
    if (c->type.is_bf16)
        memset(space(c, at), 0, row_bytes / 2 * (size_t)wide_row(c->a->keys));
    else
        memset(space(c, at), 0, (size_t)round_up(c->a->keys, DROPWISE_MATMUL_ROWS) * row_bytes);
}

/* What a strip has of q and of dout: rows; of bf16 columns too, which are rows of products. */
typedef struct strip_rows {
    matrix rows, turned;
} strip_rows;

static strip_rows pack_strip(const call *c, const operand *o, const query_strip *s, uint64_t rows,
                             uint64_t turned)
{
    strip_rows of = {.rows = pack_rows(c, o, s->first, s->n, s->padded, space(c, rows))};
    if (c->type.is_bf16) {
        const size_t columns = o->row_bytes / 2, pairs_row = columns * sizeof(float);
        pair_rows(c, s->padded, columns, of.rows, space(c, c->at.pairs), pairs_row);
        of.turned = (matrix){space(c, turned), PANEL * sizeof(float)};
        c->kernels->transpose_f32(s->padded / 2, columns, space(c, c->at.pairs), (ptrdiff_t)pairs_row,
                                  of.turned.p);
    }
    return of;
}

/* dv += p^T dout, dk += d^T q, dq += d k, of a tile. */
static void collect_gradients(const call *c, const query_strip *s, uint64_t j, size_t n, matrix q,
                              matrix dout, matrix k)
{
    const size_t key_rows = (size_t)round_up(n, DROPWISE_MATMUL_ROWS);
    const size_t columns = c->size / sizeof(float), values = c->value_size / sizeof(float);
    collect(c, true, key_rows, s->n, c->at.scores, dout,
            (sums){space(c, c->at.dv) + j * c->value_size, c->value_size, values, true});
    collect(c, true, key_rows, s->n, c->at.d, q,
            (sums){space(c, c->at.dk) + j * c->size, c->size, columns, true});
    collect(c, false, s->padded, n, c->at.d, (matrix){row_of(k, j), k.row},
            (sums){space(c, c->at.sum), c->size, columns, true});
}

/* The same of bf16: dv^T += dout^T p, dk^T += q^T d, as p and d are large, and dout and q small, to turn. */
static void collect_gradients_bf16(const call *c, const query_strip *s, uint64_t j, size_t n, matrix q,
                                   matrix dout, matrix k)
{
    const size_t turned = (size_t)wide_row(c->a->keys), keys = (size_t)round_up(n, BF16_BLOCK);
    const size_t columns = c->size / 2, values = c->value_size / 2;
    const matrix p_pairs = {space(c, c->at.p_pairs), (ptrdiff_t)c->tile_row};
    const matrix d_pairs = {space(c, c->at.d_pairs), (ptrdiff_t)c->tile_row};
    const matrix p = pack_tile(c, c->at.scores, s->n, s->padded, n, LEAST_VALUE);
    pair_rows(c, s->padded, keys, p, p_pairs.p, c->tile_row);
    collect_bf16(c, values, s->padded, dout, p_pairs,
                 (sums){space(c, c->at.dv) + j * sizeof(float), turned, keys, true});
    const matrix d = pack_tile(c, c->at.d, s->n, s->padded, n, LEAST_GRADIENT);
    pair_rows(c, s->padded, keys, d, d_pairs.p, c->tile_row);
    collect_bf16(c, columns, s->padded, q, d_pairs,
                 (sums){space(c, c->at.dk) + j * sizeof(float), turned, keys, true});
    collect_bf16(c, s->padded, n, d, (matrix){row_of(k, j / 2), k.row},
                 (sums){space(c, c->at.sum), sums_of(c, c->size), columns, true});
}

static void backward_strip(const call *c, head h, const query_strip *s, strip_rows q, strip_rows dout,
                           matrix k, const float *lse, const float *delta)
{
    draw_strip(c, h, s);
    memset(space(c, c->at.sum), 0, s->padded * sums_of(c, c->size));
    for (uint64_t j = 0; j < s->keys; j += GRAD_TILE) {
        const size_t n = min_size(GRAD_TILE, s->keys - j);
        scores_of(c, s, j, n, q.rows, (size_t)c->a->size, c->size, c->at.k_panels, c->at.scores);
        scores_of(c, s, j, n, dout.rows, (size_t)c->a->value_size, c->value_size, c->at.v_panels, c->at.d);
        dropwise_attention_rows rows = tile_of(c, h, s, j, n);
        rows.d = space(c, c->at.d);
        dropwise_attention_grad(c->kernels, c->mask, c->a->scale, &rows, lse, delta);
        if (c->type.is_bf16)
            collect_gradients_bf16(c, s, j, n, q.turned, dout.turned, k);
        else
            collect_gradients(c, s, j, n, q.rows, dout.rows, k);
    }
}

/* All strips of a head of queries. */
static void backward_head(const call *c, const backward_tensors *t, uint64_t number, matrix k)
{
    const dropwise_attention *a = c->a;
    const size_t bytes = c->type.bytes;
    const head h = head_of(a, number);
    const operand q = operand_of_size(c, matrix_of(t->q, a->q_stride, bytes, h.batch, h.query, a->queries));
    const matrix out = matrix_of(t->out, a->out_stride, bytes, h.batch, h.query, a->queries);
    const operand dout = operand_of_value_size(
        c, matrix_of(t->dout, a->dout_stride, bytes, h.batch, h.query, a->queries), LEAST_GRADIENT);
    const matrix dq = matrix_of(t->dq, a->dq_stride, bytes, h.batch, h.query, a->queries);
    for (uint64_t i = 0; i < a->queries;) {
        const query_strip s = strip_from(c, i, a->queries);
        float delta[MOST_STRIP];
        for (size_t r = 0; r < s.n; r++)
            delta[r] = dropwise_attention_delta_of(c->kernels, &c->type, (size_t)a->value_size,
                                                   row_of(dout.from, i + r), row_of(out, i + r));
        const strip_rows of_q = pack_strip(c, &q, &s, c->at.q, c->at.q_turned);
        const strip_rows of_dout = pack_strip(c, &dout, &s, c->at.dout, c->at.dout_turned);
        backward_strip(c, h, &s, of_q, of_dout, k, t->lse + number * a->queries + i, delta);
        store_rows(c, c->at.sum, sums_of(c, c->size), s.n, (size_t)a->size, dq, i);
        i += s.n;
    }
}

static void backward(const call *c, const backward_tensors *t)
{
    const dropwise_attention *a = c->a;
    const size_t bytes = c->type.bytes;
    const uint64_t group = a->heads / a->kv_heads;
    for (uint64_t number = a->first_head; number < a->first_head + a->n_heads; number += group) {
        const head h = head_of(a, number);
        const operand k = operand_of_size(c, matrix_of(t->k, a->k_stride, bytes, h.batch, h.key, a->keys));
        const operand v = operand_of_value_size(
            c, matrix_of(t->v, a->v_stride, bytes, h.batch, h.key, a->keys), LEAST_VALUE);
        pack_panels(c, &k, space(c, c->at.k_panels));
        pack_panels(c, &v, space(c, c->at.v_panels));
        const matrix rows = pack_keys(c, &k, space(c, c->at.k));
        clear_keys(c, c->at.dk, c->size);
        clear_keys(c, c->at.dv, c->value_size);
        for (uint64_t of_group = 0; of_group < group; of_group++)
            backward_head(c, t, number + of_group, rows);
        store_keys(c, c->at.dk, c->size, (size_t)a->size,
                   matrix_of(t->dk, a->dk_stride, bytes, h.batch, h.key, a->keys));
        store_keys(c, c->at.dv, c->value_size, (size_t)a->value_size,
                   matrix_of(t->dv, a->dv_stride, bytes, h.batch, h.key, a->keys));
    }
}

/* ---- Checks ---- */

/* Grows *sum by n * step; false if it does not fit. */
static bool add_product(uint64_t n, uint64_t step, uint64_t *sum)
{
    uint64_t term;
    return !__builtin_mul_overflow(n, step, &term) && !__builtin_add_overflow(*sum, term, sum);
}

/* Whether so many elements can be counted. */
static bool can_count(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
    uint64_t n;
    return !__builtin_mul_overflow(a, b, &n) && !__builtin_mul_overflow(n, c, &n) &&
           !__builtin_mul_overflow(n, d, &n) && n <= DROPWISE_INDEX_LIMIT;
}

/* Every size is below 2^60 afterwards, also where another one is 0. */
static dropwise_status check_sizes(uint64_t batches, uint64_t heads, uint64_t kv_heads, uint64_t queries,
                                   uint64_t keys, uint64_t size, uint64_t value_size)
{
    if (kv_heads == 0 || size == 0 || value_size == 0 || heads % kv_heads != 0)
        return DROPWISE_ERROR_SHAPE;
    const uint64_t b = batches == 0 ? 1 : batches, h = heads < kv_heads ? kv_heads : heads;
    const uint64_t q = queries == 0 ? 1 : queries, k = keys == 0 ? 1 : keys;
    const bool fits = can_count(b, h, q, k) && can_count(b, h, q, size) && can_count(b, h, k, size) &&
                      can_count(b, h, q, value_size) && can_count(b, h, k, value_size);
    return fits ? DROPWISE_OK : DROPWISE_ERROR_RANGE;
}

static dropwise_status check_attention(const dropwise_attention *a)
{
    if (a == NULL)
        return DROPWISE_ERROR_NULL;
    if (a->struct_size != sizeof *a)
        return DROPWISE_ERROR_STRUCT_SIZE;
    for (size_t i = 0; i < sizeof a->reserved / sizeof a->reserved[0]; i++)
        if (a->reserved[i] != 0)
            return DROPWISE_ERROR_RESERVED;
    const dropwise_status status =
        check_sizes(a->batches, a->heads, a->kv_heads, a->queries, a->keys, a->size, a->value_size);
    if (status != DROPWISE_OK)
        return status;
    const uint64_t heads = a->batches * a->heads;
    if (a->first_head > heads || a->n_heads > heads - a->first_head || a->first_query > a->queries ||
        a->n_queries > a->queries - a->first_query)
        return DROPWISE_ERROR_SHAPE;
    if (a->causal > 1 || !dropwise_is_attention_scale(a->scale))
        return DROPWISE_ERROR_PARAMETER;
    uint64_t last = a->first;
    const bool any = heads != 0 && a->queries != 0 && a->keys != 0;
    if (any && (!add_product(a->batches - 1, a->mask_stride[0], &last) ||
                !add_product(a->heads - 1, a->mask_stride[1], &last) ||
                !add_product(a->queries - 1, a->mask_stride[2], &last) ||
                !add_product(a->keys - 1, 1, &last) || last >= DROPWISE_INDEX_LIMIT))
        return DROPWISE_ERROR_RANGE;
    return DROPWISE_OK;
}

/* A tensor of a call. Slices may stand between each other's elements. */
typedef struct tensor {
    const void *p;
    uint64_t heads, rows, columns;
    const int64_t *stride;
    size_t bytes;
    bool output, slice;
} tensor;

enum { MOST_TENSORS = 12 };

static dropwise_status check_tensor(const dropwise_attention *a, const tensor *t, dropwise_extent *extent)
{
    dropwise_view view = {.rank = 4, .size = {a->batches, t->heads, t->rows, t->columns}};
    *extent = (dropwise_extent){0, 0};
    if (a->batches == 0 || t->heads == 0 || t->rows == 0 || t->columns == 0)
        return DROPWISE_OK;
    if (t->p == NULL)
        return DROPWISE_ERROR_NULL;
    const int64_t stride[DROPWISE_MAX_RANK] = {t->stride[0], t->stride[1], t->stride[2], 1};
    const dropwise_status status = dropwise_check_view_extent(&view, stride, t->bytes, t->p, extent);
    if (status != DROPWISE_OK)
        return status;
    return t->output && !dropwise_is_free_of_overlap(&view, stride) ? DROPWISE_ERROR_SELF_OVERLAP
                                                                    : DROPWISE_OK;
}

static dropwise_status check_tensors(const dropwise_attention *a, const tensor *tensors, size_t n,
                                     const void *workspace, size_t workspace_bytes)
{
    dropwise_extent extents[MOST_TENSORS + 1];
    dropwise_status status = DROPWISE_OK;
    for (size_t i = 0; i < n && status == DROPWISE_OK; i++)
        status = check_tensor(a, &tensors[i], &extents[i]);
    if (status == DROPWISE_OK && workspace == NULL)
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    extents[n] = dropwise_extent_of(workspace, workspace_bytes);
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j < i; j++) {
            const bool writes = i == n || tensors[i].output || tensors[j].output;
            const bool slices = i < n && tensors[i].slice && tensors[j].slice;
            if (writes && dropwise_overlap(extents[i], extents[j]) &&
                (!slices || extents[i].from == extents[j].from))
                return DROPWISE_ERROR_OVERLAP;
        }
    return DROPWISE_OK;
}

/* Fills a call, all but its tensors, and says what is wrong. */
static dropwise_status begin(call *c, const dropwise_mask *mask, dropwise_dtype dtype,
                             const dropwise_attention *a, bool is_backward, void *workspace,
                             uint64_t workspace_bytes)
{
    c->kernels = dropwise_active();
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && !dropwise_attention_type_of(c->kernels, dtype, &c->type))
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK)
        status = check_attention(a);
    if (status != DROPWISE_OK)
        return status;
    c->a = a;
    c->mask = mask;
    c->at = lay_out(a, &c->type, is_backward);
    if (!c->at.fits)
        return DROPWISE_ERROR_SIZE;
    if (workspace_bytes > PTRDIFF_MAX || workspace_bytes < c->at.bytes + 63)
        return DROPWISE_ERROR_WORKSPACE;
    c->format = format_of(&c->type);
    c->matmul = c->type.is_bf16 ? dropwise_matmul_bf16_of(c->kernels) : c->kernels->matmul_f32;
    c->draw = dropwise_draw_plan(c->kernels, mask);
    c->drops = mask->keep_threshold != DROPWISE_KEEP_ONE;
    c->offset = dropwise_attention_offset(a->causal_offset, a->queries, a->keys);
    c->workspace = workspace == NULL ? NULL : (uint8_t *)workspace + (64 - (uintptr_t)workspace % 64) % 64;
    c->size = (size_t)(round_up(a->size, c->format->columns) * c->format->bytes);
    c->value_size = (size_t)(round_up(a->value_size, c->format->columns) * c->format->bytes);
    c->tile_row = (size_t)tile_row_of(a, is_backward);
    c->bits_row = bytes_of_bits((size_t)a->keys);
    return DROPWISE_OK;
}

/* ---- Public functions ---- */

static void dense_strides(int64_t *stride, uint64_t heads, uint64_t rows, uint64_t columns)
{
    stride[0] = (int64_t)(heads * rows * columns);
    stride[1] = (int64_t)(rows * columns);
    stride[2] = (int64_t)columns;
}

static FP_ENV_BODY dropwise_status init(dropwise_attention *a, uint64_t batches, uint64_t heads,
                                        uint64_t kv_heads, uint64_t queries, uint64_t keys, uint64_t size,
                                        uint64_t value_size)
{
    if (a == NULL)
        return DROPWISE_ERROR_NULL;
    const dropwise_status status = check_sizes(batches, heads, kv_heads, queries, keys, size, value_size);
    if (status != DROPWISE_OK)
        return status;
    memset(a, 0, sizeof *a);
    a->struct_size = sizeof *a;
    a->batches = batches;
    a->heads = heads;
    a->kv_heads = kv_heads;
    a->queries = queries;
    a->keys = keys;
    a->size = size;
    a->value_size = value_size;
    a->scale = 1 / __builtin_sqrt((double)size);
    a->n_heads = batches * heads;
    a->n_queries = queries;
    a->mask_stride[0] = heads * queries * keys;
    a->mask_stride[1] = queries * keys;
    a->mask_stride[2] = keys;
    dense_strides(a->q_stride, heads, queries, size);
    dense_strides(a->dq_stride, heads, queries, size);
    dense_strides(a->k_stride, kv_heads, keys, size);
    dense_strides(a->dk_stride, kv_heads, keys, size);
    dense_strides(a->v_stride, kv_heads, keys, value_size);
    dense_strides(a->dv_stride, kv_heads, keys, value_size);
    dense_strides(a->out_stride, heads, queries, value_size);
    dense_strides(a->dout_stride, heads, queries, value_size);
    return DROPWISE_OK;
}

dropwise_status dropwise_attention_init(dropwise_attention *attention, uint64_t batches, uint64_t heads,
                                        uint64_t kv_heads, uint64_t queries, uint64_t keys, uint64_t size,
                                        uint64_t value_size)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, init(attention, batches, heads, kv_heads, queries, keys, size, value_size));
}

static FP_ENV_BODY dropwise_status workspace_of(const dropwise_attention *a, dropwise_dtype dtype,
                                                uint32_t backward, uint64_t *bytes)
{
    attention_type type;
    dropwise_status status = check_attention(a);
    if (status == DROPWISE_OK && !dropwise_attention_type_of(dropwise_active(), dtype, &type))
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK && backward > 1)
        status = DROPWISE_ERROR_PARAMETER;
    if (status == DROPWISE_OK && bytes == NULL)
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    const layout l = lay_out(a, &type, backward != 0);
    if (!l.fits)
        return DROPWISE_ERROR_SIZE;
    *bytes = l.bytes + 63; /* to begin with a line of the caches */
    return DROPWISE_OK;
}

dropwise_status dropwise_attention_workspace(const dropwise_attention *attention, dropwise_dtype dtype,
                                             uint32_t backward, uint64_t *bytes)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, workspace_of(attention, dtype, backward, bytes));
}

/* Tensors that both directions have. */
static tensor of_queries(const dropwise_attention *a, const void *p, uint64_t columns, const int64_t *stride,
                         size_t bytes, bool output)
{
    return (tensor){p, a->heads, a->queries, columns, stride, bytes, output, false};
}

static tensor of_keys(const dropwise_attention *a, const void *p, uint64_t columns, const int64_t *stride,
                      size_t bytes, bool output)
{
    return (tensor){p, a->kv_heads, a->keys, columns, stride, bytes, output, false};
}

/* One that may be NULL. */
static tensor optional(tensor t)
{
    if (t.p == NULL)
        t.rows = 0;
    return t;
}

static tensor slice(tensor t)
{
    t.slice = true;
    return t;
}

static FP_ENV_BODY dropwise_status attention_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                     const dropwise_attention *a, const forward_tensors *t,
                                                     void *workspace, uint64_t workspace_bytes)
{
    call c;
    dropwise_status status = begin(&c, mask, dtype, a, false, workspace, workspace_bytes);
    if (status != DROPWISE_OK)
        return status;
    const size_t bytes = c.type.bytes;
    int64_t of_lse[3];
    dense_strides(of_lse, a->heads, a->queries, 1);
    const tensor tensors[] = {
        of_queries(a, t->out, a->value_size, a->out_stride, bytes, true),
        of_queries(a, t->q, a->size, a->q_stride, bytes, false),
        of_keys(a, t->k, a->size, a->k_stride, bytes, false),
        of_keys(a, t->v, a->value_size, a->v_stride, bytes, false),
        optional(of_queries(a, t->lse, 1, of_lse, sizeof(float), true)),
        optional(of_queries(a, a->add, a->keys, a->add_stride, bytes, false)),
        optional(of_queries(a, a->allow, a->keys, a->allow_stride, 1, false)),
    };
    status =
        check_tensors(a, tensors, sizeof tensors / sizeof tensors[0], workspace, (size_t)workspace_bytes);
    if (status == DROPWISE_OK)
        forward(&c, t);
    return status;
}

dropwise_status dropwise_attention_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_attention *attention, const void *q, const void *k,
                                           const void *v, void *out, float *lse, void *workspace,
                                           uint64_t workspace_bytes)
{
    const forward_tensors t = {q, k, v, out, lse};
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, attention_forward(mask, dtype, attention, &t, workspace, workspace_bytes));
}

static FP_ENV_BODY dropwise_status attention_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                      const dropwise_attention *a, const backward_tensors *t,
                                                      void *workspace, uint64_t workspace_bytes)
{
    call c;
    dropwise_status status = begin(&c, mask, dtype, a, true, workspace, workspace_bytes);
    if (status != DROPWISE_OK)
        return status;
    const uint64_t group = a->heads / a->kv_heads;
    if (a->first_query != 0 || a->n_queries != a->queries ||
        (group != 0 && (a->first_head % group != 0 || a->n_heads % group != 0)))
        return DROPWISE_ERROR_SHAPE;
    const size_t bytes = c.type.bytes;
    int64_t of_lse[3];
    dense_strides(of_lse, a->heads, a->queries, 1);
    const tensor tensors[] = {
        slice(of_queries(a, t->dq, a->size, a->dq_stride, bytes, true)),
        slice(of_keys(a, t->dk, a->size, a->dk_stride, bytes, true)),
        slice(of_keys(a, t->dv, a->value_size, a->dv_stride, bytes, true)),
        of_queries(a, t->q, a->size, a->q_stride, bytes, false),
        of_keys(a, t->k, a->size, a->k_stride, bytes, false),
        of_keys(a, t->v, a->value_size, a->v_stride, bytes, false),
        of_queries(a, t->out, a->value_size, a->out_stride, bytes, false),
        of_queries(a, t->dout, a->value_size, a->dout_stride, bytes, false),
        of_queries(a, t->lse, 1, of_lse, sizeof(float), false),
        optional(of_queries(a, a->add, a->keys, a->add_stride, bytes, false)),
        optional(of_queries(a, a->allow, a->keys, a->allow_stride, 1, false)),
    };
    status =
        check_tensors(a, tensors, sizeof tensors / sizeof tensors[0], workspace, (size_t)workspace_bytes);
    if (status != DROPWISE_OK)
        return status;
    /* What stands behind a tile becomes rows that nobody looks at, likewise. */
    memset(space(&c, c.at.scores), 0, (size_t)c.format->strip * c.tile_row);
    memset(space(&c, c.at.d), 0, (size_t)c.format->strip * c.tile_row);
    backward(&c, t);
    return DROPWISE_OK;
}

dropwise_status dropwise_attention_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                            const dropwise_attention *attention, const void *q, const void *k,
                                            const void *v, const void *out, const float *lse,
                                            const void *dout, void *dq, void *dk, void *dv, void *workspace,
                                            uint64_t workspace_bytes)
{
    const backward_tensors t = {q, k, v, out, dout, lse, dq, dk, dv};
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, attention_backward(mask, dtype, attention, &t, workspace, workspace_bytes));
}
