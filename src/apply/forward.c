#include "apply/forward.h"

#include <string.h>

#include "apply/apply.h"
#include "base/bytes.h"
#include "base/min.h"
#include "draw/stream.h"

/* Words that are few. */
enum { FEW = 8 };

bool dropwise_forward_few(const dropwise_kernels *kernels, const dropwise_mask *mask, dropwise_dtype dtype,
                          uint64_t first, size_t n, const uint8_t *x, uint8_t *y, uint8_t *bits)
{
    const unsigned skip = (unsigned)(first % 64);
    if (n > 64 * FEW - skip || !dropwise_scales_kept(mask))
        return false;
    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    dropwise_apply_fn *scale_kept = dropwise_fused_of(kernels, draw.generator, dtype).scale_kept;
    const uint64_t counter = stream_mask_block(first - skip);
    const size_t n_words = (skip + n + 63) / 64;
    if (scale_kept == NULL || (uint32_t)counter > UINT32_MAX - 4 * FEW)
        return false;
    uint64_t keep[FEW], equal[FEW], any = 0;
    dropwise_schedule schedule;
    draw.generator->prepare(&draw.key, (uint32_t)(counter >> 32), &schedule);
    const dropwise_threshold threshold = dropwise_threshold_of(&draw, keep, equal);
    draw.generator->draw(&schedule, (uint32_t)counter, DROPWISE_WORD_BLOCKS, n_words, &threshold);
    for (size_t w = 0; w < n_words && threshold.equal != NULL; w++)
        any |= equal[w];
    if (any != 0) {
        /* A tie costs as much as all else: nobody asks for those outside. */
        equal[0] &= UINT64_MAX << skip;
        equal[n_words - 1] &= UINT64_MAX >> (64 * n_words - (skip + n));
        dropwise_resolve_ties(&draw, keep, equal, n_words, first - skip);
    }
    const uint8_t *kept = (const uint8_t *)keep;
    uint8_t shifted[8 * FEW];
    if (skip != 0 || !BYTES_ARE_IN_ORDER) {
        for (size_t i = 0; i < (n + 63) / 64; i++)
            store_le64(shifted + 8 * i, draw_bits_at(keep, n_words, i, skip));
        kept = shifted;
    }
    const real factor = dropwise_kept_factor(mask, dtype);
    scale_kept(kept, n, x, y, &factor);
    if (bits != NULL)
        dropwise_write_bits(keep, n_words, skip, n, bits);
    return true;
}

/* Elements of a chunk: few enough for y to be in a cache when its ties are settled. */
enum { CHUNK = 32768, CHUNK_WORDS = CHUNK / 64 + 1 };

/* y is 0 at these places. */
static void clear(const forward_run *run, const uint64_t *places, size_t n)
{
    /* By a size that is constant: each of these is one store. */
    switch (run->element_bytes) {
    case 8:
        for (size_t i = 0; i < n; i++)
            memset(run->base + (int64_t)places[i] * 8, 0, 8);
        break;
    case 4:
        for (size_t i = 0; i < n; i++)
            memset(run->base + (int64_t)places[i] * 4, 0, 4);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            memset(run->base + (int64_t)places[i] * 2, 0, 2);
    }
}

/* The same for bits, which begin at a place, unless they are NULL. */
static void settle(forward_run *run, uint64_t *keep, int64_t begin)
{
    const size_t n = dropwise_settle_ties(run->draw, &run->ties);
    clear(run, run->ties.place, n);
    for (size_t i = 0; i < n && keep != NULL; i++) {
        const uint64_t bit = run->ties.place[i] - (uint64_t)begin;
        keep[bit / 64] &= ~(UINT64_C(1) << bit % 64);
    }
}

void dropwise_forward_end(forward_run *run)
{
    if (run->ties.count != 0)
        settle(run, NULL, 0);
}

/* The schedule for the blocks of an element; the result is the low half of the first one's counter. */
static uint32_t prepare(forward_run *run, uint64_t element)
{
    const uint64_t counter = stream_mask_block(element);
    const uint32_t high = (uint32_t)(counter >> 32);
    if (!run->is_prepared || run->high != high) {
        run->draw->generator->prepare(&run->draw->key, high, &run->schedule);
        run->high = high;
        run->is_prepared = true;
    }
    return (uint32_t)counter;
}

/*
 * Lists the ties of a chunk, whose first word begins at element `start` and at a place. Where they are many,
 * or there are bits, which are written at once, they are settled.
 */
static void take_ties(forward_run *run, const uint64_t *equal, size_t n_words, uint64_t start, int64_t begin,
                      uint64_t *keep)
{
    uint16_t words[CHUNK_WORDS];
    const size_t n = dropwise_words_with_ties(equal, n_words, words);
    for (size_t i = 0; i < n; i++) {
        const size_t at = words[i] * (size_t)64;
        list_ties(&run->ties, equal[words[i]], start + at, (uint64_t)begin + at);
        if (run->ties.count >= TIE_BATCH)
            settle(run, keep, begin);
    }
    if (keep != NULL && run->ties.count != 0)
        settle(run, keep, begin);
}

/* The answers of words that follow each other, and where in them the elements are that are asked for. */
typedef struct answers {
    uint64_t keep[CHUNK_WORDS], equal[CHUNK_WORDS];
} answers;

