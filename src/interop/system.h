/*
 * What the constructors of masks share. Each goes from what a system was given to a generator's key and
 * counter, one integer threshold, and the system's scale.
 */
#ifndef DROPWISE_SYSTEM_H
#define DROPWISE_SYSTEM_H

#include "interop/layouts.h"
#include "interop/plan.h"
#include "interop/threshold.h"

static inline uint64_t pair(uint32_t low, uint32_t high)
{
    return low | (uint64_t)high << 32;
}

static inline dropwise_interop new_interop(uint32_t layout, uint64_t key)
{
    return (dropwise_interop){
        .struct_size = sizeof(dropwise_interop),
        .layout = layout,
        .key = {key, 0},
        .size = DROPWISE_INDEX_LIMIT,
        .draws = DROPWISE_F32,
    };
}

static inline dropwise_status check_dropout(const dropwise_interop *interop, dropwise_dtype dtype, double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    return is_float_dtype(dtype) ? DROPWISE_OK : DROPWISE_ERROR_DTYPE;
}

#endif
