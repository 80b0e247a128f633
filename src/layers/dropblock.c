/* DropBlock: seeds are drawn as keep bits, blocks eroded out of them, what is left is counted and applied. */
#include "dropwise_dropblock.h"

#include <string.h>

#include "apply/apply.h"
#include "base/bits.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "draw/bit_source.h"
#include "tiers/dispatch.h"
#include "view/check_view.h"
#include "view/walk.h"

/* A dimension of the mask: how many bits apart its neighbours are, and mask indices. */
typedef struct mask_axis {
    uint64_t size, block, step;
    int64_t mask;
} mask_axis;

/* The mask of a view, and its blocks. */
typedef struct mask_plan {
    mask_axis axis[DROPWISE_MAX_RANK];
    unsigned n_axes;
    uint64_t entries;
    uint64_t map; /* entries that blocks do not leave: a map or, with channels last, all those of a sample */
    bool inside;
} mask_plan;

/* ---- Checks ---- */

static dropwise_status check_block(const dropwise_dropblock *block)
{
    if (block == NULL)
        return DROPWISE_ERROR_NULL;
    if (block->struct_size != sizeof *block)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (block->reserved[0] != 0 || block->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    return DROPWISE_OK;
}

/* Blocks on a view that was checked and is not empty. */
static dropwise_status check_sizes(const dropwise_dropblock *block, const dropwise_view *view)
{
    if (block->seeds != DROPWISE_SEEDS_INSIDE && block->seeds != DROPWISE_SEEDS_ANYWHERE)
        return DROPWISE_ERROR_PARAMETER;
    for (uint32_t d = 0; d < view->rank; d++) {
        const uint64_t largest = view->mask_stride[d] != 0 ? view->size[d] : 1;
        if (block->size[d] < 1 || block->size[d] > largest)
            return DROPWISE_ERROR_SHAPE;
    }
    return DROPWISE_OK;
}

static uint64_t mask_entries(const dropwise_view *view)
{
    uint64_t entries = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        entries *= view->mask_stride[d] != 0 ? view->size[d] : 1;
    return entries;
}

static dropwise_status check_data(dropwise_dtype dtype, const dropwise_view *view, const void *x,
                                  const void *y, const void *bits)
{
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_extent of_x, of_y;
    const dropwise_extent of_bits = dropwise_extent_of(bits, bytes_of_bits((size_t)mask_entries(view)));
    const dropwise_status status =
        dropwise_check_view_data(view, dropwise_dtype_bytes(dtype), x, y, &of_x, &of_y);
    if (status != DROPWISE_OK)
        return status;
    return dropwise_overlap(of_x, of_bits) || dropwise_overlap(of_y, of_bits) ? DROPWISE_ERROR_OVERLAP
                                                                              : DROPWISE_OK;
}

/* ---- Seeds ---- */

/* The keep bits of a mask in row-major order of its entries, in parts. Axes that are one are merged. */
typedef struct seed_source {
    bit_source bits;
    walk_axis axis[DROPWISE_MAX_RANK];
    unsigned n_axes;
    walk_place place; /* of the row */
    uint64_t at[DROPWISE_MAX_RANK];
    uint64_t column;
    uint8_t no_data; /* what places point at: there is no x and y here */
} seed_source;

static void seed_source_init(seed_source *source, const draw_plan *draw, const dropwise_view *view,
                             const mask_plan *plan)
{
    memset(source->at, 0, sizeof source->at);
    bit_source_init(&source->bits, draw);
    source->n_axes = 0;
    source->place = (walk_place){&source->no_data, &source->no_data, view->first, 0};
    source->column = 0;
    for (unsigned a = 0; a < plan->n_axes; a++) {
        const mask_axis *axis = &plan->axis[a];
        walk_axis *outer = source->n_axes != 0 ? &source->axis[source->n_axes - 1] : NULL;
        const uint64_t size = axis->size;
        if (outer != NULL && outer->mask == (int64_t)size * axis->mask)
            *outer = (walk_axis){outer->size * size, 0, 0, axis->mask, 0};
        else
            source->axis[source->n_axes++] = (walk_axis){size, 0, 0, axis->mask, 0};
    }
    if (source->n_axes == 0) /* all share one decision */
        source->axis[source->n_axes++] = (walk_axis){1, 0, 0, 1, 0};
}

/* Rows whose beginnings lie at most so many indices apart are drawn together with what lies between, such as
 * other shards' channels: that costs less than to begin anew. */
enum { NEAR_ROWS = 1024 };

/* Mask indices from here on that are worth drawing together. */
static uint64_t indices_ahead(const seed_source *source)
{
    const unsigned last = source->n_axes - 1;
    const walk_axis *row = &source->axis[last];
    if (row->mask != 1)
        return 0;
    const uint64_t rest = row->size - source->column;
    if (last == 0 || row[-1].mask < 0 || row[-1].mask > NEAR_ROWS)
        return rest;
    return rest + (row[-1].size - 1 - source->at[last - 1]) * (uint64_t)row[-1].mask;
}

static void draw_seeds(seed_source *source, size_t n, uint8_t *bits)
{
    const walk_axis *row = &source->axis[source->n_axes - 1];
    for (size_t done = 0; done < n;) {
        if (source->column == row->size) {
            walk_next(source->axis, source->n_axes - 1, source->at, &source->place);
            source->column = 0;
        }
        uint8_t buffer[DRAW_CHUNK / 8];
        /* Not beyond the chunk that is drawn: what is left of it is for the next maps. */
        const uint64_t rest = row->size - source->column, in_chunk = DRAW_CHUNK - source->column % DRAW_CHUNK;
        const size_t len = min_size(n - done, min_u64(rest, in_chunk));
        const uint64_t index = source->place.index + (uint64_t)((int64_t)source->column * row->mask);
        const uint8_t *drawn =
            dropwise_bits_get(&source->bits, index, row->mask, len, indices_ahead(source), buffer);
        append_bits(bits, done, drawn, len);
        source->column += len;
        done += len;
    }
}

/* ---- Blocks ---- */

enum {
    FENCE_BYTES = 4096, /* of a pattern that is made at a time                                        */
    GROUP_BYTES = 16384 /* of bits that are drawn, eroded and counted while they are in the L1 cache */
};

/* The bytes of as few times n bits as make whole bytes. */
static uint64_t whole_bytes(uint64_t n)
{
    const uint64_t power_of_2 = n & (0 - n);
    return power_of_2 < 8 ? n / power_of_2 : n / 8;
}

/*
 * A pattern of bits that comes again and again: of each `period` bits, those from `from` to `to` - 1 are 1,
 * where `to` may reach into the next period. It is made piece by piece, and kept while it stays the same.
 */
typedef struct fence {
    uint64_t period, from, to;
    uint64_t unit;  /* bytes after which the pattern comes again           */
    size_t piece;   /* bytes; a multiple of the unit if that is possible   */
    uint64_t phase; /* bit 0 of what was made is this bit of a period      */
    uint8_t bits[FENCE_BYTES];
} fence;

static void fence_init(fence *f, uint64_t period, uint64_t from, uint64_t to)
{
    f->period = period;
    f->from = from;
    f->to = to;
    f->unit = whole_bytes(period);
    f->piece = f->unit <= FENCE_BYTES ? (size_t)(FENCE_BYTES / f->unit * f->unit) : FENCE_BYTES;
    f->phase = UINT64_MAX;
}

static void fence_make(fence *f, uint64_t phase)
{
    const size_t own = min_size(f->piece, f->unit);
    const int64_t end = (int64_t)(8 * own), length = (int64_t)(f->to - f->from);
    memset(f->bits, 0, own);
    for (int64_t at = (int64_t)(f->from - phase - f->period); at < end; at += (int64_t)f->period)
        if (at + length > 0)
            set_bits(f->bits, (size_t)(at > 0 ? at : 0), (size_t)(at + length < end ? at + length : end));
    for (size_t done = own, n; done < f->piece; done += n) {
        n = min_size(done, f->piece - done);
        memcpy(f->bits + done, f->bits, n);
    }
    f->phase = phase;
}

/* The pattern at a byte of a string of bits that begins with a period. Valid to the end of its piece. */
static const uint8_t *fence_at(fence *f, size_t byte)
{
    const size_t into_piece = byte % f->piece;
    const bool repeats = f->unit <= f->piece;
    const uint64_t phase = repeats ? 0 : 8 * (uint64_t)(byte - into_piece) % f->period;
    if (phase != f->phase)
        fence_make(f, phase);
    return f->bits + into_piece;
}

static size_t piece_end(const fence *f, size_t byte, size_t n)
{
    return min_size(byte - byte % f->piece + f->piece, n);
}

/* Keeps what is no seed as its block would not lie inside. */
static void spare_edges(uint8_t *bits, size_t n, const mask_axis *axis)
{
    const uint64_t period = axis->size * axis->step;
    const uint64_t before = axis->block / 2 * axis->step, behind = (axis->block - 1) / 2 * axis->step;
    fence f;
    fence_init(&f, period, period - behind, period + before);
    for (size_t at = 0; at < n;) {
        const uint8_t *edges = fence_at(&f, at);
        const size_t len = piece_end(&f, at, n) - at;
        for (size_t i = 0; i < len; i++)
            bits[at + i] |= edges[i];
        at += len;
    }
}

/*
 * Drops every entry whose neighbour so many steps before it is dropped; nothing crosses from one period to
 * the next, nor from the unused bits of the last byte. From above to below, so that what decides was not
 * changed before. There are fewer steps than the axis has entries.
 */
static void erode_up(const dropwise_kernels *kernels, uint8_t *bits, size_t n, const mask_axis *axis,
                     uint64_t steps)
{
    const size_t distance = (size_t)(steps * axis->step), back = distance / 8;
    fence f;
    fence_init(&f, axis->size * axis->step, 0, distance);
    for (size_t end = n; end > back + 1;) {
        const size_t start = end - 1 - (end - 1) % f.piece;
        const size_t at = start > back + 1 ? start : back + 1;
        kernels->erode_up(bits + at, end - at, distance, fence_at(&f, at));
        end = at;
    }
    /* Below bit 0 is nothing that the kernel could read. */
    bits[back] &= (uint8_t)(bits[0] << distance % 8 | *fence_at(&f, back));
}

/* The same by the neighbours behind. */
static void erode_down(const dropwise_kernels *kernels, uint8_t *bits, size_t n, const mask_axis *axis,
                       uint64_t steps)
{
    const uint64_t period = axis->size * axis->step;
    const size_t distance = (size_t)(steps * axis->step), ahead = distance / 8;
    fence f;
    fence_init(&f, period, period - distance, period);
    const size_t last = n - 1 - ahead;
    for (size_t at = 0; at < last;) {
        const size_t end = piece_end(&f, at, last);
        kernels->erode_down(bits + at, end - at, distance, fence_at(&f, at));
        at = end;
    }
    bits[last] &= (uint8_t)(bits[n - 1] >> distance % 8 | *fence_at(&f, last));
}

/* Erodes by 1, 2, 4, ... steps, as what was dropped grows as fast. */
static void erode(const dropwise_kernels *kernels, uint8_t *bits, size_t n, const mask_axis *axis,
                  uint64_t reach,
                  void (*by)(const dropwise_kernels *, uint8_t *, size_t, const mask_axis *, uint64_t))
{
    for (uint64_t done = 0; done < reach;) {
        const uint64_t steps = min_u64(done + 1, reach - done);
        by(kernels, bits, n, axis, steps);
        done += steps;
    }
}

/* Bits of some whole maps, of n bytes: from seeds to blocks, along one axis after the other. */
static void grow_blocks(const dropwise_kernels *kernels, const mask_plan *plan, uint8_t *bits, size_t n)
{
    for (unsigned a = 0; a < plan->n_axes && plan->inside; a++)
        if (plan->axis[a].block > 1)
            spare_edges(bits, n, &plan->axis[a]);
    for (unsigned a = 0; a < plan->n_axes; a++) {
        const mask_axis *axis = &plan->axis[a];
        erode(kernels, bits, n, axis, (axis->block - 1) / 2, erode_up);
        erode(kernels, bits, n, axis, axis->block / 2, erode_down);
    }
}

static mask_plan plan_mask(const dropwise_dropblock *block, const dropwise_view *view)
{
    mask_plan plan = {.entries = 1, .map = 1, .inside = block->seeds == DROPWISE_SEEDS_INSIDE};
    for (uint32_t d = 0; d < view->rank; d++)
        if (view->mask_stride[d] != 0)
            plan.axis[plan.n_axes++] = (mask_axis){view->size[d], block->size[d], 0, view->mask_stride[d]};
    for (unsigned a = plan.n_axes; a-- > 0;) {
        mask_axis *axis = &plan.axis[a];
        axis->step = plan.entries;
        plan.entries *= axis->size;
        if (axis->block > 1)
            plan.map = plan.entries;
    }
    return plan;
}

/* Maps that go together: they begin and end with a byte. */
static uint64_t group_entries(const mask_plan *plan)
{
    const uint64_t least = 8 * whole_bytes(plan->map);
    return least < 8 * GROUP_BYTES ? 8 * GROUP_BYTES / least * least : least;
}

static void clear_unused(uint8_t *bits, uint64_t n)
{
    if (n % 8 != 0)
        bits[n / 8] &= (uint8_t)((1u << n % 8) - 1);
}

static uint64_t draw_blocks(const dropwise_kernels *kernels, const dropwise_mask *mask,
                            const dropwise_view *view, const mask_plan *plan, uint8_t *bits)
{
    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    const uint64_t group = group_entries(plan);
    seed_source source;
    seed_source_init(&source, &draw, view, plan);
    uint64_t kept = 0;
    for (uint64_t done = 0; done < plan->entries; done += group) {
        const size_t n = (size_t)min_u64(group, plan->entries - done);
        uint8_t *out = bits + done / 8;
        draw_seeds(&source, n, out);
        grow_blocks(kernels, plan, out, bytes_of_bits(n));
        clear_unused(out, n);
        kept += kernels->count_bits(bytes_of_bits(n), out);
    }
    return kept;
}

/* ---- Scale ---- */

static void apply_bits(const dropwise_kernels *kernels, dropwise_dtype dtype, const dropwise_view *view,
                       double scale, const uint8_t *bits, const void *x, void *y)
{
    uint64_t elements = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        elements *= view->size[d];
    const apply_plan plan = {
        .dtype = dropwise_dtype_of(kernels, dtype),
        .kernels = kernels,
        .element_bytes = dropwise_dtype_bytes(dtype),
        .scales = scale != 1.0,
        .nontemporal = x != y && dropwise_is_large(elements * dropwise_dtype_bytes(dtype)),
        .factor = dropwise_factor_of(dtype, scale),
    };
    dropwise_apply_packed(&plan, view, bits, x, y);
}

/* If nothing is kept, the scale does not matter. */
static double scale_of(const dropwise_mask *mask, uint64_t entries, uint64_t kept)
{
    const bool scales = mask->scaling == DROPWISE_SCALING_INVERTED && kept != 0;
    return scales ? (double)entries / (double)kept : 1.0;
}

/* ---- Public functions ---- */

dropwise_status dropwise_dropblock_init(dropwise_dropblock *block, const dropwise_view *view,
                                        uint32_t dimensions, uint64_t size)
{
    if (block == NULL || view == NULL)
        return DROPWISE_ERROR_NULL;
    if (view->struct_size != sizeof *view)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (view->rank < 1 || view->rank > DROPWISE_MAX_RANK)
        return DROPWISE_ERROR_RANK;
    if (dimensions >> view->rank != 0 || size == 0)
        return DROPWISE_ERROR_SHAPE;
    memset(block, 0, sizeof *block);
    block->struct_size = sizeof *block;
    block->seeds = DROPWISE_SEEDS_INSIDE;
    for (uint32_t d = 0; d < DROPWISE_MAX_RANK; d++) {
        block->size[d] = 1;
        if (dimensions >> d & 1 && view->size[d] > 1)
            block->size[d] = min_u64(size, view->size[d]);
    }
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status dropblock_gamma(const dropwise_dropblock *block, const dropwise_view *view,
                                                   double p, double *gamma)
{
    bool empty;
    dropwise_status status = check_block(block);
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, &empty);
    if (status == DROPWISE_OK && empty)
        status = DROPWISE_ERROR_SHAPE;
    if (status == DROPWISE_OK)
        status = check_sizes(block, view);
    if (status == DROPWISE_OK && !(p >= 0.0 && p <= 1.0))
        status = DROPWISE_ERROR_PROBABILITY;
    if (status == DROPWISE_OK && gamma == NULL)
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK)
        return status;
    double elements = 1, blocks = 1;
    for (uint32_t d = 0; d < view->rank; d++) {
        if (block->size[d] == 1)
            continue;
        elements *= (double)view->size[d];
        blocks *= (double)block->size[d] * (double)(view->size[d] - block->size[d] + 1);
    }
    *gamma = p * elements / blocks;
    return DROPWISE_OK;
}

