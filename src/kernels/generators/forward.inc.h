/*
 * Kernels of kinds forward and draw_scale for one generator and one element type.
 *
 * Included by generator.inc.h, whose names it uses, with the parameter ELEMENT.
 *
 * The second place where two stages meet: elements are scaled between the rounds of the generator. It does
 * not know of them: it does a part of whatever work there is. Drawing waits for arithmetic, scaling for the
 * caches or memory.
 */

/* Blocks of a batch, and words of 64 elements. */
enum {
    OP_GE(BLOCKS) = (OP_E(BYTES) == 4 ? OP_G(OVERLAPPED_F32) : OP_G(OVERLAPPED)) * OP_G(VECTOR_BLOCKS),
    OP_GE(WORDS) = OP_GE(BLOCKS) / 4
};

_Static_assert(OP_GE(BLOCKS) % 4 == 0 && (int)OP_GE(WORDS) <= (int)DROPWISE_BATCH_WORDS,
               "batches of whole words");

/* The elements of a batch as work. Made anew for each, so that compilers see what of it is constant. */
VEC_INLINE overlap OP_GE(work)(bool nontemporal, const mask64 *masks, const uint8_t *x, uint8_t *y,
                               OP_E(factor) factor)
{
    overlap work = {OP_E(SCALE), OP_GE(WORDS) * 64, nontemporal, masks, x, y, {{0}}};
    memcpy(&work.factor, &factor, sizeof factor);
    return work;
}

/*
 * What is left of a batch, from word `at` on: each small one is scaled as soon as it is drawn, and a CPU that
 * looks ahead overlaps them. The result is how many words are done: for f32, all; other types are not worth
 * the code.
 */
VEC_INLINE size_t OP_GE(small_batches)(const OP_G(schedule) *keys, uint32_t low, size_t at, size_t n_words,
                                       const dropwise_threshold *threshold, const uint8_t *x, uint8_t *y,
                                       OP_E(factor) factor)
{
    if (OP_E(SCALE) != SCALE_f32)
        return at;
    for (; at < n_words; at += SMALL / 4) {
        uint8_t bytes[SMALL * 16];
        mask64 masks[SMALL / 4];
        OP_G(batch)(keys, low + 4 * (uint32_t)at, DROPWISE_WORD_BLOCKS, SMALL, bytes, NULL);
        VEC_UNROLL
        for (unsigned w = 0; w < SMALL / 4; w++) {
            if (w < n_words - at) {
                OP_G(answers)(bytes + w * 64, 1, threshold, at + w, &masks[w]);
                OP_E(apply_64)(true, false, &masks[w], x, y, factor);
                x += 64 * OP_E(BYTES);
                y += 64 * OP_E(BYTES);
            }
        }
    }
    return n_words;
}

/*
 * Whole batches: the elements of one are scaled while the next one is drawn, by answers that stay in
 * registers, or where a load finds them. The first batch is drawn by the kernel for that, and the last one
 * scaled in a loop: unrolled copies would make twice as much code.
 */
static size_t OP_GE(forward)(const dropwise_schedule *schedule, uint32_t low, size_t n_words,
                             const dropwise_threshold *threshold, const dropwise_elements *elements)
{
    if (n_words < OP_GE(WORDS))
        return 0;
    const OP_G(schedule) *keys = (const OP_G(schedule) *)schedule;
    const dropwise_threshold t = *threshold; /* stores to y would else be thought to change it */
    const OP_E(factor) factor = OP_E(factor_at)(elements->scale);
    uint8_t bytes[OP_GE(BLOCKS) * 16];
    uint64_t first[OP_GE(WORDS)];
    mask64 masks[OP_GE(WORDS)], last[OP_GE(WORDS)];
    const dropwise_threshold of_first = {t.last, t.keep != NULL ? t.keep : first, t.equal};
    OP_G(draw)(schedule, low, DROPWISE_WORD_BLOCKS, OP_GE(WORDS), &of_first);
    VEC_UNROLL
    for (unsigned w = 0; w < OP_GE(WORDS); w++)
        masks[w] = mask64_of(of_first.keep[w]);
    const uint8_t *x = elements->x;
    uint8_t *y = elements->y;
    size_t done = OP_GE(WORDS);
    VEC_ROLLED
    for (; n_words - done >= OP_GE(WORDS); done += OP_GE(WORDS)) {
        const overlap work = OP_GE(work)(false, masks, x, y, factor);
        OP_G(batch)(keys, low + 4 * (uint32_t)done, DROPWISE_WORD_BLOCKS, OP_GE(BLOCKS), bytes, &work);
        OP_G(answers)(bytes, OP_GE(WORDS), &t, done, masks);
        x += OP_GE(WORDS) * 64 * OP_E(BYTES);
        y += OP_GE(WORDS) * 64 * OP_E(BYTES);
    }
    memcpy(last, masks, sizeof masks);
    for (unsigned w = 0; w < OP_GE(WORDS); w++) {
        OP_E(apply_64)(true, false, &last[w], x, y, factor);
        x += 64 * OP_E(BYTES);
        y += 64 * OP_E(BYTES);
    }
    return OP_GE(small_batches)(keys, low, done, n_words, &t, x, y, factor);
}

/*
 * draw_scale, for elements that are written past the caches: nothing can be cleared in them afterwards, so
 * their ties are settled before, and what is drawn is the bits of others.
 */
static size_t OP_GE(draw_scale)(const dropwise_schedule *schedule, uint32_t low, size_t n_words,
                                const dropwise_threshold *threshold, const void *bits,
                                const dropwise_elements *elements)
{
    const OP_G(schedule) *keys = (const OP_G(schedule) *)schedule;
    const dropwise_threshold t = *threshold;
    const OP_E(factor) factor = OP_E(factor_at)(elements->scale);
    uint8_t bytes[OP_GE(BLOCKS) * 16];
    mask64 masks[OP_GE(WORDS)];
    const uint8_t *x = elements->x;
    uint8_t *y = elements->y;
    size_t done = 0;
    VEC_ROLLED
    for (; n_words - done >= OP_GE(WORDS); done += OP_GE(WORDS)) {
        VEC_UNROLL
        for (unsigned w = 0; w < OP_GE(WORDS); w++)
            masks[w] = mask64_of(load_le64((const uint8_t *)bits + (done + w) * 8));
        const overlap work = OP_GE(work)(true, masks, x, y, factor);
        OP_G(batch)(keys, low + 4 * (uint32_t)done, DROPWISE_WORD_BLOCKS, OP_GE(BLOCKS), bytes, &work);
        OP_G(answers)(bytes, OP_GE(WORDS), &t, done, NULL);
        x += OP_GE(WORDS) * 64 * OP_E(BYTES);
        y += OP_GE(WORDS) * 64 * OP_E(BYTES);
    }
    return done;
}

#undef ELEMENT