/* Up to the words before the low half of the counter wraps. */
static size_t before_wrap(uint32_t low, size_t n_words)
{
    return min_size(n_words, ((UINT64_C(1) << 32) - low) / 4);
}

/*
 * Draws n elements, of which the first one is number `skip` of word w, and scales them by their bits: in
 * steps that are short enough for the caches to fetch what is scaled while the next one is drawn.
 */
static void by_bits(forward_run *run, answers *a, size_t w, unsigned skip, uint64_t first, size_t n,
                    const uint8_t *x, uint8_t *y)
{
    enum { STEP_WORDS = 16 };
    for (size_t len, done_words; n != 0; n -= len, w += done_words, first += len, skip = 0) {
        const uint32_t low = prepare(run, first - skip);
        const size_t n_words = before_wrap(low, min_size(STEP_WORDS, (skip + n + 63) / 64));
        len = min_size(64 * n_words - skip, n);
        done_words = (skip + len) / 64;
        uint64_t *keep = a->keep + w;
        const dropwise_threshold t = dropwise_threshold_of(run->draw, keep, a->equal + w);
        run->draw->generator->draw(&run->schedule, low, DROPWISE_WORD_BLOCKS, n_words, &t);
        uint8_t bits[8 * STEP_WORDS];
        for (size_t i = 0; i < (len + 63) / 64; i++)
            store_le64(bits + 8 * i, draw_bits_at(keep, n_words, i, skip));
        run->kernels.scale_kept(bits, len, x, y, run->factor);
        x += len * run->element_bytes;
        y += len * run->element_bytes;
    }
}

/* Draws and scales whole words by the fused kernel; the result is how many of them. */
static size_t by_kernel(forward_run *run, answers *a, bool keeps, size_t w, uint64_t first, size_t n_words,
                        const uint8_t *x, uint8_t *y)
{
    const uint32_t low = prepare(run, first);
    const dropwise_threshold t = dropwise_threshold_of(run->draw, keeps ? a->keep + w : NULL, a->equal + w);
    const dropwise_elements elements = {x, y, run->factor};
    return run->kernels.forward(&run->schedule, low, before_wrap(low, n_words), &t, &elements);
}

static void forward_chunk(forward_run *run, uint64_t first, size_t n, const uint8_t *x, int64_t place,
                          uint8_t *bits)
{
    answers a;
    const size_t element_bytes = run->element_bytes;
    uint8_t *y = run->base + place * (int64_t)element_bytes;
    const unsigned skip = (unsigned)(first % 64);
    const size_t n_words = (skip + n + 63) / 64;
    size_t w = 0, done = 0;
    if (run->kernels.forward != NULL && n >= 64 * DROPWISE_BATCH_WORDS) {
        if (skip != 0) {
            done = 64 - skip;
            by_bits(run, &a, 0, skip, first, done, x, y);
            w = 1;
        }
        const size_t whole = by_kernel(run, &a, bits != NULL, w, first + done, (n - done) / 64,
                                       x + done * element_bytes, y + done * element_bytes);
        w += whole;
        done += 64 * whole;
    }
    if (done != n)
        by_bits(run, &a, w, w == 0 ? skip : 0, first + done, n - done, x + done * element_bytes,
                y + done * element_bytes);
    if (dropwise_tie_threshold(run->draw) != 0) {
        a.equal[0] &= UINT64_MAX << skip;
        a.equal[n_words - 1] &= UINT64_MAX >> (64 * n_words - (skip + n));
        take_ties(run, a.equal, n_words, first - skip, place - (int64_t)skip, bits != NULL ? a.keep : NULL);
    }
    if (bits != NULL)
        dropwise_write_bits(a.keep, n_words, skip, n, bits);
}

void dropwise_forward_range(forward_run *run, uint64_t first, size_t n, const uint8_t *x, int64_t place,
                            uint8_t *bits)
{
    for (size_t done = 0, len; done < n; done += len) {
        /* The next chunk begins with a word; or, where there are bits, with a whole byte of them. */
        const size_t most = bits != NULL ? CHUNK : CHUNK - (size_t)((first + done) % 64);
        len = min_size(most, n - done);
        forward_chunk(run, first + done, len, x + done * run->element_bytes, place + (int64_t)done,
                      bits != NULL ? bits + done / 8 : NULL);
    }
}

bool dropwise_forward_call(const dropwise_kernels *kernels, const dropwise_mask *mask, dropwise_dtype dtype,
                           uint64_t first, size_t n, const uint8_t *x, uint8_t *y, uint8_t *bits)
{
    if (!dropwise_scales_kept(mask))
        return false;
    const draw_plan draw = dropwise_draw_plan(kernels, mask);
    const fused_kernels fused = dropwise_fused_of(kernels, draw.generator, dtype);
    if (fused.scale_kept == NULL)
        return false;
    const real factor = dropwise_kept_factor(mask, dtype);
    forward_run run;
    forward_begin(&run, &draw, fused, &factor, dropwise_dtype_bytes(dtype), y);
    dropwise_forward_range(&run, first, n, x, 0, bits);
    dropwise_forward_end(&run);
    return true;
}
