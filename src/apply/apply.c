#include "apply/apply.h"

#include <string.h>

#include "apply/forward.h"
#include "base/min.h"
#include "draw/stream.h"
#include "tiers/dispatch.h"

/*
 * Where x and y fit into the caches of the CPU together, nothing is prefetched, and y stays there for whoever
 * reads it next. Where they do not, lines are asked for ahead, and y is stored past the caches unless it is
 * x: it would not stay in them, and a store that is not nontemporal reads its line from memory first.
 *
 * What the CPU says of its caches (dropwise_cached_bytes) decides beyond NEAR_LEAST bytes of y, which fit
 * everywhere. Up to NEAR_MOST stores past the caches cost more than they save, and beyond it prefetches save
 * more than they cost, wherever y goes. docs/design.md has the measurements.
 */
enum { NEAR_LEAST = 256 << 10, NEAR_MOST = 4 << 20 };

/*
 * Elements of a step where all stays in the cache: few enough that stores of one step drain while the next
 * one is drawn, many enough that the calls and the constants that a kernel loads first do not count.
 */
enum { CACHED_STEP = 1024 };

bool dropwise_is_near(uint64_t bytes)
{
    return bytes <= NEAR_LEAST || (bytes <= NEAR_MOST && bytes <= dropwise_cached_bytes());
}

bool dropwise_is_large(uint64_t bytes)
{
    return bytes >= NEAR_MOST && bytes > dropwise_cached_bytes();
}

apply_plan dropwise_apply_plan(const dropwise_kernels *kernels, const dropwise_mask *mask,
                               dropwise_dtype dtype, bool nontemporal)
{
    return (apply_plan){
        .dtype = dropwise_dtype_of(kernels, dtype),
        .kernels = kernels,
        .element_bytes = dropwise_dtype_bytes(dtype),
        .scales = dropwise_scales_kept(mask),
        .nontemporal = nontemporal,
        .factor = dropwise_kept_factor(mask, dtype),
    };
}

static bool is_aligned(const uint8_t *p)
{
    return (uintptr_t)p % DROPWISE_NT_ALIGN == 0;
}

/* Elements that have no kernel of their own, by way of f32; all of them where bits is NULL. */
static void scale_through_f32(const apply_plan *plan, const uint8_t *bits, size_t n, const uint8_t *x,
                              uint8_t *y)
{
    for (size_t done = 0; done < n; done += WIDE) {
        float wide[WIDE];
        const size_t len = min_size(WIDE, n - done);
        plan->dtype.widen(len, x + done * plan->element_bytes, wide);
        if (bits != NULL)
            plan->kernels->scale_kept_f32(bits + done / 8, len, wide, wide, &plan->factor);
        else
            plan->kernels->scale_f32(len, wide, wide, &plan->factor);
        plan->dtype.narrow(len, wide, y + done * plan->element_bytes);
    }
}

void dropwise_add_reals(const dropwise_kernels *kernels, const dropwise_dtype_kernels *dtype,
                        const uint8_t *bits, size_t n, const void *g, void *y, const real *factor)
{
    if (dtype->widen == NULL) {
        dtype->add_kept(bits, n, g, y, factor);
        return;
    }
    float sum[WIDE];
    dtype->widen(n, y, sum);
    kernels->add_kept_f32(bits, n, g, sum, factor);
    if (bits == NULL) {
        dtype->narrow(n, sum, y);
        return;
    }
    /* What is dropped may be a NaN that would come back with other bits. */
    uint8_t rounded[WIDE * sizeof(uint16_t)];
    dtype->narrow(n, sum, rounded);
    dtype->blend(bits, n, rounded, y, y);
}

static void add_bits(const apply_plan *plan, const uint8_t *bits, size_t n, const uint8_t *x, uint8_t *y)
{
    if (plan->dtype.add_kept != NULL) {
        plan->dtype.add_kept(bits, n, x, y, &plan->factor);
        return;
    }
    for (size_t done = 0; done < n; done += WIDE) {
        float wide[WIDE];
        const size_t len = min_size(WIDE, n - done);
        plan->dtype.widen(len, x + done * plan->element_bytes, wide);
        dropwise_add_reals(plan->kernels, &plan->dtype, bits != NULL ? bits + done / 8 : NULL, len, wide,
                           y + done * plan->element_bytes, &plan->factor);
    }
}

