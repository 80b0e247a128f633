/*
 * Masks of other systems: from what a system was given to a generator's key and counter, one integer
 * threshold, and the system's scale, in its own rounding.
 */
#include <stdbool.h>
#include <string.h>

#include "apply/apply.h"
#include "base/bytes.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "interop/draw.h"
#include "tiers/dispatch.h"

/* ---- Names ---- */

static const char *const layout_names[DROPWISE_LAYOUT_COUNT] = {
    [DROPWISE_LAYOUT_JAX] = "jax",
    [DROPWISE_LAYOUT_JAX_LEGACY] = "jax-legacy",
    [DROPWISE_LAYOUT_TENSORFLOW] = "tf",
    [DROPWISE_LAYOUT_ONEDNN_3_6] = "onednn-3.6",
    [DROPWISE_LAYOUT_ONEDNN_3_11] = "onednn-3.11",
    [DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET] = "onednn-3.11-no-offset",
    [DROPWISE_LAYOUT_TORCH_CUDA] = "torch-cuda",
    [DROPWISE_LAYOUT_TRITON] = "triton",
    [DROPWISE_LAYOUT_INDUCTOR_GPU] = "inductor-gpu-2.11",
    [DROPWISE_LAYOUT_INDUCTOR_CPU] = "inductor-cpu-2.11",
    [DROPWISE_LAYOUT_CURAND] = "curand",
    [DROPWISE_LAYOUT_CURAND_HOST] = "curand-host",
    [DROPWISE_LAYOUT_NUMPY] = "numpy",
    [DROPWISE_LAYOUT_ONEMKL] = "onemkl",
    [DROPWISE_LAYOUT_FLASH_ATTENTION_2] = "flash-attention-2",
    [DROPWISE_LAYOUT_TRANSFORMER_ENGINE] = "transformer-engine",
    [DROPWISE_LAYOUT_ONNX_RUNTIME] = "onnx-runtime",
    [DROPWISE_LAYOUT_DEEPSPEED] = "deepspeed",
    [DROPWISE_LAYOUT_INDUCTOR_GPU_2_12] = "inductor-gpu-2.12",
    [DROPWISE_LAYOUT_INDUCTOR_GPU_2_13] = "inductor-gpu-2.13",
    [DROPWISE_LAYOUT_INDUCTOR_CPU_2_12] = "inductor-cpu-2.12",
};

const char *dropwise_layout_name(uint32_t layout)
{
    return layout < DROPWISE_LAYOUT_COUNT ? layout_names[layout] : NULL;
}

/* ---- Blocks, for keys ---- */

