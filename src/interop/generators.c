/* Generators whose numbers are compared by the user's own code: Triton, Inductor, cuRAND, oneMKL, NumPy. */
#include "base/check.h"
#include "base/fp_env.h"
#include "interop/seed_sequence.h"
#include "interop/system.h"

/* Philox with 32-bit words, p in f32. */
static FP_ENV_BODY dropwise_status of_generator(dropwise_interop *interop, uint32_t layout, uint64_t seed,
                                                uint64_t size, reading read, relation kept, double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    *interop = new_interop(layout, seed);
    interop->size = size;
    interop->scale = scale_in_f32((float)p);
    const rule r = {read, 32, 0, kept, (double)(float)p};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

/* ---- Triton and Inductor ---- */

/* One word of each block. */
static void first_words(layout_plan *p)
{
    p->words = p->kernels->words_philox4x32_10_first;
    p->block_bytes = 4;
    p->numbers = 1;
}

void dropwise_plan_folded_words(layout_plan *p)
{
    p->compare = p->kernels->compare_folded_u32;
}

void dropwise_plan_folded_first_words(layout_plan *p)
{
    first_words(p);
    dropwise_plan_folded_words(p);
}

void dropwise_plan_masked_first_words(layout_plan *p)
{
    first_words(p);
    p->how.shift = 1;
}

dropwise_status dropwise_interop_triton(dropwise_interop *interop, uint64_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(
        caller, of_generator(interop, DROPWISE_LAYOUT_TRITON, seed, DROPWISE_INDEX_LIMIT, FOLDED, ABOVE, p));
}

/*
 * The numbers are f32 for all dtypes; what they are compared with, and the scale, are f64 for f64. From 2.12
 * on, narrow dtypes round the f32 that they are compared with.
 */
static FP_ENV_BODY dropwise_status inductor(dropwise_interop *interop, uint32_t layout, dropwise_dtype dtype,
                                            uint64_t seed, reading read, double p)
{
    const dropwise_status status = check_dropout(interop, dtype, p);
    if (status != DROPWISE_OK)
        return status;
    const dropwise_dtype computed = dtype == DROPWISE_F64 ? DROPWISE_F64 : DROPWISE_F32;
    const bool is_2_11 = layout == DROPWISE_LAYOUT_INDUCTOR_GPU || layout == DROPWISE_LAYOUT_INDUCTOR_CPU;
    const double limit = dropwise_rounded_to(computed, p);
    *interop = new_interop(layout, seed);
    interop->size = UINT64_C(1) << 32;
    interop->scale = p < 1.0 ? dropwise_rounded_to(computed, 1.0 / (1.0 - p)) : 0.0;
    const rule r = {read, 32, 0, ABOVE, is_2_11 ? limit : dropwise_rounded_to(dtype, limit)};
    if (p == 0.0) /* nothing is drawn then */
        dropwise_set_constant(interop, true);
    else
        dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_inductor_gpu(dropwise_interop *interop, dropwise_dtype dtype, uint64_t seed,
                                              double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, inductor(interop, DROPWISE_LAYOUT_INDUCTOR_GPU, dtype, seed, FOLDED, p));
}

dropwise_status dropwise_interop_inductor_gpu_2_12(dropwise_interop *interop, dropwise_dtype dtype,
                                                   uint64_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, inductor(interop, DROPWISE_LAYOUT_INDUCTOR_GPU_2_12, dtype, seed, FOLDED, p));
}

dropwise_status dropwise_interop_inductor_gpu_2_13(dropwise_interop *interop, dropwise_dtype dtype,
                                                   uint64_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, inductor(interop, DROPWISE_LAYOUT_INDUCTOR_GPU_2_13, dtype, seed, FOLDED, p));
}

dropwise_status dropwise_interop_inductor_cpu(dropwise_interop *interop, dropwise_dtype dtype, uint64_t seed,
                                              double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        inductor(interop, DROPWISE_LAYOUT_INDUCTOR_CPU, dtype, (uint32_t)seed, MASKED, p));
}

dropwise_status dropwise_interop_inductor_cpu_2_12(dropwise_interop *interop, dropwise_dtype dtype,
                                                   uint64_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(
        caller, inductor(interop, DROPWISE_LAYOUT_INDUCTOR_CPU_2_12, dtype, (uint32_t)seed, MASKED, p));
}

/* ---- cuRAND and oneMKL ---- */

void dropwise_plan_words(layout_plan *p)
{
    (void)p;
}

