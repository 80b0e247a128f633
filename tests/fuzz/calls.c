#include "fuzz/calls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef DROPWISE_WITHOUT_ATTENTION
#include "dropwise_attention.h"
#endif
#include "dropwise_dropblock.h"
#include "dropwise_dropconnect.h"
#include "dropwise_fused.h"
#include "dropwise_interop.h"
#include "fuzz/reader.h"
#include "support/guard.h"
#include "support/interop_make.h"
#include "support/variants.h"

enum { INPUTS = 3, MODERATE = 8, MOST = 2048, ROOM = CALL_ROOM, UNTOUCHED = 0xCA };

/* Memory between two pages that cannot be touched, and where in it the call's buffer is. */
typedef struct place {
    uint8_t *start, *data;
    size_t n;
} place;

/* Of each thread: inputs of any bits, and such that are numbers of moderate size in every dtype. */
static _Thread_local place inputs[INPUTS + MODERATE], outputs[CALL_OUTPUTS];
static _Thread_local outcome *done;

static void complain(const char *fault)
{
    fprintf(stderr, "%s: %s\n", dropwise_isa_name(dropwise_isa_active()), fault);
    abort();
}

/* ---- Arguments ---- */

/* At either end, or a few bytes from it. */
static uint8_t *put(reader *in, place *p, size_t n)
{
    if (n > ROOM)
        complain("the harness has no room");
    const size_t most = ROOM - n, gap = take(in, 4) == 0 ? take(in, most < 64 ? most + 1 : 64) : 0;
    p->data = take_bool(in) ? p->start + ROOM - n - gap : p->start + gap;
    p->n = n;
    return p->data;
}

static uint8_t *input(reader *in, size_t i, size_t n)
{
    return put(in, &inputs[i], n);
}

static uint8_t *output(reader *in, size_t i, size_t n)
{
    return put(in, &outputs[i], n);
}

/* For a number by its type: at the end. */
static uint8_t *aligned(size_t i, size_t n)
{
    outputs[i].data = outputs[i].start + ROOM - n;
    outputs[i].n = n;
    return outputs[i].data;
}

/* Any bits, among them those of NaN, infinities and subnormals. */
static void fill(uint8_t *p, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
        p[i] = (uint8_t)(seed >> 56);
    }
}

/* Exponents near that of 1, in the upper byte of f32, f16 and bf16. */
static void make_moderate(uint8_t *p, size_t n)
{
    for (size_t i = 1; i < n; i += 2)
        p[i] = (uint8_t)((p[i] & 0x83) | 0x3C);
}

static size_t bytes_of(dropwise_dtype dtype)
{
    static const size_t bytes[] = {8, 4, 8, 2, 2, 1, 1, 1, 1};
    return dtype > 0 && dtype <= DROPWISE_F8_E5M2_SAT ? bytes[dtype] : 8;
}

/* One in sixteen is not a dtype. */
static dropwise_dtype take_dtype(reader *in)
{
    return rarely(in) ? (dropwise_dtype)take(in, 12) - 1 : (dropwise_dtype)(1 + take(in, 8));
}

static dropwise_mask take_mask(reader *in)
{
    dropwise_mask mask;
    if (dropwise_mask_init(&mask, 0.5, take_word(in), take_word(in)) != DROPWISE_OK)
        abort();
    mask.generator = 1 + (uint32_t)take(in, 4);
    mask.scaling = 1 + (uint32_t)take(in, 2);
    switch (take(in, 4)) {
    case 0:
        mask.keep_threshold = take(in, 256) << 32; /* no ties */
        break;
    case 1:
        mask.keep_threshold = take(in, 2) * DROPWISE_KEEP_ONE;
        break;
    default:
        mask.keep_threshold = take_word(in) % (DROPWISE_KEEP_ONE + 1);
    }
    if (rarely(in)) {
        uint8_t *bytes = (uint8_t *)&mask;
        bytes[take(in, sizeof mask)] ^= (uint8_t)take(in, 256);
    }
    return mask;
}