static uint64_t pair(uint32_t low, uint32_t high)
{
    return low | (uint64_t)high << 32;
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

static void threefry_block(const dropwise_kernels *kernels, const uint32_t key[2], uint32_t word0,
                           uint32_t word1, uint32_t out[2])
{
    uint8_t bytes[8];
    const dropwise_counters counters = {.key = {key[0], key[1]}, .first = {word0, word1}, .group = 1};
    kernels->words_threefry2x32_20_planes(&counters, 1, bytes);
    out[0] = load_le32(bytes);
    out[1] = load_le32(bytes + 4);
}

/* ---- Floats of other systems ---- */

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

/*
 * x >= 0 as a number of the dtype, or infinity beyond the largest; f16 has numbers 2^-24 apart below 2^-14.
 */
static double rounded_to(dropwise_dtype dtype, double x)
{
    if (dtype == DROPWISE_F64)
        return x;
    if (dtype == DROPWISE_F32)
        return (double)(float)x;
    if (dtype == DROPWISE_BF16)
        return round_significand((double)(float)x, 8);
    if (x < 0x1p-14)
        return (x + 0x1p28) - 0x1p28;
    x = round_significand(x, 11);
    return x < 65536.0 ? x : (double)__builtin_inff();
}

static bool is_probability(double p)
{
    return p >= 0.0 && p <= 1.0;
}

static bool is_float_dtype(dropwise_dtype dtype)
{
    return dtype == DROPWISE_F32 || dtype == DROPWISE_F64 || dtype == DROPWISE_F16 || dtype == DROPWISE_BF16;
}

/* 1 / (1 - p) in f32, both operations rounded. */
static double scale_in_f32(float p)
{
    const float keep = 1.0f - p;
    return p < 1.0f ? (double)(1.0f / keep) : 0.0;
}

/* ---- Thresholds ---- */

/* What a system makes of a random number v that was transformed as compare.inc.h says. */
typedef enum reading {
    FRACTION,   /* the upper `bits` of it, as a fraction: exact                     */
    ABOVE_ZERO, /* float(v) 2^-32 + 2^-33 in f32, as cuRAND                         */
    FOLDED,     /* float(v) 4.6566127342e-10 in f32, as Triton                      */
    MASKED,     /* the same of v / 2, as Inductor on a CPU                          */
    CENTRED,    /* float(v - 2^31) 2^-32 + 0.5 in f32, as oneMKL                    */
    AS_IT_IS    /* v                                                                */
} reading;

typedef enum relation { BELOW, ABOVE, AT_LEAST, AT_MOST } relation;

typedef struct rule {
    reading read;
    unsigned width; /* bits of v               */
    unsigned bits;  /* of a fraction           */
    relation kept;  /* elements whose number is ... */
    double limit;   /* ... this                */
} rule;

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
static void set_threshold(dropwise_interop *interop, const rule *r)
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

/* Without a random number: all kept, or none. */
static void set_constant(dropwise_interop *interop, bool kept)
{
    const rule all = {AS_IT_IS, 32, 0, AT_LEAST, kept ? 0.0 : 0x1p32};
    set_threshold(interop, &all);
}

static dropwise_interop new_interop(uint32_t layout, uint64_t key)
{
    return (dropwise_interop){
        .struct_size = sizeof(dropwise_interop),
        .layout = layout,
        .key = {key, 0},
        .size = DROPWISE_INDEX_LIMIT,
        .draws = DROPWISE_F32,
    };
}

/* ---- JAX ---- */

dropwise_status dropwise_jax_key(uint64_t seed, uint32_t key[2])
{
    if (key == NULL)
        return DROPWISE_ERROR_NULL;
    key[0] = (uint32_t)(seed >> 32);
    key[1] = (uint32_t)seed;
    return DROPWISE_OK;
}

dropwise_status dropwise_jax_fold_in(const uint32_t key[2], uint32_t data, uint32_t out[2])
{
    return dropwise_jax_split(key, data, out);
}

dropwise_status dropwise_jax_split(const uint32_t key[2], uint64_t child, uint32_t out[2])
{
    if (key == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    threefry_block(dropwise_active(), key, (uint32_t)(child >> 32), (uint32_t)child, out);
    return DROPWISE_OK;
}

/*
 * The words are the first ones of blocks (0, n), (1, n + 1), ..., then the second ones; a child has two in
 * a row.
 */
dropwise_status dropwise_jax_split_legacy(const uint32_t key[2], uint32_t children, uint32_t child,
                                          uint32_t out[2])
{
    if (key == NULL || out == NULL)
        return DROPWISE_ERROR_NULL;
    if (child >= children || children > INT32_MAX)
        return DROPWISE_ERROR_PARAMETER;
    const dropwise_kernels *kernels = dropwise_active();
    uint32_t words[2];
    for (uint32_t i = 0; i < 2; i++) {
        const uint32_t word = 2 * child + i, block = word % children;
        uint32_t both[2];
        threefry_block(kernels, key, block, children + block, both);
        words[i] = both[word / children];
    }
    memcpy(out, words, sizeof words);
    return DROPWISE_OK;
}

/* Random bits of a dtype's numbers, and those of them that become a fraction. */
static rule jax_rule(bool legacy, dropwise_dtype draws, double keep)
{
    const unsigned narrow = draws == DROPWISE_F16 ? 16 : 8;
    rule r = {FRACTION, 32, 23, BELOW, rounded_to(draws, keep)};
    if (draws == DROPWISE_F64) {
        r.width = 64;
        r.bits = 52;
    } else if (draws != DROPWISE_F32) {
        r.bits = draws == DROPWISE_F16 ? 10 : 7;
        r.width = legacy ? narrow : 32; /* not legacy: moved to the top of a word */
    }
    return r;
}

/* JAX splits the key from 2^32 - 1 words on. */
static uint64_t jax_legacy_limit(int32_t draws)
{
    const uint64_t words = UINT32_MAX - 1;
    return draws == DROPWISE_F64    ? words / 2
           : draws == DROPWISE_F16  ? words * 2
           : draws == DROPWISE_BF16 ? words * 4
                                    : words;
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
    const bool legacy = layout == DROPWISE_LAYOUT_JAX_LEGACY;
    const double scale = keep > 0.0 ? rounded_to(dtype, 1.0 / rounded_to(dtype, keep)) : 0.0;
    if (!dropwise_is_finite(scale) || (legacy && size > jax_legacy_limit(draws)))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(layout, pair(key[0], key[1]));
    interop->size = size;
    interop->draws = draws;
    interop->scale = scale;
    const rule r = jax_rule(legacy, draws, keep);
    set_threshold(interop, &r);
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

/* ---- TensorFlow ---- */

static FP_ENV_BODY dropwise_status interop_tensorflow(dropwise_interop *interop, const int64_t seed[2],
                                                      dropwise_dtype dtype, double rate)
{
    if (interop == NULL || seed == NULL)
        return DROPWISE_ERROR_NULL;
    if (!(rate >= 0.0 && rate < 1.0))
        return DROPWISE_ERROR_PROBABILITY;
    if (!is_float_dtype(dtype))
        return DROPWISE_ERROR_DTYPE;
    const double scale = rounded_to(dtype, 1.0 / (1.0 - rate));
    if (!dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    const uint64_t seed0 = (uint64_t)seed[0], seed1 = (uint64_t)seed[1];
    const uint32_t counter[4] = {(uint32_t)seed0, (uint32_t)(seed0 >> 32), (uint32_t)seed1,
                                 (uint32_t)(seed1 >> 32)};
    uint32_t mixed[4];
    philox_block(dropwise_active(), pair(UINT32_C(0x3EC8F720), UINT32_C(0x02461E29)), counter, mixed);
    *interop = new_interop(DROPWISE_LAYOUT_TENSORFLOW, pair(mixed[0], mixed[1]));
    interop->counter[1] = pair(mixed[2], mixed[3]);
    interop->draws = dtype;
    interop->scale = scale;
    const unsigned bits = dtype == DROPWISE_F64   ? 52
                          : dtype == DROPWISE_F32 ? 23
                          : dtype == DROPWISE_F16 ? 10
                                                  : 7;
    const rule r = {FRACTION, dtype == DROPWISE_F64 ? 64 : 32, bits, AT_LEAST, rounded_to(dtype, rate)};
    set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_tensorflow(dropwise_interop *interop, const int64_t seed[2],
                                            dropwise_dtype dtype, double rate)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_tensorflow(interop, seed, dtype, rate));
}

/* ---- oneDNN ---- */

static FP_ENV_BODY dropwise_status onednn(dropwise_interop *interop, uint32_t layout, uint64_t key, double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    *interop = new_interop(layout, key);
    if (layout != DROPWISE_LAYOUT_ONEDNN_3_11)
        interop->size = UINT64_C(1) << 32;
    interop->scale = scale_in_f32((float)p);
    const rule r = {AS_IT_IS, 32, 0, ABOVE, 4294967295.0 * (double)(float)p};
    set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_onednn_3_6(dropwise_interop *interop, uint32_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, onednn(interop, DROPWISE_LAYOUT_ONEDNN_3_6, pair(seed, seed), p));
}

static FP_ENV_BODY dropwise_status interop_onednn_3_11(dropwise_interop *interop, uint64_t seed,
                                                       uint64_t offset, double p)
{
    if (interop != NULL && is_probability(p) && offset == 0)
        return DROPWISE_ERROR_PARAMETER;
    const dropwise_status status = onednn(interop, DROPWISE_LAYOUT_ONEDNN_3_11, seed, p);
    if (status == DROPWISE_OK)
        interop->counter[0] = offset;
    return status;
}

dropwise_status dropwise_interop_onednn_3_11(dropwise_interop *interop, uint64_t seed, uint64_t offset,
                                             double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_onednn_3_11(interop, seed, offset, p));
}

dropwise_status dropwise_interop_onednn_3_11_no_offset(dropwise_interop *interop, uint32_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, onednn(interop, DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET, pair(seed, seed), p));
}

/* ---- Kernels of threads: PyTorch, ONNX Runtime, DeepSpeed ---- */

enum {
    MAX_THREADS = 1 << 30,
    TORCH_BLOCK = 256,
    TORCH_UNROLL = 4,
    DEEPSPEED_BLOCK = 512,
    CURAND_SUBSEQUENCES = 65536
};

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

/* Elements that a thread treats at a time. */
static bool is_torch_vector(uint32_t vector)
{
    return vector == 1 || vector == 2 || vector == 4 || vector == 8 || vector == 16;
}

static dropwise_status check_dropout(const dropwise_interop *interop, dropwise_dtype dtype, double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    return is_float_dtype(dtype) ? DROPWISE_OK : DROPWISE_ERROR_DTYPE;
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
        set_constant(interop, true);
    else
        set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_torch_cuda(dropwise_interop *interop, dropwise_dtype dtype, uint64_t numel,
                                            uint32_t threads, uint32_t vector, uint64_t seed, uint64_t offset,
                                            double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_torch_cuda(interop, dtype, numel, threads, vector, seed, offset, p));
}

/* Numbers of elements that a C int holds. */
static bool is_int(uint64_t numel)
{
    return numel <= INT32_MAX;
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
        set_constant(interop, true);
    else
        set_threshold(interop, &r);
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
    set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_deepspeed(dropwise_interop *interop, uint64_t numel, uint32_t threads,
                                           uint64_t seed, uint64_t offset, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_deepspeed(interop, numel, threads, seed, offset, p));
}

/* ---- Generators whose numbers are compared by the user: Triton, cuRAND, NumPy, oneMKL ---- */

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
    set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_triton(dropwise_interop *interop, uint64_t seed, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(
        caller, of_generator(interop, DROPWISE_LAYOUT_TRITON, seed, UINT64_C(1) << 32, FOLDED, ABOVE, p));
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
    const double limit = rounded_to(computed, p);
    *interop = new_interop(layout, seed);
    interop->size = UINT64_C(1) << 32;
    interop->scale = p < 1.0 ? rounded_to(computed, 1.0 / (1.0 - p)) : 0.0;
    const rule r = {read, 32, 0, ABOVE, is_2_11 ? limit : rounded_to(dtype, limit)};
    if (p == 0.0) /* nothing is drawn then */
        set_constant(interop, true);
    else
        set_threshold(interop, &r);
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

/* One step of SeedSequence's hash. */
static uint32_t seed_hash(uint32_t value, uint32_t *constant, uint32_t multiplier)
{
    value ^= *constant;
    *constant *= multiplier;
    value *= *constant;
    return value ^ value >> 16;
}

dropwise_status dropwise_numpy_key(uint64_t seed, uint64_t key[2])
{
    if (key == NULL)
        return DROPWISE_ERROR_NULL;
    const uint32_t entropy[4] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t pool[4], constant = UINT32_C(0x43B0D7E5), words[4];
    for (unsigned i = 0; i < 4; i++)
        pool[i] = seed_hash(entropy[i], &constant, UINT32_C(0x931E8875));
    for (unsigned from = 0; from < 4; from++) {
        for (unsigned to = 0; to < 4; to++) {
            if (from == to)
                continue;
            const uint32_t hash = seed_hash(pool[from], &constant, UINT32_C(0x931E8875));
            const uint32_t mixed = UINT32_C(0xCA01F9DD) * pool[to] - UINT32_C(0x4973F715) * hash;
            pool[to] = mixed ^ mixed >> 16;
        }
    }
    constant = UINT32_C(0x8B51F9DD);
    for (unsigned i = 0; i < 4; i++)
        words[i] = seed_hash(pool[i], &constant, UINT32_C(0x58F38DED));
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
    const rule r = {FRACTION, is_f64 ? 64 : 32, is_f64 ? 53 : 24, AT_LEAST, rounded_to(draws, p)};
    set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_numpy(dropwise_interop *interop, const uint64_t key[2],
                                       const uint64_t counter[4], dropwise_dtype draws, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_numpy(interop, key, counter, draws, p));
}

/* ---- FlashAttention and TransformerEngine, which compare bytes ---- */

/* floor of x, 0 <= x < 2^31. */
static double floor_of(double x)
{
    return (double)(int32_t)x;
}

/* The elements of 2^26 heads: FlashAttention counts heads times 32 in an int. */
static uint64_t attention_size(uint64_t rows, uint64_t columns)
{
    const uint64_t head = rows * columns;
    return head < DROPWISE_INDEX_LIMIT >> 26 ? head << 26 : DROPWISE_INDEX_LIMIT;
}

static FP_ENV_BODY dropwise_status interop_flash_attention_2(dropwise_interop *interop, uint64_t rows,
                                                             uint64_t columns, uint64_t seed, uint64_t offset,
                                                             double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!(p >= 0.0 && (float)p < 1.0f))
        return DROPWISE_ERROR_PROBABILITY;
    if (rows == 0 || columns == 0 || !is_int(rows) || !is_int(columns))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_FLASH_ATTENTION_2, seed);
    interop->counter[0] = offset;
    interop->rows = rows;
    interop->columns = columns;
    interop->size = attention_size(rows, columns);
    interop->scale = scale_in_f32((float)p);
    const rule r = {AS_IT_IS, 8, 0, AT_MOST, floor_of((double)(1.0f - (float)p) * 255.0)};
    set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_flash_attention_2(dropwise_interop *interop, uint64_t rows, uint64_t columns,
                                                   uint64_t seed, uint64_t offset, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_flash_attention_2(interop, rows, columns, seed, offset, p));
}

