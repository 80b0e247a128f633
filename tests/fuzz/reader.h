/* Choices from the bytes of a fuzzer's input; when they are used up, all that follow are 0. */
#ifndef READER_H
#define READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct reader {
    const uint8_t *data;
    size_t left;
} reader;

static inline uint8_t take_byte(reader *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->data++;
}

static inline uint64_t take_word(reader *in)
{
    uint64_t word = 0;
    for (int i = 0; i < 8; i++)
        word = word << 8 | take_byte(in);
    return word;
}

/* Less than n, which is not 0; of no more bytes than it takes. */
static inline uint64_t take(reader *in, uint64_t n)
{
    uint64_t value = 0;
    for (uint64_t most = n - 1; most != 0; most >>= 8)
        value = value << 8 | take_byte(in);
    return value % n;
}

static inline bool take_bool(reader *in)
{
    return take(in, 2) != 0;
}

/* Once in 16 times, and not when the input is used up. */
static inline bool rarely(reader *in)
{
    return take(in, 16) == 15;
}

#endif
