#include "view/walk.h"

#include <string.h>

#include "base/bits.h"
#include "base/min.h"
#include "base/own_frame.h"
#include "apply/forward.h"
#include "draw/bit_source.h"
#include "draw/strip.h"
#include "view/stored_shape.h"

/* A call on a view, in the order of the walk: axes along which the mask changes, and axes that share it. */
typedef struct view_walk {
    walk_axis own[DROPWISE_MAX_RANK], shared[DROPWISE_MAX_RANK];
    unsigned n_own, n_shared;
    walk_place start;
    uint64_t run_length; /* mask indices that follow each other, counted from the start of any inner row */
    int64_t element_bytes;
    const apply_plan *apply;
    const draw_plan *draw;
    const stored_mask *stored; /* NULL: bits are drawn */
} view_walk;

/* The place n steps further along an axis. */
static walk_place walk_along(const walk_axis *axis, walk_place place, int64_t n)
{
    return (walk_place){place.x + n * axis->x, place.y + n * axis->y,
                        place.index + (uint64_t)(n * axis->mask), place.stored + n * axis->stored};
}

/* Turns an axis round. */
static void flip(walk_axis *axis, walk_place *start)
{
    *start = walk_along(axis, *start, (int64_t)(axis->size - 1));
    *axis = (walk_axis){axis->size, -axis->x, -axis->y, -axis->mask, -axis->stored};
}

/* Puts an axis where steps fall: of the mask, or of y where the mask is shared. */
static void insert(walk_axis *axes, unsigned *n, walk_axis axis)
{
    unsigned at = (*n)++;
    for (; at > 0 && (axis.mask != 0 ? axes[at - 1].mask < axis.mask : axes[at - 1].y < axis.y); at--)
        axes[at] = axes[at - 1];
    axes[at] = axis;
}

/* Makes one axis of neighbours that are one in all respects. */
static void merge(walk_axis *axes, unsigned *n)
{
    for (unsigned a = 0; a + 1 < *n;) {
        const walk_axis outer = axes[a], inner = axes[a + 1];
        const int64_t size = (int64_t)inner.size;
        if (outer.x == size * inner.x && outer.y == size * inner.y && outer.mask == size * inner.mask &&
            outer.stored == size * inner.stored) {
            axes[a] = inner;
            axes[a].size = outer.size * inner.size;
            memmove(axes + a + 1, axes + a + 2, (*n - a - 2) * sizeof *axes);
            (*n)--;
            a = 0; /* the axis before may fit now */
        } else {
            a++;
        }
    }
}

static void order_axes(view_walk *walk, const dropwise_view *view)
{
    const int64_t bytes = walk->element_bytes;
    int64_t stored_step = 0;
    for (uint32_t d = view->rank; d-- > 0;) {
        walk_axis axis = {.size = view->size[d], .mask = view->mask_stride[d]};
        if (axis.mask != 0 && walk->stored != NULL) {
            const bool along_row = stored_step == 0;
            axis.stored = along_row ? stored_entry_step(walk->stored) : stored_step;
            stored_step = along_row ? stored_row_step(walk->stored) : stored_step * (int64_t)axis.size;
        }
        if (axis.size == 1)
            continue;
        axis.x = view->x_stride[d] * bytes;
        axis.y = view->y_stride[d] * bytes;
        if (axis.mask != 0 ? axis.mask < 0 : axis.y < 0)
            flip(&axis, &walk->start);
        if (axis.mask != 0)
            insert(walk->own, &walk->n_own, axis);
        else
            insert(walk->shared, &walk->n_shared, axis);
    }
    merge(walk->own, &walk->n_own);
    merge(walk->shared, &walk->n_shared);
    if (walk->n_own == 0)
        walk->own[walk->n_own++] = (walk_axis){1, bytes, bytes, 1, 0};
    walk->run_length = 1;
    for (unsigned a = walk->n_own; a-- > 0 && (uint64_t)walk->own[a].mask == walk->run_length;)
        walk->run_length *= walk->own[a].size;
}

