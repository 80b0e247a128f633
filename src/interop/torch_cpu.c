/* PyTorch on CPUs, not compiled: mt19937, two words an element, and the products as PyTorch computes them. */
#include <string.h>

#include "apply/dtype.h"
#include "base/bits.h"
#include "base/check.h"
#include "base/fp_env.h"
#include "interop/mt19937.h"
#include "interop/system.h"
#include "tiers/dispatch.h"

static dropwise_status check_engine(const dropwise_mt19937 *engine)
{
    if (engine == NULL)
        return DROPWISE_ERROR_NULL;
    if (engine->struct_size != sizeof *engine)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (engine->reserved[0] != 0 || engine->reserved[1] != 0)
        return DROPWISE_ERROR_RESERVED;
    return engine->position <= MT_BLOCK_WORDS ? DROPWISE_OK : DROPWISE_ERROR_PARAMETER;
}

/* ---- The engine ---- */

dropwise_status dropwise_mt19937_seed(dropwise_mt19937 *engine, uint32_t seed)
{
    if (engine == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_mt19937_from_seed(engine, seed);
    return DROPWISE_OK;
}

/* Places in the bytes of torch.get_rng_state(), whose numbers are little-endian. Words have 64 bits there. */
enum { TORCH_LEFT = 8, TORCH_SEEDED = 12, TORCH_NEXT = 16, TORCH_WORDS = 24 };

dropwise_status dropwise_mt19937_from_torch(dropwise_mt19937 *engine, const void *state, size_t bytes)
{
    if (engine == NULL || state == NULL)
        return DROPWISE_ERROR_NULL;
    if (bytes != DROPWISE_TORCH_STATE_BYTES)
        return DROPWISE_ERROR_SIZE;
    const uint8_t *from = state;
    const uint32_t left = load_le32(from + TORCH_LEFT);
    bool is_state = load_le32(from + TORCH_SEEDED) == 1 && left != 0 && left <= MT_BLOCK_WORDS;
    for (size_t i = 0; i < MT_BLOCK_WORDS; i++)
        is_state = is_state && load_le32(from + TORCH_WORDS + 8 * i + 4) == 0;
    if (!is_state)
        return DROPWISE_ERROR_PARAMETER;
    *engine = (dropwise_mt19937){.struct_size = sizeof *engine, .position = MT_BLOCK_WORDS + 1 - left};
    for (size_t i = 0; i < MT_BLOCK_WORDS; i++)
        engine->words[i] = load_le32(from + TORCH_WORDS + 8 * i);
    return DROPWISE_OK;
}

dropwise_status dropwise_mt19937_to_torch(const dropwise_mt19937 *engine, void *state, size_t bytes)
{
    dropwise_mt19937 there;
    dropwise_status status = check_engine(engine);
    if (status == DROPWISE_OK)
        status = dropwise_mt19937_from_torch(&there, state, bytes);
    /* A block of which nothing is used is the one before it, used up: only NumPy's may begin so. */
    if (status == DROPWISE_OK && engine->position == 0)
        status = DROPWISE_ERROR_PARAMETER;
    if (status != DROPWISE_OK)
        return status;
    const bool same_words = memcmp(there.words, engine->words, sizeof there.words) == 0;
    /* After seeding PyTorch's own number of used words is 0, though none is left. */
    if (same_words && there.position == engine->position)
        return DROPWISE_OK;
    uint8_t *to = state;
    store_le32(to + TORCH_LEFT, MT_BLOCK_WORDS + 1 - engine->position);
    store_le64(to + TORCH_NEXT, engine->position);
    for (size_t i = 0; i < MT_BLOCK_WORDS; i++)
        store_le64(to + TORCH_WORDS + 8 * i, engine->words[i]);
    return DROPWISE_OK;
}

dropwise_status dropwise_mt19937_words(dropwise_mt19937 *engine, size_t n, uint32_t *words)
{
    dropwise_status status = check_engine(engine);
    if (status == DROPWISE_OK)
        status = dropwise_check_size(n, sizeof *words);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (words == NULL)
        return DROPWISE_ERROR_NULL;
    dropwise_mt19937_numbers(dropwise_active(), engine, n, words);
    for (size_t i = 0; i < n; i++)
        words[i] = load_le32((const uint8_t *)(words + i));
    return DROPWISE_OK;
}

dropwise_status dropwise_mt19937_skip(dropwise_mt19937 *engine, uint64_t n)
{
    const dropwise_status status = check_engine(engine);
    mt_jump none = {.blocks = 0};
    if (status == DROPWISE_OK)
        dropwise_mt19937_move(dropwise_active(), engine, n, &none);
    return status;
}

dropwise_status dropwise_mt19937_jump_init(dropwise_mt19937_jump *jump, uint64_t blocks)
{
    if (jump == NULL)
        return DROPWISE_ERROR_NULL;
    if (blocks > DROPWISE_INDEX_LIMIT / MT_BLOCK_WORDS * 2)
        return DROPWISE_ERROR_PARAMETER;
    *jump = (dropwise_mt19937_jump){.struct_size = sizeof *jump, .blocks = blocks};
    dropwise_mt_power(&mt19937_recurrence, jump->polynomial, MT_BLOCK_WORDS * blocks, 0);
    return DROPWISE_OK;
}

dropwise_status dropwise_mt19937_make_jump(dropwise_mt19937 *engine, const dropwise_mt19937_jump *jump)
{
    const dropwise_status status = check_engine(engine);
    if (status != DROPWISE_OK)
        return status;
    if (jump == NULL)
        return DROPWISE_ERROR_NULL;
    if (jump->struct_size != sizeof *jump)
        return DROPWISE_ERROR_STRUCT_SIZE;
    if (jump->reserved != 0)
        return DROPWISE_ERROR_RESERVED;
    if (jump->blocks != 0)
        dropwise_mt19937_apply(dropwise_active(), engine->words, jump->polynomial);
    return DROPWISE_OK;
}

/* ---- Dropout ---- */

/* The state before element `first`, and the elements from there on. */
static void draw_torch_cpu(const layout_plan *p, uint64_t first, size_t n, piece_fn *use, void *arg)
{
    const dropwise_interop *d = p->interop;
    dropwise_mt19937 engine;
    dropwise_mt19937_from_seed(&engine, (uint32_t)d->key[0]);
    mt_jump none = {.blocks = 0};
    dropwise_mt19937_move(p->kernels, &engine, d->counter[0] + 2 * first, &none);
    dropwise_mt19937_draw(p->kernels, &engine, (d->last >> p->how.shift) + 1, d->drops, n, use, arg);
}

void dropwise_plan_torch_cpu(layout_plan *p)
{
    p->arranged = IN_SEQUENCE;
    p->draw = draw_torch_cpu;
    p->how.shift = 11;
}

/* 53 bits as a fraction, below 1 - p. */
static rule rule_of(double p)
{
    /* With 0 all are kept, with 1 none. */
    return (rule){FRACTION, 64, 53, BELOW, p == 0.0 ? 2.0 : 1.0 - p};
}

/* That in integers: 1 - p is a multiple of 2^-53, as p is one or is rounded to one. */
static uint64_t threshold_of(double p)
{
    return (uint64_t)((1.0 - p) * 0x1p53);
}

/* What PyTorch multiplies by; infinite where it is beyond the dtype. */
static double torch_scale(dropwise_dtype dtype, double p)
{
    if (p == 1.0)
        return 0.0;
    return dtype == DROPWISE_F64 ? 1.0 / (1.0 - p)
                                 : dropwise_rounded_to(dtype, (double)(1.0f / (float)(1.0 - p)));
}

static FP_ENV_BODY dropwise_status interop_torch_cpu(dropwise_interop *interop, dropwise_dtype dtype,
                                                     uint64_t seed, uint64_t words, double p)
{
    const dropwise_status status = check_dropout(interop, dtype, p);
    if (status != DROPWISE_OK)
        return status;
    const double scale = torch_scale(dtype, p);
    if (words > UINT64_C(1) << 61 || !dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_TORCH_CPU, (uint32_t)seed);
    interop->counter[0] = words;
    interop->draws = DROPWISE_F64;
    interop->scale = scale;
    const rule r = rule_of(p);
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_torch_cpu(dropwise_interop *interop, dropwise_dtype dtype, uint64_t seed,
                                           uint64_t words, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_torch_cpu(interop, dtype, seed, words, p));
}

/* ---- torch.func._random ---- */

/* Bits of a word, the lower ones, that become a fraction; of two words, the first one above, for f64. */
static unsigned func_random_bits(dropwise_dtype draws)
{
    return draws == DROPWISE_F64 ? 53 : draws == DROPWISE_F32 ? 24 : draws == DROPWISE_F16 ? 11 : 8;
}

void dropwise_plan_torch_func_random(layout_plan *p)
{
    const bool dwords = p->interop->draws == DROPWISE_F64;
    p->words = dwords ? p->kernels->words_philox4x32_10_swapped : p->kernels->words_philox4x32_10;
    p->how.shift = (dwords ? 64 : 32) - func_random_bits(p->interop->draws);
}

static FP_ENV_BODY dropwise_status torch_func_random(dropwise_interop *interop, const uint64_t key[2],
                                                     dropwise_dtype draws, double p)
{
    if (key == NULL)
        return DROPWISE_ERROR_NULL;
    const dropwise_status status = check_dropout(interop, draws, p);
    if (status != DROPWISE_OK)
        return status;
    const double scale = torch_scale(draws, p);
    if (!dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_TORCH_FUNC_RANDOM, key[0]);
    interop->counter[0] = key[1];
    interop->draws = draws;
    interop->scale = scale;
    const rule r = {FRACTION, draws == DROPWISE_F64 ? 64 : 32, func_random_bits(draws), AT_LEAST,
                    dropwise_rounded_to(draws, p)};
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_torch_func_random(dropwise_interop *interop, const uint64_t key[2],
                                                   dropwise_dtype draws, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, torch_func_random(interop, key, draws, p));
}

/* ---- Dropout of an engine ---- */

/* The kernel that multiplies elements of a dtype by 0 and the scale. */
static dropwise_apply_fn *product_of(const dropwise_kernels *kernels, dropwise_dtype dtype)
{
    return dtype == DROPWISE_F64   ? kernels->product_kept_f64
           : dtype == DROPWISE_F32 ? kernels->product_kept_f32
           : dtype == DROPWISE_F16 ? kernels->product_kept_f16
                                   : kernels->product_kept_bf16;
}

/* Elements to multiply, unless x is NULL, and where to write their bits, unless bits is. */
typedef struct dropout {
    mt_taker taker; /* first */
    dropwise_apply_fn *product;
    size_t element_bytes;
    uint64_t threshold;
    const uint8_t *x;
    uint8_t *y, *bits;
    real scale;
    bool is_f32;
} dropout;

static void take_bits(dropout *d, const uint8_t *bits, size_t n)
{
    if (d->x != NULL)
        d->product(bits, n, d->x, d->y, &d->scale);
    if (d->bits != NULL)
        memcpy(d->bits, bits, bytes_of_bits(n));
}

static void take_dropout(mt_taker *to, const dropwise_kernels *kernels, const mt_part *part)
{
    dropout *d = (dropout *)to;
    if (d->is_f32 && part->even != NULL) {
        const dropwise_pairs pairs = {part->first,  part->second, part->even, part->odd,
                                      d->threshold, d->x,         d->y,       d->scale.f32};
        kernels->draw_mt19937(&pairs, part->n / 64, d->bits);
    } else {
        uint8_t bits[MT_MOST_PAIRS / 8];
        dropwise_mt19937_part_bits(kernels, part, d->threshold, bits);
        take_bits(d, bits, part->n);
    }
    if (d->x != NULL) {
        d->x += part->n * d->element_bytes;
        d->y += part->n * d->element_bytes;
    }
    if (d->bits != NULL)
        d->bits += part->n / 8;
}

/* The next n > 0 elements. */
static void draw_dropout(dropwise_mt19937 *engine, double p, size_t n, dropout *d)
{
    d->taker.take = take_dropout;
    d->threshold = threshold_of(p);
    dropwise_mt19937_walk(dropwise_active(), engine, 2 * (uint64_t)n, &d->taker);
}

static FP_ENV_BODY dropwise_status torch_cpu_bits(dropwise_mt19937 *engine, double p, size_t n, void *bits)
{
    dropwise_status status = check_engine(engine);
    if (status == DROPWISE_OK && !is_probability(p))
        status = DROPWISE_ERROR_PROBABILITY;
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;
    dropout d = {.bits = bits};
    if (p == 0.0 || p == 1.0)
        fill_bits(bits, n, p == 0.0);
    else
        draw_dropout(engine, p, n, &d);
    return DROPWISE_OK;
}

dropwise_status dropwise_torch_cpu_bits(dropwise_mt19937 *engine, double p, size_t n, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, torch_cpu_bits(engine, p, n, bits));
}