/* Indices near the ends of what there is, and of 32 bits, are as likely as others. */
static uint64_t take_first(reader *in)
{
    static const uint64_t ends[] = {0, UINT64_C(1) << 36, UINT64_C(1) << 60, UINT64_C(1) << 32, UINT64_MAX};
    const uint64_t at = ends[take(in, sizeof ends / sizeof ends[0])];
    switch (take(in, 3)) {
    case 0:
        return at + take(in, 5000);
    case 1:
        return at - take(in, 5000);
    default:
        return take_word(in) & (DROPWISE_INDEX_LIMIT - 1);
    }
}

static void *maybe(reader *in, void *p)
{
    return rarely(in) ? NULL : p;
}

/* A tensor of up to MOST elements with strides of any order and sign, in room for as many as it spans. */
typedef struct tensor {
    dropwise_view view;
    size_t n, columns, x_span, y_span; /* elements, and from the lowest to the highest, plus one */
    size_t x_start, y_start;           /* of the first element from the lowest on                 */
} tensor;

static void set_strides(reader *in, const uint64_t *size, uint32_t rank, int64_t *stride, size_t *span,
                        size_t *start)
{
    uint32_t order[DROPWISE_MAX_RANK];
    for (uint32_t d = 0; d < rank; d++)
        order[d] = d;
    const bool plain = take(in, 4) != 0;
    for (uint32_t d = rank; !plain && d > 1; d--) {
        const uint32_t other = (uint32_t)take(in, d), last = order[d - 1];
        order[d - 1] = order[other];
        order[other] = last;
    }
    uint64_t step = 1;
    *span = 1;
    *start = 0;
    for (uint32_t d = rank; d-- > 0;) {
        const uint32_t axis = order[d];
        const uint64_t extra = plain ? 0 : take(in, 3);
        stride[axis] = (int64_t)step;
        *span += (size[axis] - 1) * step;
        if (!plain && take(in, 4) == 0) {
            *start += (size[axis] - 1) * step;
            stride[axis] = -stride[axis];
        }
        step = step * size[axis] + extra;
    }
}

static tensor take_tensor(reader *in)
{
    tensor t;
    uint64_t size[DROPWISE_MAX_RANK];
    const uint32_t rank = 1 + (uint32_t)take(in, 4);
    uint64_t left = MOST / 8;
    t.n = 1;
    for (uint32_t d = 0; d < rank; d++) {
        size[d] = 1 + take(in, take_bool(in) && left > 8 ? 8 : left);
        left /= size[d];
        left = left == 0 ? 1 : left;
        t.n *= size[d];
    }
    if (dropwise_view_init(&t.view, rank, size) != DROPWISE_OK)
        abort();
    if (take(in, 4) == 0)
        t.view.first = take_first(in);
    set_strides(in, size, rank, t.view.x_stride, &t.x_span, &t.x_start);
    if (take_bool(in)) {
        memcpy(t.view.y_stride, t.view.x_stride, sizeof t.view.y_stride);
        t.y_span = t.x_span;
        t.y_start = t.x_start;
    } else {
        set_strides(in, size, rank, t.view.y_stride, &t.y_span, &t.y_start);
    }
    for (uint32_t d = 0; d < rank; d++) {
        const uint64_t choice = take(in, 8);
        if (choice == 0)
            t.view.mask_stride[d] = 0;
        else if (choice == 1)
            t.view.mask_stride[d] = (int64_t)take(in, 200) - 100;
    }
    t.columns = (size_t)size[rank - 1];
    if (rarely(in))
        t.view.size[take(in, DROPWISE_MAX_RANK)] = 0;
    if (rarely(in))
        t.view.rank = take_bool(in) ? 0 : DROPWISE_MAX_RANK + 1 + (uint32_t)take(in, 5);
    return t;
}

static bool fits(const tensor *t)
{
    return t->x_span <= MOST && t->y_span <= MOST;
}

/* ---- Calls ---- */

static void said(dropwise_status status)
{
    if (done->n_statuses < CALLS_OF_INPUT)
        done->statuses[done->n_statuses++] = status;
}