static FP_ENV_BODY dropwise_status interop_transformer_engine(dropwise_interop *interop, uint64_t seed,
                                                              uint64_t offset, double p)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (!(p >= 0.0 && (float)p < 1.0f))
        return DROPWISE_ERROR_PROBABILITY;
    if (offset % 4 != 0)
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_TRANSFORMER_ENGINE, seed);
    interop->counter[0] = offset / 4;
    interop->scale = scale_in_f32((float)p);
    const rule r = {AS_IT_IS, 8, 0, AT_LEAST, floor_of((double)((float)p * 256.0f))};
    set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_transformer_engine(dropwise_interop *interop, uint64_t seed, uint64_t offset,
                                                    double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_transformer_engine(interop, seed, offset, p));
}

/* ---- Use ---- */

/* Whether the dtype of the draw is one that the layout has. */
static bool draws_are_known(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_LEGACY:
    case DROPWISE_LAYOUT_TENSORFLOW:
        return is_float_dtype(d->draws);
    case DROPWISE_LAYOUT_NUMPY:
        return d->draws == DROPWISE_F32 || d->draws == DROPWISE_F64;
    default:
        return d->draws == DROPWISE_F32;
    }
}

/* The most elements that the layout can number. */
static uint64_t size_limit(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX_LEGACY:
        return jax_legacy_limit(d->draws);
    case DROPWISE_LAYOUT_ONEDNN_3_6:
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
    case DROPWISE_LAYOUT_TRITON:
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return UINT64_C(1) << 32;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        return attention_size(d->rows, d->columns);
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
    case DROPWISE_LAYOUT_DEEPSPEED:
        return INT32_MAX;
    default:
        return DROPWISE_INDEX_LIMIT;
    }
}

