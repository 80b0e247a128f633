/* The walk over a layout's blocks: which blocks serve a range, and which numbers of them which elements. */
#include "interop/draw.h"

#include <stdbool.h>
#include <string.h>

#include "base/bits.h"
#include "base/min.h"
#include "interop/arrange.h"
#include "interop/counters.h"
#include "interop/layouts.h"
#include "interop/plan.h"

enum {
    CHUNK = 2048,            /* elements drawn at a time: their numbers stay in the first-level cache      */
    CHUNK_BYTES = CHUNK * 8, /* no element takes more than 8 bytes of random numbers                        */
    SLACK_BYTES = 2 * 32,    /* a chunk may begin and end inside of a block                                 */
    ATTENTION_TILE = 32      /* columns of FlashAttention that four blocks serve, for two rows 8 apart      */
};

/* ---- Elements in the order of blocks ---- */

/*
 * Bits of n numbers become bits of elements, a word of 64 at a time; there is room for whole words, and what
 * follows the n bits is not used.
 */
static void arrange(const layout_plan *p, size_t n, uint8_t *bits, const uint8_t *later)
{
    const unsigned skip = (unsigned)p->interop->skip;
    for (size_t at = 0; at < n; at += 64) {
        const uint64_t word = load_le64(bits + at / 8);
        if (p->arranged == FIRST_TWO)
            store_le32(bits + at / 16, first_two_of_four(word));
        else if (p->arranged == BYTES_OF_16)
            store_le64(bits + at / 8, arrange_bytes(word));
        else
            store_le64(bits + at / 8, shifted_word(word, load_le64(later + at / 8), skip));
    }
}

/* Words of bits are read whole, also where n bits of them are written. */
static void clear_last_word(uint8_t *bits, size_t n)
{
    memset(bits + n / 64 * 8, 0, 8);
}

static void draw_in_order(const layout_plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    /* SHIFTED numbers are counted in whole blocks, and put right by their arrangement. */
    const uint64_t skip = p->arranged == SHIFTED ? 0 : p->interop->skip;
    for (size_t done = 0; done < n; done += CHUNK) {
        _Alignas(64) uint8_t numbers[CHUNK_BYTES + SLACK_BYTES];
        const size_t len = min_size(CHUNK, n - done);
        const uint64_t at = first + done + skip, block = at / p->elements;
        const size_t before = (size_t)(at % p->elements);
        const size_t n_blocks = (before + len + p->elements - 1) / p->elements;
        dropwise_generate_numbers(p, block, n_blocks, numbers);
        if (p->arranged == IN_ORDER) {
            const size_t number_bytes = p->block_bytes / p->numbers;
            p->compare(numbers + before * number_bytes, len, &p->how, bits + done / 8);
            continue;
        }
        uint8_t of_numbers[(2 * CHUNK + 8 * SLACK_BYTES) / 8], later[sizeof of_numbers];
        clear_last_word(of_numbers, n_blocks * p->numbers);
        p->compare(numbers, n_blocks * p->numbers, &p->how, of_numbers);
        if (p->arranged == SHIFTED) {
            layout_plan second = *p;
            second.later = 1;
            clear_last_word(later, n_blocks * p->numbers);
            dropwise_generate_numbers(&second, block, n_blocks, numbers);
            p->compare(numbers, n_blocks * p->numbers, &p->how, later);
        }
        arrange(p, n_blocks * p->numbers, of_numbers, later);
        copy_bits(of_numbers, before, len, bits + done / 8);
    }
}

/* ---- Elements in rows: word w of a block belongs to row w ---- */

enum { ROW_BLOCKS = 1024 };

/* Elements that lie in rows: number j of row r has word r of block first_block + j. */
typedef struct row_layout {
    uint64_t first; /* element   */
    uint64_t first_block;
    uint64_t length; /* words a row */
    uint64_t end;    /* elements there are, from 0 on */
    unsigned rows;
    unsigned per_word; /* elements a word decides on */
} row_layout;

