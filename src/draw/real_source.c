#include "draw/real_source.h"

#include <string.h>

#include "base/min.h"

void dropwise_reals_init(real_source *source, const draw_plan *draw, stream_domain domain,
                         dropwise_noise_fn *noise, const dropwise_params *params, size_t real_bytes)
{
    source->draw = draw;
    source->domain = domain;
    source->noise = noise;
    source->params = params;
    source->real_bytes = real_bytes;
    source->from = source->to = 0;
}

/* Makes the window hold the reals of n elements at index. */
static void extend(real_source *source, uint64_t index, size_t n)
{
    if (index < source->from || index > source->to)
        source->from = source->to = index / STREAM_BLOCK_WORDS * STREAM_BLOCK_WORDS;
    /* What stands before the element's block is not asked for again. */
    const size_t passed = (size_t)((index - source->from) / STREAM_BLOCK_WORDS * STREAM_BLOCK_WORDS);
    const size_t kept = (size_t)(source->to - source->from) - passed;
    memmove(source->window, source->window + passed * source->real_bytes, kept * source->real_bytes);
    source->from += passed;
    const size_t missing = (size_t)(index - source->from) + n - kept;
    const size_t n_words = (missing + REALS_ROUND - 1) / REALS_ROUND * REALS_ROUND;
    source->draw->generator->generate(&source->draw->key, stream_word_block(source->domain, source->to),
                                      n_words / STREAM_BLOCK_WORDS, source->words);
    source->noise(n_words, source->words, source->params, source->window + kept * source->real_bytes);
    source->to += n_words;
}

/* Elements whose blocks are drawn together. */
enum { SCATTERED = 64 };

/* The reals of whole blocks are made, and one of each is taken. */
static void get_scattered(real_source *source, uint64_t index, int64_t step, size_t n, uint8_t *reals)
{
    const size_t bytes = source->real_bytes;
    uint64_t blocks[SCATTERED];
    uint8_t words[SCATTERED * STREAM_BLOCK_BYTES], all[SCATTERED * STREAM_BLOCK_WORDS * sizeof(double)];
    for (size_t i = 0; i < n; i++)
        blocks[i] = stream_word_block(source->domain, index + (uint64_t)((int64_t)i * step));
    source->draw->generator->generate_at(&source->draw->key, blocks, n, words);
    source->noise(n * STREAM_BLOCK_WORDS, words, source->params, all);
    for (size_t i = 0; i < n; i++) {
        const uint64_t element = index + (uint64_t)((int64_t)i * step);
        const size_t at = i * STREAM_BLOCK_WORDS + element % STREAM_BLOCK_WORDS;
        memcpy(reals + i * bytes, all + at * bytes, bytes);
    }
}

/* n times one of them. */
static void fill_reals(size_t bytes, const void *one, size_t n, uint8_t *reals)
{
    memcpy(reals, one, bytes);
    for (size_t done = bytes; done < n * bytes;) {
        const size_t len = min_size(done, n * bytes - done);
        memcpy(reals + done, reals, len);
        done += len;
    }
}

const void *dropwise_reals_get(real_source *source, uint64_t index, int64_t step, size_t n, void *buffer)
{
    if (step != 0 && step != 1 && n != 1) {
        for (size_t done = 0; done < n; done += SCATTERED)
            get_scattered(source, index + (uint64_t)((int64_t)done * step), step,
                          min_size(SCATTERED, n - done), (uint8_t *)buffer + done * source->real_bytes);
        return buffer;
    }
    const size_t wanted = step == 0 ? 1 : n;
    if (index < source->from || index + wanted > source->to)
        extend(source, index, wanted);
    const uint8_t *reals = source->window + (size_t)(index - source->from) * source->real_bytes;
    if (step != 0)
        return reals;
    fill_reals(source->real_bytes, reals, n, buffer);
    return buffer;
}
