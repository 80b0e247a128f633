/* The smaller of two counts. */
#ifndef DROPWISE_MIN_H
#define DROPWISE_MIN_H

#include <stddef.h>
#include <stdint.h>

/* As many as there is room for, or those that are left: more may be left than fits a size_t. */
static inline size_t min_size(size_t room, uint64_t left)
{
    return room < left ? room : (size_t)left;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

#endif