/* The bits of n words. */
static void compare_row(const layout_plan *p, const row_layout *rows, const uint8_t *words, size_t n,
                        uint8_t *bits)
{
    dropwise_compare how = p->how;
    if (rows->per_word == 1) {
        p->kernels->compare_u32(words, n, &how, bits);
    } else if (rows->per_word == 4) {
        p->kernels->compare_u8(words, 4 * n, &how, bits);
    } else {
        /*
         * Halves of a word, the lower one first: each is moved to the top of a word, and the bits
         * interleaved.
         */
        uint8_t low[ROW_BLOCKS / 8 + 8], high[ROW_BLOCKS / 8 + 8];
        clear_last_word(low, n);
        clear_last_word(high, n);
        how.last = how.last << 16 | 0xFFFF;
        p->kernels->compare_u32(words, n, &how, high);
        how.shift = 16;
        p->kernels->compare_u32(words, n, &how, low);
        for (size_t at = 0; at < n; at += 32) {
            uint64_t word = load_le32(low + at / 8) | (uint64_t)load_le32(high + at / 8) << 32;
            for (unsigned upper = 5; upper != 0; upper--) /* the top digit of a place becomes the lowest */
                word = swap_places(word, upper - 1, upper);
            store_le64(bits + at / 4, word);
        }
    }
}

/* Words [*from, *to) of row r that have elements of [first, end). */
static void words_of_row(const row_layout *rows, unsigned r, uint64_t first, uint64_t end, uint64_t *from,
                         uint64_t *to)
{
    const uint64_t row = rows->first + r * rows->length * rows->per_word;
    const uint64_t row_end = min_u64(row + rows->length * rows->per_word, rows->end);
    const uint64_t a = first > row ? first : row, b = min_u64(end, row_end);
    *from = *to = 0;
    if (a < b) {
        *from = (a - row) / rows->per_word;
        *to = (b - row + rows->per_word - 1) / rows->per_word;
    }
}

/* Draws what the rows have of [first, first + n), whose bits are 0 before. */
static void draw_rows(const layout_plan *p, const row_layout *rows, uint64_t first, size_t n, uint8_t *bits)
{
    uint64_t from[4], to[4], at = 0;
    for (unsigned r = 0; r < rows->rows; r++)
        words_of_row(rows, r, first, first + n, &from[r], &to[r]);
    for (;;) {
        /* The next word that any row wants, and how far one does. */
        uint64_t next = UINT64_MAX, end = 0;
        for (unsigned r = 0; r < rows->rows; r++) {
            if (at < to[r]) {
                next = min_u64(next, from[r] > at ? from[r] : at);
                end = to[r] > end ? to[r] : end;
            }
        }
        if (next == UINT64_MAX)
            return;
        at = next;
        dropwise_counters counters;
        const uint64_t run = dropwise_counters_at(p, rows->first_block + at, &counters);
        const size_t len = min_size(ROW_BLOCKS, min_u64(run, end - at));
        _Alignas(64) uint8_t words[4 * 4 * ROW_BLOCKS];
        p->words(&counters, len, words);
        for (unsigned r = 0; r < rows->rows; r++) {
            const uint64_t a = from[r] > at ? from[r] : at, b = min_u64(to[r], at + len);
            if (a >= b)
                continue;
            /* Its first and last word may have elements that are not wanted. */
            uint8_t row_bits[4 * ROW_BLOCKS / 8], wanted[sizeof row_bits];
            const uint64_t element = rows->first + (r * rows->length + a) * rows->per_word;
            const uint64_t skip = first > element ? first - element : 0;
            const uint64_t element_end =
                min_u64(min_u64(element + (b - a) * rows->per_word, first + n), rows->end);
            compare_row(p, rows, words + (r * len + (a - at)) * 4, (size_t)(b - a), row_bits);
            copy_bits(row_bits, (size_t)skip, (size_t)(element_end - element - skip), wanted);
            merge_bits(bits, element + skip - first, wanted, (size_t)(element_end - element - skip));
        }
        at += len;
    }
}

static void draw_jax_legacy(const layout_plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    const dropwise_interop *d = p->interop;
    const uint64_t words = legacy_words(d);
    const row_layout rows = {
        .length = words / 2 + words % 2, .end = d->size, .rows = 2, .per_word = 32 / jax_bits(d->draws)};
    memset(bits, 0, bytes_of_bits(n));
    draw_rows(p, &rows, first, n, bits);
}

