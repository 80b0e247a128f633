/*
 * Ties: elements whose byte equals the threshold, one in 256, are settled by words of their own. They are
 * listed first and drawn together, which hides the latency of the generator.
 */
#ifndef DROPWISE_TIES_H
#define DROPWISE_TIES_H

#include "draw/draw.h"

/* Ties from which on a list is to be settled; it has room for those of one more word of 64 elements. */
enum { TIE_BATCH = 64, TIE_ROOM = TIE_BATCH + 64 };

typedef struct tie_list {
    size_t count;
    uint64_t element[TIE_ROOM];
    uint64_t place[TIE_ROOM]; /* whatever the caller finds the element by */
} tie_list;

/* Lists the ties of a word, which has some, of 64 elements at places that follow each other too. */
static inline void list_ties(tie_list *ties, uint64_t equal, uint64_t element, uint64_t place)
{
    do {
        const unsigned j = (unsigned)__builtin_ctzll(equal);
        ties->element[ties->count] = element + j;
        ties->place[ties->count++] = place + j;
        equal &= equal - 1;
    } while (equal != 0);
}

/* Draws the tie words of all that are listed, and empties the list. The result is how many are dropped; their
 * places are the first ones. */
size_t dropwise_settle_ties(const draw_plan *plan, tie_list *ties);

/* The same where places are those of bits, of which the dropped ones become 0. */
void dropwise_drop_ties(const draw_plan *plan, tie_list *ties, uint64_t *keep);

/* Lists the words, at most 2^16, that have ties; the result is how many. */
size_t dropwise_words_with_ties(const uint64_t *equal, size_t n_words, uint16_t *words);

/* Settles the ties of words from element `start` on: their bits are final. */
void dropwise_resolve_ties(const draw_plan *plan, uint64_t *keep, const uint64_t *equal, size_t n_words,
                           uint64_t start);

#endif
