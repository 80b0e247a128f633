/*
 * Kernels of kinds generate, generate_at, prepare, draw, forward and draw_scale for one counter-based
 * generator.
 *
 * Included once for each generator, by the file that has the generator itself, with the parameters
 *   GENERATOR  its name, in the kernels' names
 *   OVERLAPS_ALL
 *              defined, where all types of elements are scaled between its rounds, and not f32 alone: what
 *              they gain has to be worth the code
 * after these inline functions and constants, in which NAME stands for it:
 *   schedule_NAME                        what is worked out once; VEC_ALIASING, as it lies in a schedule
 *   make_schedule_NAME(key, high, keys)  fills it; blocks have the high counter word `high`
 *   VECTOR_BLOCKS_NAME                   blocks of a vector: 1, 2 or a multiple of 4
 *   UNROLL_NAME                          vectors worth working on at the same time, to hide latencies
 *   blocks_NAME(keys, low, step, n_vectors, out, work)
 *                                        n_vectors <= UNROLL_NAME vectors of the blocks with the low counter
 *                                        words low + block_place(0, step), low + block_place(1, step), ...,
 *                                        overlapped with `work`, all of it, unless that is NULL
 *   OVERLAPPED_F32_NAME, OVERLAPPED_NAME where there is work, vectors at the same time, for f32 and, if they
 *                                        are scaled so, other types; the more, the more code; they make whole
 *                                        words
 *   blocks_at_NAME(keys, counters, n_vectors, out)
 *                                        n_vectors, 1 or 4, of blocks whose counters are listed
 */
#include "kernels/template.h"

/* Blocks of a whole batch; of the smallest one that makes words of 64 elements; of a whole one that does. */
#define WHOLE (OP_G(UNROLL) * OP_G(VECTOR_BLOCKS))
#define SMALL (OP_G(VECTOR_BLOCKS) < 4 ? 4 : OP_G(VECTOR_BLOCKS))
#define LARGE (WHOLE < SMALL ? SMALL : WHOLE)
/* Vectors of blocks whose counters are listed, to hide latencies where a vector is one block. */
#define LISTED (OP_G(VECTOR_BLOCKS) == 1 ? 4 : 1)

_Static_assert(LARGE % WHOLE == 0 && LARGE % 4 == 0, "a batch makes whole words, in whole batches");

static void OP_G(generate)(const dropwise_key *key, uint64_t counter, size_t n_blocks, void *bytes)
{
    uint8_t *out = bytes;
    while (n_blocks != 0) {
        /* Up to where the low counter word wraps, the high one is constant. */
        const uint64_t to_wrap = (UINT64_C(1) << 32) - (uint32_t)counter;
        const size_t n = n_blocks < to_wrap ? n_blocks : (size_t)to_wrap;
        const uint32_t low = (uint32_t)counter;
        OP_G(schedule) keys;
        OP_G(make_schedule)(key, (uint32_t)(counter >> 32), &keys);
        size_t done = 0;
        for (; n - done >= WHOLE; done += WHOLE)
            OP_G(blocks)(&keys, low + (uint32_t)done, DROPWISE_WORD_BLOCKS, OP_G(UNROLL), out + done * 16,
                         NULL);
        for (; done < n; done += OP_G(VECTOR_BLOCKS)) {
            /* A last part of a vector goes through a whole one on the stack. */
            uint8_t last[OP_G(VECTOR_BLOCKS) * 16];
            const bool whole = n - done >= OP_G(VECTOR_BLOCKS);
            OP_G(blocks)(&keys, low + (uint32_t)done, DROPWISE_WORD_BLOCKS, 1, whole ? out + done * 16 : last,
                         NULL);
            if (!whole)
                memcpy(out + done * 16, last, (n - done) * 16);
        }
        counter += n;
        n_blocks -= n;
        out += n * 16;
    }
}