static void ranges(reader *in)
{
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_dtype(in);
    const uint64_t first = take_first(in);
    const size_t n = take(in, take_bool(in) ? 200 : MOST), bytes = n * bytes_of(dtype);
    uint8_t *x = input(in, 0, bytes), *stored = input(in, 1, (n + 7) / 8);
    uint8_t *y = output(in, 0, bytes), *bits = output(in, 1, (n + 7) / 8);
    if (take(in, 8) == 0) { /* in place */
        fill(y, bytes, 1);
        done->in_place = true;
        x = y;
    }
    x = maybe(in, x);
    y = maybe(in, y);
    /* Sizes that are refused, whatever the buffers are; of bits, 32-bit machines can have as many. */
    const size_t asked = rarely(in) && sizeof(size_t) > 4 ? SIZE_MAX - take(in, 1000) : n;
    switch (take(in, 6)) {
    case 0:
        said(dropwise_forward(&mask, dtype, first, asked, x, y, take_bool(in) ? bits : NULL));
        break;
    case 1:
        said(dropwise_backward(&mask, dtype, first, asked, x, y, take_bool(in) ? stored : NULL));
        break;
    case 2:
        said(dropwise_infer(&mask, dtype, asked, x, y));
        break;
    case 3:
        said(dropwise_draw_bits(&mask, first, asked, bits));
        break;
    case 4:
        said(dropwise_keeps(&mask, first, (uint32_t *)(void *)aligned(2, 4)));
        break;
    default:
        said(dropwise_draw_bytes(&mask, first, asked, output(in, 2, n)));
    }
}

static void *of_x(reader *in, size_t i, const tensor *t, size_t bytes)
{
    return input(in, i, t->x_span * bytes) + t->x_start * bytes;
}

static void *of_y(reader *in, size_t i, const tensor *t, size_t bytes)
{
    return output(in, i, t->y_span * bytes) + t->y_start * bytes;
}

static void views(reader *in)
{
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_dtype(in);
    const tensor t = take_tensor(in);
    if (!fits(&t))
        return;
    const size_t bytes = bytes_of(dtype);
    const void *x = of_x(in, 0, &t, bytes);
    void *y = of_y(in, 0, &t, bytes);
    dropwise_stored stored = {.struct_size = sizeof stored, .form = 1 + (uint32_t)take(in, 4)};
    stored.size = t.n * 8 - take(in, 8);
    const uint64_t way = take(in, 6);
    stored.data = way == 1 || way == 4 ? input(in, 1, t.n * 8) : output(in, 1, t.n * 8);
    const dropwise_stored *maybe_stored = take_bool(in) ? &stored : NULL;
    switch (way) {
    case 0:
        said(dropwise_forward_view(&mask, dtype, &t.view, x, y, maybe_stored));
        break;
    case 1:
        said(dropwise_backward_view(&mask, dtype, &t.view, x, y, maybe_stored));
        break;
    case 2:
        said(dropwise_draw_view(&mask, dtype, &t.view, &stored));
        break;
    case 3:
        said(dropwise_draw_uniform(&mask, dtype, &t.view, y));
        break;
    case 4: {
        dropwise_stored to = {.struct_size = sizeof to, .form = 1 + (uint32_t)take(in, 4)};
        to.data = output(in, 2, t.n * 8);
        to.size = t.n * 8 - take(in, 8);
        const uint64_t rows = 1 + take(in, 8);
        said(dropwise_convert_stored(&mask, dtype, rows, t.n / rows, &stored, &to));
        break;
    }
    default:
        said(dropwise_draw_normal(&mask, dtype, &t.view, y));
    }
}

