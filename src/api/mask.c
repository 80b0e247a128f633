/* Making a mask: the probability becomes the integer that bits are drawn by; and the generators' names. */
#include "base/fp_env.h"
#include "dropwise.h"

_Static_assert(sizeof(dropwise_mask) == 64, "the mask is part of the ABI");

/*
 * q * 2^40, rounded half to even. The product and the difference below are
 * exact: a power of two, and the fraction of a number below 2^53.
 */
static uint64_t keep_threshold(double q)
{
    const double scaled = q * 0x1p40;
    const uint64_t whole = (uint64_t)scaled;
    const double fraction = scaled - (double)whole;
    return whole + (fraction > 0.5 || (fraction == 0.5 && whole % 2 != 0));
}

static FP_ENV_BODY dropwise_status mask_init(dropwise_mask *mask, double p, uint64_t seed, uint64_t stream)
{
    if (mask == NULL)
        return DROPWISE_ERROR_NULL;
    if (!(p >= 0.0 && p <= 1.0))
        return DROPWISE_ERROR_PROBABILITY;
    *mask = (dropwise_mask){
        .struct_size = sizeof *mask,
        .generator = DROPWISE_PHILOX4X32_10,
        .seed = seed,
        .stream = stream,
        .keep_threshold = keep_threshold(1.0 - p),
        .scaling = DROPWISE_SCALING_INVERTED,
    };
    return DROPWISE_OK;
}

dropwise_status dropwise_mask_init(dropwise_mask *mask, double p, uint64_t seed, uint64_t stream)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, mask_init(mask, p, seed, stream));
}

const char *dropwise_generator_name(uint32_t generator)
{
    switch (generator) {
#define DROPWISE_GENERATOR(number, name, user_name, template) \
    case DROPWISE_##number: \
        return user_name;
#define DROPWISE_GENERATOR_BY_AES(number, name, user_name, template) \
    DROPWISE_GENERATOR(number, name, user_name, template)
#include "kernels/generators.inc"
    default:
        return NULL;
    }
}
