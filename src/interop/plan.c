#include "interop/plan.h"

/* Where the number that the system makes a float of lies in the word: it is moved to the top. */
static uint32_t shift_of(const dropwise_interop *d)
{
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
        return drawn_bits(d) < 32 ? 32 - drawn_bits(d) : 0;
    case DROPWISE_LAYOUT_TENSORFLOW:
        return d->draws == DROPWISE_F64   ? 12
               : d->draws == DROPWISE_F32 ? 9
               : d->draws == DROPWISE_F16 ? 22
                                          : 25;
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        return 1;
    default:
        return 0;
    }
}

layout_plan dropwise_layout_plan_of(const dropwise_kernels *k, const dropwise_interop *d)
{
    const bool dwords = d->draws == DROPWISE_F64;
    layout_plan p = {
        .interop = d,
        .kernels = k,
        .words = k->words_philox4x32_10,
        .compare = dwords ? k->compare_u64 : k->compare_u32,
        .how = {.last = d->last, .shift = shift_of(d), .drops = d->drops},
        .block_bytes = 16,
        .numbers = dwords ? 2 : 4,
        .arranged = IN_ORDER,
    };
    switch (d->layout) {
    case DROPWISE_LAYOUT_JAX:
    case DROPWISE_LAYOUT_JAX_LEGACY: /* in order only for f64; the others lie in rows */
        p.words = dwords ? k->words_threefry2x32_20_joined : k->words_threefry2x32_20_xor;
        p.block_bytes = dwords ? 8 : 4;
        p.numbers = 1;
        break;
    case DROPWISE_LAYOUT_TENSORFLOW:
        p.words = dwords ? k->words_philox4x32_10_swapped : k->words_philox4x32_10;
        break;
    case DROPWISE_LAYOUT_ONEDNN_3_11_NO_OFFSET:
        p.words = k->words_philox4x32_10_third;
        break;
    case DROPWISE_LAYOUT_TRITON:
    case DROPWISE_LAYOUT_INDUCTOR_GPU:
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_12:
        p.compare = k->compare_folded_u32;
        p.words = k->words_philox4x32_10_first;
        p.block_bytes = 4;
        p.numbers = 1;
        break;
    case DROPWISE_LAYOUT_INDUCTOR_GPU_2_13:
        p.compare = k->compare_folded_u32;
        break;
    case DROPWISE_LAYOUT_INDUCTOR_CPU:
    case DROPWISE_LAYOUT_INDUCTOR_CPU_2_12:
        p.words = k->words_philox4x32_10_first;
        p.block_bytes = 4;
        p.numbers = 1;
        break;
    case DROPWISE_LAYOUT_NUMPY:
        p.block_bytes = 32;
        p.numbers = dwords ? 4 : 8;
        break;
    case DROPWISE_LAYOUT_ONEMKL:
        p.how.flip = UINT32_C(1) << 31;
        break;
    case DROPWISE_LAYOUT_FLASH_ATTENTION_2:
        p.words = k->words_philox4x32_7;
        p.compare = k->compare_u8;
        p.numbers = 16;
        break;
    case DROPWISE_LAYOUT_TRANSFORMER_ENGINE:
        p.compare = k->compare_u8;
        p.numbers = 16;
        p.arranged = BYTES_OF_16;
        break;
    case DROPWISE_LAYOUT_TORCH_CUDA:
        if (d->vector == 2)
            p.arranged = FIRST_TWO;
        break;
    case DROPWISE_LAYOUT_DEEPSPEED:
        if (d->skip != 0)
            p.arranged = SHIFTED;
        break;
    default:
        break;
    }
    p.elements = p.arranged == FIRST_TWO ? 2 : p.numbers;
    return p;
}