static void fused(reader *in)
{
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_dtype(in);
    const tensor t = take_tensor(in);
    if (!fits(&t))
        return;
    const size_t bytes = bytes_of(dtype), columns = t.columns;
    const void *x = of_x(in, 0, &t, bytes);
    const void *other = input(in, 1, t.y_span * bytes) + t.y_start * bytes;
    const void *bias = take_bool(in) ? input(in, 2, columns * bytes) : NULL;
    void *y = of_y(in, 0, &t, bytes);
    void *sums = output(in, 1, columns * 8);
    const dropwise_activation activation = (dropwise_activation)take(in, 6);
    dropwise_softmax softmax;
    if (dropwise_softmax_init(&softmax, (double)take(in, 100) * 0.01) != DROPWISE_OK)
        abort();
    softmax.causal = (uint32_t)take(in, 2);
    softmax.causal_offset = (int64_t)take(in, 10) - 5;
    switch (take(in, 6)) {
    case 0:
        said(
            dropwise_residual_forward(&mask, dtype, &t.view, x, bias, take_bool(in) ? other : NULL, y, NULL));
        break;
    case 1:
        said(dropwise_residual_backward(&mask, dtype, &t.view, x, y, take_bool(in) ? sums : NULL, NULL));
        break;
    case 2:
        said(dropwise_activation_forward(&mask, dtype, &t.view, activation, x, bias, y, NULL));
        break;
    case 3:
        said(dropwise_activation_backward(&mask, dtype, &t.view, activation, x, other, bias, y,
                                          take_bool(in) ? sums : NULL, NULL));
        break;
    case 4:
        said(dropwise_softmax_forward(&mask, dtype, &t.view, &softmax, x, NULL, y, NULL));
        break;
    default:
        said(dropwise_softmax_backward(&mask, dtype, &t.view, &softmax, x, other, y, NULL));
    }
}

static void variants(reader *in)
{
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_dtype(in);
    const tensor t = take_tensor(in);
    if (!fits(&t))
        return;
    const size_t bytes = bytes_of(dtype);
    const what op = (what)take(in, N_OPERATIONS);
    const void *a = of_x(in, 0, &t, bytes);
    const void *b = input(in, 1, t.y_span * bytes) + t.y_start * bytes;
    void *y = of_y(in, 0, &t, bytes), *y2 = of_y(in, 1, &t, bytes);
    said(run(op, &mask, dtype, &t.view, a, b, y, y2, NULL));
}

static void dropconnects(reader *in)
{
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_dtype(in);
    const uint64_t samples = take(in, 4), rows = take(in, 20), columns = take(in, 60);
    const size_t bytes = bytes_of(dtype);
    dropwise_dropconnect layer;
    const dropwise_status status = dropwise_dropconnect_init(&layer, samples, rows, columns);
    said(status);
    if (status != DROPWISE_OK)
        return;
    const void *x = input(in, 0, samples * columns * bytes), *w = input(in, 1, rows * columns * bytes);
    if (take_bool(in)) {
        const void *bias = take_bool(in) ? input(in, 2, rows * bytes) : NULL;
        said(dropwise_dropconnect_forward(&mask, dtype, &layer, w, x, bias,
                                          output(in, 0, samples * rows * bytes)));
        return;
    }
    const void *dy = input(in, 2, samples * rows * bytes);
    void *dx = output(in, 0, samples * columns * bytes), *dw = output(in, 1, rows * columns * 8);
    said(dropwise_dropconnect_backward(&mask, dtype, &layer, w, x, dy, dx, dw, output(in, 2, rows * 8)));
}

static void dropblocks(reader *in)
{
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_dtype(in);
    const uint64_t size[] = {1 + take(in, 4), 1 + take(in, 20), 1 + take(in, 20)};
    const size_t n = (size_t)(size[0] * size[1] * size[2]), bytes = bytes_of(dtype);
    dropwise_view view;
    dropwise_dropblock block;
    if (dropwise_view_init(&view, 3, size) != DROPWISE_OK)
        abort();
    const dropwise_status status =
        dropwise_dropblock_init(&block, &view, (uint32_t)take(in, 8), (uint32_t)take(in, 30));
    said(status);
    if (status != DROPWISE_OK)
        return;
    const void *x = input(in, 0, n * bytes);
    uint8_t *y = output(in, 0, n * bytes), *bits = output(in, 1, (n + 7) / 8);
    if (take_bool(in))
        said(dropwise_dropblock_forward(&mask, dtype, &block, &view, x, y, bits));
    else
        said(dropwise_dropblock_draw(&mask, &block, &view, bits, (uint64_t *)(void *)aligned(2, 8)));
}

