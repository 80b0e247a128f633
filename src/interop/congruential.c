/*
 * Layouts of linear congruential generators, in which any number is a power away: ONNX Runtime and oneMKL
 * modulo 2^31 - 1, NumPy's PCG64 modulo 2^128.
 */
#include "base/bytes.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/multiply.h"
#include "interop/seed_sequence.h"
#include "interop/system.h"

/* ---- Modulo 2^31 - 1 ---- */

enum { MERSENNE31 = INT32_MAX, MINSTD = 16807, MINSTD_WEB = 48271, MCG31 = 1132489760 };

static uint32_t mersenne31_power(uint32_t base, uint64_t exponent)
{
    uint32_t power = 1;
    for (uint64_t left = exponent % (MERSENNE31 - 1); left != 0; left >>= 1) {
        if (left & 1)
            power = mersenne31_times(power, base);
        base = mersenne31_times(base, base);
    }
    return power;
}

static void lehmer_numbers(const layout_plan *p, uint64_t at, size_t n, uint8_t *numbers)
{
    const uint32_t first = (uint32_t)(p->interop->key[0] % MERSENNE31);
    p->kernels->mersenne31(mersenne31_times(first, mersenne31_power(p->multiplier, at)), p->multiplier, n,
                           numbers);
}

static void lehmer(layout_plan *p, uint32_t multiplier)
{
    p->generate = lehmer_numbers;
    p->multiplier = multiplier;
    p->block_bytes = 4;
    p->numbers = 1;
}

void dropwise_plan_minstd(layout_plan *p)
{
    lehmer(p, MINSTD);
}

void dropwise_plan_minstd_web(layout_plan *p)
{
    lehmer(p, MINSTD_WEB);
}

void dropwise_plan_mcg31(layout_plan *p)
{
    lehmer(p, MCG31);
}

/* The first number of a seed, which may not be 0. */
static uint32_t mersenne31_seed(uint64_t seed)
{
    return seed % MERSENNE31 != 0 ? (uint32_t)(seed % MERSENNE31) : 1;
}

/* The seed's own number is not drawn. */
static FP_ENV_BODY dropwise_status onnx_runtime(dropwise_interop *interop, uint32_t layout,
                                                uint32_t multiplier, uint64_t seed, double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!(p >= 0.0 && (float)p < 1.0f))
        return DROPWISE_ERROR_PROBABILITY;
    *interop = new_interop(layout, mersenne31_times(mersenne31_seed(seed), multiplier));
    interop->scale = scale_in_f32((float)p);
    const rule r = {LESS_ONE, 31, 0, AT_LEAST, (double)(float)p};
    if (p == 0.0)
        dropwise_set_constant(interop, true);
    else
        dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_onnx_runtime_cpu(dropwise_interop *interop, uint64_t seed, uint64_t run,
                                                  double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        onnx_runtime(interop, DROPWISE_LAYOUT_ONNX_RUNTIME_CPU, MINSTD, seed + run, p));
}

dropwise_status dropwise_interop_onnx_runtime_web(dropwise_interop *interop, uint64_t seed, uint64_t run,
                                                  double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller,
                        onnx_runtime(interop, DROPWISE_LAYOUT_ONNX_RUNTIME_WEB, MINSTD_WEB, seed + run, p));
}

static FP_ENV_BODY dropwise_status onemkl_mcg31(dropwise_interop *interop, uint32_t seed, double keep)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(keep))
        return DROPWISE_ERROR_PROBABILITY;
    const double scale = scale_of_kept(keep);
    if (!dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_ONEMKL_MCG31, mersenne31_seed(seed));
    interop->scale = scale;
    const rule r = {OF_MERSENNE31, 31, 0, BELOW, (double)(float)keep};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_onemkl_mcg31(dropwise_interop *interop, uint32_t seed, double keep)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, onemkl_mcg31(interop, seed, keep));
}

/* ---- PCG64: XSL-RR of 128 bits (O'Neill, 2014) ---- */

typedef struct u128 {
    uint64_t low, high;
} u128;

static const u128 pcg_multiplier = {UINT64_C(0x4385DF649FCCF645), UINT64_C(0x2360ED051FC65DA4)};

static inline u128 u128_times(u128 a, u128 b)
{
    u128 product;
    multiply_u64(a.low, b.low, &product.high, &product.low);
    product.high += a.low * b.high + a.high * b.low;
    return product;
}

