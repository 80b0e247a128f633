#include "view/walk.h"

#include <string.h>

#include "apply/apply.h"
#include "base/bits.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "tiers/dispatch.h"

/* ---- Checks ---- */

/*
 * The lowest and the highest offset that sizes and strides reach, times a factor; false if one of them, or
 * the stride of a dimension that is walked, or the negative of one of these, is no int64_t. So what follows
 * may multiply, add and turn round. In a dimension of size 1 any stride may stand.
 */
static bool reach(const dropwise_view *view, const int64_t *stride, int64_t factor, int64_t *low,
                  int64_t *high)
{
    *low = *high = 0;
    for (uint32_t d = 0; d < view->rank; d++) {
        int64_t step;
        if (view->size[d] == 1)
            continue;
        if (view->size[d] - 1 > INT64_MAX || __builtin_mul_overflow(stride[d], factor, &step) ||
            step == INT64_MIN || __builtin_mul_overflow((int64_t)(view->size[d] - 1), step, &step))
            return false;
        int64_t *end = step < 0 ? low : high;
        if (__builtin_add_overflow(*end, step, end))
            return false;
    }
    return *low != INT64_MIN;
}

dropwise_status dropwise_check_view(const dropwise_view *view, bool *empty)
{
    *empty = false;
    if (view == NULL)
        return DROPWISE_ERROR_NULL;
    if (view->struct_size != sizeof *view)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (view->reserved[0] != 0 || view->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    if (view->rank < 1 || view->rank > DROPWISE_MAX_RANK)
        return DROPWISE_ERROR_RANK;
    uint64_t elements = 1;
    for (uint32_t d = 0; d < view->rank; d++)
        *empty = *empty || view->size[d] == 0;
    if (*empty)
        return DROPWISE_OK;
    for (uint32_t d = 0; d < view->rank; d++)
        if (__builtin_mul_overflow(elements, view->size[d], &elements) || elements > PTRDIFF_MAX)
            return DROPWISE_ERROR_SIZE;
    int64_t low, high;
    if (!reach(view, view->mask_stride, 1, &low, &high) || view->first >= DROPWISE_INDEX_LIMIT ||
        (uint64_t)-low > view->first || (uint64_t)high >= DROPWISE_INDEX_LIMIT - view->first)
        return DROPWISE_ERROR_RANGE;
    return DROPWISE_OK;
}

dropwise_status dropwise_check_view_extent(const dropwise_view *view, const int64_t *stride,
                                           size_t element_bytes, const void *p, dropwise_extent *extent)
{
    int64_t low, high;
    if (!reach(view, stride, (int64_t)element_bytes, &low, &high) || high > PTRDIFF_MAX / 2 ||
        low < -(PTRDIFF_MAX / 2) || (uintptr_t)p < (uintptr_t)-low ||
        (uintptr_t)p > UINTPTR_MAX - (uintptr_t)high - element_bytes)
        return DROPWISE_ERROR_SIZE;
    *extent =
        (dropwise_extent){(uintptr_t)p - (uintptr_t)-low, (uintptr_t)p + (uintptr_t)high + element_bytes};
    return DROPWISE_OK;
}

static uint64_t magnitude(int64_t v)
{
    return v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
}

bool dropwise_is_free_of_overlap(const dropwise_view *view, const int64_t *stride)
{
    uint32_t order[DROPWISE_MAX_RANK], n = 0;
    for (uint32_t d = 0; d < view->rank; d++) {
        if (view->size[d] == 1)
            continue;
        uint32_t at = n++;
        for (; at > 0 && magnitude(stride[order[at - 1]]) > magnitude(stride[d]); at--)
            order[at] = order[at - 1];
        order[at] = d;
    }
    uint64_t span = 0; /* cannot overflow: the extent was checked */
    for (uint32_t i = 0; i < n; i++) {
        const uint64_t step = magnitude(stride[order[i]]);
        if (step <= span)
            return false;
        span += (view->size[order[i]] - 1) * step;
    }
    return true;
}

static bool same_strides(const dropwise_view *view)
{
    for (uint32_t d = 0; d < view->rank; d++)
        if (view->size[d] != 1 && view->x_stride[d] != view->y_stride[d])
            return false;
    return true;
}

dropwise_status dropwise_check_view_data(const dropwise_view *view, size_t element_bytes, const void *x,
                                         const void *y, dropwise_extent *of_x, dropwise_extent *of_y)
{
    if (x == NULL || y == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_status status = dropwise_check_view_extent(view, view->x_stride, element_bytes, x, of_x);
    if (status == DROPWISE_OK)
        status = dropwise_check_view_extent(view, view->y_stride, element_bytes, y, of_y);
    if (status != DROPWISE_OK)
        return status;
    if (!dropwise_is_free_of_overlap(view, view->y_stride))
        return DROPWISE_ERROR_SELF_OVERLAP;
    const bool in_place = x == y && same_strides(view);
    return !in_place && dropwise_overlap(*of_x, *of_y) ? DROPWISE_ERROR_OVERLAP : DROPWISE_OK;
}

stored_shape dropwise_view_rows(const dropwise_view *view)
{
    stored_shape rows = {1, 1, 1, view->rank};
    for (uint32_t d = view->rank; d-- > 0;) {
        if (view->mask_stride[d] == 0)
            continue;
        if (rows.row_dimension == view->rank) {
            rows.row_dimension = d;
            rows.row_length = view->size[d];
            rows.mask_step = view->mask_stride[d];
        } else {
            rows.rows *= view->size[d];
        }
    }
    return rows;
}

/* ---- Bits on demand ---- */

/* Begins to draw the bits of elements at `to`, as many as are wanted and as a chunk has. */
static void begin_next(bit_source *source, uint64_t wanted)
{
    const size_t n = min_size(DRAW_CHUNK, wanted);
    uint8_t *bits = source->window + (source->to - source->from) / 8;
    draw_chunk *chunk = &source->chunk;
    if (chunk->n != 0 && chunk->first + chunk->n == source->to)
        dropwise_draw_next(chunk, n, bits);
    else
        dropwise_draw_begin(chunk, source->to, n, bits);
    source->next = source->to + n;
}

/* Draws what is left of them. */
static void end_next(bit_source *source)
{
    dropwise_draw_end(source->draw, &source->chunk);
    source->to = source->next;
}

/* Forgets what stands before an index, in whole bytes. */
static void forget_before(bit_source *source, uint64_t index)
{
    const size_t n_bytes = (size_t)(index - source->from) / 8;
    source->from += 8 * n_bytes;
    memmove(source->window, source->window + n_bytes, bytes_of_bits((size_t)(source->to - source->from)));
}

const uint8_t *dropwise_bits_get(bit_source *source, uint64_t index, int64_t step, size_t n, uint64_t ahead,
                                 uint8_t *buffer)
{
    if (step != 1 && n != 1) {
        dropwise_draw_scattered(source->draw, index, step, n, buffer);
        return buffer;
    }
    if (index < source->from || index > source->to || index + n > source->next) {
        source->from = source->to = index;
        begin_next(source, ahead > n ? ahead : n);
        end_next(source);
    } else if (index + n > source->to) {
        end_next(source);
        forget_before(source, index);
    } else if (source->next != source->to) {
        dropwise_draw_step(source->draw, &source->chunk, DRAW_STEP);
    }
    if (source->next == source->to && ahead > source->to - index && (source->to - source->from) % 8 == 0)
        begin_next(source, ahead - (source->to - index));
    const size_t offset = (size_t)(index - source->from);
    if (offset % 8 == 0)
        return source->window + offset / 8;
    copy_bits(source->window, offset, n, buffer);
    return buffer;
}

/* ---- The walk ---- */

/* A call on a view, in the order of the walk: axes along which the mask changes, and axes that share it. */
typedef struct view_walk {
    walk_axis own[DROPWISE_MAX_RANK], shared[DROPWISE_MAX_RANK];
    unsigned n_own, n_shared;
    walk_place start;
    uint64_t ahead; /* mask indices that follow each other, counted from the start of any inner row */
    int64_t element_bytes;
    const apply_plan *apply;
    const draw_plan *draw;
    const stored_plan *stored; /* NULL: bits are drawn */
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

static void plan_axes(view_walk *walk, const dropwise_view *view)
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
    walk->ahead = 1;
    for (unsigned a = walk->n_own; a-- > 0 && (uint64_t)walk->own[a].mask == walk->ahead;)
        walk->ahead *= walk->own[a].size;
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
    uint8_t buffer[GATHER * sizeof(double)];
    const size_t bytes = (size_t)walk->element_bytes;
    for (size_t done = 0; done < n; done += GATHER) {
        const size_t len = min_size(GATHER, n - done);
        const uint8_t *x = place->x + (int64_t)done * axis->x;
        uint8_t *y = place->y + (int64_t)done * axis->y;
        copy_strided(buffer, walk->element_bytes, x, axis->x, len, bytes);
        dropwise_apply_bits(walk->apply, bits + done / 8, len, buffer, buffer);
        copy_strided(y, axis->y, buffer, walk->element_bytes, len, bytes);
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
                      size_t n, uint64_t ahead)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    const walk_place piece = walk_along(row, row_place, (int64_t)done);
    uint8_t buffer[DRAW_CHUNK / 8];
    const uint8_t *bits = buffer;
    if (walk->stored != NULL)
        dropwise_read_stored(walk->stored, piece.stored, row->stored, n, buffer);
    else
        bits = dropwise_bits_get(source, piece.index, row->mask, n, ahead, buffer);
    apply_piece(walk, bits, n, piece);
}

/* Row by row; rows that follow each other in the mask share what is drawn. */
static void run_walk(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    walk_place place = walk->start;
    uint64_t at[DROPWISE_MAX_RANK] = {0}, row_number = 0;
    bit_source source;
    bit_source_init(&source, walk->draw);
    do {
        /* Indices that follow each other are left from here to the end of such a run of rows. */
        const uint64_t into_run = row_number++ * row->size % walk->ahead;
        for (uint64_t done = 0; done < row->size; done += DRAW_CHUNK) {
            const uint64_t ahead = row->mask == 1 ? walk->ahead - into_run - done : 0;
            run_piece(walk, &source, place, done, min_size(DRAW_CHUNK, row->size - done), ahead);
        }
    } while (walk->n_own > 1 && walk_next(walk->own, walk->n_own - 1, at, &place));
}

/*
 * Rows whose elements lie apart: blocks of 16 rows by 256 columns, as in a transposition the next rows want
 * the same lines of the cache.
 */
enum { BLOCK_ROWS = 16, BLOCK_COLUMNS = 256 };

static void run_blocks(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1], *across = &walk->own[walk->n_own - 2];
    walk_place place = walk->start;
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    bit_source source;
    bit_source_init(&source, walk->draw);
    do {
        walk_place block = place;
        for (uint64_t first = 0; first < across->size; first += BLOCK_ROWS) {
            const size_t rows = min_size(BLOCK_ROWS, across->size - first);
            for (uint64_t done = 0; done < row->size; done += BLOCK_COLUMNS) {
                walk_place of_row = block;
                for (size_t r = 0; r < rows; r++) {
                    run_piece(walk, &source, of_row, done, min_size(BLOCK_COLUMNS, row->size - done), 0);
                    of_row = walk_along(across, of_row, 1);
                }
            }
            block = walk_along(across, block, (int64_t)rows);
        }
    } while (walk->n_own > 2 && walk_next(walk->own, walk->n_own - 2, at, &place));
}

/* Rows that are contiguous in x, y and mask: the road for contiguous ranges, with its overlap of drawing and
 * memory traffic, for each. */
static void run_rows(const view_walk *walk, const dropwise_mask *mask, dropwise_dtype dtype, bool large)
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
                                     walk->stored != NULL ? walk->stored->data + place.stored / 8 : NULL};
        dropwise_apply_call(walk->apply->kernels, &call, large);
    } while (walk->n_own > 1 && walk_next(walk->own, walk->n_own - 1, at, &place));
}

