#include "draw/ties.h"

#include "base/bytes.h"
#include "draw/stream.h"

/* Blocks are drawn for whole groups, so that a part of a vector need not wait for all else. */
enum { GROUP = 8 };

size_t dropwise_settle_ties(const draw_plan *plan, tie_list *ties)
{
    uint64_t counters[TIE_ROOM];
    uint8_t blocks[TIE_ROOM * STREAM_BLOCK_BYTES];
    const uint32_t threshold = dropwise_tie_threshold(plan);
    const size_t count = ties->count, n_blocks = (count + GROUP - 1) / GROUP * GROUP;
    counters[0] = 0; /* or gcc 12 warns, not knowing that some are listed */
    for (size_t t = 0; t < n_blocks; t++)
        counters[t] = t < count ? stream_tie_block(ties->element[t]) : 0;
    plan->generator->generate_at(&plan->key, counters, n_blocks, blocks);
    size_t n_dropped = 0;
    for (size_t t = 0; t < count; t++) { /* without a branch, which would be mispredicted */
        const uint32_t word = load_le32(blocks + t * STREAM_BLOCK_BYTES + stream_tie_byte(ties->element[t]));
        ties->place[n_dropped] = ties->place[t];
        n_dropped += word >= threshold;
    }
    ties->count = 0;
    return n_dropped;
}

/* Without a branch on each word, which would be mispredicted: three words in four have none. */
size_t dropwise_words_with_ties(const uint64_t *equal, size_t n_words, uint16_t *words)
{
    size_t n = 0;
    for (size_t w = 0; w < n_words; w++) {
        words[n] = (uint16_t)w;
        n += equal[w] != 0;
    }
    return n;
}

void dropwise_drop_ties(const draw_plan *plan, tie_list *ties, uint64_t *keep)
{
    const size_t n = dropwise_settle_ties(plan, ties);
    for (size_t i = 0; i < n; i++)
        keep[ties->place[i] / 64] &= ~(UINT64_C(1) << ties->place[i] % 64);
}

void dropwise_resolve_ties(const draw_plan *plan, uint64_t *keep, const uint64_t *equal, size_t n_words,
                           uint64_t start)
{
    uint16_t words[DRAW_CHUNK / 64 + 1];
    const size_t n = dropwise_words_with_ties(equal, n_words, words);
    tie_list ties;
    ties.count = 0;
    for (size_t i = 0; i < n; i++) {
        const size_t place = words[i] * (size_t)64;
        list_ties(&ties, equal[words[i]], start + place, place);
        if (ties.count >= TIE_BATCH)
            dropwise_drop_ties(plan, &ties, keep);
    }
    if (ties.count != 0)
        dropwise_drop_ties(plan, &ties, keep);
}