/*
 * PyTorch's kernel for strided tensors: in each turn, a thread has four elements, as far apart as there are
 * threads.
 */
static void draw_torch_strided(const layout_plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    const uint64_t threads = p->interop->threads;
    memset(bits, 0, bytes_of_bits(n));
    for (uint64_t turn = first / (4 * threads); turn <= (first + n - 1) / (4 * threads); turn++) {
        const row_layout rows = {.first = turn * 4 * threads,
                                 .first_block = turn * threads,
                                 .length = threads,
                                 .end = p->interop->size,
                                 .rows = 4,
                                 .per_word = 1};
        draw_rows(p, &rows, first, n, bits);
    }
}

/* ---- FlashAttention ---- */

/*
 * A tile of 16 rows and 32 columns has 32 blocks. Four of them serve the tile's columns of a row and of the
 * one 8 below: block l has, in byte 4j + 2b + s, columns 8j + 2l + s of the upper row (b = 0) and the lower
 * one (1).
 */
static void attention_blocks(const layout_plan *p, uint64_t head, uint64_t row, uint64_t tile, size_t n_tiles,
                             uint8_t *numbers)
{
    const dropwise_interop *d = p->interop;
    const uint64_t from = d->counter[0] + head * 32 + row % 8 * 4;
    dropwise_counters c = {.key = {(uint32_t)d->key[0], (uint32_t)(d->key[0] >> 32)}, .group = 4};
    set_u64(&c, 0, from);
    c.first[2] = (uint32_t)(row / 16);
    c.first[3] = (uint32_t)tile;
    c.step[3] = 1;
    if ((uint32_t)from <= UINT32_MAX - 3) {
        p->words(&c, 4 * n_tiles, numbers);
        return;
    }
    c.group = 1; /* the four blocks of a tile differ in the second word too */
    for (size_t t = 0; t < n_tiles; t++, c.first[3]++) {
        for (uint64_t l = 0; l < 4; l++) {
            set_u64(&c, 0, from + l);
            p->words(&c, 1, numbers + (4 * t + l) * 16);
        }
    }
}

/*
 * Columns [from, to) of a row of a head, whose first one's bit is bits[at]; and of the row 8 below, whose bit
 * is bits[at_below], if both is set.
 */
static void draw_attention_row(const layout_plan *p, uint64_t head, uint64_t row, uint64_t from, uint64_t to,
                               uint8_t *bits, uint64_t at, uint64_t at_below, bool both)
{
    enum { TILES = 32 };
    const unsigned below = row / 8 % 2;
    for (uint64_t tile = from / ATTENTION_TILE; tile * ATTENTION_TILE < to; tile += TILES) {
        _Alignas(64) uint8_t numbers[TILES * 64];
        uint8_t of_numbers[TILES * 64 / 8], rows[2][TILES * ATTENTION_TILE / 8], wanted[sizeof rows[0]];
        const uint64_t end = (to + ATTENTION_TILE - 1) / ATTENTION_TILE;
        const size_t n_tiles = min_size(TILES, end - tile);
        attention_blocks(p, head, row, tile, n_tiles, numbers);
        p->compare(numbers, n_tiles * 64, &p->how, of_numbers);
        for (size_t t = 0; t < n_tiles; t++) {
            const uint64_t word = arrange_attention(load_le64(of_numbers + 8 * t));
            store_le32(rows[0] + 4 * t, (uint32_t)word);
            store_le32(rows[1] + 4 * t, (uint32_t)(word >> 32));
        }
        const uint64_t first = tile * ATTENTION_TILE;
        const uint64_t a = from > first ? from : first, b = min_u64(to, first + n_tiles * ATTENTION_TILE);
        copy_bits(rows[below], (size_t)(a - first), (size_t)(b - a), wanted);
        merge_bits(bits, at + (a - from), wanted, (size_t)(b - a));
        if (both) {
            copy_bits(rows[1], (size_t)(a - first), (size_t)(b - a), wanted);
            merge_bits(bits, at_below + (a - from), wanted, (size_t)(b - a));
        }
    }
}