/* Elements from which on a row is long enough for that. */
enum { PLAIN_ROW = 4096 };

/* Whether rows are long and plain enough for that. */
static bool has_plain_rows(const view_walk *walk)
{
    const walk_axis *row = &walk->own[walk->n_own - 1];
    const bool bits_fit =
        walk->stored == NULL || (walk->stored->form == DROPWISE_FORM_BITS && row->stored == 1);
    return walk->n_shared == 0 && is_contiguous(walk, row) && row->mask == 1 && bits_fit &&
           (walk->n_own == 1 || row->size >= PLAIN_ROW);
}

/* By the walk that fits; all but plain rows, which some calls have a faster way for. */
static void run_any(const view_walk *walk)
{
    if (walk->n_own > 1 && walk->n_shared == 0 && !is_contiguous(walk, &walk->own[walk->n_own - 1]))
        run_blocks(walk);
    else
        run_walk(walk);
    if (walk->apply->nontemporal)
        walk->apply->kernels->nt_fence();
}

/* Elements before the first one from which stores may be nontemporal, in whole bytes of bits; n if none. */
static size_t nontemporal_head(const apply_plan *apply, const uint8_t *y, size_t n)
{
    const size_t bytes = (0 - (uintptr_t)y) % DROPWISE_NT_ALIGN, step = 8 * apply->element_bytes;
    return bytes % step == 0 ? min_size(n, bytes / apply->element_bytes) : n;
}