void dropwise_plan_flipped_words(layout_plan *p)
{
    p->how.flip = UINT32_C(1) << 31;
}

static FP_ENV_BODY dropwise_status interop_curand(dropwise_interop *interop, uint64_t seed,
                                                  uint64_t subsequence, uint64_t offset, double p)
{
    const dropwise_status status =
        of_generator(interop, DROPWISE_LAYOUT_CURAND, seed, DROPWISE_INDEX_LIMIT, ABOVE_ZERO, ABOVE, p);
    if (status == DROPWISE_OK) {
        interop->counter[0] = offset / 4;
        interop->counter[1] = subsequence;
        interop->skip = offset % 4;
    }
    return status;
}

dropwise_status dropwise_interop_curand(dropwise_interop *interop, uint64_t seed, uint64_t subsequence,
                                        uint64_t offset, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_curand(interop, seed, subsequence, offset, p));
}

static FP_ENV_BODY dropwise_status interop_curand_host(dropwise_interop *interop, uint64_t seed,
                                                       uint64_t offset, double p)
{
    if (interop != NULL && is_probability(p) && offset > DROPWISE_INDEX_LIMIT)
        return DROPWISE_ERROR_PARAMETER;
    const dropwise_status status =
        of_generator(interop, DROPWISE_LAYOUT_CURAND_HOST, seed, DROPWISE_INDEX_LIMIT, ABOVE_ZERO, ABOVE, p);
    if (status == DROPWISE_OK) {
        interop->threads = CURAND_SUBSEQUENCES;
        interop->vector = 4;
        interop->skip = offset;
    }
    return status;
}

dropwise_status dropwise_interop_curand_host(dropwise_interop *interop, uint64_t seed, uint64_t offset,
                                             double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_curand_host(interop, seed, offset, p));
}

dropwise_status dropwise_interop_onemkl(dropwise_interop *interop, uint32_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, of_generator(interop, DROPWISE_LAYOUT_ONEMKL, seed, DROPWISE_INDEX_LIMIT,
                                             CENTRED, AT_LEAST, p));
}

static FP_ENV_BODY dropwise_status onemkl_bernoulli(dropwise_interop *interop, uint32_t seed, double keep)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(keep))
        return DROPWISE_ERROR_PROBABILITY;
    const double scale = scale_of_kept(keep);
    if (!dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_ONEMKL_BERNOULLI, seed);
    interop->scale = scale;
    const rule r = {CENTRED, 32, 0, BELOW, (double)(float)keep};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_onemkl_bernoulli(dropwise_interop *interop, uint32_t seed, double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, onemkl_bernoulli(interop, seed, keep));
}

/* ---- NumPy ---- */

void dropwise_plan_numpy(layout_plan *p)
{
    p->dwords = p->kernels->dwords_philox4x64_10;
    p->block_bytes = 32;
    p->numbers = p->interop->draws == DROPWISE_F64 ? 4 : 8;
}

dropwise_status dropwise_numpy_key(uint64_t seed, uint64_t key[2])
{
    if (key == NULL)
        return DROPWISE_ERROR_NULL;
    uint32_t words[4];
    dropwise_seed_sequence(seed, 4, words);
    key[0] = pair(words[0], words[1]);
    key[1] = pair(words[2], words[3]);
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status interop_numpy(dropwise_interop *interop, const uint64_t key[2],
                                                 const uint64_t counter[4], dropwise_dtype draws, double p)
{
    if (interop == NULL || key == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    if (draws != DROPWISE_F32 && draws != DROPWISE_F64)
        return DROPWISE_ERROR_DTYPE;
    const bool is_f64 = draws == DROPWISE_F64;
    *interop = new_interop(DROPWISE_LAYOUT_NUMPY, key[0]);
    interop->key[1] = key[1];
    interop->draws = draws;
    interop->scale = !is_f64 ? scale_in_f32((float)p) : p < 1.0 ? 1.0 / (1.0 - p) : 0.0;
    /* The counter grows before the first block. */
    bool carry = true;
    for (unsigned w = 0; w < 4; w++) {
        interop->counter[w] = (counter != NULL ? counter[w] : 0) + carry;
        carry = carry && interop->counter[w] == 0;
    }
    const rule r = {FRACTION, is_f64 ? 64 : 32, is_f64 ? 53 : 24, AT_LEAST, dropwise_rounded_to(draws, p)};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_numpy(dropwise_interop *interop, const uint64_t key[2],
                                       const uint64_t counter[4], dropwise_dtype draws, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_numpy(interop, key, counter, draws, p));
}
