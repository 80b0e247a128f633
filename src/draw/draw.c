/* Bytes of the generator to keep bits; ties, one element in 256, are settled by words of their own. */
#include "draw/draw.h"

#include <stdbool.h>
#include <string.h>

#include "base/bits.h"
#include "base/min.h"
#include "draw/stream.h"
#include "tiers/dispatch.h"

/*
 * Elements of a chunk whose byte equals the threshold, waiting for their tie words. A batch has room for
 * the ties of one more word of 64 elements at any time. Blocks are drawn for whole groups, so that a part of
 * a vector need not wait for all else.
 */
enum { TIE_BATCH = 128, TIE_GROUP = 8 };

typedef struct tie_batch {
    size_t count;
    uint64_t counters[TIE_BATCH + 64];
    uint16_t place[TIE_BATCH + 64]; /* in the chunk's words */
} tie_batch;

/* The list of generators is dropwise.h's: from 1 on, in the order of the numbers. */
enum {
    NO_GENERATOR,
#define DROPWISE_GENERATOR(number, name, user_name, template) ROW_##number,
#define DROPWISE_GENERATOR_BY_AES(number, name, user_name, template) ROW_##number,
#include "kernels/generators.inc"
    GENERATORS_END
};
#define IS_LISTED(number) \
    _Static_assert(DROPWISE_##number == (int)ROW_##number, \
                   "a generator is listed at the place of its number");
#define DROPWISE_GENERATOR(number, name, user_name, template) IS_LISTED(number)
#define DROPWISE_GENERATOR_BY_AES(number, name, user_name, template) IS_LISTED(number)
#include "kernels/generators.inc"

dropwise_status dropwise_check_mask(const dropwise_mask *mask)
{
    if (mask == NULL)
        return DROPWISE_ERROR_NULL;
    if (mask->struct_size != sizeof *mask)
        return DROPWISE_ERROR_STRUCT_SIZE;
    for (size_t i = 0; i < sizeof mask->reserved / sizeof mask->reserved[0]; i++)
        if (mask->reserved[i] != 0)
            return DROPWISE_ERROR_RESERVED;
    if (mask->generator <= NO_GENERATOR || mask->generator >= GENERATORS_END)
        return DROPWISE_ERROR_GENERATOR;
    if (mask->keep_threshold > DROPWISE_KEEP_ONE)
        return DROPWISE_ERROR_KEEP_THRESHOLD;
    if (mask->scaling != DROPWISE_SCALING_INVERTED && mask->scaling != DROPWISE_SCALING_STANDARD)
        return DROPWISE_ERROR_SCALING;
    return DROPWISE_OK;
}

static dropwise_generator generator_of(const dropwise_kernels *kernels, uint32_t generator)
{
    switch (generator) {
#define DROPWISE_GENERATOR(number, name, user_name, template) \
    case DROPWISE_##number: \
        return kernels->name;
#define DROPWISE_GENERATOR_BY_AES(number, name, user_name, template) \
    case DROPWISE_##number: \
        return dropwise_ars_of(kernels)->generator;
#include "kernels/generators.inc"
    default:
        return (dropwise_generator){.draw = NULL};
    }
}