void dropwise_apply_bits(const apply_plan *plan, const uint8_t *bits, size_t n, const uint8_t *x, uint8_t *y)
{
    if (plan->adds) {
        add_bits(plan, bits, n, x, y);
        return;
    }
    const bool nontemporal = plan->nontemporal && is_aligned(y);
    const dropwise_dtype_kernels *dtype = &plan->dtype;
    if (!plan->scales) {
        (nontemporal ? dtype->copy_kept_nt : dtype->copy_kept)(bits, n, x, y, NULL);
    } else if (dtype->scale_kept != NULL) {
        (nontemporal ? dtype->scale_kept_nt : dtype->scale_kept)(bits, n, x, y, &plan->factor);
    } else {
        scale_through_f32(plan, bits, n, x, y);
    }
}

static void scale_run(const apply_plan *plan, size_t n, const uint8_t *x, uint8_t *y)
{
    const dropwise_dtype_kernels *dtype = &plan->dtype;
    if (dtype->scale != NULL)
        (plan->nontemporal && is_aligned(y) ? dtype->scale_nt : dtype->scale)(n, x, y, &plan->factor);
    else
        scale_through_f32(plan, NULL, n, x, y);
}

static void scale_all(const apply_plan *plan, size_t n, const uint8_t *x, uint8_t *y)
{
    const size_t head = plan->nontemporal ? nontemporal_head(y, plan->element_bytes, false, n) : 0;
    if (head != 0)
        scale_run(plan, head, x, y);
    const size_t skip = head * plan->element_bytes;
    scale_run(plan, n - head, x + skip, y + skip);
}

void dropwise_apply_run(const apply_plan *plan, bool kept, size_t n, const uint8_t *x, uint8_t *y)
{
    const size_t bytes = n * plan->element_bytes;
    if (plan->adds) {
        if (kept)
            add_bits(plan, NULL, n, x, y);
    } else if (kept && plan->scales) {
        scale_all(plan, n, x, y);
    } else if (kept) {
        if (x != y)
            memcpy(y, x, bytes);
    } else if (plan->nontemporal && is_aligned(y)) {
        plan->kernels->clear_nt(bytes, y);
    } else {
        memset(y, 0, bytes);
    }
}

/*
 * Prefetches the elements of a step that is to be applied two steps later: memory answers while the steps
 * between are drawn. Into the second-level cache, as the buffers that wait for the first level are few and
 * nontemporal stores need them too.
 */
static void prefetch_ahead(const apply_call *call, size_t element_bytes, size_t at, size_t n)
{
    const size_t from = at + 2 * DRAW_STEP;
    const size_t to = from + min_size(DRAW_STEP, n - min_size(from, n));
    for (size_t i = from * element_bytes; i < to * element_bytes; i += 64)
        __builtin_prefetch(call->x + i, 0, 2);
}

/*
 * Where x is added to y, both are asked for, and twice as many lines have to come while a step is drawn: so
 * steps are as short in bytes for all elements, and further ahead. Of 64 MiB such a call takes 1.1 to 1.4
 * times as long as one that writes y; memory has 1.5 times as much to move.
 */
enum { ADD_STEP_BYTES = 2048, ADD_AHEAD = 4 };

static void prefetch_both_ahead(const apply_call *call, size_t from, size_t to)
{
    for (size_t i = from + ADD_AHEAD * ADD_STEP_BYTES;
         i < min_size(from + (ADD_AHEAD + 1) * ADD_STEP_BYTES, to); i += 64) {
        __builtin_prefetch(call->x + i, 0, 2);
        __builtin_prefetch(call->y + i, 1, 2);
    }
}

/* Where element `done` of a call begins. */
static const uint8_t *input_at(const apply_call *call, const apply_plan *plan, size_t done)
{
    return call->x + done * plan->element_bytes;
}

static uint8_t *output_at(const apply_call *call, const apply_plan *plan, size_t done)
{
    return call->y + done * plan->element_bytes;
}

/* The call by kernels that draw and scale the same elements, if there are some; false: there are none. */
static bool apply_forward(const dropwise_kernels *kernels, const apply_call *call)
{
    return call->stored == NULL && !call->adds &&
           dropwise_forward_call(kernels, call->mask, call->dtype, call->first, call->n, call->x, call->y,
                                 call->drawn);
}

/*
 * Elements of a chunk, for a call on n. The first chunk is drawn alone and the last one scaled alone: so it
 * is an eighth of the call, down to where what a chunk itself costs is felt.
 */
