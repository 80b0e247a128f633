/* MXNet on CPUs: up to 1,024 generators mt19937, each of which draws a part of the elements. */
#include "base/check.h"
#include "base/fp_env.h"
#include "base/min.h"
#include "interop/mt19937.h"
#include "interop/system.h"

enum { MOST_PARTS = 1024, LEAST_NUMBERS = 64, SEED_FACTOR = 127 };

/* Elements of a part; the last parts may have fewer, or none. */
static uint64_t part_size(uint64_t size)
{
    const uint64_t parts = min_u64((size + LEAST_NUMBERS - 1) / LEAST_NUMBERS, MOST_PARTS);
    return (size + parts - 1) / parts;
}

/*
 * Makes the generator of an element's part, before that element; returns how many it has from there on. All
 * parts but the last one are moved as far by the calls before.
 */
static uint64_t begin_part(const layout_plan *p, uint64_t element, uint64_t words, dropwise_mt19937 *engine,
                           mt_jump *latest)
{
    const dropwise_interop *d = p->interop;
    const uint64_t step = part_size(d->size), part = element / step, first = part * step;
    const uint64_t n = min_u64(step, d->size - first);
    dropwise_mt19937_from_seed(engine, (uint32_t)(d->key[0] + part));
    dropwise_mt19937_move(p->kernels, engine, words * (element - first), latest);
    dropwise_mt19937_move(p->kernels, engine, words * d->counter[0] * n, latest);
    return n - (element - first);
}

static void draw_mxnet(const layout_plan *p, uint64_t first, size_t n, piece_fn *use, void *arg)
{
    enum { PIECE = 1024 };
    const size_t words = p->interop->draws == DROPWISE_F64 ? 2 : 1;
    dropwise_mt19937 engine;
    mt_jump latest = {.blocks = 0};
    uint64_t left = 0; /* in the part */
    for (size_t done = 0; done < n; done += PIECE) {
        uint8_t numbers[8 * PIECE], bits[PIECE / 8];
        const size_t len = min_size(PIECE, n - done);
        for (size_t i = 0, taken; i < len; i += taken, left -= taken) {
            if (left == 0)
                left = begin_part(p, first + done + i, words, &engine, &latest);
            taken = min_size(len - i, left);
            dropwise_mt19937_numbers(p->kernels, &engine, words * taken, numbers + 4 * words * i);
        }
        p->compare(numbers, len, &p->how, bits);
        use(arg, bits, len);
    }
}

void dropwise_plan_mxnet_cpu(layout_plan *p)
{
    p->arranged = IN_SEQUENCE;
    p->draw = draw_mxnet;
}

/* Numbers of f16 are drawn as those of f64; all are compared in f32. */
static FP_ENV_BODY dropwise_status mxnet_cpu(dropwise_interop *interop, dropwise_dtype dtype, uint32_t seed,
                                             uint64_t size, uint64_t run, double p)
{
    const dropwise_status status = check_dropout(interop, dtype, p);
    if (status != DROPWISE_OK)
        return status;
    if ((float)p == 1.0f)
        return DROPWISE_ERROR_PROBABILITY;
    if (dtype == DROPWISE_BF16)
        return DROPWISE_ERROR_DTYPE;
    const float keep = 1.0f - (float)p;
    const double scale = dropwise_rounded_to(dtype, (double)(1.0f / keep));
    if (size > INT32_MAX || run > UINT32_MAX || !dropwise_is_finite(scale))
        return DROPWISE_ERROR_PARAMETER;
    *interop = new_interop(DROPWISE_LAYOUT_MXNET_CPU, SEED_FACTOR * seed);
    interop->counter[0] = run;
    interop->size = size;
    interop->draws = dtype == DROPWISE_F32 ? DROPWISE_F32 : DROPWISE_F64;
    interop->scale = scale;
    const bool is_f32 = dtype == DROPWISE_F32;
    const rule r = {is_f32 ? OF_ALL_ONES : OF_TWO_WORDS, is_f32 ? 32 : 64, 0, AT_MOST, (double)keep};
    if (keep == 1.0f) /* nothing is drawn then */
        dropwise_set_threshold(interop, &(rule){AS_IT_IS, r.width, 0, AT_LEAST, 0.0});
    else
        dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_mxnet_cpu(dropwise_interop *interop, dropwise_dtype dtype, uint32_t seed,
                                           uint64_t size, uint64_t run, double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, mxnet_cpu(interop, dtype, seed, size, run, p));
}
