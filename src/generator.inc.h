/*
 * Kernels of kinds generate, generate_at, prepare, draw and draw_scale for one counter-based generator.
 *
 * Included once for each generator, by the file that has the generator itself, with the parameter
 *   GENERATOR  its name, in the kernels' names
 * after these inline functions and constants, in which NAME stands for it:
 *   NAME_plan                            what is worked out once; VEC_ALIASING, as it lies in a schedule
 *   NAME_prepare(key, high, plan)        fills it; blocks have the high counter word `high`
 *   NAME_LANES                           blocks of a vector: 1, 2 or a multiple of 4
 *   NAME_UNROLL                          vectors worth working on at the same time, to hide latencies
 *   NAME_MERGED                          likewise while elements are scaled; they make 1, 2 or 4 words
 *   NAME_blocks(plan, low, n_vectors, out, work)
 *                                        n_vectors <= NAME_UNROLL vectors of the blocks with the low counter
 *                                        words low, low + 1, ...; meanwhile `work`, all of it
 *   NAME_blocks_at(plan, counters, out)  one vector of blocks whose counters are listed
 */
#include "template.h"

#define KERNEL(kind) CONCAT(kind, GENERATOR)
#define OF(name) CONCAT(GENERATOR, name)

/* Blocks of a whole batch; of the smallest one that makes words of 64 elements; of a whole one that does. */
#define WHOLE (OF(UNROLL) * OF(LANES))
#define SMALL (OF(LANES) < 4 ? 4 : OF(LANES))
#define LARGE (WHOLE < SMALL ? SMALL : WHOLE)
/* Blocks that are drawn while elements are scaled. */
#define MERGED (OF(MERGED) * OF(LANES))

_Static_assert(LARGE % WHOLE == 0 && LARGE % 4 == 0, "a batch makes whole words, in whole batches");

static void KERNEL(generate)(const dropwise_key *key, uint64_t counter, size_t n_blocks, void *bytes)
{
    uint8_t *out = bytes;
    while (n_blocks != 0) {
        /* Up to where the low counter word wraps, the high one is constant. */
        const uint64_t to_wrap = (UINT64_C(1) << 32) - (uint32_t)counter;
        const size_t n = n_blocks < to_wrap ? n_blocks : (size_t)to_wrap;
        const uint32_t low = (uint32_t)counter;
        OF(plan) plan;
        OF(prepare)(key, (uint32_t)(counter >> 32), &plan);
        size_t done = 0;
        for (; n - done >= WHOLE; done += WHOLE)
            OF(blocks)(&plan, low + (uint32_t)done, OF(UNROLL), out + done * 16, NULL);
        for (; n - done >= OF(LANES); done += OF(LANES))
            OF(blocks)(&plan, low + (uint32_t)done, 1, out + done * 16, NULL);
        if (done < n) {
            uint8_t last[OF(LANES) * 16];
            OF(blocks)(&plan, low + (uint32_t)done, 1, last, NULL);
            memcpy(out + done * 16, last, (n - done) * 16);
        }
        counter += n;
        n_blocks -= n;
        out += n * 16;
    }
}

static void KERNEL(generate_at)(const dropwise_key *key, const uint64_t *counters, size_t n_blocks,
                                void *bytes)
{
    uint8_t *out = bytes;
    OF(plan) plan;
    OF(prepare)(key, 0, &plan);
    size_t done = 0;
    for (; n_blocks - done >= OF(LANES); done += OF(LANES))
        OF(blocks_at)(&plan, counters + done, out + done * 16);
    if (done < n_blocks) {
        uint64_t last_counters[OF(LANES)] = {0};
        uint8_t last[OF(LANES) * 16];
        memcpy(last_counters, counters + done, (n_blocks - done) * sizeof *counters);
        OF(blocks_at)(&plan, last_counters, last);
        memcpy(out + done * 16, last, (n_blocks - done) * 16);
    }
}

