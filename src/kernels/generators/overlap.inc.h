/*
 * Work that is done between the rounds of a generator, part by part: what waits for the caches or for memory
 * beside what waits for arithmetic. Included after elements/elements.inc.h by what generates.
 */
#ifndef DROPWISE_OVERLAP_INC_H
#define DROPWISE_OVERLAP_INC_H

typedef enum overlap_element { SCALE_f64, SCALE_f32, SCALE_f16, SCALE_bf16 } overlap_element;

/* Elements, in whole vectors, to be scaled where the masks say so. All but the pointers is constant. */
typedef struct overlap {
    overlap_element type;
    unsigned elements;
    bool nontemporal; /* written past the caches, and x is prefetched */
    const mask64 *masks;
    const uint8_t *x;
    uint8_t *y;
    dropwise_params factor;
} overlap;

/* Of so many equal shares, of whole words of 64 elements, the one with this number. */
VEC_INLINE overlap overlap_share(const overlap *work, unsigned number, unsigned shares)
{
    static const uint8_t bytes[] = {[SCALE_f64] = 8, [SCALE_f32] = 4, [SCALE_f16] = 2, [SCALE_bf16] = 2};
    overlap share = *work;
    share.elements /= shares;
    share.masks += number * share.elements / 64;
    share.x += number * share.elements * bytes[share.type];
    share.y += number * share.elements * bytes[share.type];
    return share;
}

/* Part number `part` of so many; with NULL there is nothing to do. */
VEC_INLINE void overlap_part(const overlap *work, unsigned part, unsigned parts)
{
    if (work == NULL)
        return;
    const unsigned n = work->elements;
    const bool nontemporal = work->nontemporal;
    switch (work->type) {
    case SCALE_f64:
        apply_part_f64(nontemporal, work->masks, n, part, parts, work->x, work->y, work->factor.f64[0]);
        break;
    case SCALE_f32:
        apply_part_f32(nontemporal, work->masks, n, part, parts, work->x, work->y, work->factor.f32[0]);
        break;
    case SCALE_f16:
        apply_part_f16(nontemporal, work->masks, n, part, parts, work->x, work->y, work->factor.f32[0]);
        break;
    default:
        apply_part_bf16(nontemporal, work->masks, n, part, parts, work->x, work->y, work->factor.f32[0]);
    }
}

#endif