void dropwise_apply_packed(const apply_plan *apply, const dropwise_view *view, const uint8_t *bits,
                           const void *x, void *y)
{
    stored_plan packed;
    packed.kernels = apply->kernels;
    packed.data = (uint8_t *)(uintptr_t)bits;
    packed.form = DROPWISE_FORM_BITS;
    packed.row_step = dropwise_view_rows(view).row_length;
    view_walk walk = {
        .start = {(uint8_t *)(uintptr_t)x, y, view->first, 0},
        .element_bytes = (int64_t)apply->element_bytes,
        .apply = apply,
        .stored = &packed,
    };
    plan_axes(&walk, view);
    const walk_axis *row = &walk.own[0];
    if (walk.n_own != 1 || walk.n_shared != 0 || !is_contiguous(&walk, row) || row->stored != 1) {
        run_any(&walk);
        return;
    }
    const size_t n = (size_t)row->size, head = nontemporal_head(apply, walk.start.y, n);
    const size_t skip = head * apply->element_bytes;
    dropwise_apply_bits(apply, bits, head, walk.start.x, walk.start.y);
    dropwise_apply_bits(apply, bits + head / 8, n - head, walk.start.x + skip, walk.start.y + skip);
    if (apply->nontemporal)
        apply->kernels->nt_fence();
}