/*
 * The first place where two stages meet: bytes are compared as they are made. Compilers keep those of a batch
 * in registers, so that they never see memory. Draws `blocks` blocks, one or several words of 64 elements.
 */
VEC_INLINE void KERNEL(draw_words)(const OF(plan) *plan, uint32_t low, unsigned blocks, uint8_t threshold,
                                   uint64_t *below, uint64_t *equal, const meanwhile *work)
{
    uint8_t bytes[(LARGE > MERGED ? LARGE : MERGED) * 16];
    const unsigned n_vectors = blocks < WHOLE ? blocks / OF(LANES) : OF(UNROLL);
    VEC_UNROLL
    for (unsigned b = 0; b < blocks; b += n_vectors * OF(LANES))
        OF(blocks)(plan, low + b, n_vectors, bytes + b * 16, b == 0 ? work : NULL);
    VEC_UNROLL
    for (unsigned w = 0; w < blocks / 4; w++) {
        below[w] = bits64_below(bytes + w * 64, threshold);
        if (equal != NULL)
            equal[w] = bits64_equal(bytes + w * 64, threshold);
    }
}

/* Words of the same plan; equal is NULL or not, which each call below fixes. */
VEC_INLINE void KERNEL(draw_run)(const OF(plan) *plan, uint32_t low, size_t n_words, uint8_t threshold,
                                 uint64_t *below, uint64_t *equal)
{
    size_t done = 0;
    for (; n_words - done >= LARGE / 4; done += LARGE / 4)
        KERNEL(draw_words)(plan, low + 4 * (uint32_t)done, LARGE, threshold, below + done,
                           equal == NULL ? NULL : equal + done, NULL);
    for (; n_words - done >= SMALL / 4; done += SMALL / 4)
        KERNEL(draw_words)(plan, low + 4 * (uint32_t)done, SMALL, threshold, below + done,
                           equal == NULL ? NULL : equal + done, NULL);
    if (done < n_words) {
        uint64_t last_below[SMALL / 4], last_equal[SMALL / 4];
        KERNEL(draw_words)(plan, low + 4 * (uint32_t)done, SMALL, threshold, last_below,
                           equal == NULL ? NULL : last_equal, NULL);
        memcpy(below + done, last_below, (n_words - done) * sizeof *below);
        if (equal != NULL)
            memcpy(equal + done, last_equal, (n_words - done) * sizeof *equal);
    }
}

_Static_assert(sizeof(OF(plan)) <= sizeof(dropwise_schedule), "room in a schedule");

static void KERNEL(prepare)(const dropwise_key *key, uint32_t high, dropwise_schedule *schedule)
{
    OF(prepare)(key, high, (OF(plan) *)schedule);
}

static void KERNEL(draw)(const dropwise_schedule *schedule, uint32_t low, size_t n_words, uint8_t threshold,
                         uint64_t *below, uint64_t *equal)
{
    const OF(plan) *plan = (const OF(plan) *)schedule;
    if (equal == NULL)
        KERNEL(draw_run)(plan, low, n_words, threshold, below, NULL);
    else
        KERNEL(draw_run)(plan, low, n_words, threshold, below, equal);
}

#define OF_ELEMENT(kind) CONCAT(CONCAT(kind, GENERATOR), ELEMENT)

#ifdef VEC_MERGES
_Static_assert(MERGED % 4 == 0 && DROPWISE_DRAW_SCALE_WORDS % (MERGED / 4) == 0, "batches of whole words");

#define ELEMENT f64
#include "draw_scale.inc.h"

#define ELEMENT f32
#include "draw_scale.inc.h"

#define ELEMENT f16
#include "draw_scale.inc.h"

#define ELEMENT bf16
#include "draw_scale.inc.h"
#endif

#undef KERNEL
#undef OF
#undef OF_ELEMENT
#undef MERGED
#undef WHOLE
#undef SMALL
#undef LARGE
#undef GENERATOR
