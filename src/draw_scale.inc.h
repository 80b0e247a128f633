/*
 * Kernel of kind draw_scale for one generator and one element type.
 *
 * Included by generator.inc.h, whose names it uses, with the parameter ELEMENT.
 *
 * The second place where two stages meet. Neither knows of the other: a generator, between its rounds, does a
 * part of whatever there is to do meanwhile. Drawing waits for arithmetic, scaling for the caches or memory.
 * In L2, kernel/draw_scale_philox4x32_10_f32 of the benchmark takes 0.88 (AVX2) and 0.8 (AVX-512) of the time
 * of kernel/draw_philox4x32_10 and kernel/scale_kept_f32 together.
 */
#define APPLY(name) CONCAT(name, ELEMENT)

VEC_INLINE void OF_ELEMENT(draw_scale_words)(dropwise_reach reach, const OF(plan) *plan, uint32_t low,
                                             size_t n_words, uint8_t threshold, uint64_t *below,
                                             uint64_t *equal, const dropwise_scaled *scaled)
{
    enum { WORDS = MERGED / 4 };
    meanwhile work = {APPLY(SCALE), WORDS * 64, reach, scaled->bits, scaled->x, scaled->y, {{0}}};
    memcpy(&work.factor, scaled->scale, sizeof(APPLY(factor)));
    for (size_t done = 0; done < n_words; done += WORDS) {
        KERNEL(draw_words)(plan, low + 4 * (uint32_t)done, MERGED, threshold, below + done, equal + done,
                           &work);
        work.bits += WORDS * 8;
        work.x += WORDS * 64 * APPLY(BYTES);
        work.y += WORDS * 64 * APPLY(BYTES);
    }
}

static void OF_ELEMENT(draw_scale)(const dropwise_schedule *schedule, uint32_t low, size_t n_words,
                                   uint8_t threshold, uint64_t *below, uint64_t *equal,
                                   const dropwise_scaled *scaled)
{
    const OF(plan) *plan = (const OF(plan) *)schedule;
    if (scaled->reach == DROPWISE_STREAMED)
        OF_ELEMENT(draw_scale_words)(DROPWISE_STREAMED, plan, low, n_words, threshold, below, equal, scaled);
    else if (scaled->reach == DROPWISE_FAR)
        OF_ELEMENT(draw_scale_words)(DROPWISE_FAR, plan, low, n_words, threshold, below, equal, scaled);
    else
        OF_ELEMENT(draw_scale_words)(DROPWISE_NEAR, plan, low, n_words, threshold, below, equal, scaled);
}

#undef APPLY
#undef ELEMENT
