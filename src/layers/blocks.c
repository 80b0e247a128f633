#include "layers/blocks.h"

#include <string.h>

#include "base/bits.h"
#include "base/min.h"
#include "draw/bit_source.h"
#include "view/walk.h"

block_geometry dropwise_block_geometry_of(const dropwise_dropblock *block, const dropwise_view *view)
{
    block_geometry geometry = {.entries = 1, .map = 1, .inside = block->seeds == DROPWISE_SEEDS_INSIDE};
    for (uint32_t d = 0; d < view->rank; d++)
        if (view->mask_stride[d] != 0)
            geometry.axis[geometry.n_axes++] =
                (block_axis){view->size[d], block->size[d], 0, view->mask_stride[d]};
    for (unsigned a = geometry.n_axes; a-- > 0;) {
        block_axis *axis = &geometry.axis[a];
        axis->step = geometry.entries;
        geometry.entries *= axis->size;
        if (axis->block > 1)
            geometry.map = geometry.entries;
    }
    return geometry;
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
                             const block_geometry *geometry)
{
    memset(source->at, 0, sizeof source->at);
    bit_source_init(&source->bits, draw);
    source->n_axes = 0;
    source->place = (walk_place){&source->no_data, &source->no_data, view->first, 0};
    source->column = 0;
    for (unsigned a = 0; a < geometry->n_axes; a++) {
        const block_axis *axis = &geometry->axis[a];
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
static uint64_t run_length(const seed_source *source)
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
            dropwise_bits_get(&source->bits, index, row->mask, len, run_length(source), buffer);
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
 * where `to` may lie in the next period. It is made piece by piece, and kept while it stays the same.
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
static void spare_edges(uint8_t *bits, size_t n, const block_axis *axis)
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
static void erode_up(const dropwise_kernels *kernels, uint8_t *bits, size_t n, const block_axis *axis,
                     uint64_t steps)
{
    const size_t distance = (size_t)(steps * axis->step), offset = distance / 8;
    fence f;
    fence_init(&f, axis->size * axis->step, 0, distance);
    for (size_t end = n; end > offset + 1;) {
        const size_t start = end - 1 - (end - 1) % f.piece;
        const size_t at = start > offset + 1 ? start : offset + 1;
        kernels->erode_up(bits + at, end - at, distance, fence_at(&f, at));
        end = at;
    }
    /* Below bit 0 is nothing that the kernel could read. */
    bits[offset] &= (uint8_t)(bits[0] << distance % 8 | *fence_at(&f, offset));
}

/* The same by the neighbours behind. */
static void erode_down(const dropwise_kernels *kernels, uint8_t *bits, size_t n, const block_axis *axis,
                       uint64_t steps)
{
    const uint64_t period = axis->size * axis->step;
    const size_t distance = (size_t)(steps * axis->step), offset = distance / 8;
    fence f;
    fence_init(&f, period, period - distance, period);
    const size_t last = n - 1 - offset;
    for (size_t at = 0; at < last;) {
        const size_t end = piece_end(&f, at, last);
        kernels->erode_down(bits + at, end - at, distance, fence_at(&f, at));
        at = end;
    }
    bits[last] &= (uint8_t)(bits[n - 1] >> distance % 8 | *fence_at(&f, last));
}

/* Erodes up to a radius by 1, 2, 4, ... steps, as what was dropped grows as fast. */
static void erode(const dropwise_kernels *kernels, uint8_t *bits, size_t n, const block_axis *axis,
                  uint64_t radius,
                  void (*by)(const dropwise_kernels *, uint8_t *, size_t, const block_axis *, uint64_t))
{
    for (uint64_t done = 0; done < radius;) {
        const uint64_t steps = min_u64(done + 1, radius - done);
        by(kernels, bits, n, axis, steps);
        done += steps;
    }
}

/* Bits of some whole maps, of n bytes: from seeds to blocks, along one axis after the other. */
static void grow_blocks(const dropwise_kernels *kernels, const block_geometry *geometry, uint8_t *bits,
                        size_t n)
{
    for (unsigned a = 0; a < geometry->n_axes && geometry->inside; a++)
        if (geometry->axis[a].block > 1)
            spare_edges(bits, n, &geometry->axis[a]);
    for (unsigned a = 0; a < geometry->n_axes; a++) {
        const block_axis *axis = &geometry->axis[a];
        erode(kernels, bits, n, axis, (axis->block - 1) / 2, erode_up);
        erode(kernels, bits, n, axis, axis->block / 2, erode_down);
    }
}

/* Maps that go together: they begin and end with a byte. */
static uint64_t group_entries(const block_geometry *geometry)
{
    const uint64_t least = 8 * whole_bytes(geometry->map);
    return least < 8 * GROUP_BYTES ? 8 * GROUP_BYTES / least * least : least;
}

uint64_t dropwise_draw_blocks(const dropwise_kernels *kernels, const dropwise_mask *mask,
                              const dropwise_view *view, const block_geometry *geometry, uint8_t *bits)
{
    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    const uint64_t group = group_entries(geometry);
    seed_source source;
    seed_source_init(&source, &draw, view, geometry);
    uint64_t kept = 0;
    for (uint64_t done = 0; done < geometry->entries; done += group) {
        const size_t n = (size_t)min_u64(group, geometry->entries - done);
        uint8_t *out = bits + done / 8;
        draw_seeds(&source, n, out);
        grow_blocks(kernels, geometry, out, bytes_of_bits(n));
        clear_unused_bits(out, n);
        kept += kernels->count_bits(bytes_of_bits(n), out);
    }
    return kept;
}
