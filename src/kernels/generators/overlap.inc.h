/*
 * Work that is done between the rounds of a generator, part by part: what waits for the caches or for memory
 * beside what waits for arithmetic. Included after elements/elements.inc.h by what generates.
 */
#ifndef DROPWISE_OVERLAP_INC_H
#define DROPWISE_OVERLAP_INC_H

typedef enum overlap_element { SCALE_f64, SCALE_f32, SCALE_f16, SCALE_bf16 } overlap_element;

/* Elements, in whole vectors, to be scaled where their bits are 1. All but the pointers is constant. */
typedef struct overlap {
    overlap_element type;
    unsigned elements;
    dropwise_residency residency;
    const uint8_t *bits, *x;
    uint8_t *y;
    dropwise_params factor;
} overlap;

/* Part number `part` of so many; with NULL there is nothing to do. */
VEC_INLINE void overlap_part(const overlap *work, unsigned part, unsigned parts)
{
    if (work == NULL)
        return;
    const unsigned n = work->elements;
    switch (work->type) {
    case SCALE_f64:
        apply_part_f64(work->residency, work->bits, n, part, parts, work->x, work->y, work->factor.f64[0]);
        break;
    case SCALE_f32:
        apply_part_f32(work->residency, work->bits, n, part, parts, work->x, work->y, work->factor.f32[0]);
        break;
    case SCALE_f16:
        apply_part_f16(work->residency, work->bits, n, part, parts, work->x, work->y, work->factor.f32[0]);
        break;
    default:
        apply_part_bf16(work->residency, work->bits, n, part, parts, work->x, work->y, work->factor.f32[0]);
    }
}

#endif