/* ---- Public functions ---- */

void dropwise_draw_rows(const draw_plan *draw, const dropwise_view *view, const stored_shape *rows,
                        const stored_plan *stored)
{
    walk_axis outer[DROPWISE_MAX_RANK];
    unsigned n_outer = 0;
    uint64_t ahead = rows->mask_step == 1 ? rows->row_length : 1;
    bool follows = rows->mask_step == 1;
    for (uint32_t d = rows->row_dimension; d-- > 0;) {
        if (view->mask_stride[d] == 0)
            continue;
        follows = follows && (uint64_t)view->mask_stride[d] == ahead;
        ahead *= follows ? view->size[d] : 1;
    }
    for (uint32_t d = 0; d < rows->row_dimension && rows->row_dimension != view->rank; d++)
        if (view->mask_stride[d] != 0)
            outer[n_outer++] = (walk_axis){view->size[d], 0, 0, view->mask_stride[d], 0};

    bit_source source;
    bit_source_init(&source, draw);
    uint8_t no_data = 0;
    walk_place place = {&no_data, &no_data, view->first, 0};
    uint64_t at[DROPWISE_MAX_RANK] = {0};
    for (uint64_t row = 0; row < rows->rows; row++) {
        const int64_t row_place = (int64_t)row * stored_row_step(stored);
        const uint64_t into_run = row * rows->row_length % ahead;
        for (uint64_t done = 0; done < rows->row_length; done += DRAW_CHUNK) {
            uint8_t buffer[DRAW_CHUNK / 8];
            const size_t len = min_size(DRAW_CHUNK, rows->row_length - done);
            const uint64_t index = place.index + (uint64_t)((int64_t)done * rows->mask_step);
            const uint8_t *bits =
                dropwise_bits_get(&source, index, rows->mask_step, len,
                                  rows->mask_step == 1 ? ahead - into_run - done : 0, buffer);
            if (len % 8 != 0) { /* the end of a row: its unused bits are 0 */
                copy_bits(bits, 0, len, buffer);
                bits = buffer;
            }
            dropwise_write_stored(stored, row_place + (int64_t)done * stored_entry_step(stored), len, bits);
        }
        walk_next(outer, n_outer, at, &place);
    }
}