/* Elements that are gathered at a time. */
enum { GATHER = 512 };

static inline void copy_elements(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step,
                                 size_t n, size_t bytes)
{
    for (size_t i = 0; i < n; i++)
        memcpy(to + (int64_t)i * to_step, from + (int64_t)i * from_step, bytes);
}

/* Copies elements at any steps; with a constant size each copy is a load and a store. */
static void copy_strided(uint8_t *to, int64_t to_step, const uint8_t *from, int64_t from_step, size_t n,
                         size_t bytes)
{
    switch (bytes) {
    case 1:
        copy_elements(to, to_step, from, from_step, n, 1);
        break;
    case 2:
        copy_elements(to, to_step, from, from_step, n, 2);
        break;
    case 4:
        copy_elements(to, to_step, from, from_step, n, 4);
        break;
    default:
        copy_elements(to, to_step, from, from_step, n, 8);
        break;
    }
}

/* Bits of elements at steps that are not those of contiguous ones. */
static void apply_strided(const view_walk *walk, const walk_axis *axis, const uint8_t *bits, size_t n,
                          const walk_place *place)
{
    uint8_t of_x[GATHER * sizeof(double)];
    const bool adds = walk->apply->adds; /* then y has half of the buffer */
    const size_t bytes = (size_t)walk->element_bytes, most = adds ? GATHER / 2 : GATHER;
    uint8_t *const to = adds ? of_x + sizeof of_x / 2 : of_x;
    for (size_t done = 0; done < n; done += most) {
        const size_t len = min_size(most, n - done);
        const uint8_t *x = place->x + (int64_t)done * axis->x;
        uint8_t *y = place->y + (int64_t)done * axis->y;
        copy_strided(of_x, walk->element_bytes, x, axis->x, len, bytes);
        if (adds)
            copy_strided(to, walk->element_bytes, y, axis->y, len, bytes);
        dropwise_apply_bits(walk->apply, bits + done / 8, len, of_x, to);
        copy_strided(y, axis->y, to, walk->element_bytes, len, bytes);
    }
}

static bool is_contiguous(const view_walk *walk, const walk_axis *axis)
{
    return axis->x == walk->element_bytes && axis->y == walk->element_bytes;
}

/* Bits of a short row, repeated, that are applied together; at least twice. */
enum { TILE_BITS = 4096 };

/* The shared axis is so laid out that repetitions of a row of n follow each other. */
static bool can_tile(const view_walk *walk, const walk_axis *row, const walk_axis *shared, size_t n)
{
    const int64_t row_bytes = (int64_t)n * walk->element_bytes;
    return is_contiguous(walk, row) && n == row->size && n <= TILE_BITS / 2 && shared->x == row_bytes &&
           shared->y == row_bytes;
}

/* n bits again and again. Each word of the tile is cut out of one period and a bit more. */
static void tile_bits(const uint8_t *bits, size_t n, uint8_t *tile)
{
    uint8_t period[(TILE_BITS / 2 + 64) / 8 + 1];
    memcpy(period, bits, bytes_of_bits(n));
    for (size_t have = n, more; have < n + 64; have += more) {
        more = min_size(have, n + 64 - have);
        append_bits(period, have, period, more);
    }
    for (size_t done = 0, place = 0; done < TILE_BITS; done += 64, place = (place + 64) % n)
        copy_bits(period, place, 64, tile + done / 8);
}

