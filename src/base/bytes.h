/* Little-endian words in byte buffers, on any host and at any alignment. */
#ifndef DROPWISE_BYTES_H
#define DROPWISE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * One move each, and an exchange of bytes on big-endian hosts. Not byte by byte: gcc 12 makes vectors of some
 * loops over that, an order of magnitude slower.
 */
enum { BYTES_ARE_IN_ORDER = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ };

static inline uint32_t load_le32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_ARE_IN_ORDER ? v : __builtin_bswap32(v);
}

static inline void store_le32(uint8_t *p, uint32_t v)
{
    v = BYTES_ARE_IN_ORDER ? v : __builtin_bswap32(v);
    memcpy(p, &v, sizeof v);
}

static inline uint64_t load_le64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return BYTES_ARE_IN_ORDER ? v : __builtin_bswap64(v);
}

static inline void store_le64(uint8_t *p, uint64_t v)
{
    v = BYTES_ARE_IN_ORDER ? v : __builtin_bswap64(v);
    memcpy(p, &v, sizeof v);
}

/* n words. */
static inline void store_le64s(uint8_t *p, const uint64_t *words, size_t n)
{
    if (BYTES_ARE_IN_ORDER) {
        memcpy(p, words, n * sizeof *words);
    } else {
        for (size_t w = 0; w < n; w++)
            store_le64(p + w * 8, words[w]);
    }
}

/* The first n <= 8 bytes of such a word; the others are 0 and are not touched in memory. */
static inline uint64_t load_le64_part(const uint8_t *p, size_t n)
{
    /* By two words that may overlap: a call of memcpy would take longer than all else. */
    if (n == 8)
        return load_le64(p);
    if (n >= 4)
        return load_le32(p) | (uint64_t)load_le32(p + n - 4) << 8 * (n - 4);
    uint64_t v = n == 0 ? 0 : p[0];
    for (size_t i = 1; i < n; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static inline void store_le64_part(uint8_t *p, uint64_t v, size_t n)
{
    if (n >= 4) {
        store_le32(p, (uint32_t)v);
        store_le32(p + n - 4, (uint32_t)(v >> 8 * (n - 4)));
        return;
    }
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* Bytes that n packed bits take. */
static inline size_t bytes_of_bits(size_t n)
{
    return n / 8 + (n % 8 != 0);
}

#endif