static inline u128 u128_plus(u128 a, u128 b)
{
    const uint64_t low = a.low + b.low;
    return (u128){low, a.high + b.high + (low < a.low)};
}

/* x times a plus c: a step, or several. */
typedef struct pcg_step {
    u128 a, c;
} pcg_step;

static inline u128 pcg_next(u128 x, pcg_step by)
{
    return u128_plus(u128_times(x, by.a), by.c);
}

/* First one, then the other. */
static inline pcg_step pcg_both(pcg_step one, pcg_step other)
{
    return (pcg_step){u128_times(one.a, other.a), pcg_next(one.c, other)};
}

static inline uint64_t pcg_output(u128 x)
{
    const uint64_t folded = x.high ^ x.low;
    const unsigned by = (unsigned)(x.high >> 58);
    return folded >> by | folded << (64 - by) % 64;
}

/* Four states go on in turn, so that none waits for its product. */
static void pcg_numbers(const layout_plan *p, uint64_t at, size_t n, uint8_t *numbers)
{
    enum { STATES = 4 };
    const dropwise_interop *d = p->interop;
    const pcg_step one = {pcg_multiplier, {d->counter[0], d->counter[1]}};
    pcg_step by = one;
    u128 x = {d->key[0], d->key[1]}, states[STATES];
    for (uint64_t left = at + 1; left != 0; left >>= 1) {
        if (left & 1)
            x = pcg_next(x, by);
        by = pcg_both(by, by);
    }
    for (unsigned s = 0; s < STATES; s++, x = pcg_next(x, one))
        states[s] = x;
    by = pcg_both(one, one);
    by = pcg_both(by, by);
    for (size_t i = 0; i < n; i += STATES) {
        for (unsigned s = 0; s < STATES; s++) {
            if (i + s < n)
                store_le64(numbers + 8 * (i + s), pcg_output(states[s]));
            states[s] = pcg_next(states[s], by);
        }
    }
}

void dropwise_plan_numpy_pcg64(layout_plan *p)
{
    p->generate = pcg_numbers;
    p->block_bytes = 8;
    p->numbers = p->interop->draws == DROPWISE_F64 ? 1 : 2;
}

dropwise_status dropwise_numpy_pcg64_seed(uint64_t seed, uint64_t state[2], uint64_t increment[2])
{
    if (state == NULL || increment == NULL)
        return DROPWISE_ERROR_NULL;
    uint32_t words[8];
    dropwise_seed_sequence(seed, 8, words);
    const u128 begin = {pair(words[2], words[3]), pair(words[0], words[1])};
    const u128 stream = {pair(words[6], words[7]), pair(words[4], words[5])};
    const pcg_step one = {pcg_multiplier, {stream.low << 1 | 1, stream.high << 1 | stream.low >> 63}};
    const u128 x = pcg_next(u128_plus(one.c, begin), one);
    state[0] = x.low;
    state[1] = x.high;
    increment[0] = one.c.low;
    increment[1] = one.c.high;
    return DROPWISE_OK;
}

static FP_ENV_BODY dropwise_status numpy_pcg64(dropwise_interop *interop, const uint64_t state[2],
                                               const uint64_t increment[2], dropwise_dtype draws, double p)
{
    if (interop == NULL || state == NULL || increment == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    if (draws != DROPWISE_F32 && draws != DROPWISE_F64)
        return DROPWISE_ERROR_DTYPE;
    const bool is_f64 = draws == DROPWISE_F64;
    *interop = new_interop(DROPWISE_LAYOUT_NUMPY_PCG64, state[0]);
    interop->key[1] = state[1];
    interop->counter[0] = increment[0];
    interop->counter[1] = increment[1];
    interop->draws = draws;
    interop->scale = !is_f64 ? scale_in_f32((float)p) : p < 1.0 ? 1.0 / (1.0 - p) : 0.0;
    const rule r = {FRACTION, is_f64 ? 64 : 32, is_f64 ? 53 : 24, AT_LEAST, dropwise_rounded_to(draws, p)};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_numpy_pcg64(dropwise_interop *interop, const uint64_t state[2],
                                             const uint64_t increment[2], dropwise_dtype draws, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, numpy_pcg64(interop, state, increment, draws, p));
}