static void interops(reader *in)
{
    const ref_interop r = {.layout = (uint32_t)take(in, DROPWISE_LAYOUT_COUNT + 1),
                           .draws = (ref_dtype)take(in, 4),
                           .dtype = (ref_dtype)take(in, 4),
                           .p = (double)take(in, 1025) / 1024,
                           .seed = take_word(in),
                           .offset = take_bool(in) ? take(in, 1000) * 4 : take_word(in),
                           .seed2 = take_word(in),
                           .size = take(in, 100000),
                           .threads = 32 * (1 + take(in, 32)),
                           .vector = UINT64_C(1) << take(in, 5),
                           .rows = 64 * take(in, 5),
                           .columns = 64 * take(in, 5)};
    dropwise_interop masks;
    memset(&masks, 0, sizeof masks);
    const dropwise_status status = make_interop(&r, &masks);
    said(status);
    if (status != DROPWISE_OK)
        return;
    if (rarely(in))
        ((uint8_t *)&masks)[take(in, sizeof masks)] ^= (uint8_t)take(in, 256);
    const dropwise_dtype dtype = take_dtype(in);
    const uint64_t first = take(in, 100000);
    const size_t n = take(in, MOST), bytes = bytes_of(dtype);
    if (take_bool(in)) {
        said(dropwise_interop_bits(&masks, first, n, output(in, 1, (n + 7) / 8)));
        return;
    }
    const void *x = input(in, 0, n * bytes);
    uint8_t *y = output(in, 0, n * bytes);
    said(dropwise_interop_forward(&masks, dtype, first, n, x, y,
                                  take_bool(in) ? output(in, 1, (n + 7) / 8) : NULL));
}

/* ---- The generator of PyTorch's CPU masks ---- */

static void torch_cpus(reader *in)
{
    dropwise_mt19937 generator;
    const dropwise_status seeded = dropwise_mt19937_seed(&generator, (uint32_t)take_word(in));
    said(seeded);
    if (seeded != DROPWISE_OK)
        abort();
    if (take_bool(in))
        said(dropwise_mt19937_skip(&generator, take(in, 5000)));
    if (rarely(in))
        ((uint8_t *)&generator)[take(in, sizeof generator)] ^= (uint8_t)take(in, 256);
    const double p = (double)take(in, 1026) / 1024;
    const dropwise_dtype dtype = take_dtype(in);
    const dropwise_mt19937 before = generator;
    const size_t n = take(in, MOST), bytes = n * bytes_of(dtype);
    const void *x = maybe(in, input(in, 0, bytes));
    void *y = maybe(in, output(in, 0, bytes));
    void *bits = output(in, 1, (n + 7) / 8);
    switch (take(in, 3)) {
    case 0:
        said(dropwise_torch_cpu_bits(&generator, p, n, bits));
        break;
    case 1:
        said(dropwise_mt19937_words(&generator, n / 2, (uint32_t *)(void *)aligned(0, n / 2 * 4)));
        break;
    default:
        said(dropwise_torch_cpu_forward(&generator, dtype, p, n, x, y, take_bool(in) ? bits : NULL));
    }
    /* What the generator has become, unless the call failed. */
    if (done->statuses[done->n_statuses - 1] == DROPWISE_OK)
        memcpy(output(in, 2, sizeof generator), &generator, sizeof generator);
    else if (memcmp(&generator, &before, sizeof generator) != 0)
        complain("a call that failed changed the generator");
}

/* ---- Attention ---- */

#ifndef DROPWISE_WITHOUT_ATTENTION

/* Its workspace is larger than the results of others. */
enum { WORKSPACE_ROOM = 4 << 20 };

/* Dense in one of two orders, with gaps between the rows; the elements that it spans. */
static uint64_t set_layout(reader *in, uint64_t batches, uint64_t heads, uint64_t rows, uint64_t size,
                           int64_t *stride)
{
    const uint64_t row = size + (take(in, 4) == 0 ? take(in, 4) : 0);
    const bool heads_first = take_bool(in);
    stride[0] = (int64_t)(heads * rows * row);
    stride[1] = (int64_t)(heads_first ? rows * row : row);
    stride[2] = (int64_t)(heads_first ? row : heads * row);
    return batches * heads * rows * row;
}