draw_plan dropwise_draw_plan(const dropwise_kernels *kernels, const dropwise_mask *mask)
{
    return (draw_plan){
        .generator = generator_of(kernels, mask->generator),
        .key = {{(uint32_t)mask->seed, (uint32_t)(mask->seed >> 32), 0, 0},
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

/* Appends the ties of word w of the chunk, which has some. */
static inline void collect_ties(tie_batch *ties, const draw_chunk *chunk, unsigned w)
{
    uint64_t word = chunk->equal[w];
    do {
        const unsigned place = w * 64 + (unsigned)__builtin_ctzll(word);
        ties->counters[ties->count] = stream_tie_block(chunk->start + place);
        ties->place[ties->count++] = (uint16_t)place;
        word &= word - 1;
    } while (word != 0);
}

/* Whether the tie word of an element, in the tie block that was drawn for it, is below the threshold. */
static inline bool keeps_tie(const draw_plan *plan, uint64_t element, const uint8_t *block)
{
    return load_le32(block + stream_tie_byte(element)) < tie_threshold(plan);
}

/* Draws the tie words of the batch and sets the bits of the elements that they keep. */
static void settle_ties(const draw_plan *plan, draw_chunk *chunk, tie_batch *ties)
{
    uint8_t blocks[(TIE_BATCH + 64) * STREAM_BLOCK_BYTES];
    size_t n_blocks = ties->count;
    for (; n_blocks % TIE_GROUP != 0; n_blocks++)
        ties->counters[n_blocks] = 0;
    plan->generator.generate_at(&plan->key, ties->counters, n_blocks, blocks);
    for (size_t t = 0; t < ties->count; t++) {
        const unsigned place = ties->place[t];
        const uint64_t keeps = keeps_tie(plan, place, blocks + t * STREAM_BLOCK_BYTES);
        chunk->keep[place / 64] |= keeps << place % 64;
    }
    ties->count = 0;
}

static void resolve_ties(const draw_plan *plan, draw_chunk *chunk)
{
    /*
     * A tie in 256 elements: three words of 64 in four have none. Without a branch on each word, which
     * would be mispredicted, the others are listed first.
     */
    uint16_t with_ties[DRAW_CHUNK / 64 + 1];
    size_t n_words = 0;
    for (size_t w = 0; w < chunk->n_words; w++) {
        with_ties[n_words] = (uint16_t)w;
        n_words += chunk->equal[w] != 0;
    }
    tie_batch ties;
    ties.count = 0;
    for (size_t i = 0; i < n_words; i++) {
        collect_ties(&ties, chunk, with_ties[i]);
        if (ties.count >= TIE_BATCH)
            settle_ties(plan, chunk, &ties);
    }
    if (ties.count != 0)
        settle_ties(plan, chunk, &ties);
}

/* 64 of the chunk's bits, from its element 64 w on; what lies behind its words is 0. */
static uint64_t bits_at(const draw_chunk *chunk, size_t w, unsigned shift)
{
    const uint64_t next = shift != 0 && w + 1 < chunk->n_words ? chunk->keep[w + 1] << (64 - shift) : 0;
    return chunk->keep[w] >> shift | next;
}

/* The chunk's words, from its first element on, to its bits. */
static void write_bits(const draw_chunk *chunk)
{
    const unsigned shift = (unsigned)(chunk->first - chunk->start);
    const size_t last = (chunk->n - 1) / 64, rest = chunk->n - last * 64;
    if (shift == 0) {
        store_le64s(chunk->bits, chunk->keep, last);
    } else {
        for (size_t w = 0; w < last; w++)
            store_le64(chunk->bits + w * 8, bits_at(chunk, w, shift));
    }
    const uint64_t word = bits_at(chunk, last, shift) & UINT64_MAX >> (64 - rest);
    store_le64_part(chunk->bits + last * 8, word, bytes_of_bits(rest));
}

static void set_range(draw_chunk *chunk, uint64_t first, size_t n, uint8_t *bits)
{
    chunk->first = first;
    chunk->start = first & ~UINT64_C(63);
    chunk->n = n;
    chunk->n_words = n == 0 ? 0 : (size_t)((first - chunk->start + n + 63) / 64);
    chunk->done = 0;
    chunk->bits = bits;
}

void dropwise_draw_begin(draw_chunk *chunk, uint64_t first, size_t n, uint8_t *bits)
{
    set_range(chunk, first, n, bits);
    chunk->is_prepared = false;
}

void dropwise_draw_next(draw_chunk *chunk, size_t n, uint8_t *bits)
{
    const size_t drawn = chunk->done;
    const uint64_t end = chunk->start + 64 * (uint64_t)drawn, keep = drawn != 0 ? chunk->keep[drawn - 1] : 0;
    set_range(chunk, chunk->first + chunk->n, n, bits);
    if (n != 0 && chunk->start < end) {
        chunk->keep[0] = keep;
        chunk->equal[0] = 0; /* they are settled */
        chunk->done = 1;
    }
}

/*
 * The low half of the counter of the chunk's next block, for which its schedule is prepared. *n is lowered to
 * the words before that half wraps, which is between words, as both have multiples of four blocks.
 */
static uint32_t next_counter(const draw_plan *plan, draw_chunk *chunk, size_t *n)
{
    const uint64_t counter = stream_mask_block(chunk->start + chunk->done * 64);
    const uint32_t low = (uint32_t)counter, high = (uint32_t)(counter >> 32);
    if (!chunk->is_prepared || chunk->high != high) {
        plan->generator.prepare(&plan->key, high, &chunk->schedule);
        chunk->high = high;
        chunk->is_prepared = true;
    }
    const uint64_t to_wrap = ((UINT64_C(1) << 32) - low) / 4;
    if (*n > to_wrap)
        *n = (size_t)to_wrap;
    return low;
}

static void draw_words(const draw_plan *plan, draw_chunk *chunk, size_t n)
{
    for (size_t len = n; n != 0; len = n) {
        const uint32_t low = next_counter(plan, chunk, &len);
        plan->generator.draw(&chunk->schedule, low, len, byte_threshold(plan), chunk->keep + chunk->done,
                             tie_threshold(plan) != 0 ? chunk->equal + chunk->done : NULL);
        chunk->done += len;
        n -= len;
    }
}

size_t dropwise_draw_scaling(const draw_plan *plan, draw_chunk *chunk, size_t n,
                             dropwise_draw_scale_fn *kernel, const dropwise_scaled *scaled)
{
    size_t len = min_size(n / 64, chunk->n_words - chunk->done);
    if (len == 0 || dropwise_is_constant(plan->keep_threshold))
        return 0;
    const uint32_t low = next_counter(plan, chunk, &len);
    len -= len % DROPWISE_DRAW_SCALE_WORDS;
    kernel(&chunk->schedule, low, len, byte_threshold(plan), chunk->keep + chunk->done,
           chunk->equal + chunk->done, scaled);
    chunk->done += len;
    return len * 64;
}

void dropwise_draw_step(const draw_plan *plan, draw_chunk *chunk, size_t n)
{
    const size_t rest = chunk->n_words - chunk->done;
    if (rest != 0 && !dropwise_is_constant(plan->keep_threshold))
        draw_words(plan, chunk, min_size(rest, n / 64));
}

void dropwise_draw_end(const draw_plan *plan, draw_chunk *chunk)
{
    if (chunk->n == 0)
        return;
    if (dropwise_is_constant(plan->keep_threshold)) {
        fill_bits(chunk->bits, chunk->n, plan->keep_threshold != 0);
        return;
    }
    draw_words(plan, chunk, chunk->n_words - chunk->done);
    if (tie_threshold(plan) != 0)
        resolve_ties(plan, chunk);
    write_bits(chunk);
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
    plan->generator.generate_at(&plan->key, counters, n, blocks);
    for (size_t i = 0; i < n; i++) {
        const uint64_t element = first + (uint64_t)((int64_t)i * step);
        const uint8_t byte = blocks[i * STREAM_BLOCK_BYTES + stream_mask_byte(element)];
        bits |= (uint64_t)(byte < byte_threshold(plan)) << i;
        ties[n_ties] = (uint8_t)i;
        n_ties += byte == byte_threshold(plan);
    }
    for (size_t t = 0; t < n_ties; t++)
        counters[t] = stream_tie_block(first + (uint64_t)((int64_t)ties[t] * step));
    plan->generator.generate_at(&plan->key, counters, n_ties, blocks);
    for (size_t t = 0; t < n_ties; t++) {
        const uint64_t element = first + (uint64_t)((int64_t)ties[t] * step);
        bits |= (uint64_t)keeps_tie(plan, element, blocks + t * STREAM_BLOCK_BYTES) << ties[t];
    }
    return bits;
}

void dropwise_draw_scattered(const draw_plan *plan, uint64_t first, int64_t step, size_t n, uint8_t *bits)
{
    if (dropwise_is_constant(plan->keep_threshold)) {
        fill_bits(bits, n, plan->keep_threshold != 0);
        return;
    }
    for (size_t done = 0; done < n; done += SCATTERED) {
        const size_t len = min_size(SCATTERED, n - done);
        const uint64_t word = scattered_bits(plan, first + (uint64_t)((int64_t)done * step), step, len);
        store_le64_part(bits + done / 8, word, bytes_of_bits(len));
    }
}
