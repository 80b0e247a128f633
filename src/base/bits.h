/* Packed bits in memory. */
#ifndef DROPWISE_BITS_H
#define DROPWISE_BITS_H

#include <stdbool.h>

#include "base/bytes.h"

static inline bool bit_at(const uint8_t *bits, size_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

/* Writes bits one by one; what is left of the last byte becomes 0. */
typedef struct bit_writer {
    uint8_t *out;
    unsigned byte, count;
} bit_writer;

static inline void bit_write(bit_writer *w, bool bit)
{
    w->byte |= (unsigned)bit << w->count;
    if (++w->count == 8) {
        *w->out++ = (uint8_t)w->byte;
        w->byte = w->count = 0;
    }
}

static inline void bit_write_end(bit_writer *w)
{
    if (w->count != 0)
        *w->out = (uint8_t)w->byte;
}

/* Of n bits: the unused ones of the last byte become 0. */
static inline void clear_unused_bits(uint8_t *bits, size_t n)
{
    if (n % 8 != 0)
        bits[n / 8] &= (uint8_t)((1u << n % 8) - 1);
}

/* n times the same bit; unused bits of the last byte become 0. */
static inline void fill_bits(uint8_t *bits, size_t n, bool bit)
{
    memset(bits, bit ? 0xFF : 0, bytes_of_bits(n));
    clear_unused_bits(bits, n);
}

/* Sets bits from to to - 1; the others stay. */
static inline void set_bits(uint8_t *bits, size_t from, size_t to)
{
    const uint8_t first = (uint8_t)(0xFFu << from % 8), last = (uint8_t)((1u << to % 8) - 1);
    if (from >= to)
        return;
    if (from / 8 == to / 8) {
        bits[from / 8] |= first & last;
        return;
    }
    bits[from / 8] |= first;
    memset(bits + from / 8 + 1, 0xFF, to / 8 - from / 8 - 1);
    if (last != 0)
        bits[to / 8] |= last;
}

/*
 * Copies n bits to bit `at` on; the bits before stay, those behind, in the last byte, become undefined. They
 * may be the first bits of the same buffer, at most `at` of them.
 */
static inline void append_bits(uint8_t *to, size_t at, const uint8_t *bits, size_t n)
{
    uint8_t *out = to + at / 8;
    const unsigned shift = at % 8;
    const size_t n_bytes = bytes_of_bits(n);
    if (shift == 0) {
        memcpy(out, bits, n_bytes);
        return;
    }
    unsigned carried = *out & ((1u << shift) - 1);
    size_t i = 0;
    for (; i + 8 <= n_bytes; i += 8) {
        const uint64_t word = load_le64(bits + i);
        store_le64(out + i, word << shift | carried);
        carried = (unsigned)(word >> (64 - shift));
    }
    for (; i < n_bytes; i++) {
        out[i] = (uint8_t)((unsigned)bits[i] << shift | carried);
        carried = (unsigned)bits[i] >> (8 - shift);
    }
    if (bytes_of_bits(shift + n) > n_bytes)
        out[i] = (uint8_t)carried;
}

/* Copies n bits from bit `from` on to the first bits of `to`; unused bits of its last byte become 0. */
static inline void copy_bits(const uint8_t *bits, size_t from, size_t n, uint8_t *to)
{
    const uint8_t *in = bits + from / 8;
    const unsigned shift = from % 8;
    const size_t n_bytes = bytes_of_bits(n), in_bytes = bytes_of_bits(shift + n);
    if (shift == 0) {
        memcpy(to, in, n_bytes);
    } else {
        size_t i = 0;
        for (; i + 9 <= in_bytes; i += 8)
            store_le64(to + i, load_le64(in + i) >> shift | (uint64_t)in[i + 8] << (64 - shift));
        for (; i < n_bytes; i++) {
            const unsigned upper = i + 1 < in_bytes ? in[i + 1] : 0;
            to[i] = (uint8_t)(in[i] >> shift | upper << (8 - shift));
        }
    }
    clear_unused_bits(to, n);
}

/* Bits [0, n) of `from` become bits [at, at + n) of `bits`, which are 0 before. */
static inline void merge_bits(uint8_t *bits, uint64_t at, const uint8_t *from, size_t n)
{
    uint8_t *out = bits + at / 8;
    const unsigned shift = at % 8;
    if (shift == 0) {
        for (size_t i = 0; i < bytes_of_bits(n); i++)
            out[i] |= from[i];
        return;
    }
    for (size_t i = 0; i < bytes_of_bits(n); i++) {
        const unsigned both = (unsigned)from[i] << shift;
        out[i] |= (uint8_t)both;
        if (both >> 8 != 0)
            out[i + 1] |= (uint8_t)(both >> 8);
    }
}

#endif