static dropwise_dtype take_attention_dtype(reader *in)
{
    static const dropwise_dtype dtypes[] = {DROPWISE_F32, DROPWISE_F16, DROPWISE_BF16};
    return rarely(in) ? take_dtype(in) : dtypes[take(in, 3)];
}

static void spoil(reader *in, dropwise_attention *a)
{
    static const double scales[] = {0, -1, 1e300, 0x1p-101};
    switch (take(in, 8)) {
    case 0:
        a->struct_size = (uint32_t)take(in, 2 * sizeof *a);
        break;
    case 1:
        a->causal = (uint32_t)take(in, 4);
        break;
    case 2:
        a->kv_heads = take_bool(in) ? 0 : a->heads + 1;
        break;
    case 3:
        a->scale = scales[take(in, sizeof scales / sizeof scales[0])];
        break;
    case 4:
        a->first = take_first(in);
        break;
    case 5:
        a->n_heads = take_word(in);
        break;
    case 6:
        a->first_query = take_word(in);
        break;
    default:
        a->reserved[take(in, 4)] = take(in, 2);
    }
}

static void attentions(reader *in)
{
    static _Thread_local uint8_t *workspace_end;
    if (workspace_end == NULL) {
        const guard_arena arena = guard_new(WORKSPACE_ROOM);
        workspace_end = arena.start + arena.size;
    }
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_attention_dtype(in);
    const uint64_t batches = 1 + take(in, 2), kv_heads = 1 + take(in, 2), group = 1 + take(in, 2);
    const uint64_t heads = kv_heads * group, queries = take(in, 20), keys = take(in, 40);
    const uint64_t size = 1 + take(in, 32), value_size = 1 + take(in, 32);
    dropwise_attention a;
    if (dropwise_attention_init(&a, batches, heads, kv_heads, queries, keys, size, value_size) != DROPWISE_OK)
        abort();
    const bool backward = take_bool(in);
    a.causal = (uint32_t)take(in, 2);
    a.causal_offset = (int64_t)take(in, 50) - 25;
    const uint64_t q_span = set_layout(in, batches, heads, queries, size, a.q_stride);
    const uint64_t k_span = set_layout(in, batches, kv_heads, keys, size, a.k_stride);
    const uint64_t v_span = set_layout(in, batches, kv_heads, keys, value_size, a.v_stride);
    const uint64_t out_span = set_layout(in, batches, heads, queries, value_size, a.out_stride);
    const uint64_t dout_span = set_layout(in, batches, heads, queries, value_size, a.dout_stride);
    const uint64_t dq_span = set_layout(in, batches, heads, queries, size, a.dq_stride);
    const uint64_t dk_span = set_layout(in, batches, kv_heads, keys, size, a.dk_stride);
    const uint64_t dv_span = set_layout(in, batches, kv_heads, keys, value_size, a.dv_stride);
    const uint64_t add_span = set_layout(in, batches, heads, queries, keys, a.add_stride);
    const uint64_t allow_span = set_layout(in, batches, heads, queries, keys, a.allow_stride);
    const size_t bytes = bytes_of(dtype), n_lse = batches * heads * queries;
    const uint64_t spans[] = {q_span,  k_span,  v_span,  out_span, dout_span,
                              dq_span, dk_span, dv_span, add_span};
    for (size_t i = 0; i < sizeof spans / sizeof spans[0]; i++)
        if (spans[i] * bytes > ROOM)
            return;
    if (allow_span > ROOM)
        return;
    if (take_bool(in)) { /* a part */
        a.first_head = group * take(in, batches * kv_heads);
        a.n_heads = group * (1 + take(in, batches * kv_heads - a.first_head / group));
        a.first_query = backward ? 0 : take(in, queries + 1);
        a.n_queries = queries - a.first_query;
    }
    /* Numbers as they are usual, or any bits. */
    const size_t from = take(in, 4) == 0 ? 0 : INPUTS;
    const void *q = maybe(in, input(in, from, q_span * bytes));
    const void *k = input(in, from + 1, k_span * bytes), *v = input(in, from + 2, v_span * bytes);
    if (take(in, 4) == 0)
        a.add = input(in, INPUTS + 3, add_span * bytes);
    if (take(in, 4) == 0)
        a.allow = input(in, 0, allow_span);
    if (rarely(in))
        spoil(in, &a);
    uint64_t workspace_bytes = 0;
    const dropwise_status status = dropwise_attention_workspace(&a, dtype, backward, &workspace_bytes);
    said(status);
    if (status != DROPWISE_OK || workspace_bytes > WORKSPACE_ROOM)
        return;
    uint8_t *workspace = workspace_end - workspace_bytes;
    if (rarely(in))
        workspace_bytes -= 1;
    if (backward) {
        const float *lse = (const float *)(const void *)(inputs[INPUTS + 4].start + ROOM - n_lse * 4);
        const void *out = input(in, INPUTS + 5, out_span * bytes);
        const void *dout = input(in, INPUTS + 6, dout_span * bytes);
        void *dq = output(in, 0, dq_span * bytes), *dk = output(in, 1, dk_span * bytes);
        void *dv = output(in, 2, dv_span * bytes);
        said(dropwise_attention_backward(&mask, dtype, &a, q, k, v, out, lse, dout, dq, dk, dv, workspace,
                                         workspace_bytes));
        return;
    }
    float *lse = take_bool(in) ? (float *)(void *)aligned(1, n_lse * 4) : NULL;
    said(dropwise_attention_forward(&mask, dtype, &a, q, k, v, output(in, 0, out_span * bytes), lse,
                                    workspace, workspace_bytes));
}