static size_t chunk_of(size_t n)
{
    enum { LEAST = 2048, UNIT = 1024 };
    const size_t eighth = (n / 8 + UNIT - 1) / UNIT * UNIT;
    return eighth < LEAST ? LEAST : min_size(DRAW_CHUNK, eighth);
}

/*
 * The call by bits that are drawn chunk by chunk. While a chunk is applied, the next one is drawn: by one
 * kernel that does both, or in turns, step by step.
 *
 * Where forward/f32/avx2/p:0.1/bytes:67108864 of the benchmark takes 1.15 times as long as y = s * x, turns
 * and prefetches took 1.3 times, and drawing a chunk before applying it 1.9 times.
 */
static void apply_drawn(const draw_plan *draw, const apply_plan *plan, dropwise_draw_scale_fn *kernel,
                        const apply_call *call, bool large)
{
    const size_t n = call->n;
    uint8_t buffers[2][DRAW_CHUNK / 8];
    draw_chunk chunk;
    uint8_t *bits = call->drawn != NULL ? call->drawn : buffers[0];
    const size_t chunk_len = chunk_of(n);
    size_t len = min_size(chunk_len, n);
    dropwise_draw_begin(&chunk, call->first, len, bits);
    dropwise_draw_end(draw, &chunk);

    const bool near = !large && !call->far && dropwise_is_near(n * plan->element_bytes);
    const size_t step = near ? CACHED_STEP : call->adds ? ADD_STEP_BYTES / plan->element_bytes : DRAW_STEP;
    for (size_t done = 0, i = 1; done < n; i++) {
        const size_t next = done + len;
        const size_t next_len = min_size(chunk_len, n - next);
        uint8_t *next_bits = call->drawn != NULL ? call->drawn + next / 8 : buffers[i % 2];
        dropwise_draw_next(&chunk, next_len, next_bits);
        size_t at = 0;
        if (kernel != NULL) {
            const dropwise_elements elements = {input_at(call, plan, done), output_at(call, plan, done),
                                                &plan->factor};
            at = dropwise_draw_scaling(draw, &chunk, len, kernel, bits, &elements);
        }
        for (; at < len; at += step) {
            if (!near && call->adds)
                prefetch_both_ahead(call, (done + at) * plan->element_bytes, n * plan->element_bytes);
            else if (!near)
                prefetch_ahead(call, plan->element_bytes, done + at, n);
            dropwise_draw_step(draw, &chunk, step);
            dropwise_apply_bits(plan, bits + at / 8, min_size(step, len - at),
                                input_at(call, plan, done + at), output_at(call, plan, done + at));
        }
        dropwise_draw_end(draw, &chunk);
        done = next;
        len = next_len;
        bits = next_bits;
    }
}

static void apply_part(const dropwise_kernels *kernels, const apply_call *call, bool large, bool nontemporal)
{
    apply_plan plan = dropwise_apply_plan(kernels, call->mask, call->dtype, nontemporal);
    plan.adds = call->adds;
    if (call->stored != NULL) {
        dropwise_apply_bits(&plan, call->stored, call->n, call->x, call->y);
    } else {
        const draw_plan draw = dropwise_draw_plan(kernels, call->mask);
        const bool fused = plan.scales && nontemporal;
        apply_drawn(&draw, &plan,
                    fused ? dropwise_fused_of(kernels, draw.generator, call->dtype).draw_scale : NULL, call,
                    large);
    }
    if (nontemporal)
        kernels->nt_fence();
}

void dropwise_apply_call(const dropwise_kernels *kernels, const apply_call *call, bool large)
{
    const size_t element_bytes = dropwise_dtype_bytes(call->dtype);
    const bool has_bits = call->drawn != NULL || call->stored != NULL;
    size_t head = call->n;
    if (large && call->x != call->y && !call->adds)
        head = nontemporal_head(call->y, element_bytes, has_bits, call->n);
    if (head == call->n) {
        if (!apply_forward(kernels, call))
            apply_part(kernels, call, large, false);
        return;
    }
    apply_call part = *call;
    part.n = head;
    if (head != 0)
        dropwise_apply_call(kernels, &part, false);
    part.n = call->n - head;
    part.first += head;
    part.x += head * element_bytes;
    part.y += head * element_bytes;
    if (part.drawn != NULL)
        part.drawn += head / 8;
    if (part.stored != NULL)
        part.stored += head / 8;
    apply_part(kernels, &part, true, true);
}
