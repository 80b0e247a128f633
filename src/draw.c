/* Bytes of the generator to keep bits; ties, one element in 256, are settled by words of their own. */
#include "draw.h"

#include <stdbool.h>
#include <string.h>

#include "bits.h"
#include "stream.h"

/*
 * Elements of a chunk whose byte equals the threshold, waiting for their tie words. A batch has room for
 * the ties of one more word of 64 elements at any time.
 */
enum { TIE_BATCH = 64 };

typedef struct tie_batch {
    size_t count;
    uint16_t place[TIE_BATCH + 64]; /* in the chunk */
} tie_batch;

draw_plan dropwise_draw_plan(const dropwise_kernels *kernels, const dropwise_mask *mask)
{
    return (draw_plan){
        .kernels = kernels,
        .key = {{(uint32_t)mask->seed, (uint32_t)(mask->seed >> 32)},
                {(uint32_t)mask->stream, (uint32_t)(mask->stream >> 32)}},
        .keep_threshold = mask->keep_threshold,
    };
}

/*
 * Keep probability = T8 / 256 + T32 / 2^40: a byte below T8 is kept, one equal to T8 is a tie, which is
 * kept if its tie word is below T32.
 */
static uint8_t byte_threshold(const draw_plan *plan)
{
    return (uint8_t)(plan->keep_threshold >> 32);
}

static uint32_t tie_threshold(const draw_plan *plan)
{
    return (uint32_t)plan->keep_threshold;
}

/* p = 0 or 1: no number needs to be drawn. */
static bool is_constant(const draw_plan *plan)
{
    return plan->keep_threshold == 0 || plan->keep_threshold == DROPWISE_KEEP_ONE;
}

/* Appends the places of the bits of word, the first of which is place `at`. */
static inline void collect_ties(tie_batch *ties, unsigned at, uint64_t word)
{
    /* A tie in 256 elements: one or two in 64 are collected without a branch, which would be mispredicted. */
    for (int i = 0; i < 2; i++) {
        const uint64_t guard = UINT64_C(1) << 63; /* ctz of 0 is not defined */
        ties->place[ties->count] = (uint16_t)(at + (unsigned)__builtin_ctzll(word | guard));
        ties->count += word != 0;
        word &= word - 1;
    }
    for (; word != 0; word &= word - 1)
        ties->place[ties->count++] = (uint16_t)(at + (unsigned)__builtin_ctzll(word));
}

/* Whether the tie word of an element, in the tie block that was drawn for it, is below the threshold. */
static bool keeps_tie(const draw_plan *plan, uint64_t element, const uint8_t *block)
{
    return load_le32(block + stream_tie_byte(element)) < tie_threshold(plan);
}

/* Draws the tie words of the batch and sets the bits of the elements that they keep. */
static void settle_ties(const draw_plan *plan, draw_chunk *chunk, tie_batch *ties)
{
    uint64_t counters[TIE_BATCH + 64];
    uint8_t blocks[(TIE_BATCH + 64) * STREAM_BLOCK_BYTES];
    for (size_t t = 0; t < ties->count; t++)
        counters[t] = stream_tie_block(chunk->first + ties->place[t]);
    plan->kernels->generate_at_philox4x32_10(&plan->key, counters, ties->count, blocks);
    for (size_t t = 0; t < ties->count; t++) {
        const unsigned place = ties->place[t];
        const bool keeps = keeps_tie(plan, chunk->first + place, blocks + t * STREAM_BLOCK_BYTES);
        chunk->bits[place / 8] |= (uint8_t)(keeps << place % 8);
    }
    ties->count = 0;
}

static void resolve_ties(const draw_plan *plan, draw_chunk *chunk)
{
    /*
     * A tie in 256 elements: three words of 64 in four have none. Without a branch on each word, which
     * would be mispredicted, the others are listed first.
     */
    uint8_t with_ties[DRAW_CHUNK / 64];
    size_t n_words = 0;
    for (size_t w = 0; w < (chunk->n + 63) / 64; w++) {
        /* Where the last word is short, its other bits are 0: dropwise_draw_begin cleared them. */
        with_ties[n_words] = (uint8_t)w;
        n_words += load_le64(chunk->equal + w * 8) != 0;
    }
    tie_batch ties;
    ties.count = 0;
    for (size_t i = 0; i < n_words; i++) {
        const unsigned w = with_ties[i];
        collect_ties(&ties, w * 64, load_le64(chunk->equal + w * 8));
        if (ties.count >= TIE_BATCH)
            settle_ties(plan, chunk, &ties);
    }
    if (ties.count != 0)
        settle_ties(plan, chunk, &ties);
}