/* The largest number that the layout compares: bytes, halves or wholes of words, or pairs of them. */
static uint64_t number_limit(const dropwise_interop *d)
{
    const bool is_legacy = d->layout == DROPWISE_LAYOUT_JAX_LEGACY;
    if (d->layout == DROPWISE_LAYOUT_FLASH_ATTENTION_2 || d->layout == DROPWISE_LAYOUT_TRANSFORMER_ENGINE ||
        (is_legacy && d->draws == DROPWISE_BF16))
        return UINT8_MAX;
    if (is_legacy && d->draws == DROPWISE_F16)
        return UINT16_MAX;
    return d->draws == DROPWISE_F64 ? UINT64_MAX : UINT32_MAX;
}

/* Numbers of a thread's, or a state's, that may be skipped. */
static uint64_t skip_limit(uint32_t layout)
{
    if (layout == DROPWISE_LAYOUT_CURAND_HOST)
        return DROPWISE_INDEX_LIMIT;
    return layout == DROPWISE_LAYOUT_CURAND || layout == DROPWISE_LAYOUT_DEEPSPEED ? 3 : 0;
}

static bool is_launch(const dropwise_interop *d, uint32_t most_threads)
{
    return d->threads != 0 && d->threads <= most_threads && is_torch_vector(d->vector);
}

