/* From the order in which a layout's numbers lie in a word of bits to that of the elements. */
#ifndef DROPWISE_ARRANGE_H
#define DROPWISE_ARRANGE_H

#include <stdint.h>

/* Swaps bits of a word: those of `mask` with those `by` places above. */
static inline uint64_t swap_bits(uint64_t word, uint64_t mask, unsigned by)
{
    const uint64_t differ = (word ^ word >> by) & mask;
    return word ^ differ ^ differ << by;
}

/*
 * Exchanges two digits of the number of each bit of a word. The places whose lower digit is 1 and whose upper
 * digit is 0 trade with their opposites.
 */
static inline uint64_t swap_places(uint64_t word, unsigned lower, unsigned upper)
{
    static const uint64_t digit[6] = {UINT64_C(0xAAAAAAAAAAAAAAAA), UINT64_C(0xCCCCCCCCCCCCCCCC),
                                      UINT64_C(0xF0F0F0F0F0F0F0F0), UINT64_C(0xFF00FF00FF00FF00),
                                      UINT64_C(0xFFFF0000FFFF0000), UINT64_C(0xFFFFFFFF00000000)};
    return swap_bits(word, digit[lower] & ~digit[upper], (1u << upper) - (1u << lower));
}

/* The lower half of each four bits, close together. */
static inline uint32_t first_two_of_four(uint64_t word)
{
    word &= UINT64_C(0x3333333333333333);
    word = (word | word >> 2) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    word = (word | word >> 4) & UINT64_C(0x00FF00FF00FF00FF);
    word = (word | word >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (uint32_t)(word | word >> 16);
}

/*
 * TransformerEngine: element 8h + 2w + l of a block of 16 has byte 2(1 - l) + h of word w. The digits of a
 * byte's place are w w ~l h, those of the element's h w w l.
 */
static inline uint64_t arrange_bytes(uint64_t word)
{
    word = swap_bits(word, UINT64_C(0x3333333333333333), 2); /* ~l to l         */
    word = swap_places(word, 0, 1);                          /* w1 w0 l h: w1 w0 h l */
    word = swap_places(word, 1, 2);                          /* w1 h w0 l       */
    return swap_places(word, 2, 3);                          /* h w1 w0 l       */
}

/* Each two words of a number and its successor that come from numbers shifted by `skip` of 4. */
static inline uint64_t shifted_word(uint64_t word, uint64_t later, unsigned skip)
{
    const uint64_t low = UINT64_C(0x1111111111111111) * ((1u << (4 - skip)) - 1);
    return (word >> skip & low) | (later << (4 - skip) & ~low);
}

/* The digits of a bit's place are l l j j b s; of its column they are j j l l s, and b chooses the row. */
static inline uint64_t arrange_attention(uint64_t word)
{
    word = swap_places(word, 1, 5); /* b l0 j1 j0 l1 s */
    word = swap_places(word, 1, 4); /* b l1 j1 j0 l0 s */
    word = swap_places(word, 3, 4); /* b j1 l1 j0 l0 s */
    return swap_places(word, 2, 3); /* b j1 j0 l1 l0 s */
}

#endif