static dropwise_status check_product(dropwise_dtype dtype, double p, size_t n, const void *x, const void *y,
                                     const void *bits)
{
    if (!is_probability(p))
        return DROPWISE_ERROR_PROBABILITY;
    if (!is_float_dtype(dtype))
        return DROPWISE_ERROR_DTYPE;
    const size_t element_bytes = dropwise_dtype_bytes(dtype);
    const dropwise_status status = dropwise_check_size(n, element_bytes);
    return status != DROPWISE_OK || n == 0 ? status : dropwise_check_buffers(n, element_bytes, x, y, bits);
}

/* Without a number drawn: x itself, or x times 0. */
static void forward_constant(bool kept, size_t n, const dropout *d)
{
    enum { PIECE = 512 };
    static const uint8_t none[PIECE / 8] = {0};
    if (kept)
        memmove(d->y, d->x, n * d->element_bytes);
    for (size_t done = 0; !kept && done < n; done += PIECE)
        d->product(none, n - done < PIECE ? n - done : PIECE, d->x + done * d->element_bytes,
                   d->y + done * d->element_bytes, &d->scale);
    if (d->bits != NULL)
        fill_bits(d->bits, n, kept);
}

static FP_ENV_BODY dropwise_status torch_cpu_forward(dropwise_mt19937 *engine, dropwise_dtype dtype, double p,
                                                     size_t n, const void *x, void *y, void *bits)
{
    dropwise_status status = check_engine(engine);
    if (status == DROPWISE_OK)
        status = check_product(dtype, p, n, x, y, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;
    dropout d = {.product = product_of(dropwise_active(), dtype),
                 .element_bytes = dropwise_dtype_bytes(dtype),
                 .x = x,
                 .y = y,
                 .bits = bits,
                 .scale = real_of(dtype == DROPWISE_F64, torch_scale(dtype, p)),
                 .is_f32 = dtype == DROPWISE_F32};
    if (p == 0.0 || p == 1.0)
        forward_constant(p == 0.0, n, &d);
    else
        draw_dropout(engine, p, n, &d);
    return DROPWISE_OK;
}

dropwise_status dropwise_torch_cpu_forward(dropwise_mt19937 *engine, dropwise_dtype dtype, double p, size_t n,
                                           const void *x, void *y, void *bits)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, torch_cpu_forward(engine, dtype, p, n, x, y, bits));
}

static FP_ENV_BODY dropwise_status torch_cpu_apply(dropwise_dtype dtype, double p, size_t n, const void *bits,
                                                   const void *x, void *y)
{
    const dropwise_status status = check_product(dtype, p, n, x, y, bits);
    if (status != DROPWISE_OK || n == 0)
        return status;
    if (bits == NULL)
        return DROPWISE_ERROR_NULL;
    const real scale = real_of(dtype == DROPWISE_F64, torch_scale(dtype, p));
    if (p == 0.0)
        memmove(y, x, n * dropwise_dtype_bytes(dtype));
    else
        product_of(dropwise_active(), dtype)(bits, n, x, y, &scale);
    return DROPWISE_OK;
}

dropwise_status dropwise_torch_cpu_apply(dropwise_dtype dtype, double p, size_t n, const void *bits,
                                         const void *x, void *y)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, torch_cpu_apply(dtype, p, n, bits, x, y));
}
