#include "interop/counters.h"

#include "base/min.h"

/*
 * Makes words w and w + 1 a 64-bit number that grows by `step` from block to block. Returns for how many
 * blocks its upper half stays as it is.
 */
static uint64_t count_u64(dropwise_counters *c, unsigned w, uint64_t from, uint32_t step)
{
    c->first[w] = (uint32_t)from;
    c->first[w + 1] = (uint32_t)(from >> 32);
    c->step[w] = step;
    return (uint64_t)(UINT32_MAX - (uint32_t)from) / step + 1;
}

/*
 * Kernels whose threads each have a subsequence of their own. A thread takes `group` blocks at a time, one
 * after the other of its subsequence, for elements in a row; then the next thread's elements follow.
 */
static uint64_t thread_run(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const dropwise_interop *d = p->interop;
    const uint32_t group = d->vector > 4 ? d->vector / 4 : 1;
    const uint32_t per_thread = d->layout == DROPWISE_LAYOUT_ONNX_RUNTIME ? 4 : 1;
    const uint64_t turn = block / group / d->threads;
    const uint64_t thread = block / group % d->threads;
    const uint32_t in_group = (uint32_t)(block % group);
    const uint64_t q = d->counter[0] + turn * group + p->later;
    if (in_group != 0 || (uint32_t)q > UINT32_MAX - (group - 1)) {
        set_u64(c, 2, thread * per_thread);
        return min_u64(count_u64(c, 0, q + in_group, 1), group - in_group);
    }
    c->group = group;
    set_u64(c, 0, q);
    return min_u64(count_u64(c, 2, thread * per_thread, per_thread), d->threads - thread) * group;
}

static uint64_t legacy_run(const dropwise_interop *d, uint64_t block, dropwise_counters *c)
{
    if (d->draws == DROPWISE_F64) {
        c->first[0] = (uint32_t)block;
        c->first[1] = (uint32_t)(d->size + block);
        c->step[0] = c->step[1] = 1;
        return d->size - block;
    }
    const uint64_t words = legacy_words(d), odd = words % 2, half = words / 2 + odd;
    c->first[0] = (uint32_t)block;
    c->first[1] = (uint32_t)(half + block);
    c->step[0] = c->step[1] = 1;
    if (odd && block == half - 1) {
        c->first[1] = 0; /* JAX pads its list of counters with one 0 */
        return 1;
    }
    return half - odd - block;
}

uint64_t dropwise_counters_at(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const dropwise_interop *d = p->interop;
    *c = (dropwise_counters){.key = {(uint32_t)d->key[0], (uint32_t)(d->key[0] >> 32)}, .group = 1};
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
        c->first[0] = (uint32_t)(block >> 32);
        c->first[1] = (uint32_t)block;
        c->step[1] = 1;
        return (UINT64_C(1) << 32) - (uint32_t)block;
    case DROPWISE_LAYOUT_JAX_LEGACY:
        return legacy_run(d, block, c);
    case DROPWISE_LAYOUT_ONEDNN_3_6:
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
        for (uint32_t w = 0; w < 4; w++) {
            c->first[w] = 4 * (uint32_t)block + w;
            c->step[w] = 4;
        }
        if (d->layout == DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET)
            c->first[2] -= 2;
        return (UINT64_C(1) << 30) - block;
    case DROPWISE_LAYOUT_ONEDNN_3_11:
        set_u64(c, 0, d->counter[0]);
        return count_u64(c, 2, 4 * block, 4);
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
        set_u64(c, 0, d->counter[0]);
        return count_u64(c, 2, block, 1);
    case DROPWISE_LAYOUT_TORCH_CUDA:
    case DROPWISE_LAYOUT_CURAND_HOST:
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
    case DROPWISE_LAYOUT_DEEPSPEED:
        return thread_run(p, block, c);
    default:
        set_u64(c, 2, d->counter[1]);
        return count_u64(c, 0, d->counter[0] + block, 1);
    }
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
    while (n_blocks != 0) {
        dropwise_counters counters;
        dropwise_counters64 counters64;
        const bool is_numpy = p->interop->layout == DROPWISE_LAYOUT_NUMPY;
        const uint64_t run =
            is_numpy ? run64_at(p, block, &counters64) : dropwise_counters_at(p, block, &counters);
        const size_t n = min_size(n_blocks, run);
        if (is_numpy)
            p->kernels->dwords_philox4x64_10(&counters64, n, numbers);
        else
            p->words(&counters, n, numbers);
        block += n;
        n_blocks -= n;
        numbers += n * p->block_bytes;
    }
}
