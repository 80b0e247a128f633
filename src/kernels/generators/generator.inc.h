/*
 * Kernels of kinds generate, generate_at, prepare, draw and draw_scale for one counter-based generator.
 *
 * Included once for each generator, by the file that has the generator itself, with the parameter
 *   GENERATOR  its name, in the kernels' names
 * after these inline functions and constants, in which NAME stands for it:
 *   schedule_NAME                        what is worked out once; VEC_ALIASING, as it lies in a schedule
 *   make_schedule_NAME(key, high, keys)  fills it; blocks have the high counter word `high`
 *   VECTOR_BLOCKS_NAME                   blocks of a vector: 1, 2 or a multiple of 4
 *   UNROLL_NAME                          vectors worth working on at the same time, to hide latencies
 *   OVERLAPPED_NAME                      likewise while elements are scaled; they make 1, 2 or 4 words
 *   blocks_NAME(keys, low, n_vectors, out, work)
 *                                        n_vectors <= UNROLL_NAME vectors of the blocks with the low counter
 *                                        words low, low + 1, ..., overlapped with `work`, all of it
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
/* Blocks that are drawn while elements are scaled. */
#define OVERLAPPED_BLOCKS (OP_G(OVERLAPPED) * OP_G(VECTOR_BLOCKS))

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
            OP_G(blocks)(&keys, low + (uint32_t)done, OP_G(UNROLL), out + done * 16, NULL);
        for (; done < n; done += OP_G(VECTOR_BLOCKS)) {
            /* A last part of a vector goes through a whole one on the stack. */
            uint8_t last[OP_G(VECTOR_BLOCKS) * 16];
            const bool whole = n - done >= OP_G(VECTOR_BLOCKS);
            OP_G(blocks)(&keys, low + (uint32_t)done, 1, whole ? out + done * 16 : last, NULL);
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

/*
 * The first place where two stages meet: bytes are compared as they are made. Compilers keep those of a batch
 * in registers, so that they never see memory. Draws `blocks` blocks, one or several words of 64 elements.
 */
VEC_INLINE void OP_G(draw_words)(const OP_G(schedule) *keys, uint32_t low, unsigned blocks, uint8_t threshold,
                                 uint64_t *below, uint64_t *equal, const overlap *work)
{
    uint8_t bytes[(LARGE > OVERLAPPED_BLOCKS ? LARGE : OVERLAPPED_BLOCKS) * 16];
    const unsigned n_vectors = blocks < WHOLE ? blocks / OP_G(VECTOR_BLOCKS) : OP_G(UNROLL);
    VEC_UNROLL
    for (unsigned b = 0; b < blocks; b += n_vectors * OP_G(VECTOR_BLOCKS))
        OP_G(blocks)(keys, low + b, n_vectors, bytes + b * 16, b == 0 ? work : NULL);
    if (equal == NULL) {
        VEC_UNROLL
        for (unsigned w = 0; w < blocks / 4; w++)
            below[w] = bits64_below(bytes + w * 64, threshold);
        return;
    }
    VEC_UNROLL
    for (unsigned w = 0; w < blocks / 4; w++) {
        below[w] = bits64_below(bytes + w * 64, threshold);
        equal[w] = bits64_equal(bytes + w * 64, threshold);
    }
}

_Static_assert(sizeof(OP_G(schedule)) <= sizeof(dropwise_schedule), "room in a schedule");

static void OP_G(prepare)(const dropwise_key *key, uint32_t high, dropwise_schedule *schedule)
{
    OP_G(make_schedule)(key, high, (OP_G(schedule) *)schedule);
}

static void OP_G(draw)(const dropwise_schedule *schedule, uint32_t low, size_t n_words, uint8_t threshold,
                       uint64_t *below, uint64_t *equal)
{
    const OP_G(schedule) *keys = (const OP_G(schedule) *)schedule;
    size_t done = 0;
    for (; n_words - done >= LARGE / 4; done += LARGE / 4)
        OP_G(draw_words)(keys, low + 4 * (uint32_t)done, LARGE, threshold, below + done,
                         equal == NULL ? NULL : equal + done, NULL);
    for (; LARGE > 4 && done < n_words; done += SMALL / 4) {
        uint64_t last_below[SMALL / 4], last_equal[SMALL / 4];
        OP_G(draw_words)(keys, low + 4 * (uint32_t)done, SMALL, threshold, last_below, last_equal, NULL);
        /* Word by word: a call of memcpy for a word or two takes as long as to draw them. */
        VEC_UNROLL
        for (size_t w = 0; w < SMALL / 4; w++) {
            if (w < n_words - done)
                below[done + w] = last_below[w];
            if (w < n_words - done && equal != NULL)
                equal[done + w] = last_equal[w];
        }
    }
}

#ifdef VEC_OVERLAPS
_Static_assert(OVERLAPPED_BLOCKS % 4 == 0 && DROPWISE_DRAW_SCALE_WORDS % (OVERLAPPED_BLOCKS / 4) == 0,
               "batches of whole words");

#define ELEMENT f64
#include "kernels/generators/draw_scale.inc.h"

#define ELEMENT f32
#include "kernels/generators/draw_scale.inc.h"

#define ELEMENT f16
#include "kernels/generators/draw_scale.inc.h"

#define ELEMENT bf16
#include "kernels/generators/draw_scale.inc.h"
#endif

#undef OVERLAPPED_BLOCKS
#undef WHOLE
#undef SMALL
#undef LARGE
#undef LISTED
#undef GENERATOR
