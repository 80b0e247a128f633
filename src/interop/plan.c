#include "interop/plan.h"

#include "interop/counters.h"

static uint64_t count_low(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    set_u64(c, 2, p->interop->counter[1]);
    return count_u64(c, 0, p->interop->counter[0] + block, 1);
}

static void (*const plans[DROPWISE_LAYOUT_COUNT])(layout_plan *p) = {
#define DROPWISE_LAYOUT(number, LAYOUT, constructor, name, fields, plan, options, arguments) \
    [number] = dropwise_plan_##plan,
#include "interop/layouts.inc"
};

layout_plan dropwise_layout_plan_of(const dropwise_kernels *k, const dropwise_interop *d)
{
    const bool dwords = d->draws == DROPWISE_F64;
    layout_plan p = {
        .interop = d,
        .kernels = k,
        .words = k->words_philox4x32_10,
        .compare = dwords ? k->compare_u64 : k->compare_u32,
        .how = {.last = d->last, .drops = d->drops},
        .counters = count_low,
        .block_bytes = 16,
        .numbers = dwords ? 2 : 4,
        .arranged = IN_ORDER,
        .subsequences = 1,
    };
    plans[d->layout](&p);
    p.elements = p.arranged == FIRST_TWO ? 2 : p.numbers;
    return p;
}