/* Numbers of an output, which a call reads too. */
static float *numbers(size_t i, size_t n)
{
    uint8_t *p = aligned(i, n * 4);
    memcpy(p, inputs[INPUTS + i].start, n * 4);
    done->in_place = true;
    return (float *)(void *)p;
}

static void attention_tiles(reader *in)
{
    const dropwise_mask mask = take_mask(in);
    const dropwise_dtype dtype = take_attention_dtype(in);
    const uint64_t rows = take(in, 20), columns = take(in, 70), stride = columns + take(in, 4);
    const size_t n = rows == 0 ? 0 : (size_t)((rows - 1) * stride + columns), bytes = n * bytes_of(dtype);
    const uint64_t bits_stride = (columns + 7) / 8 + take(in, 3), bits = rows * bits_stride;
    const float *add = (const float *)(const void *)(inputs[INPUTS + 3].start + ROOM - n * 4);
    const dropwise_attention_tile tile = {
        .struct_size = rarely(in) ? 8 : sizeof tile,
        .causal = (uint32_t)take(in, 2),
        .causal_offset = (int64_t)take(in, 100) - 50,
        .rows = rows,
        .columns = columns,
        .stride = stride,
        .out_stride = stride,
        .bits = take_bool(in) ? input(in, 0, bits) : NULL,
        .bits_stride = bits_stride,
        .add = take(in, 4) == 0 ? add : NULL,
        .add_stride = take_bool(in) ? stride : 0,
        .scale = rarely(in) ? 0 : 0.25,
    };
    const float *sums = (const float *)(const void *)(inputs[INPUTS + 4].start + ROOM - 128);
    switch (take(in, 5)) {
    case 0:
        said(dropwise_draw_bits_rows(&mask, take_first(in), rows, columns, take(in, 200), output(in, 0, bits),
                                     bits_stride));
        break;
    case 1: {
        /* Maxima, sums and factors one after another. */
        float *state = numbers(2, 3 * rows);
        said(dropwise_attention_tile_forward(&tile, dtype, (uint32_t)take(in, 2), numbers(0, n), state,
                                             state + rows, state + 2 * rows, output(in, 1, bytes)));
        /* Scores may be overwritten by anything. */
        memset(outputs[0].data, UNTOUCHED, outputs[0].n);
        break;
    }
    case 2:
        said(dropwise_attention_rows_end(&mask, dtype, rows, columns, add, stride, sums, sums,
                                         output(in, 0, bytes), stride,
                                         take_bool(in) ? (float *)(void *)aligned(1, rows * 4) : NULL));
        break;
    case 3:
        said(dropwise_attention_delta(dtype, rows, columns, input(in, 1, bytes), stride,
                                      input(in, INPUTS, bytes), stride,
                                      (float *)(void *)aligned(1, rows * 4)));
        break;
    default: {
        if (bytes > n * 4) /* two results share a buffer */
            return;
        uint8_t *results = output(in, 2, 2 * bytes);
        said(dropwise_attention_tile_backward(&mask, &tile, dtype, numbers(0, n), numbers(1, n), sums, sums,
                                              results, results + bytes));
        memset(outputs[0].data, UNTOUCHED, outputs[0].n);
        memset(outputs[1].data, UNTOUCHED, outputs[1].n);
    }
    }
}