/* Whether the fields that say how the system's kernel goes through the tensor are such as it has. */
static bool shape_is_known(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_TORCH_CUDA:
        return is_launch(d, MAX_THREADS) && d->size % d->vector == 0;
    case DROPWISE_LAYOUT_DEEPSPEED:
        return is_launch(d, MAX_THREADS) && d->vector == 4 && d->size % 4 == 0;
    case DROPWISE_LAYOUT_ONNX_RUNTIME:
        return is_launch(d, MAX_THREADS / 2) && d->vector == 4;
    case DROPWISE_LAYOUT_CURAND_HOST:
        return d->threads == CURAND_SUBSEQUENCES && d->vector == 4;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        return d->rows != 0 && d->columns != 0 && is_int(d->rows) && is_int(d->columns);
    default:
        return true;
    }
}

/*
 * Kernels may multiply zeros where elements are dropped: a negative scale, also a negative 0, or an infinite
 * one would make -0.0 or NaN of them.
 */
static bool is_scale(double scale)
{
    const bool is_zero = scale == 0.0 && !__builtin_signbit(scale);
    return is_zero || (scale >= 1.0 && dropwise_is_finite(scale));
}

/* The shape is looked at first: the limit of the size is a product of it. */
static bool parameters_are_known(const dropwise_interop *d)
{
    return d->drops <= 1 && draws_are_known(d) && shape_is_known(d) && d->size <= size_limit(d) &&
           d->last <= number_limit(d) && d->skip <= skip_limit(d->layout) && is_scale(d->scale);
}

