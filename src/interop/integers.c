/* Systems that compare integers as they are: oneDNN words, FlashAttention and TransformerEngine bytes. */
#include "base/fp_env.h"
#include "interop/counters.h"
#include "interop/system.h"

/* ---- oneDNN ---- */

/* Elements from the fourfold of the block on count all four words. */
static uint64_t count_all(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    (void)p;
    for (uint32_t w = 0; w < 4; w++) {
        c->first[w] = 4 * (uint32_t)block + w;
        c->step[w] = 4;
    }
    return (UINT64_C(1) << 30) - block;
}

static uint64_t count_all_but_third(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    const uint64_t run = count_all(p, block, c);
    c->first[2] -= 2;
    return run;
}

static uint64_t count_fours(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    set_u64(c, 0, p->interop->counter[0]);
    return count_u64(c, 2, 4 * block, 4);
}

void dropwise_plan_onednn_3_6(layout_plan *p)
{
    p->counters = count_all;
}

void dropwise_plan_onednn_3_11(layout_plan *p)
{
    p->counters = count_fours;
}

void dropwise_plan_onednn_3_11_no_offset(layout_plan *p)
{
    p->words = p->kernels->words_philox4x32_10_third;
    p->counters = count_all_but_third;
}

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
    dropwise_set_threshold(interop, &r);
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

/* ---- FlashAttention and TransformerEngine, which compare bytes ---- */

static void bytes(layout_plan *p)
{
    p->compare = p->kernels->compare_u8;
    p->numbers = 16;
}

/* Which counters blocks have is for the walk over tiles. */
void dropwise_plan_flash_attention_2(layout_plan *p)
{
    bytes(p);
    p->words = p->kernels->words_philox4x32_7;
    p->arranged = IN_TILES;
}

static uint64_t count_high(const layout_plan *p, uint64_t block, dropwise_counters *c)
{
    set_u64(c, 0, p->interop->counter[0]);
    return count_u64(c, 2, block, 1);
}

void dropwise_plan_transformer_engine(layout_plan *p)
{
    bytes(p);
    p->counters = count_high;
    p->arranged = BYTES_OF_16;
}

/* floor of x, 0 <= x < 2^31. */
static double floor_of(double x)
{
    return (double)(int32_t)x;
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
    interop->size = dropwise_attention_limit(rows, columns);
    interop->scale = scale_in_f32((float)p);
    const rule r = {AS_IT_IS, 8, 0, AT_MOST, floor_of((double)(1.0f - (float)p) * 255.0)};
    dropwise_set_threshold(interop, &r);
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
    dropwise_set_threshold(interop, &r);
    return DROPWISE_OK;
}

dropwise_status dropwise_interop_transformer_engine(dropwise_interop *interop, uint64_t seed, uint64_t offset,
                                                    double p)
{
    const fp_env caller = fp_env_enter();
    return fp_env_leave(caller, interop_transformer_engine(interop, seed, offset, p));
}