void dropwise_draw_begin(draw_chunk *chunk, uint64_t first, size_t n, uint8_t *bits)
{
    chunk->first = first;
    chunk->n = n;
    chunk->done = 0;
    chunk->bits = bits;
    chunk->next_block = stream_mask_block(first);
    chunk->from = chunk->to = DRAW_SPARE;
    if (n != 0)
        memset(chunk->equal + (n - 1) / 64 * 8, 0, 8);
}

/* Makes at least n bytes, those of the next n elements, stand at bytes[from]. */
static void generate(const draw_plan *plan, draw_chunk *chunk, size_t n)
{
    const size_t spare = chunk->to - chunk->from;
    if (spare >= n)
        return;
    /* What is left over moves in front of the place of the new blocks, which so stays aligned. */
    if (chunk->done != 0)
        memcpy(chunk->bytes, chunk->bytes + chunk->to - DRAW_SPARE, DRAW_SPARE);
    /* In the first block of a chunk, the bytes before its first element are not used. */
    const size_t skip = chunk->done == 0 ? stream_mask_byte(chunk->first) : 0;
    const size_t n_blocks = (skip + n - spare + DRAW_SPARE - 1) / DRAW_SPARE * DRAW_BLOCKS;
    plan->kernels->generate_philox4x32_10(&plan->key, chunk->next_block, n_blocks,
                                          chunk->bytes + DRAW_SPARE);
    chunk->next_block += n_blocks;
    chunk->from = DRAW_SPARE - spare + skip;
    chunk->to = DRAW_SPARE + n_blocks * STREAM_BLOCK_BYTES;
}

void dropwise_draw_step(const draw_plan *plan, draw_chunk *chunk)
{
    const size_t rest = chunk->n - chunk->done;
    const size_t n = rest < DRAW_STEP ? rest : DRAW_STEP;
    if (n == 0 || is_constant(plan))
        return;
    generate(plan, chunk, n);
    plan->kernels->threshold_u8(chunk->bytes + chunk->from, n, byte_threshold(plan),
                                chunk->bits + chunk->done / 8,
                                tie_threshold(plan) != 0 ? chunk->equal + chunk->done / 8 : NULL);
    chunk->from += n;
    chunk->done += n;
}

void dropwise_draw_end(const draw_plan *plan, draw_chunk *chunk)
{
    if (is_constant(plan)) {
        fill_bits(chunk->bits, chunk->n, plan->keep_threshold != 0);
        return;
    }
    while (chunk->done < chunk->n)
        dropwise_draw_step(plan, chunk);
    if (tie_threshold(plan) != 0)
        resolve_ties(plan, chunk);
}

/* Elements whose blocks are drawn together. */
enum { SCATTERED = 64 };

static uint64_t scattered_bits(const draw_plan *plan, uint64_t first, int64_t step, size_t n)
{
    uint64_t counters[SCATTERED], bits = 0;
    uint8_t blocks[SCATTERED * STREAM_BLOCK_BYTES], ties[SCATTERED];
    size_t n_ties = 0;
    for (size_t i = 0; i < n; i++)
        counters[i] = stream_mask_block(first + (uint64_t)((int64_t)i * step));
    plan->kernels->generate_at_philox4x32_10(&plan->key, counters, n, blocks);
    for (size_t i = 0; i < n; i++) {
        const uint64_t element = first + (uint64_t)((int64_t)i * step);
        const uint8_t byte = blocks[i * STREAM_BLOCK_BYTES + stream_mask_byte(element)];
        bits |= (uint64_t)(byte < byte_threshold(plan)) << i;
        ties[n_ties] = (uint8_t)i;
        n_ties += byte == byte_threshold(plan);
    }
    for (size_t t = 0; t < n_ties; t++)
        counters[t] = stream_tie_block(first + (uint64_t)((int64_t)ties[t] * step));
    plan->kernels->generate_at_philox4x32_10(&plan->key, counters, n_ties, blocks);
    for (size_t t = 0; t < n_ties; t++) {
        const uint64_t element = first + (uint64_t)((int64_t)ties[t] * step);
        bits |= (uint64_t)keeps_tie(plan, element, blocks + t * STREAM_BLOCK_BYTES) << ties[t];
    }
    return bits;
}

void dropwise_draw_scattered(const draw_plan *plan, uint64_t first, int64_t step, size_t n, uint8_t *bits)
{
    if (is_constant(plan)) {
        fill_bits(bits, n, plan->keep_threshold != 0);
        return;
    }
    for (size_t done = 0; done < n; done += SCATTERED) {
        const size_t len = n - done < SCATTERED ? n - done : SCATTERED;
        const uint64_t word =
            scattered_bits(plan, first + (uint64_t)((int64_t)done * step), step, len);
        store_le64_part(bits + done / 8, word, bytes_of_bits(len));
    }
}