/* Applies the bits of a piece of an inner row, of n elements, along the innermost shared axis. */
static void apply_shared_row(const view_walk *walk, const walk_axis *row, const walk_axis *shared,
                             const uint8_t *bits, const uint8_t *tile, size_t n, walk_place place)
{
    if (tile != NULL) {
        const size_t repeats = TILE_BITS / n;
        for (uint64_t done = 0; done < shared->size; done += repeats) {
            const size_t len = min_size(repeats, shared->size - done);
            const int64_t at = (int64_t)done;
            dropwise_apply_bits(walk->apply, tile, len * n, place.x + at * shared->x,
                                place.y + at * shared->y);
        }
    } else if (is_contiguous(walk, shared) && !is_contiguous(walk, row)) {
        for (size_t i = 0; i < n; i++) {
            dropwise_apply_run(walk->apply, bit_at(bits, i), (size_t)shared->size, place.x, place.y);
            place.x += row->x;
            place.y += row->y;
        }
    } else {
        for (uint64_t i = 0; i < shared->size; i++) {
            if (is_contiguous(walk, row))
                dropwise_apply_bits(walk->apply, bits, n, place.x, place.y);
            else
                apply_strided(walk, row, bits, n, &place);
            place.x += shared->x;
            place.y += shared->y;
        }
    }
}

/* Applies the bits of a piece of an inner row to all elements that share them. */
static void apply_piece(const view_walk *walk, const uint8_t *bits, size_t n, walk_place place)
{
    static const walk_axis alone = {1, 0, 0, 0, 0};
    const walk_axis *row = &walk->own[walk->n_own - 1];
    const walk_axis *inner = walk->n_shared != 0 ? &walk->shared[walk->n_shared - 1] : &alone;
    uint8_t tile_buffer[TILE_BITS / 8];
    const uint8_t *tile = NULL;
    if (walk->n_shared != 0 && can_tile(walk, row, inner, n)) {
        tile_bits(bits, n, tile_buffer);
        tile = tile_buffer;
    }
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    do
        apply_shared_row(walk, row, inner, bits, tile, n, place);
    while (walk->n_shared > 1 && walk_next(walk->shared, walk->n_shared - 1, at, &place));
}

/* Gets the bits of a piece of a row, of n entries from `done` on, and applies them. */
static void run_piece(const view_walk *walk, bit_source *source, walk_place row_place, uint64_t done,
                      size_t n, uint64_t run_length)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    const walk_place piece = walk_along(row, row_place, (int64_t)done);
    uint8_t buffer[DRAW_CHUNK / 8];
    const uint8_t *bits = buffer;
    if (walk->stored != NULL)
        dropwise_read_stored(walk->stored, piece.stored, row->stored, n, buffer);
    else
        bits = dropwise_bits_get(source, piece.index, row->mask, n, run_length, buffer);
    apply_piece(walk, bits, n, piece);
}

/* Rows that are short and do not follow each other in the mask: their bits are drawn a strip at a time. */
static bool has_strips(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    return walk->stored == NULL && walk->n_own > 1 && row->mask == 1 && row->size <= STRIP_ROW &&
           walk->run_length == row->size;
}

static OWN_FRAME void run_strips(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1], *across = &walk->own[walk->n_own - 2];
    const size_t n = (size_t)row->size, step = dropwise_strip_step(n), at_once = dropwise_strip_rows(n);
    const bool plain = walk->n_shared == 0 && is_contiguous(walk, row);
    walk_place place = walk->start;
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    strip s;
    do {
        walk_place of_row = place;
        for (uint64_t done = 0; done < across->size; done += at_once) {
            uint8_t bits[STRIP_BYTES];
            const size_t rows = min_size(at_once, across->size - done);
            dropwise_draw_strip(walk->draw, &s, of_row.index, across->mask, rows, n, bits);
            for (size_t r = 0; r < rows; r++) {
                if (plain)
                    dropwise_apply_bits(walk->apply, bits + r * step, n, of_row.x, of_row.y);
                else
                    apply_piece(walk, bits + r * step, n, of_row);
                of_row = walk_along(across, of_row, 1);
            }
        }
    } while (walk->n_own > 2 && walk_next(walk->own, walk->n_own - 2, at, &place));
}

