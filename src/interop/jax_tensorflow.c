/* JAX and TensorFlow: keys are made by the generator itself, numbers become fractions in the dtype. */
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "interop/counters.h"
#include "interop/jax_keys.h"
#include "interop/system.h"
#include "kernels/kernels.h"
#include "tiers/dispatch.h"

/* Bits of a number that become a fraction. */
static unsigned fraction_bits(dropwise_dtype dtype)
{
    return dtype == DROPWISE_F64 ? 52 : dtype == DROPWISE_F32 ? 23 : dtype == DROPWISE_F16 ? 10 : 7;
}

/* ---- JAX ---- */

/* Bits of a number that is compared; but for the legacy order, narrow ones are moved to the top of a word. */
static unsigned jax_width(bool legacy, dropwise_dtype draws)
{
    return legacy || draws == DROPWISE_F64 ? jax_bits(draws) : 32;
}

static unsigned step_bits(bool legacy, dropwise_dtype draws)
{
    return jax_width(legacy, draws) - fraction_bits(draws);
}

static uint64_t partitionable_run(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    (void)p;
    c->first[0] = (uint32_t)(block >> 32);
    c->first[1] = (uint32_t)block;
    c->step[1] = 1;
    return (UINT64_C(1) << 32) - (uint32_t)block;
}

static uint64_t legacy_run(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const dropwise_interop *d = p->interop;
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

static void threefry(layout_plan *p)
{
    const bool dwords = p->interop->draws == DROPWISE_F64;
    p->words = dwords ? p->kernels->words_threefry2x32_20_joined : p->kernels->words_threefry2x32_20_xor;
    p->block_bytes = dwords ? 8 : 4;
    p->numbers = 1;
}

void dropwise_plan_jax(layout_plan *p)
{
    const uint32_t bits = jax_bits(p->interop->draws);
    threefry(p);
    p->counters = partitionable_run;
    p->how.shift = bits < 32 ? 32 - bits : 0;
}

void dropwise_plan_jax_legacy(layout_plan *p)
{
    threefry(p);
    p->counters = legacy_run;
    if (p->interop->draws != DROPWISE_F64) {
        p->words = p->kernels->words_threefry2x32_20_planes;
        p->arranged = HALVES_OF_ALL;
    }
}

void dropwise_plan_jax_high(layout_plan *p)
{
    dropwise_plan_jax(p);
    p->step_bits = step_bits(false, p->interop->draws);
}

void dropwise_plan_jax_legacy_high(layout_plan *p)
{
    dropwise_plan_jax_legacy(p);
    p->step_bits = step_bits(true, p->interop->draws);
}

/*
 * JAX's layouts, as one function sees them: with mode="high" all numbers are counted, and there is a second
 * threshold.
 */
static bool is_legacy(uint32_t layout)
{
    return layout == DROPWISE_LAYOUT_JAX_LEGACY || layout == DROPWISE_LAYOUT_JAX_LEGACY_HIGH;
}

static bool is_high(uint32_t layout)
{
    return layout == DROPWISE_LAYOUT_JAX_HIGH || layout == DROPWISE_LAYOUT_JAX_LEGACY_HIGH ||
           layout == DROPWISE_LAYOUT_JAX_RBG_HIGH;
}

static bool jax_can_number(uint32_t layout, uint64_t size, dropwise_dtype draws)
{
    const uint64_t most = is_legacy(layout) ? dropwise_jax_legacy_limit(draws) : DROPWISE_INDEX_LIMIT;
    return size <= (is_high(layout) ? most / 2 : most);
}

/* The first number's threshold already takes in the step in which keep is; the second decides there. */
static void set_second_threshold(dropwise_interop *interop, const rule *of_first)
{
    const double steps = (double)(UINT64_C(1) << of_first->bits), at = of_first->limit * steps;
    rule r = *of_first;
    r.limit = at - (double)(uint64_t)at;
    interop->counter[2] = UINT64_MAX >> (64 - r.width);
    if (r.limit > 0.0) {
        dropwise_interop second = *interop;
        dropwise_set_threshold(&second, &r);
        interop->counter[2] = second.last;
        interop->keep -= (1.0 - second.keep) / steps;
    }
}

static FP_ENV_BODY dropwise_status jax(dropwise_interop *interop, uint32_t layout, const uint32_t key[2],
                                       uint64_t size, dropwise_dtype draws, dropwise_dtype dtype, double keep)
{
    if (interop == NULL || key == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(keep))
        return DROPWISE_ERROR_PROBABILITY;
    if (!is_float_dtype(draws) || !is_float_dtype(dtype))
        return DROPWISE_ERROR_DTYPE;
    const double scale =
        keep > 0.0 ? dropwise_rounded_to(dtype, 1.0 / dropwise_rounded_to(dtype, keep)) : 0.0;
    if (!dropwise_is_finite(scale) || !jax_can_number(layout, size, draws))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(layout, pair(key[0], key[1]));
    interop->size = size;
    interop->draws = draws;
    interop->scale = scale;
    const rule r = {FRACTION, jax_width(is_legacy(layout), draws), fraction_bits(draws), BELOW,
                    dropwise_rounded_to(draws, keep)};
    dropwise_set_threshold(interop, &r);
    if (is_high(layout))
        set_second_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_jax(dropwise_interop *interop, const uint32_t key[2], dropwise_dtype draws,
                                     dropwise_dtype dtype, double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        jax(interop, DROPWISE_LAYOUT_JAX, key, DROPWISE_INDEX_LIMIT, draws, dtype, keep));
}

dropwise_status dropwise_interop_jax_legacy(dropwise_interop *interop, const uint32_t key[2], uint64_t size,
                                            dropwise_dtype draws, dropwise_dtype dtype, double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, jax(interop, DROPWISE_LAYOUT_JAX_LEGACY, key, size, draws, dtype, keep));
}