/* All dtypes but f64 are multiplied in f32. */
static bool scale_fits(double scale, dropwise_dtype dtype)
{
    return dtype == DROPWISE_F64 || scale <= 0x1.fffffep127;
}

static dropwise_status check_interop(const dropwise_interop *interop)
{
    if (interop == NULL)
        return DROPWISE_ERROR_NULL;
    if (interop->struct_size != sizeof *interop)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (dropwise_layout_name(interop->layout) == NULL)
        return DROPWISE_ERROR_LAYOUT;
    if (interop->reserved[0] != 0)
        return DROPWISE_ERROR_RESERVED;
    return parameters_are_known(interop) ? DROPWISE_OK : DROPWISE_ERROR_PARAMETER;
}

static dropwise_status check_range(const dropwise_interop *interop, uint64_t first, uint64_t n)
{
    const bool inside = n <= interop->size && first <= interop->size - n;
    return inside || n == 0 ? DROPWISE_OK : DROPWISE_ERROR_RANGE;
}

static FP_ENV_BODY dropwise_status interop_bits(const dropwise_interop *interop, uint64_t first, size_t n,
                                                void *bits)
{
    dropwise_status status = check_interop(interop);
    if (status == DROPWISE_OK)
        status = check_range(interop, first, n);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_interop_draw(dropwise_active(), interop, first, n, bits);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_bits(const dropwise_interop *interop, uint64_t first, size_t n, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_bits(interop, first, n, bits));
}