#else

static void attentions(reader *in)
{
    (void)in;
}

static void attention_tiles(reader *in)
{
    (void)in;
}

#endif

/* ---- One input ---- */

/* In this order, as inputs are kept; new ones take the place of one that is here twice. */
static void (*const families[])(reader *) = {
    ranges, views, fused, variants, dropconnects, dropblocks, interops, attentions,
    ranges, views, fused, variants, dropconnects, torch_cpus, interops, attention_tiles,
};

static bool is_untouched(const uint8_t *p, size_t n)
{
    return n == 0 || (*p == UNTOUCHED && memcmp(p, p + 1, n - 1) == 0);
}

static void make_places(void)
{
    for (size_t i = 0; i < INPUTS + MODERATE + CALL_OUTPUTS; i++) {
        const bool is_input = i < INPUTS + MODERATE;
        place *p = is_input ? &inputs[i] : &outputs[i - INPUTS - MODERATE];
        guard_arena arena = guard_new(ROOM);
        p->start = arena.start + arena.size - ROOM;
        fill(p->start, ROOM, i);
        if (i >= INPUTS)
            make_moderate(p->start, ROOM);
        if (is_input)
            guard_readonly(&arena, true);
        else
            memset(p->start, UNTOUCHED, ROOM);
    }
}

void make_calls(const uint8_t *data, size_t size, outcome *result)
{
    reader in = {data, size};
    if (inputs[0].start == NULL)
        make_places();
    done = result;
    done->n_statuses = 0;
    done->in_place = false;
    for (size_t i = 0; i < CALL_OUTPUTS; i++) {
        outputs[i].data = outputs[i].start;
        outputs[i].n = 0;
    }
    families[take(&in, sizeof families / sizeof families[0])](&in);
    const bool failed = done->n_statuses != 0 && done->statuses[done->n_statuses - 1] != DROPWISE_OK;
    for (size_t i = 0; i < CALL_OUTPUTS; i++) {
        const place *p = &outputs[i];
        result_of_call *written = &done->written[i];
        const size_t before = (size_t)(p->data - p->start);
        if (!is_untouched(p->start, before) || !is_untouched(p->data + p->n, ROOM - before - p->n))
            complain("something outside of a result was written");
        if (failed && !done->in_place && !is_untouched(p->data, p->n))
            complain("a call that failed wrote something");
        written->n = p->n;
        memcpy(written->bytes, p->data, p->n);
        memset(p->data, UNTOUCHED, p->n); /* so all of it is, for the next input */
    }
}

bool same_outcome(const outcome *a, const outcome *b)
{
    const char *other = NULL;
    if (a->n_statuses != b->n_statuses ||
        memcmp(a->statuses, b->statuses, a->n_statuses * sizeof(dropwise_status)) != 0)
        other = "status";
    for (size_t i = 0; i < CALL_OUTPUTS && other == NULL; i++) {
        const result_of_call *x = &a->written[i], *y = &b->written[i];
        if (x->n != y->n || memcmp(x->bytes, y->bytes, x->n) != 0)
            other = "bytes";
    }
    if (other != NULL)
        fprintf(stderr, "%s: other %s than another tier's or time's\n",
                dropwise_isa_name(dropwise_isa_active()), other);
    return other == NULL;
}