/* Row by row; rows that follow each other in the mask share what is drawn. */
static OWN_FRAME void run_walk(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    walk_place place = walk->start;
    uint64_t at[DROPWISE_MAX_RANK] = {0}, row_number = 0;
    bit_source source;
    bit_source_init(&source, walk->draw);
    do {
        /* Indices that follow each other are left from here to the end of such a run of rows. */
        const uint64_t into_run = row_number++ * row->size % walk->run_length;
        for (uint64_t done = 0; done < row->size; done += DRAW_CHUNK) {
            const uint64_t run_left = row->mask == 1 ? walk->run_length - into_run - done : 0;
            run_piece(walk, &source, place, done, min_size(DRAW_CHUNK, row->size - done), run_left);
        }
    } while (walk->n_own > 1 && walk_next(walk->own, walk->n_own - 1, at, &place));
}

/*
 * Rows whose elements lie apart: blocks of 16 rows by 256 columns, as in a transposition the next rows want
 * the same lines of the cache.
 */
enum { BLOCK_ROWS = 16, BLOCK_COLUMNS = 256 };

static OWN_FRAME void run_blocks(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1], *across = &walk->own[walk->n_own - 2];
    walk_place place = walk->start;
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    const bool by_strips = walk->stored == NULL && row->mask == 1;
    union {
        bit_source source;
        strip strip; /* if by_strips */
    } drawn;
    if (!by_strips)
        bit_source_init(&drawn.source, walk->draw);
    do {
        walk_place block = place;
        for (uint64_t first = 0; first < across->size; first += BLOCK_ROWS) {
            const size_t rows = min_size(BLOCK_ROWS, across->size - first);
            for (uint64_t done = 0; done < row->size; done += BLOCK_COLUMNS) {
                const size_t n = min_size(BLOCK_COLUMNS, row->size - done);
                walk_place of_row = walk_along(row, block, (int64_t)done);
                uint8_t bits[BLOCK_ROWS * BLOCK_COLUMNS / 8];
                if (by_strips)
                    dropwise_draw_strip(walk->draw, &drawn.strip, of_row.index, across->mask, rows, n, bits);
                for (size_t r = 0; r < rows; r++) {
                    if (by_strips)
                        apply_piece(walk, bits + r * dropwise_strip_step(n), n, of_row);
                    else
                        run_piece(walk, &drawn.source, of_row, 0, n, 0);
                    of_row = walk_along(across, of_row, 1);
                }
            }
            block = walk_along(across, block, (int64_t)rows);
        }
    } while (walk->n_own > 2 && walk_next(walk->own, walk->n_own - 2, at, &place));
}

/* Whether rows are contiguous in x, y and mask: each could be a call of its own. */
static bool has_plain_rows(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    const bool bits_fit =
        walk->stored == NULL || (walk->stored->form == DROPWISE_FORM_BITS && row->stored == 1);
    return walk->n_shared == 0 && is_contiguous(walk, row) && row->mask == 1 && bits_fit;
}

/* Elements from which on a row is better drawn on its own than with others: by kernels that draw and scale,
 * or by any. */
enum { FUSED_ROW = 256, PLAIN_ROW = 4096 };

/* Plain rows by one run of the kernels that draw and scale them, if there are some; false: there are none. */
static OWN_FRAME bool run_fused_rows(const view_walk *walk, dropwise_dtype dtype)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    const apply_plan *apply = walk->apply;
    const fused_kernels fused = dropwise_fused_of(apply->kernels, walk->draw->generator, dtype);
    if (walk->stored != NULL || fused.scale_kept == NULL || !apply->scales || apply->adds ||
        row->size < FUSED_ROW)
        return false;
    walk_place place = walk->start;
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    forward_run run;
    forward_begin(&run, walk->draw, fused, &apply->factor, apply->element_bytes, walk->start.y);
    do
        dropwise_forward_range(&run, place.index, (size_t)row->size, place.x,
                               (place.y - walk->start.y) / walk->element_bytes, NULL);
    while (walk->n_own > 1 && walk_next(walk->own, walk->n_own - 1, at, &place));
    dropwise_forward_end(&run);
    return true;
}