static FP_ENV_BODY dropwise_status interop_mask(const dropwise_interop *interop, dropwise_mask *mask)
{
    const dropwise_status status = check_interop(interop);
    if (status != DROPWISE_OK)
        return status;
    if (mask == NULL)
        return DROPWISE_ERROR_NULL;
    /* From 2^25 on, a threshold's neighbours are closer than those of its reciprocal in f32. */
    if (interop->scale > 0x1p15)
        return DROPWISE_ERROR_PARAMETER;
    const dropwise_status made = dropwise_mask_init(mask, 0.0, 0, 0);
    if (made == DROPWISE_OK)
        mask->keep_threshold = interop->scale > 0.0 ? (uint64_t)(0x1p40 / interop->scale + 0.5) : 0;
    return made;
}

dropwise_status dropwise_interop_mask(const dropwise_interop *interop, dropwise_mask *mask)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_mask(interop, mask));
}

static FP_ENV_BODY dropwise_status interop_forward(const dropwise_interop *interop, dropwise_dtype dtype,
                                                   uint64_t first, size_t n, const void *x, void *y,
                                                   void *bits)
{
    enum { CHUNK = 4096 };
    const size_t element_bytes = dropwise_dtype_bytes(dtype);
    dropwise_status status = check_interop(interop);
    if (status == DROPWISE_OK && element_bytes == 0)
        status = DROPWISE_ERROR_DTYPE;
    if (status == DROPWISE_OK && !scale_fits(interop->scale, dtype))
        status = DROPWISE_ERROR_PARAMETER;
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, element_bytes);
    if (status == DROPWISE_OK)
        status = check_range(interop, first, n);
    if (status == DROPWISE_OK && n != 0)
        status = dropwise_check_buffers(n, element_bytes, x, y, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;

    const dropwise_kernels *kernels = dropwise_active();
    dropwise_mask kept;
    if ((status = dropwise_mask_init(&kept, 0.0, 0, 0)) != DROPWISE_OK)
        return status;
    const bool nontemporal = x != y && dropwise_is_large(n * element_bytes);
    apply_plan plan = dropwise_apply_plan(kernels, &kept, dtype, nontemporal);
    plan.scales = interop->scale != 1.0;
    plan.factor = dropwise_factor_of(dtype, interop->scale);
    if (bits != NULL)
        dropwise_interop_draw(kernels, interop, first, n, bits);
    for (size_t done = 0; done < n; done += CHUNK) {
        uint8_t drawn[CHUNK / 8];
        const size_t len = min_size(CHUNK, n - done);
        if (bits == NULL)
            dropwise_interop_draw(kernels, interop, first + done, len, drawn);
        dropwise_apply_bits(&plan, bits != NULL ? (const uint8_t *)bits + done / 8 : drawn, len,
                            (const uint8_t *)x + done * element_bytes, (uint8_t *)y + done * element_bytes);
    }
    if (nontemporal)
        kernels->nt_fence();
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_forward(const dropwise_interop *interop, dropwise_dtype dtype,
                                         uint64_t first, size_t n, const void *x, void *y, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_forward(interop, dtype, first, n, x, y, bits));
}