dropwise_status dropwise_dropblock_gamma(const dropwise_dropblock *block, const dropwise_view *view, double p,
                                         double *gamma)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_gamma(block, view, p, gamma));
}

dropwise_status dropwise_dropblock_entries(const dropwise_view *view, uint64_t *entries)
{
    bool empty;
    const dropwise_status status = dropwise_check_view(view, &empty);
    if (status != DROPWISE_OK)
        return status;
    if (entries == NULL)
        return DROPWISE_ERROR_NULL;
    *entries = empty ? 0 : mask_entries(view);
    return DROPWISE_OK;
}

static dropwise_status check_draw(const dropwise_mask *mask, const dropwise_dropblock *block,
                                  const dropwise_view *view, bool *empty)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK)
        status = check_block(block);
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, empty);
    if (status == DROPWISE_OK && !*empty)
        status = check_sizes(block, view);
    return status;
}

dropwise_status dropwise_dropblock_draw(const dropwise_mask *mask, const dropwise_dropblock *block,
                                        const dropwise_view *view, void *bits, uint64_t *kept)
{
    bool empty;
    const dropwise_status status = check_draw(mask, block, view, &empty);
    if (status != DROPWISE_OK)
        return status;
    if (kept == NULL || (bits == NULL && !empty))
        return DROPWISE_ERROR_NULL;
    if (empty) {
        *kept = 0;
        return DROPWISE_OK;
    }
    const mask_plan plan = plan_mask(block, view);
    if (dropwise_overlap(dropwise_extent_of(kept, sizeof *kept),
                         dropwise_extent_of(bits, bytes_of_bits((size_t)plan.entries))))
        return DROPWISE_ERROR_OVERLAP;
    *kept = draw_blocks(dropwise_active(), mask, view, &plan, bits);
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status dropblock_apply(dropwise_dtype dtype, const dropwise_view *view,
                                                   double scale, const void *bits, const void *x, void *y)
{
    bool empty;
    dropwise_status status = dropwise_dtype_bytes(dtype) == 0 ? DROPWISE_ERROR_DTYPE : DROPWISE_OK;
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, &empty);
    if (status == DROPWISE_OK && !dropwise_is_finite(scale))
        status = DROPWISE_ERROR_PARAMETER;
    if (status != DROPWISE_OK || empty)
        return status;
    status = check_data(dtype, view, x, y, bits);
    if (status == DROPWISE_OK)
        apply_bits(dropwise_active(), dtype, view, scale, bits, x, y);
    return status;
}

