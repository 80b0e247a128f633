/* Bytes of the generator to keep bits; ties, one element in 256, are settled by words of their own. */
#include "draw/draw.h"

#include <stdbool.h>

#include "base/bits.h"
#include "base/min.h"
#include "draw/stream.h"
#include "draw/ties.h"
#include "tiers/dispatch.h"

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
    uint32_t any = mask->flags & ~(uint32_t)DROPWISE_ACCUMULATE; /* a branch for each would take most of the
                                                                  * time of a check */
    for (size_t i = 0; i < sizeof mask->reserved / sizeof mask->reserved[0]; i++)
        any |= mask->reserved[i];
    if (any != 0)
        return DROPWISE_ERROR_RESERVED;
    if (mask->generator <= NO_GENERATOR || mask->generator >= GENERATORS_END)
        return DROPWISE_ERROR_GENERATOR;
    if (mask->keep_threshold > DROPWISE_KEEP_ONE)
        return DROPWISE_ERROR_KEEP_THRESHOLD;
    if (mask->scaling != DROPWISE_SCALING_INVERTED && mask->scaling != DROPWISE_SCALING_STANDARD)
        return DROPWISE_ERROR_SCALING;
    return DROPWISE_OK;
}

const dropwise_generator *dropwise_generator_of(const dropwise_kernels *kernels, uint32_t generator)
{
    switch (generator) {
#define DROPWISE_GENERATOR(number, name, user_name, template) \
    case DROPWISE_##number: \
        return &kernels->name;
#define DROPWISE_GENERATOR_BY_AES(number, name, user_name, template) \
    case DROPWISE_##number: \
        return &dropwise_ars_of(kernels)->generator;
#include "kernels/generators.inc"
    default:
        return NULL;
    }
}

void dropwise_write_bits(const uint64_t *keep, size_t n_words, unsigned skip, size_t n, uint8_t *bits)
{
    const size_t last = (n - 1) / 64, rest = n - last * 64;
    if (skip == 0) {
        store_le64s(bits, keep, last);
    } else {
        for (size_t w = 0; w < last; w++)
            store_le64(bits + w * 8, draw_bits_at(keep, n_words, w, skip));
    }
    const uint64_t word = draw_bits_at(keep, n_words, last, skip) & UINT64_MAX >> (64 - rest);
    store_le64_part(bits + last * 8, word, bytes_of_bits(rest));
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
        plan->generator->prepare(&plan->key, high, &chunk->schedule);
        chunk->high = high;
        chunk->is_prepared = true;
    }
    const uint64_t to_wrap = ((UINT64_C(1) << 32) - low) / 4;
    if (*n > to_wrap)
        *n = (size_t)to_wrap;
    return low;
}

/* Where the chunk's next words are answered. */
static dropwise_threshold answers_of(const draw_plan *plan, draw_chunk *chunk)
{
    return dropwise_threshold_of(plan, chunk->keep + chunk->done, chunk->equal + chunk->done);
}

static void draw_words(const draw_plan *plan, draw_chunk *chunk, size_t n)
{
    for (size_t len = n; n != 0; len = n) {
        const uint32_t low = next_counter(plan, chunk, &len);
        const dropwise_threshold threshold = answers_of(plan, chunk);
        plan->generator->draw(&chunk->schedule, low, DROPWISE_WORD_BLOCKS, len, &threshold);
        chunk->done += len;
        n -= len;
    }
}

size_t dropwise_draw_scaling(const draw_plan *plan, draw_chunk *chunk, size_t n,
                             dropwise_draw_scale_fn *kernel, const uint8_t *bits,
                             const dropwise_elements *elements)
{
    size_t len = min_size(n / 64, chunk->n_words - chunk->done);
    if (len == 0)
        return 0;
    const uint32_t low = next_counter(plan, chunk, &len);
    const dropwise_threshold threshold = answers_of(plan, chunk);
    const size_t done = kernel(&chunk->schedule, low, len, &threshold, bits, elements);
    chunk->done += done;
    return done * 64;
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
    if (dropwise_tie_threshold(plan) != 0)
        dropwise_resolve_ties(plan, chunk->keep, chunk->equal, chunk->n_words, chunk->start);
    dropwise_write_bits(chunk->keep, chunk->n_words, (unsigned)(chunk->first - chunk->start), chunk->n,
                        chunk->bits);
}

/* Whether the tie word of an element, in the tie block that was drawn for it, is below the threshold. */
static inline bool keeps_tie(const draw_plan *plan, uint64_t element, const uint8_t *block)
{
    return load_le32(block + stream_tie_byte(element)) < dropwise_tie_threshold(plan);
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
    plan->generator->generate_at(&plan->key, counters, n, blocks);
    for (size_t i = 0; i < n; i++) {
        const uint64_t element = first + (uint64_t)((int64_t)i * step);
        const uint8_t byte = blocks[i * STREAM_BLOCK_BYTES + stream_mask_byte(element)];
        bits |= (uint64_t)(byte < dropwise_byte_threshold(plan)) << i;
        ties[n_ties] = (uint8_t)i;
        n_ties += byte == dropwise_byte_threshold(plan);
    }
    for (size_t t = 0; t < n_ties; t++)
        counters[t] = stream_tie_block(first + (uint64_t)((int64_t)ties[t] * step));
    plan->generator->generate_at(&plan->key, counters, n_ties, blocks);
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
