/*
 * Work that is done between the rounds of a generator, part by part: what waits for the caches or for memory
 * beside what waits for arithmetic. Included by apply_loops.inc.h.
 */
typedef enum meanwhile_scale { SCALE_f64, SCALE_f32, SCALE_f16, SCALE_bf16 } meanwhile_scale;

/* Elements, in whole vectors, to be scaled where their bits are 1. All but the pointers is constant. */
typedef struct meanwhile {
    meanwhile_scale type;
    unsigned elements;
    dropwise_reach reach;
    const uint8_t *bits, *x;
    uint8_t *y;
    dropwise_params factor;
} meanwhile;

/* Part number `part` of so many; with NULL there is nothing to do. */
VEC_INLINE void do_meanwhile(const meanwhile *work, unsigned part, unsigned parts)
{
    if (work == NULL)
        return;
    const unsigned n = work->elements;
    switch (work->type) {
    case SCALE_f64:
        apply_part_f64(work->reach, work->bits, n, part, parts, work->x, work->y, work->factor.f64[0]);
        break;
    case SCALE_f32:
        apply_part_f32(work->reach, work->bits, n, part, parts, work->x, work->y, work->factor.f32[0]);
        break;
    case SCALE_f16:
        apply_part_f16(work->reach, work->bits, n, part, parts, work->x, work->y, work->factor.f32[0]);
        break;
    default:
        apply_part_bf16(work->reach, work->bits, n, part, parts, work->x, work->y, work->factor.f32[0]);
    }
}