static void OP_G(generate_at)(const dropwise_key *key, const uint64_t *counters, size_t n_blocks, void *bytes)
{
    uint8_t *out = bytes;
    OP_G(schedule) keys;
    OP_G(make_schedule)(key, 0, &keys);
    for (size_t done = 0; done < n_blocks; done += LISTED * OP_G(VECTOR_BLOCKS)) {
        uint64_t last_counters[LISTED * OP_G(VECTOR_BLOCKS)] = {0};
        uint8_t last[LISTED * OP_G(VECTOR_BLOCKS) * 16];
        const bool whole = n_blocks - done >= LISTED * OP_G(VECTOR_BLOCKS);
        if (!whole)
            memcpy(last_counters, counters + done, (n_blocks - done) * sizeof *counters);
        OP_G(blocks_at)(&keys, whole ? counters + done : last_counters, LISTED,
                        whole ? out + done * 16 : last);
        if (!whole)
            memcpy(out + done * 16, last, (n_blocks - done) * 16);
    }
}

/* Draws `blocks` blocks, one or several words of 64 elements. */
VEC_INLINE void OP_G(batch)(const OP_G(schedule) *keys, uint32_t low, uint32_t step, unsigned blocks,
                            uint8_t *bytes, const overlap *work)
{
    const unsigned vectors = blocks / OP_G(VECTOR_BLOCKS);
    const unsigned n_vectors = vectors < OP_G(UNROLL) ? vectors : OP_G(UNROLL);
    VEC_UNROLL
    for (unsigned b = 0; b < blocks; b += n_vectors * OP_G(VECTOR_BLOCKS))
        OP_G(blocks)(keys, low + block_place(b, step), step, n_vectors, bytes + b * 16, b == 0 ? work : NULL);
}

/*
 * The first place where two stages meet: bytes are compared as they are made. Compilers keep those of a batch
 * in registers, so that they never see memory. Words from number `at` on are answered; masks may be NULL.
 */
VEC_INLINE void OP_G(answers)(const uint8_t *bytes, unsigned n_words, const dropwise_threshold *threshold,
                              size_t at, mask64 *masks)
{
    if (masks != NULL) {
        VEC_UNROLL
        for (unsigned w = 0; w < n_words; w++)
            masks[w] = mask64_at_most(bytes + w * 64, threshold->last);
    }
    if (threshold->equal != NULL) {
        VEC_UNROLL
        for (unsigned w = 0; w < n_words; w++)
            threshold->equal[at + w] = bits64_equal(bytes + w * 64, threshold->last);
    }
    if (threshold->keep != NULL) {
        VEC_UNROLL
        for (unsigned w = 0; w < n_words; w++)
            threshold->keep[at + w] = bits64_at_most(bytes + w * 64, threshold->last);
    }
}

_Static_assert(sizeof(OP_G(schedule)) <= sizeof(dropwise_schedule), "room in a schedule");

static void OP_G(prepare)(const dropwise_key *key, uint32_t high, dropwise_schedule *schedule)
{
    OP_G(make_schedule)(key, high, (OP_G(schedule) *)schedule);
}

static void OP_G(draw)(const dropwise_schedule *schedule, uint32_t low, uint32_t step, size_t n_words,
                       const dropwise_threshold *threshold)
{
    const OP_G(schedule) *keys = (const OP_G(schedule) *)schedule;
    const dropwise_threshold t = *threshold; /* stores to keep would else be thought to change it */
    uint8_t bytes[LARGE * 16];
    size_t done = 0;
    for (; n_words - done >= LARGE / 4; done += LARGE / 4) {
        OP_G(batch)(keys, low + step * (uint32_t)done, step, LARGE, bytes, NULL);
        OP_G(answers)(bytes, LARGE / 4, &t, done, NULL);
    }
    for (; LARGE > 4 && done < n_words; done += SMALL / 4) {
        OP_G(batch)(keys, low + step * (uint32_t)done, step, SMALL, bytes, NULL);
        VEC_UNROLL
        for (unsigned w = 0; w < SMALL / 4; w++)
            if (w < n_words - done)
                OP_G(answers)(bytes + w * 64, 1, &t, done + w, NULL);
    }
}

#ifdef VEC_OVERLAPS
#define ELEMENT f32
#include "kernels/generators/forward.inc.h"

#ifdef OVERLAPS_ALL
#define ELEMENT f64
#include "kernels/generators/forward.inc.h"

#define ELEMENT f16
#include "kernels/generators/forward.inc.h"

#define ELEMENT bf16
#include "kernels/generators/forward.inc.h"
#endif
#endif

#undef OVERLAPS_ALL
#undef WHOLE
#undef SMALL
#undef LARGE
#undef LISTED
#undef GENERATOR