dropwise_status dropwise_interop_jax_high(dropwise_interop *interop, const uint32_t key[2], uint64_t size,
                                          dropwise_dtype draws, dropwise_dtype dtype, double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, jax(interop, DROPWISE_LAYOUT_JAX_HIGH, key, size, draws, dtype, keep));
}

dropwise_status dropwise_interop_jax_legacy_high(dropwise_interop *interop, const uint32_t key[2],
                                                 uint64_t size, dropwise_dtype draws, dropwise_dtype dtype,
                                                 double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, jax(interop, DROPWISE_LAYOUT_JAX_LEGACY_HIGH, key, size, draws, dtype, keep));
}

/* ---- JAX: Philox ---- */

/* The lower half of the counter begins anywhere; what it carries goes to the upper one. */
static uint64_t count_128(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const uint64_t low = p->interop->counter[0] + block;
    set_u64(c, 2, p->interop->counter[1] + (low < block));
    return count_u64(c, 0, low, 1);
}

void dropwise_plan_jax_rbg(layout_plan *p)
{
    const uint32_t bits = jax_bits(p->interop->draws);
    p->counters = count_128;
    p->how.shift = bits < 32 ? 32 - bits : 0;
}

void dropwise_plan_jax_rbg_high(layout_plan *p)
{
    dropwise_plan_jax_rbg(p);
    p->step_bits = step_bits(false, p->interop->draws);
}

static FP_ENV_BODY dropwise_status jax_rbg(dropwise_interop *interop, uint32_t layout, const uint32_t key[4],
                                           uint64_t size, dropwise_dtype draws, dropwise_dtype dtype,
                                           double keep)
{
    const dropwise_status status = jax(interop, layout, key, size, draws, dtype, keep);
    if (status == DROPWISE_OK) {
        interop->counter[0] = pair(key[2], key[3]);
        interop->counter[1] = pair(key[0], key[1]);
    }
    return status;
}

dropwise_status dropwise_interop_jax_rbg(dropwise_interop *interop, const uint32_t key[4],
                                         dropwise_dtype draws, dropwise_dtype dtype, double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(
        caller, jax_rbg(interop, DROPWISE_LAYOUT_JAX_RBG, key, DROPWISE_INDEX_LIMIT, draws, dtype, keep));
}

dropwise_status dropwise_interop_jax_rbg_high(dropwise_interop *interop, const uint32_t key[4], uint64_t size,
                                              dropwise_dtype draws, dropwise_dtype dtype, double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        jax_rbg(interop, DROPWISE_LAYOUT_JAX_RBG_HIGH, key, size, draws, dtype, keep));
}