static dropwise_status check_arguments(const dropwise_mask *mask, dropwise_dtype dtype,
                                       const dropwise_view *view, const dropwise_stored *stored, bool *empty)
{
    dropwise_status status = dropwise_check_mask(mask);
    if (status == DROPWISE_OK && dropwise_dtype_bytes(dtype) == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK)
        status = dropwise_check_view(view, empty);
    if (status == DROPWISE_OK && stored != NULL)
        status = dropwise_check_stored(stored);
    return status;
}

static FP_ENV_BODY dropwise_status apply_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                              const dropwise_view *view, const void *x, void *y,
                                              const dropwise_stored *stored, bool draws)
{
    bool empty;
    dropwise_status status = check_arguments(mask, dtype, view, stored, &empty);
    if (status != DROPWISE_OK || empty)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const size_t element_bytes = dropwise_dtype_bytes(dtype);
    dropwise_extent of_x, of_y, of_stored;
    status = dropwise_check_view_data(view, element_bytes, x, y, &of_x, &of_y);
    if (status != DROPWISE_OK)
        return status;
    stored_plan stored_mask;
    const stored_shape rows = dropwise_view_rows(view);
    if (stored != NULL) {
        status = dropwise_plan_stored(stored, mask, dtype, rows.rows, rows.row_length, kernels, &stored_mask,
                                      &of_stored);
        if (status == DROPWISE_OK && (dropwise_overlap(of_x, of_stored) || dropwise_overlap(of_y, of_stored)))
            status = DROPWISE_ERROR_OVERLAP;
        if (status != DROPWISE_OK)
            return status;
    }

    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    if (stored != NULL && draws)
        dropwise_draw_rows(&draw, view, &rows, &stored_mask);
    const bool large = x != y && dropwise_is_large(of_y.to - of_y.from);
    const apply_plan apply = dropwise_apply_plan(kernels, mask, dtype, large);
    view_walk walk = {
        .start = {(uint8_t *)(uintptr_t)x, y, view->first, 0},
        .element_bytes = (int64_t)element_bytes,
        .apply = &apply,
        .draw = &draw,
        .stored = stored != NULL ? &stored_mask : NULL,
    };
    /* With p = 1 there is no scale: nothing is kept, whatever a stored mask says. */
    if (mask->keep_threshold == 0)
        walk.stored = NULL;
    plan_axes(&walk, view);
    if (has_plain_rows(&walk) && !dropwise_is_constant(mask->keep_threshold)) {
        run_rows(&walk, mask, dtype, large);
    } else {
        run_any(&walk);
    }
    return DROPWISE_OK;
}

dropwise_status dropwise_forward_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                      const dropwise_view *view, const void *x, void *y,
                                      const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, apply_view(mask, dtype, view, x, y, stored, true));
}

dropwise_status dropwise_backward_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                       const dropwise_view *view, const void *dy, void *dx,
                                       const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, apply_view(mask, dtype, view, dy, dx, stored, false));
}

static FP_ENV_BODY dropwise_status draw_view(const dropwise_mask *mask, dropwise_dtype dtype,
                                             const dropwise_view *view, const dropwise_stored *stored)
{
    bool empty;
    dropwise_status status = check_arguments(mask, dtype, view, stored, &empty);
    if (status == DROPWISE_OK && stored == NULL)
        status = DROPWISE_ERROR_NULL;
    if (status != DROPWISE_OK || empty)
        return status;
    const dropwise_kernels *kernels = dropwise_active();
    const stored_shape rows = dropwise_view_rows(view);
    stored_plan plan;
    dropwise_extent extent;
    status = dropwise_plan_stored(stored, mask, dtype, rows.rows, rows.row_length, kernels, &plan, &extent);
    if (status != DROPWISE_OK)
        return status;
    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    dropwise_draw_rows(&draw, view, &rows, &plan);
    return DROPWISE_OK;
}

dropwise_status dropwise_draw_view(const dropwise_mask *mask, dropwise_dtype dtype, const dropwise_view *view,
                                   const dropwise_stored *stored)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, draw_view(mask, dtype, view, stored));
}
