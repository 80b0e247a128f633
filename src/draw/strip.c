#include "draw/strip.h"

#include "base/bits.h"
#include "base/min.h"
#include "draw/stream.h"

static size_t blocks_of(uint64_t first, size_t n)
{
    return (size_t)(stream_mask_block(first + n - 1) - stream_mask_block(first)) + 1;
}

static void list_blocks(strip *s, uint64_t first, size_t n)
{
    const size_t n_blocks = blocks_of(first, n);
    for (size_t b = 0; b < n_blocks; b++)
        s->counters[s->n_blocks + b] = stream_mask_block(first) + b;
    s->n_blocks += n_blocks;
}

/* Settles the ties of words whose blocks are listed. */
static void settle(const draw_plan *plan, strip *s, const uint16_t *words, size_t n_words)
{
    tie_list *ties = &s->ties;
    ties->count = 0;
    for (size_t i = 0; i < n_words; i++) {
        for (uint64_t left = s->equal[words[i]]; left != 0; left &= left - 1) {
            const size_t place = words[i] * (size_t)64 + (unsigned)__builtin_ctzll(left);
            ties->element[ties->count] = 16 * s->counters[place / 16] + place % 16;
            ties->place[ties->count++] = place;
        }
        if (ties->count >= TIE_BATCH)
            dropwise_drop_ties(plan, ties, s->keep);
    }
    if (ties->count != 0)
        dropwise_drop_ties(plan, ties, s->keep);
}

/* ---- Rows that begin anywhere: their blocks are listed, and follow each other in s->keep ---- */

static void draw_listed(const draw_plan *plan, strip *s)
{
    for (; s->n_blocks % 4 != 0; s->n_blocks++) /* whole words of bits */
        s->counters[s->n_blocks] = 0;
    plan->generator->generate_at(&plan->key, s->counters, s->n_blocks, s->bytes);
    const dropwise_threshold t = dropwise_threshold_of(plan, s->keep, s->equal);
    plan->kernels->threshold_bytes(s->bytes, s->n_blocks / 4, &t);
    s->keep[s->n_blocks / 4] = 0;
    if (t.equal != NULL) {
        uint16_t words[STRIP_BLOCKS / 4];
        settle(plan, s, words, dropwise_words_with_ties(s->equal, s->n_blocks / 4, words));
    }
}

/* n bits, and others up to the end of a word, from bit `from` on. */
static void write_row(const strip *s, size_t from, size_t n, uint8_t *bits)
{
    const size_t n_words = s->n_blocks / 4 + 1 - from / 64;
    for (size_t w = 0; w < (n + 63) / 64; w++)
        store_le64(bits + 8 * w, draw_bits_at(s->keep + from / 64, n_words, w, from % 64));
}

static void draw_anywhere(const draw_plan *plan, strip *s, uint64_t first, int64_t stride, size_t rows,
                          size_t n, uint8_t *bits)
{
    const size_t step = dropwise_strip_step(n), at_once = STRIP_BLOCKS / ((n + 15) / 16 + 1);
    for (size_t done = 0; done < rows; done += at_once) {
        const size_t end = done + min_size(at_once, rows - done);
        s->n_blocks = 0;
        for (size_t r = done; r < end; r++)
            list_blocks(s, first + (uint64_t)((int64_t)r * stride), n);
        draw_listed(plan, s);
        for (size_t r = done, block = 0; r < end; r++) {
            const uint64_t begin = first + (uint64_t)((int64_t)r * stride);
            write_row(s, 16 * block + stream_mask_byte(begin), n, bits + r * step);
            block += blocks_of(begin, n);
        }
    }
}

/* ---- Rows that begin at the same byte of a block: their words are drawn from column to column ---- */

/* Rows of words, of 64 elements each, from the blocks that they begin with. */
typedef struct word_rows {
    uint64_t block, step; /* of the first row, and from row to row */
    size_t words;         /* of a row                              */
    unsigned skip;        /* elements before the row's own         */
} word_rows;

/* False: blocks are not the same distance apart, or their counters have several upper halves, or so many of
 * the words' blocks are nobody's that it is better to list the others. */
static bool has_words(uint64_t first, int64_t stride, size_t rows, size_t n, word_rows *w)
{
    if (stride <= 0 || stride % 16 != 0)
        return false;
    w->block = stream_mask_block(first);
    w->step = (uint64_t)stride / 16;
    w->skip = stream_mask_byte(first);
    w->words = (w->skip + n + 63) / 64;
    const uint64_t last = w->block + (rows - 1) * w->step + 4 * w->words - 1;
    return w->block >> 32 == last >> 32 && 4 * w->words <= blocks_of(first, n) + 2;
}

/* Word i of a column of `rows` words, of one column after the other, is word i / rows of row i % rows. */
static void settle_columns(const draw_plan *plan, strip *s, const word_rows *w, uint64_t block, size_t rows)
{
    uint16_t words[STRIP_BLOCKS / 4];
    const size_t n = dropwise_words_with_ties(s->equal, rows * w->words, words);
    for (size_t i = 0; i < n; i++) {
        const uint32_t column = words[i] / (uint32_t)rows, row = words[i] % (uint32_t)rows;
        for (size_t b = 0; b < 4; b++)
            s->counters[4 * words[i] + b] = block + row * w->step + 4 * column + b;
    }
    settle(plan, s, words, n);
}

static void draw_columns(const draw_plan *plan, strip *s, const word_rows *w, size_t rows, size_t n,
                         uint8_t *bits)
{
    const size_t at_once = STRIP_BLOCKS / 4 / w->words;
    dropwise_schedule schedule;
    plan->generator->prepare(&plan->key, (uint32_t)(w->block >> 32), &schedule);
    for (size_t done = 0, len; done < rows; done += len) {
        const uint64_t block = w->block + done * w->step;
        len = min_size(at_once, rows - done);
        for (size_t c = 0; c < w->words; c++) {
            const dropwise_threshold t = dropwise_threshold_of(plan, s->keep + c * len, s->equal + c * len);
            plan->generator->draw(&schedule, (uint32_t)block + 4 * (uint32_t)c, (uint32_t)w->step, len, &t);
        }
        if (dropwise_tie_threshold(plan) != 0)
            settle_columns(plan, s, w, block, len);
        for (size_t r = 0; r < len; r++) {
            for (size_t c = 0; c < (n + 63) / 64; c++, bits += 8) {
                const uint64_t next =
                    w->skip != 0 && c + 1 < w->words ? s->keep[(c + 1) * len + r] << (64 - w->skip) : 0;
                store_le64(bits, s->keep[c * len + r] >> w->skip | next);
            }
        }
    }
}

void dropwise_draw_strip(const draw_plan *plan, strip *s, uint64_t first, int64_t stride, size_t rows,
                         size_t n, uint8_t *bits)
{
    word_rows words;
    if (dropwise_is_constant(plan->keep_threshold)) {
        for (size_t r = 0; r < rows; r++)
            fill_bits(bits + r * dropwise_strip_step(n), n, plan->keep_threshold != 0);
    } else if (has_words(first, stride, rows, n, &words)) {
        draw_columns(plan, s, &words, rows, n, bits);
    } else {
        draw_anywhere(plan, s, first, stride, rows, n, bits);
    }
}