dropwise_status dropwise_dropblock_apply(dropwise_dtype dtype, const dropwise_view *view, double scale,
                                         const void *bits, const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_apply(dtype, view, scale, bits, x, y));
}

static FP_ENV_BODY dropwise_status dropblock_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                     const dropwise_dropblock *block,
                                                     const dropwise_view *view, const void *x, void *y,
                                                     void *bits)
{
    bool empty;
    dropwise_status status = check_draw(mask, block, view, &empty);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status != DROPWISE_OK || empty)
        return status;
    status = check_data(dtype, view, x, y, bits);
    if (status != DROPWISE_OK)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const mask_plan plan = plan_mask(block, view);
    const uint64_t kept = draw_blocks(kernels, mask, view, &plan, bits);
    apply_bits(kernels, dtype, view, scale_of(mask, plan.entries, kept), bits, x, y);
    return DROPWISE_OK;
}

dropwise_status dropwise_dropblock_forward(const dropwise_mask *mask, dropwise_dtype dtype,
                                           const dropwise_dropblock *block, const dropwise_view *view,
                                           const void *x, void *y, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_forward(mask, dtype, block, view, x, y, bits));
}

/* The kept ones of n entries; unused bits of the last byte do not count. */
static uint64_t count_kept(const dropwise_kernels *kernels, const uint8_t *bits, uint64_t n)
{
    uint8_t last = n % 8 != 0 ? bits[n / 8] : 0;
    clear_unused(&last, n % 8);
    return kernels->count_bits((size_t)(n / 8), bits) + kernels->count_bits(1, &last);
}

static FP_ENV_BODY dropwise_status dropblock_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                                      const dropwise_view *view, const void *dy, void *dx,
                                                      const void *bits)
{
    bool empty;
    dropwise_status status = dropwise_check_view_call(mask, dtype, view, NULL, &empty);
    if (status != DROPWISE_OK || empty)
        return status;
    status = check_data(dtype, view, dy, dx, bits);
    if (status != DROPWISE_OK)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const uint64_t entries = mask_entries(view);
    const uint64_t kept = count_kept(kernels, bits, entries);
    apply_bits(kernels, dtype, view, scale_of(mask, entries, kept), bits, dy, dx);
    return DROPWISE_OK;
}

dropwise_status dropwise_dropblock_backward(const dropwise_mask *mask, dropwise_dtype dtype,
                                            const dropwise_view *view, const void *dy, void *dx,
                                            const void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, dropblock_backward(mask, dtype, view, dy, dx, bits));
}