static void philox_block(const dropwise_kernels *kernels, uint64_t key, const uint32_t counter[4],
                         uint32_t out[4])
{
    uint8_t bytes[16];
    dropwise_counters counters = {.key = {(uint32_t)key, (uint32_t)(key >> 32)}, .group = 1};
    memcpy(counters.first, counter, sizeof counters.first);
    kernels->words_philox4x32_10(&counters, 1, bytes);
    for (unsigned w = 0; w < 4; w++)
        out[w] = load_le32(bytes + 4 * w);
}

/* Block number `block` of a key's numbers. */
static void rbg_block(const uint32_t key[4], uint64_t block, uint32_t out[4])
{
    const uint64_t start = pair(key[2], key[3]), low = start + block,
                   high = pair(key[0], key[1]) + (low < block);
    const uint32_t counter[4] = {(uint32_t)low, (uint32_t)(low >> 32), (uint32_t)high,
                                 (uint32_t)(high >> 32)};
    philox_block(dropwise_active(), pair(key[0], key[1]), counter, out);
}

/* JAX takes one block of ten. */
enum { RBG_STEP = 10 };

dropwise_status dropwise_jax_unsafe_rbg_split(const uint32_t key[4], uint32_t child, uint32_t out[4])
{
    if (key == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    rbg_block(key, (uint64_t)RBG_STEP * child, out);
    return DROPWISE_OK;
}

dropwise_status dropwise_jax_unsafe_rbg_fold_in(const uint32_t key[4], uint32_t data, uint32_t out[4])
{
    if (key == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    const uint32_t of_data[4] = {0, data, 0, data};
    uint32_t words[4];
    rbg_block(of_data, RBG_STEP - 1, words);
    for (unsigned w = 0; w < 4; w++)
        out[w] = key[w] ^ words[w];
    return DROPWISE_OK;
}

/* ---- MLX and tinygrad, whose words lie as JAX's legacy ones ---- */

static FP_ENV_BODY dropwise_status interop_mlx(dropwise_interop *interop, const uint32_t key[2],
                                               uint64_t size, double keep)
{
    if (interop == NULL || key == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(keep))
        return DROPWISE_ERROR_PROBABILITY;
    const double scale = keep > 0.0 ? (double)(float)(1.0 / keep) : 0.0;
    if (size > dropwise_jax_legacy_limit(DROPWISE_F32) || !dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_MLX, pair(key[0], key[1]));
    interop->size = size;
    interop->scale = scale;
    const float above_all_numbers = 0x1.000002p32f;
    const rule r = {ROUNDED, 32, 0, BELOW, (double)((float)keep * above_all_numbers)};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_mlx(dropwise_interop *interop, const uint32_t key[2], uint64_t size,
                                     double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_mlx(interop, key, size, keep));
}

static uint64_t tinygrad_run(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const uint64_t half = p->interop->size / 2 + p->interop->size % 2;
    c->first[0] = (uint32_t)block;
    c->first[1] = (uint32_t)(half + block);
    c->step[0] = c->step[1] = 1;
    return half - block;
}

void dropwise_plan_tinygrad(layout_plan *p)
{
    dropwise_plan_jax_legacy(p);
    p->counters = tinygrad_run;
}

/* The first word of the key is a hash of the number of the device, 0. */
static FP_ENV_BODY dropwise_status interop_tinygrad(dropwise_interop *interop, uint64_t seed, uint64_t before,
                                                    uint64_t size, double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    const double scale = p < 1.0 ? (double)(float)(1.0 / (1.0 - p)) : 0.0;
    if (size > dropwise_jax_legacy_limit(DROPWISE_F32) || !dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    const uint32_t device[2] = {UINT32_C(0x14B81119), (uint32_t)seed};
    uint32_t key[2];
    threefry_block(dropwise_active(), device, (uint32_t)before, (uint32_t)(before >> 32), key);
    *interop = new_interop(DROPWISE_LAYOUT_TINYGRAD, pair(key[0], key[1]));
    interop->size = size;
    interop->scale = scale;
    const rule r = {FRACTION, 32, 23, AT_LEAST, (double)(float)p};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_tinygrad(dropwise_interop *interop, uint64_t seed, uint64_t before,
                                          uint64_t size, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_tinygrad(interop, seed, before, size, p));
}

/* ---- TensorFlow ---- */

/* A kernel that has a state moves its counter on by so much for each element, however many it takes. */
#define TENSORFLOW_STEP UINT64_C(256)
#define TENSORFLOW_MOST_BEFORE (UINT64_C(1) << 55)

void dropwise_plan_tensorflow(layout_plan *p)
{
    const dropwise_dtype draws = p->interop->draws;
    const bool dwords = draws == DROPWISE_F64;
    p->words = dwords ? p->kernels->words_philox4x32_10_swapped : p->kernels->words_philox4x32_10;
    p->how.shift = (dwords ? 64 : 32) - fraction_bits(draws);
}

/* What all of TensorFlow's masks have: the numbers' dtype, the scale, the comparison. */
static dropwise_status tensorflow(dropwise_interop *interop, uint32_t layout, dropwise_dtype dtype,
                                  double rate)
{
    if (!(rate >= 0.0 && rate < 1.0))
        return DROPWISE_ERROR_PROBABILITY;
    if (!is_float_dtype(dtype))
        return DROPWISE_ERROR_DTYPE;
    const double scale = dropwise_rounded_to(dtype, 1.0 / (1.0 - rate));
    if (!dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(layout, 0);
    interop->draws = dtype;
    interop->scale = scale;
    /* Under XLA numbers of bf16 are those of f32. */
    const bool wider = layout == DROPWISE_LAYOUT_TENSORFLOW_XLA && dtype == DROPWISE_BF16;
    const rule r = {FRACTION, dtype == DROPWISE_F64 ? 64 : 32, wider ? 23 : fraction_bits(dtype), AT_LEAST,
                    dropwise_rounded_to(dtype, rate)};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status stateless(dropwise_interop *interop, uint32_t layout,
                                             const int64_t seed[2], dropwise_dtype dtype, double rate)
{
    if (interop == NULL || seed == NULL)
        return DROPWISE_ERROR_NULL;
    /* XLA takes 32 bits of each. */
    const uint64_t used = layout == DROPWISE_LAYOUT_TENSORFLOW_XLA ? UINT32_MAX : UINT64_MAX;
    const uint64_t seed0 = (uint64_t)seed[0] & used, seed1 = (uint64_t)seed[1] & used;
    const uint32_t counter[4] = {(uint32_t)seed0, (uint32_t)(seed0 >> 32), (uint32_t)seed1,
                                 (uint32_t)(seed1 >> 32)};
    uint32_t mixed[4];
    const dropwise_status status = tensorflow(interop, layout, dtype, rate);
    if (status == DROPWISE_OK) {
        philox_block(dropwise_active(), pair(UINT32_C(0x3EC8F720), UINT32_C(0x02461E29)), counter, mixed);
        interop->key[0] = pair(mixed[0], mixed[1]);
        interop->counter[1] = pair(mixed[2], mixed[3]);
    }
    return status;
}

dropwise_status dropwise_interop_tensorflow(dropwise_interop *interop, const int64_t seed[2],
                                            dropwise_dtype dtype, double rate)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, stateless(interop, DROPWISE_LAYOUT_TENSORFLOW, seed, dtype, rate));
}

void dropwise_plan_tensorflow_xla(layout_plan *p)
{
    p->how.shift = p->interop->draws == DROPWISE_F16 ? 22 : 0;
}

dropwise_status dropwise_interop_tensorflow_xla(dropwise_interop *interop, const int64_t seed[2],
                                                dropwise_dtype dtype, double rate)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, stateless(interop, DROPWISE_LAYOUT_TENSORFLOW_XLA, seed, dtype, rate));
}

static FP_ENV_BODY dropwise_status stateful(dropwise_interop *interop, const int64_t seed[2], uint64_t before,
                                            dropwise_dtype dtype, double rate)
{
    if (interop == NULL || seed == NULL)
        return DROPWISE_ERROR_NULL;
    if (rate >= 0.0 && rate < 1.0 && is_float_dtype(dtype) && before > TENSORFLOW_MOST_BEFORE)
        return DROPWISE_ERROR_PARAMETER;
    const dropwise_status status = tensorflow(interop, DROPWISE_LAYOUT_TENSORFLOW_STATEFUL, dtype, rate);
    if (status == DROPWISE_OK) {
        interop->key[0] = (uint64_t)seed[0];
        interop->counter[0] = before * TENSORFLOW_STEP;
        interop->counter[1] = (uint64_t)seed[1];
    }
    return status;
}

dropwise_status dropwise_interop_tensorflow_stateful(dropwise_interop *interop, const int64_t seed[2],
                                                     uint64_t before, dropwise_dtype dtype, double rate)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, stateful(interop, seed, before, dtype, rate));
}
