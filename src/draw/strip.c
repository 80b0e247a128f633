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

static void settle(const draw_plan *plan, strip *s)
{
    uint16_t words[STRIP_BLOCKS / 4];
    const size_t n_words = dropwise_words_with_ties(s->equal, s->n_blocks / 4, words);
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

static void draw(const draw_plan *plan, strip *s)
{
    for (; s->n_blocks % 4 != 0; s->n_blocks++) /* whole words of bits */
        s->counters[s->n_blocks] = 0;
    plan->generator->generate_at(&plan->key, s->counters, s->n_blocks, s->bytes);
    const dropwise_threshold t = dropwise_threshold_of(plan, s->keep, s->equal);
    plan->kernels->threshold_bytes(s->bytes, s->n_blocks / 4, &t);
    s->keep[s->n_blocks / 4] = 0;
    if (t.equal != NULL)
        settle(plan, s);
}

/* n bits, and others up to the end of a word, from bit `from` on. */
static void write_row(const strip *s, size_t from, size_t n, uint8_t *bits)
{
    const size_t n_words = s->n_blocks / 4 + 1 - from / 64;
    for (size_t w = 0; w < (n + 63) / 64; w++)
        store_le64(bits + 8 * w, draw_bits_at(s->keep + from / 64, n_words, w, from % 64));
}

void dropwise_draw_strip(const draw_plan *plan, strip *s, uint64_t first, int64_t stride, size_t rows,
                         size_t n, uint8_t *bits)
{
    const size_t step = dropwise_strip_step(n), at_once = dropwise_strip_rows(n);
    if (dropwise_is_constant(plan->keep_threshold)) {
        for (size_t r = 0; r < rows; r++)
            fill_bits(bits + r * step, n, plan->keep_threshold != 0);
        return;
    }
    for (size_t done = 0; done < rows; done += at_once) {
        const size_t end = done + min_size(at_once, rows - done);
        s->n_blocks = 0;
        for (size_t r = done; r < end; r++)
            list_blocks(s, first + (uint64_t)((int64_t)r * stride), n);
        draw(plan, s);
        for (size_t r = done, block = 0; r < end; r++) {
            const uint64_t begin = first + (uint64_t)((int64_t)r * stride);
            write_row(s, 16 * block + stream_mask_byte(begin), n, bits + r * step);
            block += blocks_of(begin, n);
        }
    }
}