static void draw_attention(const layout_plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    const uint64_t rows = p->interop->rows, columns = p->interop->columns, end = first + n;
    memset(bits, 0, bytes_of_bits(n));
    for (uint64_t i = first; i < end;) {
        const uint64_t line = i / columns, head = line / rows, row = line % rows;
        const uint64_t from = i % columns, to = min_u64(columns, from + (end - i));
        /* Two rows that share their blocks are drawn together where the range has all of both. */
        const bool is_below = row / 8 % 2 != 0;
        const uint64_t upper = is_below ? line - 8 : line;
        const bool both =
            row + (is_below ? 0 : 8) < rows && upper * columns >= first && (upper + 9) * columns <= end;
        if (!both || !is_below)
            draw_attention_row(p, head, row, from, to, bits, i - first, i - first + 8 * columns, both);
        i += to - from;
    }
}

/* ---- Generators that have a state ---- */

static void append_piece(void *arg, const uint8_t *bits, size_t n)
{
    uint8_t **to = arg;
    memcpy(*to, bits, bytes_of_bits(n));
    *to += n / 8;
}

/* ---- The draw ---- */

void dropwise_interop_draw_pieces(const dropwise_kernels *kernels, const dropwise_interop *interop,
                                  uint64_t first, size_t n, piece_fn *use, void *arg)
{
    enum { PIECE = 4096 };
    const layout_plan p = dropwise_layout_plan_of(kernels, interop);
    if (p.arranged == IN_SEQUENCE) {
        p.draw(&p, first, n, use, arg);
        return;
    }
    for (size_t done = 0; done < n; done += PIECE) {
        uint8_t bits[PIECE / 8];
        const size_t len = min_size(PIECE, n - done);
        dropwise_interop_draw(kernels, interop, first + done, len, bits);
        use(arg, bits, len);
    }
}

static void draw_by(const layout_plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    switch (p->arranged) {
    case HALVES_OF_ALL:
        draw_jax_legacy(p, first, n, bits);
        break;
    case ROWS_OF_THREADS:
        draw_torch_strided(p, first, n, bits);
        break;
    case IN_TILES:
        draw_attention(p, first, n, bits);
        break;
    case IN_SEQUENCE:
        p->draw(p, first, n, append_piece, &bits);
        break;
    default:
        draw_in_order(p, first, n, bits);
    }
}

/* ---- Numbers whose last step is decided by second ones ---- */

static void draw_in_steps(const layout_plan *p, uint64_t first, size_t n, uint8_t *bits)
{
    enum { PIECE = 4096 };
    const dropwise_interop *d = p->interop;
    const uint64_t step = d->last >> p->step_bits << p->step_bits;
    dropwise_interop both = *d;
    both.size = 2 * d->size;
    layout_plan before = *p, up_to = *p, second = *p;
    before.interop = up_to.interop = second.interop = &both;
    before.how.last = step - 1; /* beyond all numbers where none is before the step */
    if (step == 0)
        before.how.drops = !d->drops;
    second.how.last = d->counter[2];
    for (size_t done = 0; done < n; done += PIECE, bits += PIECE / 8) {
        uint8_t with_step[PIECE / 8], of_second[PIECE / 8];
        const size_t len = min_size(PIECE, n - done), n_bytes = bytes_of_bits(len);
        draw_by(&before, first + done, len, bits);
        draw_by(&up_to, first + done, len, with_step);
        if (memcmp(bits, with_step, n_bytes) == 0)
            continue;
        draw_by(&second, d->size + first + done, len, of_second);
        for (size_t i = 0; i < n_bytes; i++)
            bits[i] ^= (uint8_t)((bits[i] ^ with_step[i]) & (bits[i] ^ of_second[i]));
    }
}

void dropwise_interop_draw(const dropwise_kernels *kernels, const dropwise_interop *interop, uint64_t first,
                           size_t n, uint8_t *bits)
{
    const layout_plan p = dropwise_layout_plan_of(kernels, interop);
    if (p.step_bits != 0)
        draw_in_steps(&p, first, n, bits);
    else
        draw_by(&p, first, n, bits);
}