/* Plain rows by the road for contiguous ranges, with its overlap of drawing and memory traffic, for each. */
static void run_plain_rows(const view_walk *walk, const dropwise_mask *mask, dropwise_dtype dtype,
                           uint64_t y_bytes)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    walk_place place = walk->start;
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    do {
        const apply_call call = {.mask = mask,
                                 .dtype = dtype,
                                 .first = place.index,
                                 .n = (size_t)row->size,
                                 .x = place.x,
                                 .y = place.y,
                                 .stored =
                                     walk->stored != NULL ? walk->stored->data + place.stored / 8 : NULL,
                                 .far = !dropwise_is_near(y_bytes),
                                 .adds = walk->apply->adds};
        dropwise_apply_call(walk->apply->kernels, &call, dropwise_is_large(y_bytes));
    } while (walk->n_own > 1 && walk_next(walk->own, walk->n_own - 1, at, &place));
}

static bool run_rows(const view_walk *walk, const dropwise_mask *mask, dropwise_dtype dtype, uint64_t y_bytes)
{
    if (!has_plain_rows(walk) || dropwise_is_constant(mask->keep_threshold))
        return false;
    if (!walk->apply->nontemporal && run_fused_rows(walk, dtype))
        return true;
    if (walk->n_own > 1 && walk->own[walk->n_own - 1].size < PLAIN_ROW)
        return false;
    run_plain_rows(walk, mask, dtype, y_bytes);
    return true;
}

/* By the walk that fits; all but plain rows, which some calls have a faster way for. */
static void run_any(const view_walk *walk)
{
    if (walk->n_own > 1 && walk->n_shared == 0 && !is_contiguous(walk, &walk->own[walk->n_own - 1]))
        run_blocks(walk);
    else if (has_strips(walk))
        run_strips(walk);
    else
        run_walk(walk);
    if (walk->apply->nontemporal)
        walk->apply->kernels->nt_fence();
}

OWN_FRAME void dropwise_apply_view(const dropwise_kernels *kernels, const dropwise_mask *mask,
                                   dropwise_dtype dtype, const dropwise_view *view, const void *x, void *y,
                                   const stored_mask *stored, uint64_t y_bytes, bool adds)
{
    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    apply_plan apply =
        dropwise_apply_plan(kernels, mask, dtype, x != y && !adds && dropwise_is_large(y_bytes));
    apply.adds = adds;
    view_walk walk = {
        .start = {(uint8_t *)(uintptr_t)x, y, view->first, 0},
        .element_bytes = (int64_t)apply.element_bytes,
        .apply = &apply,
        .draw = &draw,
        /* With p = 1 there is no scale: nothing is kept, whatever a stored mask says. */
        .stored = mask->keep_threshold != 0 ? stored : NULL,
    };
    order_axes(&walk, view);
    if (!run_rows(&walk, mask, dtype, y_bytes))
        run_any(&walk);
}

void dropwise_apply_packed(const apply_plan *apply, const dropwise_view *view, const uint8_t *bits,
                           const void *x, void *y)
{
    stored_mask packed;
    packed.kernels = apply->kernels;
    packed.data = (uint8_t *)(uintptr_t)bits;
    packed.form = DROPWISE_FORM_BITS;
    packed.row_step = dropwise_stored_shape_of(view).row_length;
    view_walk walk = {
        .start = {(uint8_t *)(uintptr_t)x, y, view->first, 0},
        .element_bytes = (int64_t)apply->element_bytes,
        .apply = apply,
        .stored = &packed,
    };
    order_axes(&walk, view);
    const walk_axis *row = &walk.own[0];
    if (walk.n_own != 1 || walk.n_shared != 0 || !is_contiguous(&walk, row) || row->stored != 1) {
        run_any(&walk);
        return;
    }
    const size_t n = (size_t)row->size, head = nontemporal_head(walk.start.y, apply->element_bytes, true, n);
    const size_t skip = head * apply->element_bytes;
    dropwise_apply_bits(apply, bits, head, walk.start.x, walk.start.y);
    dropwise_apply_bits(apply, bits + head / 8, n - head, walk.start.x + skip, walk.start.y + skip);
    if (apply->nontemporal)
        apply->kernels->nt_fence();
}
