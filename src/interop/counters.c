#include "interop/counters.h"

#include "base/min.h"

uint64_t dropwise_counters_at(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const uint64_t key = p->interop->key[0];
    *c = (dropwise_counters){.key = {(uint32_t)key, (uint32_t)(key >> 32)}, .group = 1};
    return p->counters(p, block, c);
}

/* NumPy's counter has 256 bits; the kernel lets the lowest word of it wrap around. */
static uint64_t run64_at(const layout_plan *p, uint64_t block, dropwise_counters64 *c)
{
    const dropwise_interop *d = p->interop;
    *c = (dropwise_counters64){.key = {d->key[0], d->key[1]}};
    uint64_t carry = block;
    for (unsigned w = 0; w < 4; w++) {
        c->first[w] = d->counter[w] + carry;
        carry = c->first[w] < carry;
    }
    return c->first[0] == 0 ? UINT64_MAX : 0 - c->first[0];
}

void dropwise_generate_numbers(const layout_plan *p, uint64_t block, size_t n_blocks, uint8_t *numbers)
{
    if (p->generate != NULL) {
        p->generate(p, block, n_blocks, numbers);
        return;
    }
    while (n_blocks != 0) {
        dropwise_counters counters;
        dropwise_counters64 counters64;
        const bool is_64 = p->dwords != NULL;
        const uint64_t run =
            is_64 ? run64_at(p, block, &counters64) : dropwise_counters_at(p, block, &counters);
        const size_t n = min_size(n_blocks, run);
        if (is_64)
            p->dwords(&counters64, n, numbers);
        else
            p->words(&counters, n, numbers);
        block += n;
        n_blocks -= n;
        numbers += n * p->block_bytes;
    }
}
