/*
 * Kernel of kind draw_scale for one generator and one element type.
 *
 * Included by generator.inc.h, whose names it uses, with the parameter ELEMENT.
 *
 * The second place where two stages meet. Neither knows of the other: a generator, between its rounds, does a
 * part of whatever work there is. Drawing waits for arithmetic, scaling for the caches or memory.
 * In L2, kernel/draw_scale_philox4x32_10_f32 of the benchmark takes 0.88 (AVX2) and 0.8 (AVX-512) of the time
 * of kernel/draw_philox4x32_10 and kernel/scale_kept_f32 together.
 */
VEC_INLINE void OP_GE(draw_scale_words)(bool nontemporal, bool prefetches, const OP_G(schedule) *keys,
                                        uint32_t low, size_t n_words, uint8_t threshold, uint64_t *below,
                                        uint64_t *equal, const dropwise_scaled *scaled)
{
    enum { WORDS = OVERLAPPED_BLOCKS / 4 };
    overlap work = {OP_E(SCALE),  WORDS * 64, nontemporal, prefetches,
                    scaled->bits, scaled->x,  scaled->y,   {{0}}};
    memcpy(&work.factor, scaled->scale, sizeof(OP_E(factor)));
    for (size_t done = 0; done < n_words; done += WORDS) {
        OP_G(draw_words)(keys, low + 4 * (uint32_t)done, OVERLAPPED_BLOCKS, threshold, below + done,
                         equal + done, &work);
        work.bits += WORDS * 8;
        work.x += WORDS * 64 * OP_E(BYTES);
        work.y += WORDS * 64 * OP_E(BYTES);
    }
}

static void OP_GE(draw_scale)(const dropwise_schedule *schedule, uint32_t low, size_t n_words,
                              uint8_t threshold, uint64_t *below, uint64_t *equal,
                              const dropwise_scaled *scaled)
{
    const OP_G(schedule) *keys = (const OP_G(schedule) *)schedule;
    if (scaled->residency == DROPWISE_NONTEMPORAL)
        OP_GE(draw_scale_words)(true, true, keys, low, n_words, threshold, below, equal, scaled);
    else
        OP_GE(draw_scale_words)(false, scaled->residency == DROPWISE_FAR, keys, low, n_words, threshold,
                                below, equal, scaled);
}

#undef ELEMENT
