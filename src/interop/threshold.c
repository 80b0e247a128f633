#include "interop/threshold.h"

#include <string.h>

/* x rounded to a float with so many bits, half to even; x is 0 or a normal double. */
static double round_significand(double x, unsigned bits)
{
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    const unsigned cut = 53 - bits;
    const uint64_t below = (UINT64_C(1) << cut) - 1;
    u += (below >> 1) + (u >> cut & 1);
    u &= ~below;
    memcpy(&x, &u, sizeof x);
    return x;
}

double dropwise_rounded_to(dropwise_dtype dtype, double x)
{
    if (dtype == DROPWISE_F64)
        return x;
    if (dtype == DROPWISE_F32)
        return (double)(float)x;
    if (dtype == DROPWISE_BF16)
        return round_significand((double)(float)x, 8);
    if (x < 0x1p-14) /* the numbers of f16 are 2^-24 apart there */
        return (x + 0x1p28) - 0x1p28;
    x = round_significand(x, 11);
    return x < 65536.0 ? x : (double)__builtin_inff();
}

static double read_number(const rule *r, uint64_t v)
{
    const float scale = 4.6566127342e-10f;
    switch (r->read) {
    case FRACTION:
        return (double)(v >> (r->width - r->bits)) / (double)(UINT64_C(1) << r->bits);
    case ABOVE_ZERO:
        return (double)((float)(uint32_t)v * 0x1p-32f + 0x1p-33f);
    case FOLDED:
        return (double)((float)(uint32_t)v * scale);
    case MASKED:
        return (double)((float)(uint32_t)(v >> 1) * scale);
    case CENTRED:
        return (double)((float)((int64_t)v - INT64_C(0x80000000)) * 0x1p-32f + 0.5f);
    case LESS_ONE:
        return (double)((float)((int64_t)v - 1) / 2147483646.0f);
    case OF_MERSENNE31:
        return (double)(float)((double)v * (1.0 / 2147483647.0));
    case ROUNDED:
        return (double)(float)(uint32_t)v;
    case OF_ALL_ONES: {
        const float number = (float)(uint32_t)v / 4294967295.0f;
        return number < 1.0f ? (double)number : 0x1.fffffep-1;
    }
    case OF_64_BITS: {
        const float number = (float)v * 0x1p-64f;
        return number < 1.0f ? (double)number : 0x1.fffffep-1;
    }
    case OF_TWO_WORDS:
        return (double)(float)((double)v * 0x1p-64);
    default:
        return (double)v;
    }
}

static bool keeps(const rule *r, uint64_t v)
{
    const double number = read_number(r, v);
    switch (r->kept) {
    case BELOW:
        return number < r->limit;
    case ABOVE:
        return number > r->limit;
    case AT_LEAST:
        return number >= r->limit;
    default:
        return number <= r->limit;
    }
}

/*
 * The integer threshold: as numbers grow with v, so the kept ones lie on one side of some v, which is
 * searched for by halving. That is the system's own arithmetic, with its own roundings, 64 times at most.
 */
void dropwise_set_threshold(dropwise_interop *interop, const rule *r)
{
    const unsigned used = r->read == FOLDED ? 31 : r->width;
    uint64_t low = 0, high = UINT64_MAX >> (64 - used);
    const bool first = keeps(r, low);
    if (first != keeps(r, high)) {
        while (high - low > 1) { /* low is like the first number, high like the last */
            const uint64_t middle = low + (high - low) / 2;
            if (keeps(r, middle) == first)
                low = middle;
            else
                high = middle;
        }
        high = low;
    }
    interop->last = high;
    interop->drops = !first;
    const double fraction = ((double)high + 1.0) / (2.0 * (double)(UINT64_C(1) << (used - 1)));
    interop->keep = first ? fraction : 1.0 - fraction;
}

void dropwise_set_constant(dropwise_interop *interop, bool kept)
{
    const rule all = {AS_IT_IS, 32, 0, AT_LEAST, kept ? 0.0 : 0x1p32};
    dropwise_set_threshold(interop, &all);
}
