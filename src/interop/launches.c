/*
 * PyTorch's CUDA kernels, ONNX Runtime, DeepSpeed: each thread of a launch has a subsequence of its own, so
 * masks depend on how many there are.
 */
#include "base/fp_env.h"
#include "base/min.h"
#include "interop/counters.h"
#include "interop/system.h"

enum { TORCH_BLOCK = 256, TORCH_UNROLL = 4, DEEPSPEED_BLOCK = 512 };

/*
 * Kernels whose threads each have a subsequence of their own. A thread takes `group` blocks at a time, one
 * after the other of its subsequence, for elements in a row; then the next thread's elements follow.
 */
static uint64_t thread_run(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const dropwise_interop *d = p->interop;
    const uint32_t group = d->vector > 4 ? d->vector / 4 : 1;
    const uint32_t per_thread = p->subsequences;
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

void dropwise_plan_threads(layout_plan *p)
{
    p->counters = thread_run;
}

void dropwise_plan_torch_cuda(layout_plan *p)
{
    dropwise_plan_threads(p);
    if (p->interop->vector == 1) {
        p->words = p->kernels->words_philox4x32_10_planes;
        p->arranged = ROWS_OF_THREADS;
    } else if (p->interop->vector == 2) {
        p->arranged = FIRST_TWO;
    }
}

/* Subsequences are numbered by elements, of which a thread has four. */
void dropwise_plan_onnx_runtime(layout_plan *p)
{
    dropwise_plan_threads(p);
    p->subsequences = 4;
}

void dropwise_plan_deepspeed(layout_plan *p)
{
    dropwise_plan_threads(p);
    if (p->interop->skip != 0)
        p->arranged = SHIFTED;
}

static uint64_t quotient_up(uint64_t a, uint64_t b)
{
    return a / b + (a % b != 0);
}

/* Blocks of 256 threads: as many as the elements want, or as the device holds. */
static dropwise_status launch(uint64_t numel, uint64_t per_block, uint32_t sm_count, uint32_t threads_per_sm,
                              uint32_t *threads, uint64_t *step)
{
    const uint64_t held = (uint64_t)sm_count * (threads_per_sm / TORCH_BLOCK);
    const uint64_t wanted = quotient_up(numel, per_block);
    const uint64_t blocks = min_u64(wanted, held);
    if (blocks == 0 || blocks > MAX_THREADS / TORCH_BLOCK)
        return DROPWISE_ERROR_PARAMETER;
    *threads = (uint32_t)(blocks * TORCH_BLOCK);
    *step = ((numel - 1) / (blocks * TORCH_BLOCK * TORCH_UNROLL) + 1) * TORCH_UNROLL;
    return DROPWISE_OK;
}

dropwise_status dropwise_torch_cuda_launch(dropwise_dtype dtype, uint64_t numel, uint32_t sm_count,
                                           uint32_t threads_per_sm, uint32_t *threads, uint32_t *vector,
                                           uint64_t *step)
{
    if (threads == NULL || vector == NULL || step == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_float_dtype(dtype))
        return DROPWISE_ERROR_DTYPE;
    const dropwise_status status = launch(numel, TORCH_BLOCK, sm_count, threads_per_sm, threads, step);
    if (status == DROPWISE_OK)
        for (*vector = dtype == DROPWISE_F64 ? 2 : dtype == DROPWISE_F32 ? 4 : 8; numel % *vector != 0;)
            *vector /= 2;
    return status;
}

/* A layout in which each of `threads` threads has a subsequence, from `offset` on. */
static dropwise_interop of_threads(uint32_t layout, uint64_t numel, uint32_t threads, uint32_t vector,
                                   uint64_t seed, uint64_t offset)
{
    dropwise_interop interop = new_interop(layout, seed);
    interop.size = numel;
    interop.threads = threads;
    interop.vector = vector;
    interop.counter[0] = offset / 4;
    interop.skip = offset % 4;
    return interop;
}

static FP_ENV_BODY dropwise_status interop_torch_cuda(dropwise_interop *interop, dropwise_dtype dtype,
                                                      uint64_t numel, uint32_t threads, uint32_t vector,
                                                      uint64_t seed, uint64_t offset, double p)
{
    const dropwise_status status = check_dropout(interop, dtype, p);
    if (status != DROPWISE_OK)
        return status;
    if (!is_torch_vector(vector) || numel % vector != 0 || numel > DROPWISE_INDEX_LIMIT || threads == 0 ||
        threads > MAX_THREADS || offset % 4 != 0)
        return DROPWISE_ERROR_PARAMETER;
    const bool is_f64 = dtype == DROPWISE_F64;
    const double keep = is_f64 ? 1.0 - p : (double)(float)(1.0 - p);
    const double scale = is_f64 ? 1.0 / keep : (double)(1.0f / (float)keep);
    *interop = of_threads(DROPWISE_LAYOUT_TORCH_CUDA, numel, threads, vector, seed, offset);
    interop->scale = keep > 0.0 ? scale : 0.0;
    const rule r = {ABOVE_ZERO, 32, 0, BELOW, keep};
    if (p == 0.0) /* dropout returns its input then, and does not ask the kernel */
        dropwise_set_constant(interop, true);
    else
        dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_torch_cuda(dropwise_interop *interop, dropwise_dtype dtype, uint64_t numel,
                                            uint32_t threads, uint32_t vector, uint64_t seed, uint64_t offset,
                                            double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_torch_cuda(interop, dtype, numel, threads, vector, seed, offset, p));
}

dropwise_status dropwise_onnx_runtime_launch(uint64_t numel, uint32_t sm_count, uint32_t threads_per_sm,
                                             uint32_t *threads, uint64_t *step)
{
    if (threads == NULL || step == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_int(numel))
        return DROPWISE_ERROR_PARAMETER;
    return launch(numel, TORCH_BLOCK * TORCH_UNROLL, sm_count, threads_per_sm, threads, step);
}

static FP_ENV_BODY dropwise_status interop_onnx_runtime(dropwise_interop *interop, uint64_t numel,
                                                        uint32_t threads, uint64_t seed, uint64_t offset,
                                                        double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    if (!is_int(numel) || threads == 0 || threads > MAX_THREADS / 2 || offset % 4 != 0)
        return DROPWISE_ERROR_PARAMETER;
    *interop = of_threads(DROPWISE_LAYOUT_ONNX_RUNTIME, numel, threads, 4, seed, offset);
    interop->scale = scale_in_f32((float)p);
    const rule r = {ABOVE_ZERO, 32, 0, BELOW, (double)(1.0f - (float)p)};
    if ((float)p == 0.0f) /* the operator copies its input then */
        dropwise_set_constant(interop, true);
    else
        dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_onnx_runtime(dropwise_interop *interop, uint64_t numel, uint32_t threads,
                                              uint64_t seed, uint64_t offset, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_onnx_runtime(interop, numel, threads, seed, offset, p));
}

dropwise_status dropwise_deepspeed_launch(uint64_t numel, uint32_t *threads, uint64_t *step)
{
    if (threads == NULL || step == NULL)
        return DROPWISE_ERROR_NULL;
    if (numel == 0 || numel % 4 != 0 || !is_int(numel))
        return DROPWISE_ERROR_PARAMETER;
    const uint64_t blocks = min_u64(quotient_up(numel / 4, DEEPSPEED_BLOCK), 262144);
    *threads = (uint32_t)(blocks * DEEPSPEED_BLOCK);
    *step = numel / *threads;
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status interop_deepspeed(dropwise_interop *interop, uint64_t numel,
                                                     uint32_t threads, uint64_t seed, uint64_t offset,
                                                     double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    if (!is_int(numel) || numel % 4 != 0 || threads == 0 || threads > MAX_THREADS)
        return DROPWISE_ERROR_PARAMETER;
    *interop = of_threads(DROPWISE_LAYOUT_DEEPSPEED, numel, threads, 4, seed, offset);
    const float ratio = (float)p;
    interop->scale = ratio < 1.0f ? (double)(float)(1.0 / (1.0 - (double)ratio)) : 0.0;
    const rule r = {ABOVE_ZERO, 32, 0, ABOVE, (double)ratio};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_deepspeed(dropwise_interop *interop, uint64_t numel, uint32_t threads,
                                           uint64_t seed, uint64_t offset, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_deepspeed(interop, numel, threads, seed, offset, p));
}
